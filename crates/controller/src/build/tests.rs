//! YAML → validate → build: what each field of the spec comes to in a cluster.

use pricepipe_core::config::{ConsumerConfig, ProducerConfig};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;

/// The pipeline `majors` in the namespace `prod` with this spec.
pub(crate) fn pipeline(spec: &str) -> Pipeline {
    let spec: Value = serde_saphyr::from_str(spec).expect("YAML");
    let resource = json!({
        "apiVersion": pricepipe_api::API_VERSION,
        "kind": pricepipe_api::KIND,
        "metadata": {"name": "majors", "namespace": "prod"},
        "spec": spec,
    });
    let mut documents = pricepipe_api::parse(&resource.to_string()).expect("a valid pipeline");
    documents.remove(0).1
}

pub(crate) fn owner() -> OwnerReference {
    OwnerReference {
        api_version: pricepipe_api::API_VERSION.to_owned(),
        kind: pricepipe_api::KIND.to_owned(),
        name: "majors".to_owned(),
        uid: "1-2-3".to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

fn images() -> Images {
    Images {
        producer: "registry.example/producer:1".to_owned(),
        consumer: "registry.example/consumer:1".to_owned(),
        pull_policy: "IfNotPresent".to_owned(),
        pull_secrets: vec!["registry".to_owned()],
    }
}

/// Builds as the controller does for a pipeline that names its servers, and else with the operator's.
pub(crate) fn built(pipeline: &Pipeline) -> Children {
    built_with(pipeline, "secrets")
}

fn built_with(pipeline: &Pipeline, secrets_hash: &str) -> Children {
    let default = KafkaConnection {
        bootstrap_servers: vec!["kafka.default-cluster:9092".to_owned()],
        ..KafkaConnection::default()
    };
    let secrets = pipeline.kafka.as_ref().map_or_else(KafkaSecrets::default, |kafka| KafkaSecrets {
        ca: kafka.ca.clone(),
        credentials: kafka.credentials.clone(),
    });
    let mongodb = SecretKey { name: "pricepipe-mongodb".to_owned(), key: "uri".to_owned() };
    let surroundings = Surroundings {
        images: &images(),
        kafka: pipeline.kafka.as_ref().map_or(&default, |kafka| &kafka.connection),
        kafka_secrets: &secrets,
        mongodb: pipeline.mongodb_uri.as_ref().unwrap_or(&mongodb),
        secrets_hash,
    };
    build(pipeline, owner(), &surroundings)
}

fn of(spec: &str) -> Children {
    built(&pipeline(spec))
}

fn told<T: DeserializeOwned>(children: &Children, file: &str) -> T {
    let data = children.config_map.data.as_ref().expect("data");
    serde_json::from_str(&data[file]).expect("a worker's configuration")
}

fn producer(spec: &str) -> ProducerConfig {
    told(&of(spec), "producer.json")
}

fn consumer(spec: &str) -> ConsumerConfig {
    told(&of(spec), "consumer.json")
}

/// The producer's Deployment and the consumer's, as they are sent.
fn deployments(children: &Children) -> [Value; 2] {
    all_deployments(children).try_into().expect("one shard")
}

fn all_deployments(children: &Children) -> Vec<Value> {
    let value = |deployment| serde_json::to_value(deployment).expect("JSON");
    children.deployments.iter().map(value).collect()
}

fn container(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["spec"]["containers"][0]
}

fn hash(deployment: &Value) -> &str {
    deployment["spec"]["template"]["metadata"]["annotations"][labels::CONFIG_HASH].as_str().expect("a hash")
}

const SMALLEST: &str = "symbols: [{symbol: BTCUSDT}]";

/// Every field that says where something is, with Secrets of every kind.
const WHOLE: &str = "
symbols: [{symbol: BTCUSDT}, {symbol: ETHUSDT, topic: ether, collection: ether_prices, partitions: 6}]
sources: [{name: main, exchange: binance, rest: {endpoints: ['https://a.example'], intervalSeconds: 5, timeoutSeconds: 4, maxWeightPerMinute: 100}}]
kafka:
  bootstrapServers: ['kafka-0.example:9093', 'kafka-1.example:9093']
  tls: {caSecretRef: {name: kafka-ca, key: authorities.pem}}
  sasl: {mechanism: SCRAM-SHA-512, credentialsSecretRef: {name: kafka-user}}
mongodb: {uriSecretRef: {name: mongo, key: connection}, database: prices, priceType: double, retentionSeconds: 3600}
producer: {replicas: 2, resources: {requests: {cpu: 50m}, limits: {memory: 64Mi}}}
consumer: {replicas: 3, batch: {maxDocuments: 50, maxMillis: 20}, resources: {limits: {cpu: 1}}}
";

#[test]
fn a_pipeline_has_these_objects_and_no_others() {
    let names = |spec: &str| -> Vec<String> {
        of(spec).iter().map(|child| format!("{} {}", child.resource.kind, child.name)).collect()
    };
    let expected = [
        "ConfigMap majors-config",
        "ServiceAccount majors-producer",
        "ServiceAccount majors-consumer",
        "NetworkPolicy majors-workers",
        "Service majors-metrics",
        "Deployment majors-producer",
        "Deployment majors-consumer",
    ];
    assert_eq!(names(SMALLEST), expected);
    let budgets = ["PodDisruptionBudget majors-producer", "PodDisruptionBudget majors-consumer"];
    let expected: Vec<&str> = expected[..5].iter().chain(&budgets).chain(&expected[5..]).copied().collect();
    assert_eq!(names(WHOLE), expected);
}

#[test]
fn every_object_belongs_to_the_pipeline_and_says_so() {
    for child in of(WHOLE).iter() {
        let metadata = &child.object["metadata"];
        assert_eq!(metadata["namespace"], "prod", "{}", child.name);
        assert_eq!(metadata["ownerReferences"], json!([owner()]), "{}", child.name);
        for (label, value) in [
            ("app.kubernetes.io/name", "pricepipe"),
            ("app.kubernetes.io/instance", "majors"),
            ("app.kubernetes.io/part-of", "pricepipe"),
            ("app.kubernetes.io/managed-by", "pricepipe-controller"),
            ("app.kubernetes.io/version", env!("CARGO_PKG_VERSION")),
            ("pricepipe.dev/pipeline", "majors"),
        ] {
            assert_eq!(metadata["labels"][label], value, "{} {label}", child.name);
        }
        assert_eq!(child.object["kind"], child.resource.kind.as_str());
        assert_eq!(child.object["apiVersion"], child.resource.api_version.as_str());
        assert!(kinds().contains(&child.resource), "{} is one of the kinds that are watched", child.name);
    }
}

#[test]
fn what_selects_pods_selects_those_and_never_changes_with_the_version() {
    let children = of(WHOLE);
    for (deployment, component) in deployments(&children).iter().zip(["producer", "consumer"]) {
        let pod = &deployment["spec"]["template"]["metadata"]["labels"];
        let selector = &deployment["spec"]["selector"]["matchLabels"];
        assert_eq!(
            selector,
            &json!({
                "app.kubernetes.io/name": "pricepipe",
                "app.kubernetes.io/instance": "majors",
                "app.kubernetes.io/component": component,
            })
        );
        assert_eq!(pod["pricepipe.dev/metrics"], "true");
        assert!(pod.get("app.kubernetes.io/version").is_none(), "{pod}");
        let service = serde_json::to_value(&children.service).unwrap();
        let policy = serde_json::to_value(&children.network_policy).unwrap();
        let budgets = serde_json::to_value(&children.pod_disruption_budgets).unwrap();
        let budget = budgets
            .as_array()
            .unwrap()
            .iter()
            .find(|b| b["metadata"]["labels"]["app.kubernetes.io/component"] == component);
        for selector in [
            selector,
            &service["spec"]["selector"],
            &policy["spec"]["podSelector"]["matchLabels"],
            &budget.unwrap()["spec"]["selector"]["matchLabels"],
        ] {
            let labels = selector.as_object().unwrap();
            assert!(
                !labels.is_empty() && labels.iter().all(|(label, value)| pod[label] == *value),
                "{selector}"
            );
        }
    }
    assert_eq!(
        labels::selector_text(&pipeline(SMALLEST), Worker::Consumer),
        "app.kubernetes.io/component=consumer,app.kubernetes.io/instance=majors,app.kubernetes.io/name=pricepipe"
    );
}

#[test]
fn symbols_and_sources_reach_the_producer() {
    let config = producer(WHOLE);
    let routes: Vec<_> = config.symbols.iter().map(|s| (s.symbol.as_str(), s.topic.as_str())).collect();
    assert_eq!(routes, [("BTCUSDT", "btc"), ("ETHUSDT", "ether")]);
    let source = &config.sources[0];
    assert_eq!((source.name.as_str(), source.exchange.as_str()), ("main", "binance"));
    assert_eq!(*source.endpoints(), ["https://a.example"]);
    let rest = source.rest().unwrap();
    assert_eq!((rest.interval_millis, rest.timeout_millis, rest.max_weight_per_minute), (5_000, 4_000, 100));
}

#[test]
fn topics_collections_and_batches_reach_the_consumer() {
    let config = consumer(WHOLE);
    let routes: Vec<_> = config.topics.iter().map(|t| (t.topic.as_str(), t.collection.as_str())).collect();
    assert_eq!(routes, [("btc", "btc"), ("ether", "ether_prices")]);
    assert_eq!(config.group, "pricepipe.prod.majors");
    assert_eq!(config.dead_letter_topic.as_str(), "majors.dead-letter");
    assert_eq!((config.batch.max_documents, config.batch.max_millis), (50, 20));
    let store =
        json!({"kind": "mongodb", "database": "prices", "priceType": "double", "retentionSeconds": 3600});
    assert_eq!(serde_json::to_value(config.store).unwrap(), store);
}

#[test]
fn a_pipeline_that_names_no_servers_gets_the_operators() {
    let expected = ["kafka.default-cluster:9092"];
    assert_eq!(producer(SMALLEST).kafka.bootstrap_servers, expected);
    assert_eq!(consumer(SMALLEST).kafka.bootstrap_servers, expected);
    let [producer, consumer] = deployments(&of(SMALLEST));
    let config =
        |file: &str| json!({"name": "PRICEPIPE_CONFIG", "value": format!("/etc/pricepipe/config/{file}")});
    assert_eq!(container(&producer)["env"], json!([config("producer.json")]));
    let uri = json!({"secretKeyRef": {"name": "pricepipe-mongodb", "key": "uri"}});
    let mongodb = json!({"name": "MONGO_CONNECTION_STRING", "valueFrom": uri});
    assert_eq!(container(&consumer)["env"], json!([config("consumer.json"), mongodb]));
}

#[test]
fn secrets_are_referred_to_by_the_worker_that_needs_them_and_never_copied() {
    let children = of(WHOLE);
    let reference = |variable: &str, name: &str, key: &str| json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}});
    let user = reference("KAFKA_USERNAME", "kafka-user", "username");
    let password = reference("KAFKA_PASSWORD", "kafka-user", "password");
    let mongodb = reference("MONGO_CONNECTION_STRING", "mongo", "connection");
    let [producer, consumer] = deployments(&children);
    assert_eq!(container(&producer)["env"].as_array().unwrap()[1..], [user.clone(), password.clone()]);
    assert_eq!(container(&consumer)["env"].as_array().unwrap()[1..], [user, password, mongodb]);
    for deployment in [producer, consumer] {
        let volume = &deployment["spec"]["template"]["spec"]["volumes"][1];
        let items = json!([{"key": "authorities.pem", "path": "ca.crt"}]);
        assert_eq!(volume["secret"], json!({"secretName": "kafka-ca", "items": items}));
        assert_eq!(
            container(&deployment)["volumeMounts"][1],
            json!({"name": "kafka-ca", "mountPath": "/etc/pricepipe/kafka-ca", "readOnly": true})
        );
    }
    for (name, text) in children.config_map.data.as_ref().unwrap() {
        for secret in ["kafka-user", "mongo\"", "connection", "kafka-ca\"", "password", "username"] {
            assert!(!text.contains(secret), "{name}: {text}");
        }
    }
    assert_eq!(children.config_map.binary_data, None);
}

