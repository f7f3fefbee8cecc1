//! Encrypted and authenticated Kafka: what works, and what a wrong password looks like.

use std::time::Duration;

use pricepipe_tests::{
    documents, eventually, exchange::Exchange, pipelines::TestPipeline, servers, topics, unique,
    worker::Worker,
};

const PATIENCE: Duration = Duration::from_secs(30);

/// The variables of a connection to the testbed's SASL_SSL listener.
fn variables<'a>(
    servers: &'a str,
    mechanism: &'a str,
    password: &'a str,
    ca: &'a str,
) -> Vec<(&'a str, &'a str)> {
    vec![
        ("KAFKA_BOOTSTRAP_SERVERS", servers),
        ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),
        ("KAFKA_SASL_MECHANISM", mechanism),
        ("KAFKA_USERNAME", "pricepipe"),
        ("KAFKA_PASSWORD", password),
        ("KAFKA_SSL_CA_LOCATION", ca),
    ]
}

fn password() -> String {
    let file = servers::variable("KAFKA_SASL_PASSWORD_FILE");
    std::fs::read_to_string(file).expect("the testbed's password").trim_end().to_owned()
}

async fn prices_flow_with(mechanism: &str) {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let (sasl, ca, password) =
        (servers::variable("KAFKA_SASL_BOOTSTRAP_SERVERS"), servers::variable("KAFKA_SASL_CA"), password());
    let exchange = Exchange::start().await;
    let pipeline = TestPipeline::new("sasl", &kafka);
    pipeline.create_topics(&["btc"], 1).await;
    let folder = tempfile::tempdir().expect("the test can work");
    let mut environment = variables(&sasl, mechanism, &password, &ca);
    let producer = pipeline.producer(&exchange.url(), 500, &[("BTCUSDT".to_owned(), "btc")]);
    let producer = Worker::start("pricepipe-producer", &producer, &environment, folder.path());
    environment.push(("MONGO_CONNECTION_STRING", &mongodb));
    let consumer = pipeline.mongodb_consumer(&["btc"]);
    let consumer = Worker::start("pricepipe-consumer", &consumer, &environment, folder.path());
    eventually("prices are stored", PATIENCE, || {
        consumer.metric("pricepipe_sink_documents_total", "inserted") >= 3.0
    });
    assert!(topics::count(&kafka, &pipeline.topic("btc")) >= 3);
    for worker in [&producer, &consumer] {
        assert!(worker.is_ready(), "{}", worker.readiness());
        assert!(!worker.log().contains(&password), "the password is in the log");
    }
    documents::drop(&mongodb, &pipeline.name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn prices_flow_over_tls_with_a_plain_password() {
    prices_flow_with("PLAIN").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn prices_flow_over_tls_with_scram() {
    prices_flow_with("SCRAM-SHA-512").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn a_wrong_password_is_said_clearly_and_is_seen_nowhere() {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let (sasl, ca) = (servers::variable("KAFKA_SASL_BOOTSTRAP_SERVERS"), servers::variable("KAFKA_SASL_CA"));
    let canary = unique("canary-password");
    let exchange = Exchange::start().await;
    let pipeline = TestPipeline::new("wrong", &kafka);
    pipeline.create_topics(&["btc"], 1).await;
    let folder = tempfile::tempdir().expect("the test can work");
    for mechanism in ["PLAIN", "SCRAM-SHA-512"] {
        let mut environment = variables(&sasl, mechanism, &canary, &ca);
        let producer = pipeline.producer(&exchange.url(), 500, &[("BTCUSDT".to_owned(), "btc")]);
        let producer = Worker::start("pricepipe-producer", &producer, &environment, folder.path());
        environment.push(("MONGO_CONNECTION_STRING", &mongodb));
        let consumer = pipeline.mongodb_consumer(&["btc"]);
        let consumer = Worker::start("pricepipe-consumer", &consumer, &environment, folder.path());
        for mut worker in [producer, consumer] {
            eventually("it says that authentication failed", PATIENCE, || {
                let readiness = worker.readiness().to_lowercase();
                readiness.contains("kafka") && readiness.contains("authentication")
            });
            std::thread::sleep(Duration::from_secs(5));
            assert!(
                worker.is_running(),
                "a wrong password may be put right: no crash loop\n{}",
                worker.log()
            );
            assert!(!worker.is_ready());
            let lines = worker.log().lines().count();
            assert!(lines < 60, "{lines} lines of log for one wrong password:\n{}", worker.log());
            let metrics = pricepipe_tests::http::get(worker.admin, "/metrics").expect("the test can work").1;
            for (place, text) in
                [("log", worker.log()), ("readiness", worker.readiness()), ("metrics", metrics)]
            {
                assert!(!text.contains(&canary), "the password is in the {place}");
            }
            assert!(
                worker.terminate(Duration::from_secs(25)).code().is_some(),
                "it ends by itself when asked to"
            );
        }
    }
}
