//! Topics that cannot be as a pipeline wants them.

use std::time::Duration;

use pricepipe_tests::{
    cluster::{Controller, NOWHERE, Pipeline, TestNamespace, until},
    servers, topics,
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn partitions_grow_and_are_never_taken_away() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("partitions").await;
    let mut pipeline = Pipeline::new(&namespace, NOWHERE, &["BTCUSDT"]);
    pipeline.apply();
    pipeline.until("TopicsReady", "True", PATIENCE).await;
    let topic = pipeline.topic("btc");
    assert_eq!(topics::partitions(&servers::kafka(), &topic), 3);

    pipeline.manifest["spec"]["kafka"]["topics"]["partitions"] = json!(5);
    pipeline.apply();
    pipeline.until("TopicsReady", "True", PATIENCE).await;
    until("Kafka tells of more partitions", PATIENCE, async || {
        match topics::partitions(&servers::kafka(), &topic) {
            5 => Ok(()),
            other => Err(format!("{other} partitions")),
        }
    })
    .await;

    pipeline.manifest["spec"]["kafka"]["topics"]["partitions"] = json!(3);
    let refused = namespace.try_kubectl(&["apply", "-f", "-"], &pipeline.manifest.to_string());
    let complaint = refused.expect_err("the API server refuses");
    assert!(complaint.contains("Kafka cannot take partitions away"), "{complaint}");
    assert_eq!(topics::partitions(&servers::kafka(), &topic), 5);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_topic_of_another_pipeline_is_a_conflict_that_names_the_owner() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("conflict").await;
    let topic = format!("{}-all", namespace.name);
    let named = |suffix: &str| {
        let name = format!("{}-{suffix}", namespace.name);
        let mut pipeline = Pipeline::named(&namespace, &name, NOWHERE, &["BTCUSDT"]);
        pipeline.manifest["spec"]["kafka"]["topics"]["nameTemplate"] = json!(topic);
        pipeline.manifest["spec"]["deletionPolicy"] = json!("Delete");
        pipeline
    };
    let (first, second) = (named("first"), named("second"));
    first.apply();
    first.until("TopicsReady", "True", PATIENCE).await;
    second.apply();
    let conflict = second.until_because("Ready", "TopicConflict", PATIENCE).await;
    let owner = format!("topic {topic} belongs to pipeline {}/{}", namespace.name, first.name);
    assert!(conflict.message.starts_with(&owner), "{}", conflict.message);
    assert!(second.pods().await.is_empty(), "nothing of it runs");

    namespace.kubectl(&["delete", "pp", &second.name, "--timeout=60s"]);
    assert!(topics::exists(&servers::kafka(), &topic), "it was never the second one's");
    assert_eq!(
        first.condition("TopicsReady").await.map(|condition| condition.status).as_deref(),
        Some("True")
    );
}
