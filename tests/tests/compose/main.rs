//! Holds `compose.yaml` against what it names: images, ports, files, variables, topics, and what the workers are told.
//! Reads files and starts nothing; `real.rs` does.

mod real;

use std::collections::{BTreeMap, BTreeSet};

use pricepipe_core::{
    Pipeline,
    config::{ConsumerConfig, KafkaConnection, ProducerConfig},
    environment,
};
use pricepipe_service::worker;
use pricepipe_tests::{
    chart::KAFDROP_VARIABLES,
    generated::{path, read},
};
use serde_json::{Value, json};

const FILES: [&str; 2] = ["compose.yaml", "compose.simulated.yaml"];
/// The workers: service, image, and what names them in labels.
const WORKERS: [&str; 2] = ["producer", "consumer"];
/// Where the chart names the image of each service that is not ours.
const IMAGES: [(&str, &str); 6] = [
    ("kafka", "kafka"),
    ("topics", "kafka"),
    ("mongodb", "mongodb"),
    ("kafdrop", "kafdrop"),
    ("grafana", "grafana"),
    ("prometheus", "prometheus"),
];
/// From Kafdrop's README.
const KAFDROP_ARGUMENTS: [&str; 3] =
    ["--topic.createEnabled=false", "--topic.deleteEnabled=false", "--message.format=DEFAULT"];
/// From the README of MongoDB's image.
const MONGODB_VARIABLES: [&str; 2] = ["MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD"];
/// What Kafka's image makes no setting of the broker of, from its usage guide.
const KAFKA_OWN: [&str; 2] = ["CLUSTER_ID", "KAFKA_HEAP_OPTS"];

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Both files' services, by their names; where both name one, that of `compose.yaml`.
fn services() -> BTreeMap<String, Value> {
    let mut services = BTreeMap::new();
    for file in FILES {
        for (name, service) in yaml(file)["services"].as_object().expect("services") {
            services.entry(name.clone()).or_insert_with(|| service.clone());
        }
    }
    services
}

/// The inline configuration of this name, as it stands: without a dollar, Compose changes nothing in it.
fn config(file: &str, name: &str) -> String {
    let content =
        yaml(file)["configs"][name]["content"].as_str().expect("an inline configuration").to_owned();
    assert!(!content.contains('$'), "{file}: Compose would put variables into {name}");
    content
}

/// The texts of a list, or the only text.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(list) => list.iter().map(|text| text.as_str().expect("a text")).collect(),
        Value::String(text) => vec![text],
        _ => Vec::new(),
    }
}

/// The variables of a service, with their values.
fn variables(service: &Value) -> BTreeMap<String, String> {
    let value = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let object = service["environment"].as_object();
    object.into_iter().flatten().map(|(name, told)| (name.clone(), value(told))).collect()
}

/// What a cluster would have of the example: the same three symbols.
fn majors() -> Pipeline {
    let mut documents = pricepipe_api::validate_text(&read("manifests/examples/majors.yaml"));
    documents.remove(0).pipeline.expect("a pipeline")
}

fn kafka() -> KafkaConnection {
    KafkaConnection { bootstrap_servers: vec!["kafka:9092".to_owned()], ..KafkaConnection::default() }
}

fn producer(file: &str) -> ProducerConfig {
    serde_json::from_str(&config(file, "producer")).expect("a producer's configuration")
}

fn consumer() -> ConsumerConfig {
    serde_json::from_str(&config(FILES[0], "consumer")).expect("a consumer's configuration")
}

#[test]
fn the_images_are_those_of_the_chart_and_ours_can_be_built() {
    let (values, version) = (yaml("charts/pricepipe/values.yaml"), env!("CARGO_PKG_VERSION"));
    let of_chart = |image: &Value| {
        let tag = image["tag"].as_str().filter(|tag| !tag.is_empty()).unwrap_or(version);
        let part = |key: &str| image[key].as_str().expect("a text").to_owned();
        format!("{}/{}:{tag}", part("registry"), part("repository"))
    };
    let (mut services, dockerfile) = (services(), read("Dockerfile"));
    let ours = [
        ("producer", "producer", &values["producer"]),
        ("consumer", "consumer", &values["consumer"]),
        ("exchange", "cli", &values["exchange"]["simulator"]),
    ];
    for (name, target, component) in ours {
        let service = services.remove(name).expect("a service");
        assert_eq!(service["image"], of_chart(&component["image"]), "{name}");
        assert_eq!(service["build"], json!({"context": ".", "target": target}));
        assert!(dockerfile.contains(&format!(" AS {target}\n")), "the Dockerfile has no {target}");
    }
    for (name, component) in IMAGES {
        let service = services.remove(name).expect("a service");
        assert_eq!(service["image"], of_chart(&values[component]["image"]), "{name}");
        assert_eq!(service["build"], Value::Null, "{name}");
    }
    assert!(services.is_empty(), "the chart has none of these: {:?}", services.keys());
}