#[test]
fn the_connection_of_the_pipeline_reaches_both_workers() {
    let expected = json!({
        "bootstrapServers": ["kafka-0.example:9093", "kafka-1.example:9093"],
        "securityProtocol": "SASL_SSL",
        "saslMechanism": "SCRAM-SHA-512",
        "caFile": "/etc/pricepipe/kafka-ca/ca.crt",
    });
    assert_eq!(serde_json::to_value(producer(WHOLE).kafka).unwrap(), expected);
    assert_eq!(serde_json::to_value(consumer(WHOLE).kafka).unwrap(), expected);
    assert_eq!(producer(SMALLEST).kafka.ca_file, None);
}

#[test]
fn each_worker_is_given_its_own_configuration_alone() {
    for (deployment, file) in deployments(&of(SMALLEST)).iter().zip(["producer.json", "consumer.json"]) {
        let volumes = &deployment["spec"]["template"]["spec"]["volumes"];
        let config_map = json!({"name": "majors-config", "items": [{"key": file, "path": file}]});
        assert_eq!(volumes, &json!([{"name": "config", "configMap": config_map}]));
        let mount = json!({"name": "config", "mountPath": "/etc/pricepipe/config", "readOnly": true});
        assert_eq!(container(deployment)["volumeMounts"], json!([mount]));
    }
}

