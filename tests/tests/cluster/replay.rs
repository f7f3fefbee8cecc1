//! History in a cluster: replayed to its end, which the status says.

use std::time::Duration;

use pricepipe_core::Timestamp;
use pricepipe_service::clock;
use pricepipe_tests::cluster::{ClusterExchange, Controller, Pipeline, TestNamespace, until};
use serde_json::json;

use super::streams::{assert_without_holes, numbers};

const READY: Duration = Duration::from_secs(60);
/// The controller looks once a minute how far replays are.
const TOLD: Duration = Duration::from_secs(150);
/// The simulated exchange holds two trades of each second, and more of them than this.
const MINUTES: i64 = 4;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn the_status_of_a_replay_says_how_far_it_is_and_that_it_is_complete() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("replay").await;
    let exchange = ClusterExchange::start(&namespace).await;
    let end = clock::now();
    let start = Timestamp::from_millis(end.as_millis() - MINUTES * 60_000).expect("a moment");
    let mut pipeline = Pipeline::new(&namespace, &exchange.url, &["BTCUSDT", "ETHUSDT"]);
    pipeline.manifest["spec"]["sources"] = json!([{"name": "past", "exchange": "binance", "replay": {
        "trades": true, "start": start.to_string(), "end": end.to_string(),
        "history": {"endpoints": [exchange.url]},
    }}]);
    pipeline.apply();
    pipeline.until("Ready", "True", READY).await;
    let told = until("the status says that all is replayed", TOLD, async || {
        let replays = pipeline.status().await.replays;
        let complete = replays.first().filter(|replay| replay.percent == 100).cloned();
        complete.ok_or(format!("{replays:?}"))
    })
    .await;
    assert_eq!((told.source.as_str(), told.symbols, told.complete, told.failed), ("past", 2, 2, 0));
    assert_eq!((told.reached, told.failure), (Some(end.to_string()), None));

    for asset in ["btc", "eth"] {
        let collection = pipeline.collection(asset).await;
        until("its trades are stored", READY, async || {
            let stored = numbers(&collection).await;
            if stored.len() as i64 >= (MINUTES - 1) * 60 {
                Ok(())
            } else {
                Err(format!("{} trades", stored.len()))
            }
        })
        .await;
        assert_without_holes(&numbers(&collection).await);
    }

    pipeline.patch(
        &json!({"spec": {"sources": [{"exchange": "binance", "rest": {"endpoints": [exchange.url]}}]}}),
    );
    until("a source that is gone is not spoken of", READY, async || {
        let replays = pipeline.status().await.replays;
        if replays.is_empty() { Ok(()) } else { Err(format!("{replays:?}")) }
    })
    .await;
}