#[test]
fn the_workers_are_told_what_a_controller_would_tell_them() {
    let pipeline = majors();
    let expected = pipeline.consumer_config(kafka(), pipeline.mongodb_store());
    assert_eq!(consumer(), expected, "expected: {}", json!(expected));
    let expected = pipeline.producer_config(kafka());
    assert_eq!(producer(FILES[0]), expected, "expected: {}", json!(expected));
    consumer().check().expect("a consumer's configuration");
    producer(FILES[0]).check().expect("a producer's configuration");
}

#[test]
fn the_simulated_exchange_is_the_only_thing_that_another_producer_is_told() {
    let mut simulated = producer(FILES[1]);
    simulated.check().expect("a producer's configuration");
    assert_eq!(*simulated.sources[0].endpoints(), ["http://exchange:8990"]);
    let service = &services()["exchange"];
    assert_eq!(texts(&service["command"]), ["simulate-exchange", "--address", "0.0.0.0:8990"]);
    *simulated.sources[0].endpoints_mut() = producer(FILES[0]).sources[0].endpoints().clone();
    assert_eq!(simulated, producer(FILES[0]));
}

#[test]
fn invented_prices_and_real_ones_do_not_mix() {
    let [real, simulated] = FILES.map(yaml);
    // Volumes have the project's name before their own.
    assert_ne!(real["name"], simulated["name"]);
    assert!(real["volumes"].as_object().expect("volumes").values().all(Value::is_null));
    let store = |file: &Value| variables(&file["services"]["consumer"])["MONGO_CONNECTION_STRING"].clone();
    let bundled =
        "mongodb://${MONGO_USERNAME:-pricepipe}:${MONGO_PASSWORD:-pricepipe}@mongodb:27017/".to_owned();
    assert_eq!(store(&real), format!("${{MONGO_CONNECTION_STRING:-{bundled}}}"));
    assert_eq!(store(&simulated), bundled);
    let user = variables(&real["services"]["mongodb"]);
    assert_eq!(
        MONGODB_VARIABLES.map(|name| user[name].as_str()),
        ["${MONGO_USERNAME:-pricepipe}", "${MONGO_PASSWORD:-pricepipe}"]
    );
}

#[test]
fn a_worker_finds_its_configuration_and_may_do_nothing_else() {
    let (services, dockerfile) = (services(), read("Dockerfile"));
    for name in WORKERS {
        let service = &services[name];
        let file = format!("/etc/pricepipe/{name}.json");
        assert_eq!(texts(&service["command"]), [&file]);
        assert_eq!(service["configs"], json!([{"source": name, "target": file}]));
        assert_eq!(service["stop_grace_period"], "30s", "a worker drains for up to 25 s");
        assert_eq!(service["depends_on"]["topics"]["condition"], "service_completed_successfully");
    }
    for name in WORKERS.into_iter().chain(["exchange"]) {
        let service = &services[name];
        let user = service["user"].as_str().expect("a user");
        assert!(dockerfile.contains(&format!("USER {user}\n")), "{name} runs as {user}");
        assert_eq!(
            (&service["cap_drop"], &service["security_opt"]),
            (&json!(["ALL"]), &json!(["no-new-privileges:true"]))
        );
        assert_eq!(service.get("ports"), None);
    }
    // Compose refuses it: https://github.com/docker/compose/issues/12031
    let refused = |service: &Value| service["read_only"] == true && service.get("configs").is_some();
    assert!(!services.values().any(refused), "a read-only service has an inline configuration");
}

