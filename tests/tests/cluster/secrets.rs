//! Secrets that a pipeline names: missing, there, changed, and seen nowhere.

use std::{collections::BTreeSet, time::Duration};

use kube::ResourceExt;
use pricepipe_tests::{
    cluster::{ClusterExchange, Controller, Pipeline, SECRET, SYSTEM, TestNamespace, kubectl, until},
    documents, servers,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// A part of the connection string that is nowhere else.
const CANARY: &str = "canary-4711";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_secret_is_asked_for_then_used_then_followed_and_never_shown() {
    let controller = Controller::shared().await;
    let namespace = TestNamespace::create("secret").await;
    let exchange = ClusterExchange::start(&namespace).await;
    let pipeline = Pipeline::new(&namespace, &exchange.url, &["BTCUSDT"]);
    namespace.kubectl(&["delete", "secret", SECRET]);
    pipeline.apply();
    let missing = pipeline.until_because("Ready", "SecretMissing", PATIENCE).await;
    let remedy =
        format!("Secret {SECRET} is not in namespace {}: create it, with the key uri", namespace.name);
    assert_eq!(missing.message, remedy);
    assert_eq!(pipeline.pods().await.len(), 0, "a pod without its Secret could only fail");

    let connection = |number: u32| format!("{}?appName={CANARY}-{number}", servers::mongodb());
    namespace.secret(SECRET, "uri", &connection(1));
    pipeline.until("Ready", "True", PATIENCE).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;

    let first = consumers(&pipeline).await;
    namespace.secret(SECRET, "uri", &connection(2));
    until("other pods have the other connection string", PATIENCE, async || {
        let now = consumers(&pipeline).await;
        if now.is_disjoint(&first) && !now.is_empty() { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    pipeline.until("Ready", "True", PATIENCE).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;
    assert_eq!(documents::doubled(&pipeline.collection("btc").await).await, 0);

    for (what, text) in everything_to_be_seen(&namespace, &controller).await {
        assert!(text.len() > 20, "{what} is empty, which proves nothing");
        assert!(!text.contains(CANARY), "{what} shows a secret:\n{text}");
    }
}

/// The names of the consumers' pods.
async fn consumers(pipeline: &Pipeline<'_>) -> BTreeSet<String> {
    let pods = pipeline.pods().await.into_iter().map(|pod| pod.name_any());
    pods.filter(|name| name.contains("-consumer-")).collect()
}

/// Everything but the Secret itself that somebody may look at.
async fn everything_to_be_seen(namespace: &TestNamespace, controller: &Controller) -> Vec<(String, String)> {
    let mut seen = namespace.everything_to_be_seen().await;
    for pod in controller.pods().await {
        seen.push(("the controller's log".to_owned(), kubectl(&["-n", SYSTEM, "logs", &pod.name_any()])));
    }
    seen.push(("the controller's metrics".to_owned(), controller.metrics().await));
    seen
}
