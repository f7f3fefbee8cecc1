//! Recorded trades played as the exchange's price path: every price that was served is stored exactly once, digit for
//! digit, in both stores. Skipped where the recording is not at hand.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use pricepipe_tests::{
    documents, eventually, exchange::Exchange, oracle, pipelines::TestPipeline, servers, topics,
    worker::Worker,
};

const GRACE: Duration = Duration::from_secs(25);

fn recording() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/binance-xrpeth-trades.csv");
    path.exists().then_some(path)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn recorded_trades_are_stored_exactly_once_and_digit_for_digit_in_both_stores() {
    let Some(recording) = recording() else {
        println!("skipped: the recorded trades are not here");
        return;
    };
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let exchange = Exchange::playing_trades(&recording, 10).await;
    let pipeline = TestPipeline::new("trades", &kafka);
    pipeline.create_topics(&["xrp"], 3).await;
    let folder = tempfile::tempdir().expect("the test can work");
    let file = folder.path().join("prices.sqlite");
    let variables = [("MONGO_CONNECTION_STRING", mongodb.as_str())];
    let mongodb_consumer = pipeline.mongodb_consumer(&["xrp"]);
    let embedded_consumer = pipeline.embedded_consumer(&["xrp"], &file);
    let embedded_group = embedded_consumer["group"].as_str().expect("the test can work").to_owned();
    let mut consumers = [(&mongodb_consumer, &variables[..]), (&embedded_consumer, &[])]
        .map(|(config, variables)| Worker::start("pricepipe-consumer", config, variables, folder.path()));
    let symbols: Vec<(String, &str)> = exchange.symbols().into_iter().map(|symbol| (symbol, "xrp")).collect();
    let producer = pipeline.producer(&exchange.url(), 20, &symbols);
    let mut producer = Worker::start("pricepipe-producer", &producer, &[], folder.path());
    eventually("every trade was served", Duration::from_secs(150), || exchange.is_played());
    assert!(producer.terminate(GRACE).success(), "{}", producer.log());
    for group in [pipeline.group(), embedded_group] {
        eventually("lag returns to 0", GRACE, || topics::lag(&kafka, &group, &pipeline.topic("xrp")) == 0);
    }
    for consumer in &mut consumers {
        assert!(consumer.terminate(GRACE).success(), "{}", consumer.log());
    }
    let served = exchange.served();
    assert_eq!(served["XRP0ETH"][0], "0.00141342");
    assert!(served.values().map(Vec::len).sum::<usize>() >= 12_477);
    let collection = documents::collection(&mongodb, &pipeline.name, "xrp").await;
    oracle::assert_same(&served, &documents::sequences(&[collection]).await);
    oracle::assert_same(&served, &embedded(&file));
    documents::drop(&mongodb, &pipeline.name).await;
}

/// The prices in the embedded store, in order of time.
fn embedded(file: &Path) -> oracle::Sequences {
    let store = rusqlite::Connection::open(file).expect("the test can work");
    let mut query = store
        .prepare("SELECT symbol, price FROM price WHERE collection = 'xrp' ORDER BY time")
        .expect("the test can work");
    let rows = query
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .expect("the test can work");
    let mut stored = oracle::Sequences::new();
    for (symbol, price) in rows.map(Result::unwrap) {
        stored.entry(symbol).or_default().push(price);
    }
    stored
}