#[test]
fn every_variable_is_one_that_its_program_reads() {
    let ours: BTreeSet<&str> =
        environment::VARIABLES.iter().chain(worker::VARIABLES).map(|(name, _)| *name).collect();
    let datasource = read("charts/pricepipe/files/grafana/datasource.yaml");
    for (service, told) in services() {
        for name in variables(&told).keys() {
            let known = match service.as_str() {
                "producer" | "consumer" => ours.contains(name.as_str()),
                "kafka" => KAFKA_OWN.contains(&name.as_str()) || name.starts_with("KAFKA_"),
                "mongodb" => MONGODB_VARIABLES.contains(&name.as_str()),
                "kafdrop" => KAFDROP_VARIABLES.contains(&name.as_str()),
                "grafana" => name.starts_with("GF_") || datasource.contains(&format!("${name}\n")),
                _ => false,
            };
            assert!(known, "{service} does not know {name}");
        }
    }
}

#[test]
fn every_variable_of_the_user_has_a_default_and_is_explained() {
    let compose = read(FILES[0]);
    let (explained, _) = compose.split_once("\nname: ").expect("a head of comments");
    for file in FILES {
        for part in read(file).replace("$$", "").split("${").skip(1) {
            let (name, rest) =
                part.split_at(part.find(|c: char| c != '_' && !c.is_alphanumeric()).expect("an end"));
            assert!(rest.starts_with(":-"), "{file}: {name} has no default");
            assert!(explained.contains(&format!("#   {name}=…")), "{name} is not explained");
        }
    }
}

#[test]
fn every_published_port_is_of_this_machine_alone() {
    let services = services();
    let mut published = BTreeMap::new();
    for (name, service) in &services {
        for port in texts(&service["ports"]) {
            let (host, inner) =
                port.strip_prefix("127.0.0.1:").and_then(|rest| rest.split_once(':')).expect(port);
            assert_eq!(published.insert(host.to_owned(), (name.as_str(), inner.to_owned())), None, "{port}");
        }
    }
    for (host, name) in
        [("3000", "grafana"), ("9000", "kafdrop"), ("9090", "prometheus"), ("27017", "mongodb")]
    {
        assert_eq!(published.remove(host), Some((name, host.to_owned())));
    }
    // Kafka tells its clients where it is, so it has to be there.
    let kafka = variables(&services["kafka"]);
    let (port, inner) = published.pop_first().expect("Kafka");
    assert_eq!(inner, ("kafka", port.clone()));
    assert_eq!(kafka["KAFKA_ADVERTISED_LISTENERS"], format!("INTERNAL://kafka:9092,HOST://localhost:{port}"));
    assert!(kafka["KAFKA_LISTENERS"].starts_with(&format!("INTERNAL://:9092,HOST://:{port},")));
    assert!(published.is_empty(), "{published:?}");
}

#[test]
fn every_mounted_file_is_the_charts_own_and_every_volume_is_used() {
    let volumes = yaml(FILES[0])["volumes"].as_object().expect("volumes").clone();
    let mut used = BTreeSet::new();
    for (name, service) in services() {
        for mount in texts(&service["volumes"]) {
            let (source, target) = mount.split_once(':').expect("source:target");
            let Some(file) = source.strip_prefix("./") else {
                used.insert(source.to_owned());
                continue;
            };
            assert!(
                file.starts_with("charts/pricepipe/files/") && target.ends_with(":ro"),
                "{name}: {mount}"
            );
            // Docker would make a folder of it.
            assert!(path(file).exists(), "{name}: {file} is not there");
        }
        for grant in service["configs"].as_array().into_iter().flatten() {
            config(FILES[0], grant["source"].as_str().expect("a name"));
        }
    }
    assert_eq!(used, volumes.keys().cloned().collect());
    // Kafka takes a folder for its own alone, and a volume may have others.
    assert_eq!(variables(&services()["kafka"])["KAFKA_LOG_DIRS"], "/var/lib/kafka/data/logs");
    assert_eq!(texts(&services()["kafka"]["volumes"]), ["kafka:/var/lib/kafka/data"]);
}

