//! Recorded trades through a stream that is cut, loses frames and doubles them, and a producer that is killed: every trade
//! is stored once, digit for digit, and the same trial without repair finds what is missing.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use mongodb::bson::{Bson, Document};
use pricepipe_exchange_sim::{
    Fault, Limits, Recording, Rule, Running, SimConfig, StreamFault, StreamLimits, TapePace, TapePlayback,
    start,
};
use pricepipe_tests::{documents, eventually, pipelines::TestPipeline, servers, topics, worker::Worker};
use serde_json::{Value, json};

const GRACE: Duration = Duration::from_secs(60);
const SYMBOL: &str = "XRPETH";
const FIRST: u64 = 13_519_807;
const LAST: u64 = 13_532_283;

fn recording() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/binance-xrpeth-trades.csv");
    path.exists().then_some(path)
}

/// Price and quantity of each trade, by its number.
type Trades = BTreeMap<u64, (String, String)>;

fn recorded(file: &Path) -> Trades {
    let text = std::fs::read_to_string(file).expect("a recording");
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[0].parse().expect("a number"), (fields[2].to_owned(), fields[3].to_owned()))
    };
    text.lines().skip(1).map(row).collect()
}

/// An exchange that plays the recording from the first subscription on and does harm all the time.
async fn playing(file: &Path) -> Running {
    let recording = Recording::from_file(file).expect("a recording");
    let symbol = SYMBOL.parse().expect("a symbol");
    let exchange = start(SimConfig {
        limits: Limits { weight_per_minute: u32::MAX, ..Limits::default() },
        streams: StreamLimits { connects_per_5_minutes: 10_000, ..StreamLimits::default() },
        tapes: vec![TapePlayback::new(symbol, recording, TapePace::PerSecond(500.0))],
        ..SimConfig::default()
    });
    let exchange = exchange.await.expect("the simulated exchange starts");
    for fault in [
        StreamFault::Cut { after_frames: 500, close: None },
        StreamFault::Duplicate { percent: 5 },
        StreamFault::Drop { percent: 2 },
    ] {
        exchange.faults().add(Rule::until_cleared(Fault::Stream(fault)));
    }
    exchange
}

fn producer(pipeline: &TestPipeline, exchange: &Running) -> Value {
    let history = json!({"endpoints": [exchange.url()], "timeoutMillis": 2_000, "maxWeightPerMinute": 5_700});
    json!({
        "pipeline": pipeline.name, "kafka": {"bootstrapServers": [pipeline.kafka]},
        "symbols": [{"symbol": SYMBOL, "topic": pipeline.topic("xrp")}],
        "sources": [{"name": "binance", "exchange": "binance", "websocket": {
            "endpoints": [exchange.stream_url()], "stream": "trade", "silenceMillis": 5_000, "history": history,
        }}],
    })
}

/// What is stored of a trade.
fn trade(document: &Document) -> (u64, (String, String)) {
    let digits = |field: &str| match document.get(field) {
        Some(Bson::Decimal128(number)) => number.to_string(),
        other => panic!("{field} is {other:?}"),
    };
    let id = document.get_str("_id").expect("an id");
    let number = id.strip_prefix("binance:XRPETH:trade:").expect("the id of a trade");
    (number.parse().expect("a number"), (digits("price"), digits("quantity")))
}

/// Plays the recording through a pipeline whose producer is killed twice. Gives what is stored, and how many gaps stay.
async fn trial(file: &Path, fault: Option<&str>) -> (Trades, f64) {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let exchange = playing(file).await;
    let pipeline = TestPipeline::new("streams", &kafka);
    pipeline.create_topics(&["xrp", "gaps"], 3).await;
    let folder = tempfile::tempdir().expect("the test can work");
    let variables = [("MONGO_CONNECTION_STRING", mongodb.as_str())];
    let config = pipeline.mongodb_consumer(&["xrp"]);
    let mut consumer = Worker::start("pricepipe-consumer", &config, &variables, folder.path());
    let config = producer(&pipeline, &exchange);
    let faults: Vec<(&str, &str)> = fault.map(|fault| ("PRICEPIPE_FAULT", fault)).into_iter().collect();
    let collection = documents::collection(&mongodb, &pipeline.name, "xrp").await;
    for part in 1..=2 {
        let mut killed = Worker::start("pricepipe-producer", &config, &faults, folder.path());
        let produced = || killed.metric("pricepipe_produced_messages_total", "delivered");
        eventually("a part is produced", GRACE, || produced() > 3_000.0);
        killed.kill();
        println!("killed {part} with {} in Kafka", topics::count(&kafka, &pipeline.topic("xrp")));
    }
    let mut last = Worker::start("pricepipe-producer", &config, &faults, folder.path());
    let symbol = SYMBOL.parse().expect("a symbol");
    eventually("everything was played", GRACE, || {
        exchange.trade_ids(&symbol).is_some_and(|ids| ids.1 == LAST)
    });
    let count = || topics::count(&kafka, &pipeline.topic("xrp"));
    let mut settled = (0, 0);
    eventually("nothing more comes", GRACE, || {
        settled = (count(), if count() == settled.0 { settled.1 + 1 } else { 0 });
        settled.1 > 60
    });
    let sorted = |outcome| last.metric("pricepipe_source_sorted_records_total", outcome);
    println!("repaired {}, doubled {}", sorted("repaired"), sorted("known"));
    let unfillable = last.metric("pricepipe_source_gaps_total", "unfillable");
    assert_eq!(last.metric("pricepipe_source_gap_open_seconds", SYMBOL), 0.0, "a gap is open");
    assert!(last.terminate(GRACE).success(), "{}", last.log());
    eventually("lag returns to 0", GRACE, || {
        topics::lag(&kafka, &pipeline.group(), &pipeline.topic("xrp")) == 0
    });
    assert!(consumer.terminate(GRACE).success(), "{}", consumer.log());
    let mut stored = Trades::new();
    let mut cursor = collection.find(Document::new()).await.expect("the server answers");
    while cursor.advance().await.expect("the server answers") {
        let (number, trade) = trade(&cursor.deserialize_current().expect("a document"));
        assert_eq!(stored.insert(number, trade), None, "{number} is stored twice");
    }
    documents::drop(&mongodb, &pipeline.name).await;
    (stored, unfillable)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn x9_recorded_trades_are_stored_once_each_whatever_the_stream_loses_and_whoever_is_killed() {
    let Some(file) = recording() else { return println!("skipped: the recorded trades are not here") };
    let (stored, unfillable) = trial(&file, None).await;
    let expected = recorded(&file);
    let (first, last) = (*stored.keys().next().expect("some"), *stored.keys().last().expect("some"));
    println!("{} stored, {first} to {last}", stored.len());
    let missing: Vec<&u64> = expected.keys().filter(|number| !stored.contains_key(number)).collect();
    assert_eq!(missing, Vec::<&u64>::new(), "missing of {FIRST} to {LAST}");
    assert!(stored == expected, "every price and quantity, digit for digit");
    assert_eq!(unfillable, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn without_repair_the_same_trial_finds_that_trades_are_missing() {
    let Some(file) = recording() else { return println!("skipped: the recorded trades are not here") };
    let (stored, unfillable) = trial(&file, Some("no-repair")).await;
    let missing = recorded(&file).keys().filter(|number| !stored.contains_key(number)).count();
    println!("{missing} missing in {unfillable} gaps");
    assert!(missing > 50 && unfillable > 10.0, "{missing} missing in {unfillable} gaps");
}
