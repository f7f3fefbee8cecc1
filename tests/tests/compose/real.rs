//! `compose.yaml` before what would read it: the loader of Docker Compose, promtool, and the workers with real servers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use pricepipe_tests::{
    documents, eventually,
    exchange::Exchange,
    generated::{path, read},
    servers::OwnServer,
    topics,
    worker::Worker,
};
use serde_json::Value;

use super::{FILES, KAFKA_OWN, config, services, texts, variables};

const TOPIC_TOOL: &str = "/opt/kafka/bin/kafka-topics.sh";

/// Runs a script of the testbed.
fn testbed(script: &str, arguments: &[&str], folder: &Path) -> Output {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testbed").join(script);
    let mut command = Command::new(script);
    // Whoever runs the tests may have variables of their own.
    for name in ["MONGO_CONNECTION_STRING", "MONGO_USERNAME", "MONGO_PASSWORD", "GRAFANA_PASSWORD"] {
        command.env_remove(name);
    }
    command.args(arguments).current_dir(folder).output().expect("the testbed's script runs")
}

#[test]
#[ignore = "needs Go, for the loader of Docker Compose"]
fn the_loader_of_compose_takes_the_files_and_no_broken_one() {
    let load = |files: &[&str], folder: &Path| {
        let output = testbed("compose-check", files, folder);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    };
    let project = |files: &[&str]| -> Value {
        serde_saphyr::from_str(&load(files, &path("")).expect("a project")).expect("YAML")
    };
    let (real, simulated) = (project(&FILES[..1]), project(&FILES));
    let bundled = "mongodb://pricepipe:pricepipe@mongodb:27017/";
    for (project, name) in [(&real, "pricepipe"), (&simulated, "pricepipe-simulated")] {
        assert_eq!(project["services"]["consumer"]["environment"]["MONGO_CONNECTION_STRING"], bundled);
        assert_eq!(project["volumes"]["mongodb"]["name"], format!("{name}_mongodb"));
    }
    let told =
        |project: &Value| project["configs"]["producer"]["content"].as_str().expect("a text").to_owned();
    assert_eq!(told(&real), config(FILES[0], "producer"));
    assert_eq!(told(&simulated), config(FILES[1], "producer"));
    let folder = tempfile::tempdir().expect("a writable folder");
    for (sound, broken, says) in [
        ("    stop_grace_period: 30s\n", "    stop_grace: 30s\n", "stop_grace"),
        ("- mongodb:/data/db", "- mongo:/data/db", "mongo"),
        ("- {source: prometheus,", "- {source: prometeus,", "prometeus"),
        (
            "      kafka: {condition: service_healthy}\n",
            "      kafca: {condition: service_healthy}\n",
            "kafca",
        ),
    ] {
        let text = read(FILES[0]).replacen(sound, broken, 1);
        fs::write(folder.path().join("broken.yaml"), text).expect("a writable folder");
        let error = load(&["broken.yaml"], folder.path()).expect_err(broken);
        assert!(error.contains(says), "{broken}: {error}");
    }
}

#[test]
#[ignore = "needs promtool, from Debian's packages"]
fn promtool_takes_what_prometheus_is_told() {
    let folder = tempfile::tempdir().expect("a writable folder");
    let rules = path("charts/pricepipe/files/alerts.yaml");
    let told = config(FILES[0], "prometheus")
        .replace("/etc/prometheus/alerts.yaml", rules.to_str().expect("a path in UTF-8"));
    fs::write(folder.path().join("prometheus.yml"), told).expect("a writable folder");
    let output = testbed("promtool", &["check", "config", "prometheus.yml"], folder.path());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("rules found"), "{said}");
}

#[test]
#[ignore = "needs Kafka's tools"]
fn kafka_knows_every_setting_that_it_is_given() {
    let output = testbed("kafka", &["run", "kafka.server.KafkaConfig"], &path(""));
    let known = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for variable in variables(&services()["kafka"]).into_keys() {
        // As the image does it; none of these has an underscore or a dash of its own.
        let setting = variable.trim_start_matches("KAFKA_").to_lowercase().replace('_', ".");
        let is_setting = known.contains(&format!("id=\"brokerconfigs_{setting}\""));
        assert!(is_setting || KAFKA_OWN.contains(&variable.as_str()), "Kafka does not know {setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn the_workers_run_with_what_compose_gives_them() {
    // The topics have names that others use too.
    let (kafka, mongodb) = (OwnServer::kafka(), OwnServer::mongodb());
    let (folder, exchange) = (tempfile::tempdir().expect("a writable folder"), Exchange::start().await);
    create_topics(&kafka.address);
    let servers = [("KAFKA_BOOTSTRAP_SERVERS", kafka.address.as_str())];
    let told: Value =
        serde_json::from_str(&config(FILES[1], "producer").replace("http://exchange:8990", &exchange.url()))
            .expect("JSON");
    let mut producer = Worker::start("pricepipe-producer", &told, &servers, folder.path());
    let told: Value = serde_json::from_str(&config(FILES[0], "consumer")).expect("JSON");
    let servers = [servers[0], ("MONGO_CONNECTION_STRING", mongodb.address.as_str())];
    let mut consumer = Worker::start("pricepipe-consumer", &told, &servers, folder.path());
    eventually("prices of each symbol are stored", Duration::from_secs(60), || {
        ["btc", "eth", "sol"].iter().all(|collection| {
            let labels = format!("collection=\"{collection}\",outcome=\"inserted\"");
            consumer.metric("pricepipe_sink_documents_total", &labels) >= 2.0
        })
    });
    assert!(producer.is_ready() && consumer.is_ready(), "{}{}", producer.readiness(), consumer.readiness());
    for worker in [&mut producer, &mut consumer] {
        assert!(worker.terminate(Duration::from_secs(25)).success(), "{}", worker.log());
    }
    for collection in ["btc", "eth", "sol"] {
        let stored = documents::collection(&mongodb.address, "fx", collection).await;
        let (produced, stored) = (topics::count(&kafka.address, collection), documents::count(&stored).await);
        assert!(
            produced >= 2 && stored as i64 == produced,
            "{collection}: {produced} messages, {stored} documents"
        );
    }
}

/// Runs what the service `topics` runs, twice as two `docker compose up` do, with the same tool from elsewhere.
fn create_topics(servers: &str) {
    let tool = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testbed/kafka");
    let tool = format!("{} run org.apache.kafka.tools.TopicCommand", tool.display());
    let service = services().remove("topics").expect("a service");
    let script = texts(&service["command"])[0].replace("$$", "$");
    assert!(script.contains(TOPIC_TOOL) && script.contains("kafka:9092"), "{script}");
    let script = script.replace(TOPIC_TOOL, &tool).replace("kafka:9092", servers);
    let [shell, flags] = texts(&service["entrypoint"])[..] else { panic!("a shell and its flags") };
    for _ in 0..2 {
        let output = Command::new(shell).args([flags, &script]).output().expect("a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for (topic, partitions) in [("btc", 3), ("eth", 3), ("sol", 3), ("majors.dead-letter", 1)] {
        assert_eq!(topics::partitions(servers, topic), partitions, "{topic}");
    }
}