#[test]
fn replicas_and_images_are_those_of_each_worker() {
    let [producer, consumer] = deployments(&of(WHOLE));
    assert_eq!((&producer["spec"]["replicas"], &consumer["spec"]["replicas"]), (&json!(2), &json!(3)));
    for (deployment, worker) in [(&producer, "producer"), (&consumer, "consumer")] {
        assert_eq!(container(deployment)["image"], format!("registry.example/{worker}:1"));
        assert_eq!(container(deployment)["imagePullPolicy"], "IfNotPresent");
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
        assert_eq!(pod["serviceAccountName"], format!("majors-{worker}"));
    }
}

#[test]
fn nothing_runs_and_nothing_holds_up_a_drain_while_suspended() {
    let children = of(&format!("suspend: true\n{WHOLE}"));
    for deployment in deployments(&children) {
        assert_eq!(deployment["spec"]["replicas"], 0);
    }
    assert_eq!(children.pod_disruption_budgets, []);
    assert_eq!(children.unwanted_budgets[..3], ["majors-producer", "majors-consumer", "majors-producer-1"]);
    assert_eq!(of(WHOLE).unwanted_budgets[..1], ["majors-producer-1"]);
}

#[test]
fn resources_are_the_users_whole_or_ours_whole() {
    let [producer, consumer] = deployments(&of(WHOLE));
    assert_eq!(
        container(&producer)["resources"],
        json!({"requests": {"cpu": "50m"}, "limits": {"memory": "64Mi"}})
    );
    assert_eq!(container(&consumer)["resources"], json!({"limits": {"cpu": "1"}}));
    let [producer, consumer] = deployments(&of(SMALLEST));
    let requests = json!({"cpu": "10m", "memory": "32Mi"});
    assert_eq!(
        container(&producer)["resources"],
        json!({"requests": requests, "limits": {"memory": "128Mi"}})
    );
    assert_eq!(
        container(&consumer)["resources"],
        json!({"requests": requests, "limits": {"memory": "256Mi"}})
    );
}

