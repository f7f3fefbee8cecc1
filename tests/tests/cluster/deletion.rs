//! What is left of a pipeline that is deleted.

use std::time::Duration;

use pricepipe_tests::{
    cluster::{ClusterExchange, Controller, NOWHERE, Pipeline, TestNamespace},
    documents, servers, topics,
};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_retained_pipeline_leaves_topics_and_documents_and_goes_on_when_it_is_made_anew_at_once() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("retain").await;
    let exchange = ClusterExchange::start(&namespace).await;
    let pipeline = Pipeline::new(&namespace, &exchange.url, &["BTCUSDT"]);
    pipeline.apply();
    pipeline.until("Ready", "True", PATIENCE).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;
    let first = pipeline.get().await.expect("the pipeline").metadata;
    assert_eq!(first.finalizers, None, "nothing has to be done before it may go");

    namespace.kubectl(&["delete", "pp", &pipeline.name]);
    pipeline.apply();
    assert_ne!(pipeline.get().await.expect("the pipeline").metadata.uid, first.uid);
    pipeline.until("Ready", "True", PATIENCE).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;
    assert_eq!(documents::doubled(&pipeline.collection("btc").await).await, 0);

    namespace.kubectl(&["delete", "pp", &pipeline.name]);
    namespace.until_nothing_managed(PATIENCE).await;
    assert!(topics::count(&servers::kafka(), &pipeline.topic("btc")) > 0);
    assert!(documents::count(&pipeline.collection("btc").await).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn delete_removes_the_topics_that_the_pipeline_created_and_no_other() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("delete").await;
    let mut pipeline = Pipeline::new(&namespace, NOWHERE, &["BTCUSDT", "ETHUSDT"]);
    let (kafka, created, found) = (servers::kafka(), pipeline.topic("btc"), pipeline.topic("eth"));
    topics::create(&kafka, &[&found], 3).await;
    pipeline.manifest["spec"]["deletionPolicy"] = json!("Delete");
    pipeline.apply();
    pipeline.until("TopicsReady", "True", PATIENCE).await;
    let known = pipeline.status().await.topics;
    let is_ours = |name: &str| known.iter().find(|known| known.name == name).map(|known| known.created);
    assert_eq!((is_ours(&created), is_ours(&found)), (Some(true), Some(false)), "{known:?}");
    let finalizers = pipeline.get().await.expect("the pipeline").metadata.finalizers;
    assert_eq!(finalizers.as_deref(), Some(&["pricepipe.dev/topics".to_owned()][..]));

    namespace.kubectl(&["delete", "pp", &pipeline.name, "--timeout=60s"]);
    assert!(!topics::exists(&kafka, &created), "the pipeline has created it");
    assert!(!topics::exists(&kafka, &format!("{}.dead-letter", pipeline.name)), "this one too");
    assert!(topics::exists(&kafka, &found), "it was there before");
    let events = namespace.kubectl(&["get", "events", "--field-selector", "reason=TopicsDeleted"]);
    assert!(events.contains(&created) && !events.contains(&found), "{events}");
}
