//! The life of a pipeline, lived with kubectl.

use std::time::Duration;

use pricepipe_tests::{
    cluster::{ClusterExchange, Controller, Pipeline, TestNamespace, until},
    documents, servers, topics,
};
use serde_json::json;

/// How soon a pipeline that was applied is ready.
const READY: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_pipeline_is_ready_within_a_minute_and_stores_each_price_once_while_its_consumers_come_and_go() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("flow").await;
    let exchange = ClusterExchange::start(&namespace).await;
    let pipeline = Pipeline::new(&namespace, &exchange.url, &["BTCUSDT", "ETHUSDT"]);
    pipeline.apply();
    pipeline.until("Ready", "True", READY).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;
    let about = format!("involvedObject.name={},type=Warning", pipeline.name);
    let messages = ["get", "events", "--field-selector", &about, "-o", "jsonpath={.items[*].message}"];
    assert_eq!(namespace.kubectl(&messages), "", "warnings on the way");

    let created = pipeline.status().await.topics.into_iter();
    let created: Vec<_> = created.map(|topic| (topic.name, topic.partitions, topic.created)).collect();
    let name = &pipeline.name;
    let expected =
        [(format!("{name}-btc"), 3), (format!("{name}-eth"), 3), (format!("{name}.dead-letter"), 1)];
    assert_eq!(created, expected.map(|(topic, partitions)| (topic, partitions, true)));

    for replicas in [3, 1] {
        let (resource, replicas_argument) = (format!("pp/{name}"), format!("--replicas={replicas}"));
        namespace.kubectl(&["scale", &resource, &replicas_argument]);
        pipeline.until_consumers(replicas, PATIENCE).await;
        pipeline.until_prices_arrive("eth", PATIENCE).await;
    }
    pipeline.until("Ready", "True", READY).await;
    let row = namespace.kubectl(&["get", "pp", name, "--no-headers"]);
    let row: Vec<&str> = row.split_whitespace().take(6).collect();
    assert_eq!(
        row,
        [name, "True", "2", "0", "1", "false"],
        "name, ready, symbols, lag, consumers, suspended"
    );
    pipeline.until_stored_as_served(&exchange, &["btc", "eth"], PATIENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn symbols_come_and_go_and_what_was_stored_stays() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("symbols").await;
    let exchange = ClusterExchange::start(&namespace).await;
    let mut pipeline = Pipeline::new(&namespace, &exchange.url, &["BTCUSDT", "ETHUSDT"]);
    pipeline.apply();
    pipeline.until("Ready", "True", READY).await;
    pipeline.until_prices_arrive("eth", PATIENCE).await;

    pipeline.manifest["spec"]["symbols"] = json!([{"symbol": "BTCUSDT"}, {"symbol": "SOLUSDT"}]);
    pipeline.apply();
    pipeline.until("Ready", "True", READY).await;
    let (eth, topic) = (pipeline.collection("eth").await, pipeline.topic("eth"));
    let left = (documents::count(&eth).await, topics::count(&servers::kafka(), &topic));
    assert!(left.0 > 0 && left.1 > 0, "{left:?}");
    pipeline.until_prices_arrive("sol", PATIENCE).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;
    let now = (documents::count(&eth).await, topics::count(&servers::kafka(), &topic));
    // What was still on its way to the store when it was counted has arrived since.
    assert!(now.0 >= left.0 && now.1 == left.1, "documents and messages of what has gone: {left:?}, {now:?}");
    let known = pipeline.status().await.topics;
    assert!(known.iter().any(|known| known.name == topic && known.created), "{known:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_suspended_pipeline_runs_nothing_and_goes_on_where_it_was() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("suspend").await;
    let exchange = ClusterExchange::start(&namespace).await;
    let pipeline = Pipeline::new(&namespace, &exchange.url, &["BTCUSDT"]);
    pipeline.apply();
    pipeline.until("Ready", "True", READY).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;

    pipeline.patch(&json!({"spec": {"suspend": true}}));
    pipeline.until_because("Ready", "Suspended", PATIENCE).await;
    until("no pod is left", PATIENCE, async || {
        let pods = pipeline.pods().await.len();
        if pods == 0 { Ok(()) } else { Err(format!("{pods} pods")) }
    })
    .await;
    let asked = exchange.requests().await;
    let stored = documents::count(&pipeline.collection("btc").await).await;

    pipeline.patch(&json!({"spec": {"suspend": false}}));
    pipeline.until("Ready", "True", READY).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;
    let collection = pipeline.collection("btc").await;
    assert!(documents::count(&collection).await > stored && exchange.requests().await > asked);
    assert_eq!(documents::doubled(&collection).await, 0);
}