#[test]
fn the_topics_are_those_that_the_pipeline_needs() {
    let (services, pipeline) = (services(), majors());
    let script = texts(&services["topics"]["command"])[0];
    let wanted = pipeline.all_topics();
    let wanted: Vec<String> =
        wanted.iter().map(|topic| format!("{}:{}", topic.name, topic.partitions)).collect();
    assert!(script.contains(&format!("for topic in {}; do", wanted.join(" "))), "{script}");
    for (key, value) in pipeline.topic_settings.entries(false) {
        assert!(script.contains(&format!("--config {key}={value}")), "{script}");
    }
    assert!(
        script.contains(&format!("--replication-factor {} ", pipeline.topic_settings.replication_factor))
    );
    let kafka = variables(&services["kafka"]);
    assert_eq!(kafka["KAFKA_AUTO_CREATE_TOPICS_ENABLE"], "false");
    let factors =
        kafka.iter().filter(|(name, _)| name.contains("REPLICATION_FACTOR") || name.ends_with("_ISR"));
    assert!(factors.into_iter().all(|(_, value)| value == "1"), "there is one broker");
}

#[test]
fn prometheus_scrapes_each_worker_and_knows_the_alerts() {
    let prometheus: Value = serde_saphyr::from_str(&config(FILES[0], "prometheus")).expect("YAML");
    let service = &services()["prometheus"];
    assert_eq!(
        service["configs"],
        json!([{"source": "prometheus", "target": "/etc/prometheus/prometheus.yml"}])
    );
    for file in texts(&prometheus["rule_files"]) {
        let mounted = texts(&service["volumes"]).iter().any(|mount| mount.ends_with(&format!(":{file}:ro")));
        assert!(mounted, "{file} is not mounted");
    }
    let [job] = &prometheus["scrape_configs"].as_array().expect("jobs")[..] else { panic!("one job") };
    assert_eq!((&job["job_name"], &job["honor_labels"]), (&json!("pricepipe"), &json!(true)));
    let port = worker::VARIABLES.iter().find(|(name, _)| *name == worker::ADMIN_ADDRESS).expect("a variable");
    assert!(port.1.contains("0.0.0.0:8080"), "workers listen elsewhere: {}", port.1);
    let expected = WORKERS.map(|name| {
        json!({
            "targets": [format!("{name}:8080")],
            "labels": {"component": name, "pipeline": majors().name, "namespace": "compose"},
        })
    });
    assert_eq!(job["static_configs"], json!(expected));
}

#[test]
fn grafana_reads_that_prometheus_and_the_charts_dashboards() {
    let services = services();
    let grafana = &services["grafana"];
    assert_eq!(variables(grafana)["PROMETHEUS_URL"], "http://prometheus:9090");
    let source = &yaml("charts/pricepipe/files/grafana/datasource.yaml")["datasources"][0];
    assert_eq!((&source["uid"], &source["url"]), (&json!("prometheus"), &json!("$PROMETHEUS_URL")));
    assert_eq!((&source["isDefault"], &source["editable"]), (&json!(true), &json!(false)));
    let provider = &yaml("charts/pricepipe/files/grafana/dashboards.yaml")["providers"][0];
    assert_eq!((&provider["type"], &provider["allowUiUpdates"]), (&json!("file"), &json!(false)));
    let folder = provider["options"]["path"].as_str().expect("a folder");
    let provisioning = "/etc/grafana/provisioning";
    assert_eq!(
        texts(&grafana["volumes"]),
        [
            format!(
                "./charts/pricepipe/files/grafana/datasource.yaml:{provisioning}/datasources/pricepipe.yaml:ro"
            ),
            format!(
                "./charts/pricepipe/files/grafana/dashboards.yaml:{provisioning}/dashboards/pricepipe.yaml:ro"
            ),
            format!("./charts/pricepipe/files/dashboards:{folder}:ro"),
        ]
    );
}

#[test]
fn kafdrop_looks_at_kafka_and_changes_nothing() {
    let kafdrop = variables(&services()["kafdrop"]);
    assert_eq!(kafdrop["KAFKA_BROKERCONNECT"], "kafka:9092");
    assert_eq!(kafdrop["CMD_ARGS"], KAFDROP_ARGUMENTS.join(" "));
}

#[test]
fn no_secret_is_in_a_command_line() {
    for (name, service) in services() {
        for command in [&service["command"], &service["entrypoint"], &service["healthcheck"]["test"]] {
            for text in texts(command) {
                let secret = text.contains('@') || text.to_uppercase().contains("PASSWORD");
                assert!(!secret, "{name}: {text}");
            }
        }
    }
}