#[test]
fn pods_fit_the_restricted_profile() {
    for deployment in deployments(&of(WHOLE)) {
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["runAsUser"], 65_532);
        assert_eq!(pod["securityContext"]["seccompProfile"], json!({"type": "RuntimeDefault"}));
        let security = &container(&deployment)["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
        for field in ["hostNetwork", "hostPID", "hostIPC", "initContainers", "hostUsers"] {
            assert!(pod.get(field).is_none(), "{field}");
        }
        for volume in pod["volumes"].as_array().unwrap() {
            let kinds: Vec<&String> =
                volume.as_object().unwrap().keys().filter(|key| *key != "name").collect();
            assert!(kinds == ["configMap"] || kinds == ["secret"], "{volume}");
        }
    }
    for account in of(WHOLE).service_accounts {
        assert_eq!(account.automount_service_account_token, Some(false));
    }
}

#[test]
fn pods_are_probed_and_replaced_gently() {
    for deployment in deployments(&of(SMALLEST)) {
        let container = container(&deployment);
        assert_eq!(container["livenessProbe"]["httpGet"], json!({"path": "/livez", "port": "admin"}));
        assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/readyz", "port": "admin"}));
        assert_eq!(container["ports"], json!([{"name": "admin", "containerPort": 8080, "protocol": "TCP"}]));
        let strategy = &deployment["spec"]["strategy"];
        assert_eq!(
            (&strategy["type"], &strategy["rollingUpdate"]["maxUnavailable"]),
            (&json!("RollingUpdate"), &json!(0))
        );
        let pod = &deployment["spec"]["template"]["spec"];
        assert_eq!(pod["terminationGracePeriodSeconds"], 30);
        assert_eq!(pod["topologySpreadConstraints"][0]["whenUnsatisfiable"], "ScheduleAnyway");
    }
}

