//! Streams in a cluster: split over producers, without holes when one of them dies.

use std::{collections::BTreeSet, time::Duration};

use mongodb::{Collection, bson::Document};
use pricepipe_tests::{
    cluster::{ClusterExchange, Controller, Pipeline, TestNamespace, kill, until},
    documents,
};
use serde_json::json;

const READY: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(90);

/// A pipeline that listens to each trade of two symbols, each with a producer of its own.
fn streaming<'a>(namespace: &'a TestNamespace, exchange: &ClusterExchange) -> Pipeline<'a> {
    let mut pipeline = Pipeline::new(namespace, &exchange.url, &["BTCUSDT", "ETHUSDT"]);
    let streams = exchange.url.replace("http://", "ws://");
    pipeline.manifest["spec"]["sources"] = json!([{"exchange": "binance", "websocket": {
        "stream": "trade", "endpoints": [streams], "history": {"endpoints": [exchange.url]},
    }}]);
    pipeline.manifest["spec"]["producer"] = json!({"shards": 2});
    pipeline
}

/// The numbers of the trades of a market that are stored.
pub(super) async fn numbers(collection: &Collection<Document>) -> BTreeSet<u64> {
    let number = |id: &String| id.rsplit_once(":trade:")?.1.parse().ok();
    documents::ids(collection).await.iter().map(|id| number(id).expect("the id of a trade")).collect()
}

/// Waits until there are more trades than now, and gives the numbers of all.
async fn more(collection: &Collection<Document>) -> BTreeSet<u64> {
    let before = numbers(collection).await.len();
    until("trades arrive", PATIENCE, async || {
        let now = numbers(collection).await;
        if now.len() > before + 5 { Ok(now) } else { Err(format!("{} trades", now.len())) }
    })
    .await
}

pub(super) fn assert_without_holes(numbers: &BTreeSet<u64>) {
    let missing = numbers.iter().zip(numbers.iter().skip(1)).find(|(one, next)| **next != **one + 1);
    assert_eq!(missing, None, "of {} trades", numbers.len());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn trades_are_split_over_producers_and_have_no_holes_though_one_is_killed_and_one_goes() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("streams").await;
    let exchange = ClusterExchange::start(&namespace).await;
    let pipeline = streaming(&namespace, &exchange);
    pipeline.apply();
    pipeline.until("Ready", "True", READY).await;
    let status = pipeline.status().await;
    assert_eq!(status.producer.and_then(|producer| producer.shards), Some(2));
    let gaps = format!("{}.gaps", pipeline.name);
    assert!(status.topics.iter().any(|topic| topic.name == gaps && topic.created), "{:?}", status.topics);

    let collections = [pipeline.collection("btc").await, pipeline.collection("eth").await];
    for collection in &collections {
        more(collection).await;
    }
    let producers = pipeline
        .pods()
        .await
        .into_iter()
        .filter(|pod| pod.metadata.name.as_deref().is_some_and(|name| name.contains("-producer-")));
    producers.for_each(|pod| kill(&pod));
    pipeline.until("Ready", "True", PATIENCE).await;
    for collection in &collections {
        assert_without_holes(&more(collection).await);
    }

    pipeline.patch(&json!({"spec": {"producer": {"shards": 1}}}));
    let second = format!("{}-producer-1", pipeline.name);
    until("the second producer is gone", PATIENCE, async || {
        let found = namespace.try_kubectl(&["get", "deployment", &second, "-o", "name"], "");
        found.map_or(Ok(()), |found| if found.trim().is_empty() { Ok(()) } else { Err(found) })
    })
    .await;
    for collection in &collections {
        assert_without_holes(&more(collection).await);
    }
    let gaps = pipeline.status().await.gaps.unwrap_or_default();
    assert_eq!(gaps.unfillable, 0, "{gaps:?}");
}
