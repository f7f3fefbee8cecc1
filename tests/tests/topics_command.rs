//! `pricepipe topics`: where the topics and the group are, and what is said when there is nothing to see.

use std::time::{Duration, Instant};

use pricepipe_tests::{
    command_line::{self, Said},
    documents, eventually, messages,
    pipelines::TestPipeline,
    servers, topics,
    worker::{Worker, free_address},
};

const GRACE: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn every_partition_is_shown_with_its_offsets_and_lag() {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let pipeline = TestPipeline::new("topics", &kafka);
    pipeline.create_topics(&["btc", "eth"], 2).await;
    let topic = pipeline.topic("btc");
    topics::produce(&kafka, &topic, messages::records(100));
    let folder = tempfile::tempdir().unwrap();
    let config = pipeline.mongodb_consumer(&["btc", "eth"]);
    let variables = [("MONGO_CONNECTION_STRING", mongodb.as_str())];
    let mut consumer = Worker::start("pricepipe-consumer", &config, &variables, folder.path());
    eventually("lag returns to 0", GRACE, || topics::lag(&kafka, &pipeline.group(), &topic) == 0);
    assert!(consumer.terminate(GRACE).success());
    topics::produce(&kafka, &topic, messages::records(7));

    let file = pipeline.file(folder.path(), &["btc", "eth"]).display().to_string();
    let ask = |output: &str| command_line::run(folder.path(), &[], &["topics", "-f", &file, "-o", output]);
    let said = ask("ndjson");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let rows = said.rows();
    let of = |topic: &str| rows.iter().filter(|row| row["topic"] == topic).collect::<Vec<_>>();
    let sum = |topic: &str, key: &str| of(topic).iter().map(|row| row[key].as_i64().unwrap()).sum::<i64>();
    assert_eq!(of(&topic).len(), 2);
    let sums = ["oldest", "newest", "messages", "committed", "lag"].map(|key| sum(&topic, key));
    assert_eq!(sums, [0, 107, 107, 100, 7]);
    assert_eq!(
        (sum(&pipeline.topic("eth"), "lag"), sum(&topic, "replicas"), sum(&topic, "inSync")),
        (0, 2, 2)
    );
    let last = rows.last().unwrap();
    assert_eq!(
        (last["topic"].as_str().unwrap(), &last["lag"]),
        (&*pipeline.dead_letters(), &serde_json::Value::Null)
    );

    let said = ask("table");
    assert_eq!(said.out.lines().count(), 6, "a heading, and a row for each partition");
    assert_eq!(said.err, "107 messages, lag 7; 0 dead letters\n");

    let wider = pipeline.file(folder.path(), &["btc", "sol"]).display().to_string();
    let Said { code, out, err } = command_line::run(folder.path(), &[], &["topics", "-f", &wider]);
    assert!(code == 5 && out.contains(&topic), "{out}");
    assert!(err.contains(&format!("the topic {} does not exist; ", pipeline.topic("sol"))), "{err}");
    documents::drop(&mongodb, &pipeline.name).await;
}

#[test]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
fn a_wrong_password_is_told_with_the_user_and_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = TestPipeline::new("topics", "kafka:1");
    let file = pipeline.file(folder.path(), &["btc"]).display().to_string();
    let variable = servers::variable;
    let variables = [
        ("KAFKA_BOOTSTRAP_SERVERS", variable("KAFKA_SASL_BOOTSTRAP_SERVERS")),
        ("KAFKA_SSL_CA_LOCATION", variable("KAFKA_SASL_CA")),
        ("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512".to_owned()),
        ("KAFKA_USERNAME", variable("KAFKA_SASL_USERNAME")),
        ("KAFKA_PASSWORD", "hunter2-hunter2".to_owned()),
    ];
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for command in [&["topics"][..], &["dead-letters", "list"], &["audit", "--embedded-store"]] {
        let said = command_line::run(folder.path(), &variables, &[command, &["-f", &file]].concat());
        // An audit looks for its store first.
        if said.code == 5 {
            assert_eq!(command[0], "audit");
            continue;
        }
        assert!(said.code == 4 && said.out.is_empty(), "{said:?}");
        assert!(
            said.err.contains("refuses user \"pricepipe\"") && said.err.contains("KAFKA_PASSWORD"),
            "{said:?}"
        );
        assert!(!said.err.contains("hunter2"), "{said:?}");
    }
}

#[test]
fn a_kafka_that_is_away_is_told_within_seconds_and_an_embedded_one_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address().to_string();
    let pipeline = TestPipeline::new("topics", &address);
    let file = pipeline.file(folder.path(), &["btc"]).display().to_string();
    let quickstart = format!("{}/../examples/quickstart.yaml", env!("CARGO_MANIFEST_DIR"));
    for command in [&["topics"][..], &["dead-letters", "list"], &["dead-letters", "replay", "--all"]] {
        let start = Instant::now();
        let away = command_line::run(folder.path(), &[], &[command, &["-f", &file]].concat());
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(away.code == 4 && away.err.contains("Connection refused"), "{away:?}");
        assert!(away.err.contains(&address) && away.err.contains("KAFKA_BOOTSTRAP_SERVERS"), "{away:?}");
        let embedded = command_line::run(folder.path(), &[], &[command, &["-f", &quickstart]].concat());
        assert!(embedded.code == 5 && embedded.out.is_empty(), "{embedded:?}");
        assert!(
            embedded.err.contains("its Kafka is embedded") && embedded.err.contains("/metrics"),
            "{embedded:?}"
        );
    }
}