#[test]
fn only_the_admin_port_is_open_and_metrics_are_read_of_pods_that_are_not_ready_too() {
    let children = of(SMALLEST);
    let policy = serde_json::to_value(&children.network_policy).unwrap();
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]));
    assert_eq!(policy["spec"]["ingress"], json!([{"ports": [{"port": "admin", "protocol": "TCP"}]}]));
    let service = serde_json::to_value(&children.service).unwrap();
    assert_eq!(service["spec"]["clusterIP"], "None");
    assert_eq!(service["spec"]["publishNotReadyAddresses"], true);
    let port = json!({"name": "admin", "port": 8080, "protocol": "TCP", "targetPort": "admin"});
    assert_eq!(service["spec"]["ports"], json!([port]));
}

#[test]
fn pods_are_replaced_when_what_they_are_told_changes_and_only_then() {
    let hashes = |children: &Children| deployments(children).map(|deployment| hash(&deployment).to_owned());
    let [producer, consumer] = hashes(&of(SMALLEST));
    assert_eq!((producer.len(), producer == consumer), (64, false));

    let batch = hashes(&of("{symbols: [{symbol: BTCUSDT}], consumer: {batch: {maxMillis: 20}}}"));
    assert!(batch[0] == producer && batch[1] != consumer, "a batch is the consumer's matter");
    let interval =
        "{symbols: [{symbol: BTCUSDT}], sources: [{exchange: binance, rest: {intervalSeconds: 9}}]}";
    let interval = hashes(&of(interval));
    assert!(interval[0] != producer && interval[1] == consumer, "an interval is the producer's matter");
    let scaled = hashes(&of("{symbols: [{symbol: BTCUSDT}], consumer: {replicas: 3}}"));
    assert_eq!(scaled, [producer.clone(), consumer.clone()], "scaling replaces nothing");
    let rotated = hashes(&built_with(&pipeline(SMALLEST), "rotated"));
    assert!(rotated[0] != producer && rotated[1] != consumer, "a Secret's content is everybody's matter");
}

