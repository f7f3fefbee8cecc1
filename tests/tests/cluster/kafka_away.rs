//! Kafka is away: when a pipeline is made, while it runs, and when it is to go.

use std::time::Duration;

use kube::ResourceExt;
use pricepipe_tests::{
    cluster::{ClusterExchange, Controller, NOWHERE, Pipeline, TestNamespace, until},
    servers::OwnServer,
    topics,
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);
/// How soon everybody can see it.
const LOUD: Duration = Duration::from_secs(30);
/// How long a deletion waits for Kafka, and what it takes besides.
const DEADLINE: Duration = Duration::from_secs(60 + 30);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_pipeline_says_that_its_kafka_is_away_and_goes_on_by_itself_when_it_is_back() {
    let _controller = Controller::shared().await;
    let kafka = OwnServer::kafka();
    kafka.stop();
    let namespace = TestNamespace::create("away").await;
    let exchange = ClusterExchange::start(&namespace).await;
    let pipeline = on(&kafka, &namespace, &exchange.url);
    pipeline.apply();
    let away = pipeline.until("KafkaReachable", "False", LOUD).await;
    let says = format!("Kafka at {} does not answer", kafka.address);
    assert!(away.reason == "Unreachable" && away.message.starts_with(&says), "{away:?}");
    kafka.start();
    pipeline.until("Ready", "True", PATIENCE).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;

    kafka.stop();
    pipeline.until("Ready", "False", LOUD).await;
    kafka.start();
    pipeline.until("Ready", "True", PATIENCE).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;
    for pod in pipeline.pods().await {
        let restarts = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        assert_eq!(restarts.map(|container| container.restart_count).sum::<i32>(), 0, "{}", pod.name_any());
    }
    pipeline.until_stored_as_served(&exchange, &["btc"], PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn neither_a_pipeline_nor_a_namespace_waits_for_ever_for_a_kafka_that_is_away() {
    let _controller = Controller::shared().await;
    let kafka = OwnServer::kafka();
    let (one, all) = (TestNamespace::create("gone").await, TestNamespace::create("all-gone").await);
    let (single, many) = (on(&kafka, &one, NOWHERE), on(&kafka, &all, NOWHERE));
    for pipeline in [&single, &many] {
        pipeline.apply();
    }
    for pipeline in [&single, &many] {
        pipeline.until("TopicsReady", "True", PATIENCE).await;
    }
    kafka.stop();
    one.kubectl(&["delete", "pp", &single.name, "--wait=false"]);
    all.kubectl(&["delete", "namespace", &all.name, "--wait=false"]);
    until("both are gone", DEADLINE, async || {
        let seen = |kind: &str, name: &str| one.try_kubectl(&["get", kind, name, "-o", "yaml"], "");
        match (seen("pp", &single.name), seen("namespace", &all.name)) {
            (Err(pipeline), Err(namespace))
                if pipeline.contains("NotFound") && namespace.contains("NotFound") =>
            {
                Ok(())
            }
            seen => Err(format!("{seen:?}")),
        }
    })
    .await;
    let events = one.kubectl(&["get", "events", "--field-selector", "reason=TopicsLeft,type=Warning"]);
    assert!(events.contains(&single.topic("btc")) && events.contains("Delete them by hand"), "{events}");
    kafka.start();
    for pipeline in [single, many] {
        assert!(topics::exists(&kafka.address, &pipeline.topic("btc")), "its topics are left");
    }
}

/// A pipeline on a Kafka of its own, whose topics are to go with it.
fn on<'a>(kafka: &OwnServer, namespace: &'a TestNamespace, endpoint: &str) -> Pipeline<'a> {
    let mut pipeline = Pipeline::new(namespace, endpoint, &["BTCUSDT"]);
    pipeline.manifest["spec"]["kafka"]["bootstrapServers"] = json!([kafka.address]);
    pipeline.manifest["spec"]["deletionPolicy"] = json!("Delete");
    pipeline
}
