//! Values that cannot be meant: Helm refuses them and names key and remedy, before anything is in the cluster.

use pricepipe_tests::chart::try_render;

/// Helm's arguments, and what its complaint must hold: from the schema its path and what may stand there, from a template
/// the key and what to do.
const REFUSED: &[(&[&str], &[&str])] = &[
    // Misspelt
    (&["--set", "kafka.node=3"], &["'/kafka'", "'node' not allowed"]),
    (&["--set", "kafak.nodes=3"], &["'kafak' not allowed"]),
    (
        &["--set", "controller.resources.limit.memory=1Gi"],
        &["'/controller/resources'", "'limit' not allowed"],
    ),
    (&["--set", "consumer.image.pullPolicy=Always"], &["'/consumer/image'", "'pullPolicy' not allowed"]),
    // Of another type
    (&["--set", "controller.replicas=two"], &["'/controller/replicas'", "want integer"]),
    (&["--set", "kafka=true"], &["'/kafka'", "want object"]),
    (&["--set-json", "mongodb.image.tag=8.0"], &["'/mongodb/image/tag'", "want string"]),
    (&["--set", "controller.podLabels.canary=true"], &["'/controller/podLabels/canary'", "want string"]),
    (&["--set-json", r#"kafka.config={"num.io.threads": []}"#], &["num.io.threads'", "got array"]),
    (&["--set", "controller.watchNamespaces=prices"], &["'/controller/watchNamespaces'", "want array"]),
    (&["--set", "prometheus.scrapeInterval=15"], &["'/prometheus/scrapeInterval'", "want string"]),
    (&["--set-string", "kafka.enabled=false"], &["'/kafka/enabled'", "want boolean"]),
    // Out of range
    (&["--set", "kafka.nodes=2"], &["'/kafka/nodes'", "one of 1, 3"]),
    (&["--set", "controller.replicas=-1"], &["'/controller/replicas'", "minimum"]),
    (&["--set", "grafana.service.port=70000"], &["'/grafana/service/port'", "maximum"]),
    (
        &["--set", "grafana.service.type=Ingress"],
        &["'/grafana/service/type'", "'ClusterIP', 'NodePort', 'LoadBalancer'"],
    ),
    (
        &["--set", "kafka.image.pullPolicy=always"],
        &["'/kafka/image/pullPolicy'", "'Always', 'IfNotPresent', 'Never'"],
    ),
    (&["--set", "controller.logFormat=xml"], &["'/controller/logFormat'", "'json', 'text'"]),
    (
        &["--set", "externalKafka.sasl.mechanism=GSSAPI"],
        &["'/externalKafka/sasl/mechanism'", "'SCRAM-SHA-512'"],
    ),
    // Of another form
    (&["--set", "kafka.image.tag="], &["'/kafka/image/tag'", "does not match"]),
    (&["--set", "controller.image.digest=md5:1234"], &["'/controller/image/digest'", "sha256:[0-9a-f]{64}"]),
    (
        &["--set", "global.imageRegistry=https://mirror.example.com"],
        &["'/global/imageRegistry'", "does not match"],
    ),
    (
        &["--set", "externalKafka.bootstrapServers={kafka}"],
        &["'/externalKafka/bootstrapServers/0'", "'kafka' does not"],
    ),
    (&["--set", "exchange.endpoints={data-api.binance.vision}"], &["'/exchange/endpoints/0'", "https?://"]),
    (
        &["--set", "exchange.kraken.streamEndpoints={https://ws.kraken.com}"],
        &["'/exchange/kraken/streamEndpoints/0'", "wss?://"],
    ),
    (
        &["--set", "controller.watchNamespaces={Prices}"],
        &["'/controller/watchNamespaces/0'", "'Prices' does not"],
    ),
    (&["--set", "kafka.persistence.size=ten"], &["'/kafka/persistence/size'", "'ten' does not"]),
    (
        &["--set", "kafka.resources.limits.memory=much"],
        &["'/kafka/resources/limits/memory'", "'much' does not"],
    ),
    (&["--set", "prometheus.retention=forever"], &["'/prometheus/retention'", "'forever' does not"]),
    (&["--set", "kafka.clusterId=prices"], &["'/kafka/clusterId'", "{22}"]),
    (&["--set", "externalMongodb.existingSecret="], &["'/externalMongodb/existingSecret'", "does not match"]),
    (&["--set", "mongodb.existingSecret=My_Secret"], &["'/mongodb/existingSecret'", "'My_Secret' does not"]),
    // At odds with one another
    (&["--set", "kafka.enabled=false"], &["kafdrop.enabled=false", "externalKafka.bootstrapServers"]),
    (
        &["--set", "kafka.enabled=false,kafdrop.enabled=false,externalKafka.tls.enabled=true"],
        &["externalKafka.tls", "externalKafka.bootstrapServers"],
    ),
    (
        &["--set", "externalKafka.bootstrapServers={kafka:9092}"],
        &["externalKafka.bootstrapServers", "kafka.enabled=false"],
    ),
    (&["--set", "kafka.sasl.enabled=true"], &["kafka.sasl.existingSecret", "username", "password"]),
    (
        &[
            "--set",
            "kafka.sasl.enabled=true,kafka.sasl.existingSecret=user,kafdrop.existingSecret=properties",
        ],
        &["kafka.tls.existingSecret", "tls.crt"],
    ),
    (&["--set", r"kafka.config.log\.dirs=/tmp"], &["kafka.config", "log.dirs", "remove it"]),
    (
        &[
            "--set",
            "kafka.enabled=false,externalKafka.bootstrapServers={kafka:9092},externalKafka.sasl.mechanism=PLAIN",
        ],
        &["externalKafka.sasl.existingSecret", "username", "password"],
    ),
    (
        &[
            "--set",
            "kafka.enabled=false,externalKafka.bootstrapServers={kafka:9092},externalKafka.tls.enabled=true,externalKafka.tls.existingSecret=ca",
        ],
        &["kafdrop.existingSecret", "kafka.properties", "kafdrop.enabled=false"],
    ),
    (
        &["--set", "kafka.externalListener.enabled=true"],
        &["kafka.externalListener.advertisedHosts", "one for each of 1 brokers"],
    ),
    (
        &[
            "--set",
            "kafka.nodes=3,kafka.externalListener.enabled=true,kafka.externalListener.advertisedHosts={one.example.com}",
        ],
        &["kafka.externalListener.advertisedHosts", "one for each of 3 brokers"],
    ),
    (
        &["--set", "exchange.simulator.enabled=true,exchange.endpoints={https://data-api.binance.vision}"],
        &["exchange.endpoints", "exchange.simulator.enabled"],
    ),
    (
        &["--set", "exchange.simulator.enabled=true,exchange.coinbase.streamEndpoints={wss://a.example}"],
        &["exchange.coinbase.streamEndpoints", "exchange.simulator.enabled"],
    ),
    (
        &["--set", "prometheus.enabled=false"],
        &["grafana.datasourceUrl", "prometheus.enabled", "grafana.enabled=false"],
    ),
    (&["--set", "externalMongodb.existingSecret=atlas"], &["externalMongodb", "mongodb.enabled=false"]),
];

/// What a strict reading might refuse, and must not.
const ACCEPTED: &[&[&str]] = &[
    &["--set", "global.somebodyElses=value"],
    &["--set", "enabled=true"],
    &["--set-json", r#"controller.resources={"limits": {"memory": 268435456, "example.com/gpu": 1}}"#],
    &["--set", "controller.resources.limits=null"],
    &["--set", "prometheus.enabled=false,grafana.datasourceUrl=http://prometheus.monitoring:9090"],
    &["--set", "prometheus.enabled=false,grafana.enabled=false"],
    &["--set", "mongodb.enabled=false"],
    &["--set", "prometheus.retention=1d12h"],
    &["--set", "controller.image.tag=0.2.0-rc.1"],
    &["--set", "kafka.persistence.enabled=false,mongodb.persistence.enabled=false"],
    &["--set", "controller.serviceAccount.create=false,controller.serviceAccount.name=mine"],
    &["--set", "kafka.externalListener.enabled=true,kafka.externalListener.advertisedHosts={192.0.2.1}"],
    &["--set", "kafka.tls.existingSecret=certificates"],
    &["--set", "kafka.enabled=false,kafdrop.enabled=false"],
    &["--set", r"kafka.config.log\.retention\.hours=24"],
    &["--set", "externalKafka.bootstrapServers={[2001:db8::1]:9092},kafka.enabled=false"],
];

#[test]
#[ignore = "needs helm"]
fn a_value_that_cannot_be_meant_is_refused_with_its_key_and_the_remedy() {
    let mut wrong = Vec::new();
    for (arguments, says) in REFUSED {
        match try_render(arguments) {
            Ok(_) => wrong.push(format!("{arguments:?} is accepted")),
            Err(error) => {
                let unsaid = says.iter().filter(|text| !error.contains(**text));
                wrong
                    .extend(unsaid.map(|text| format!("{arguments:?} is refused without {text:?}: {error}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs helm"]
fn what_is_unusual_but_right_is_accepted() {
    for arguments in ACCEPTED {
        if let Err(error) = try_render(arguments) {
            panic!("{arguments:?}: {error}");
        }
    }
}