#[test]
fn the_same_pipeline_makes_the_same_objects_and_they_are_what_kubernetes_has_types_for() {
    let children = of(WHOLE);
    assert_eq!(children, of(WHOLE));
    for child in children.iter() {
        let object = child.object.clone();
        let back = match child.resource.kind.as_str() {
            "ConfigMap" => back::<ConfigMap>(object),
            "ServiceAccount" => back::<ServiceAccount>(object),
            "NetworkPolicy" => back::<NetworkPolicy>(object),
            "Service" => back::<Service>(object),
            "PodDisruptionBudget" => back::<PodDisruptionBudget>(object),
            "Deployment" => back::<Deployment>(object),
            kind => panic!("{kind} is not expected"),
        };
        assert_eq!(back, child.object);
        assert_eq!(nulls(&child.object), 0, "applying a null would take a field away: {}", child.object);
    }
}

fn back<K: DeserializeOwned + Serialize>(object: Value) -> Value {
    serde_json::to_value(serde_json::from_value::<K>(object).expect("the type")).expect("JSON")
}

fn nulls(value: &Value) -> usize {
    match value {
        Value::Null => 1,
        Value::Array(items) => items.iter().map(nulls).sum(),
        Value::Object(fields) => fields.values().map(nulls).sum(),
        _ => 0,
    }
}

#[test]
fn the_longest_name_still_makes_legal_names() {
    let mut longest = pipeline(SMALLEST);
    longest.name = "a".repeat(50).parse().unwrap();
    let symbol = |n: usize| pricepipe_core::pipeline::PipelineSymbol {
        symbol: format!("A{n}USDT").parse().unwrap(),
        ..longest.symbols[0].clone()
    };
    longest.symbols = (0..60).map(symbol).collect();
    longest.producer_shards = Some(50);
    for child in built(&longest).iter() {
        assert!(child.name.len() <= 63, "{}", child.name);
    }
}

#[test]
fn each_shard_has_producers_of_its_own_symbols_whom_no_other_selector_finds() {
    let spec = "{symbols: [{symbol: BTCUSDT}, {symbol: ETHUSDT}, {symbol: SOLUSDT}], \
                producer: {shards: 2, replicas: 2}, sources: [{exchange: binance, websocket: {stream: trade}}]}";
    let children = of(spec);
    let deployments = all_deployments(&children);
    let names: Vec<&str> = deployments.iter().map(|d| d["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["majors-producer", "majors-producer-1", "majors-consumer"]);
    let finds = |selector: &Value, deployment: &Value| {
        let pod = &deployment["spec"]["template"]["metadata"]["labels"];
        selector.as_object().unwrap().iter().all(|(label, value)| pod[label] == *value)
    };
    for (index, deployment) in deployments.iter().enumerate() {
        let selector = &deployment["spec"]["selector"]["matchLabels"];
        let found = deployments.iter().enumerate().filter(|(_, other)| finds(selector, other));
        assert_eq!(found.map(|(found, _)| found).collect::<Vec<_>>(), [index]);
    }
    let configs: [ProducerConfig; 2] = ["producer.json", "producer-1.json"].map(|file| told(&children, file));
    let symbols = configs.iter().flat_map(|config| &config.symbols).map(|route| route.symbol.as_str());
    let symbols: std::collections::BTreeSet<&str> = symbols.collect();
    assert_eq!(Vec::from_iter(symbols), ["BTCUSDT", "ETHUSDT", "SOLUSDT"]);
    let weights = configs.map(|config| config.sources[0].max_weight_per_minute());
    assert_eq!(weights.iter().sum::<u32>(), 1_200);
    for deployment in &deployments[..2] {
        assert_eq!(deployment["spec"]["template"]["spec"]["serviceAccountName"], "majors-producer");
    }
    let budgets =
        children.pod_disruption_budgets.iter().map(|budget| budget.metadata.name.as_deref().unwrap());
    assert_eq!(budgets.collect::<Vec<_>>(), ["majors-producer", "majors-producer-1"]);
    assert_eq!(
        (&*children.unwanted_deployments[0], children.unwanted_deployments.len()),
        ("majors-producer-2", 48)
    );
}
