//! Recorded candles by `pricepipe backfill`, killed and resumed: each stored once, digit for digit, and no page asked for twice.
//! Skipped where the recording is not at hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use mongodb::{
    Collection,
    bson::{Bson, Document, doc},
};
use pricepipe_exchange_sim::{Limits, Recording, Running, SimConfig, TapePlayback, start};
use pricepipe_tests::{command_line, documents, eventually, pipelines::TestPipeline, servers, topics};
use serde_json::json;

const GRACE: Duration = Duration::from_secs(90);
const FIVE_MINUTES: i64 = 300_000;

/// Rows of `open_time_ms,open,high,low,close,volume`.
fn recording() -> Option<(PathBuf, Vec<[String; 6]>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/binance-ethbtc-klines-5m.csv");
    let text = std::fs::read_to_string(&path).ok()?;
    let row = |line: &str| {
        let fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        fields.try_into().expect("six fields")
    };
    Some((path, text.lines().skip(1).map(row).collect()))
}

async fn exchange(recording: &Path) -> Running {
    let recording = Recording::from_file(recording).expect("a recording");
    let tapes = vec![TapePlayback::past("ETHBTC".parse().expect("a symbol"), recording)];
    let limits = Limits { weight_per_minute: u32::MAX, ..Limits::default() };
    start(SimConfig { tapes, limits, ..SimConfig::default() }).await.expect("the simulated exchange starts")
}

/// A pipeline of the one symbol, in a file.
fn file(folder: &Path, pipeline: &TestPipeline, exchange: &Running) -> PathBuf {
    let file = folder.join("replay.yaml");
    let text = json!({
        "apiVersion": "pricepipe.dev/v1alpha1", "kind": "PricePipeline", "metadata": {"name": pipeline.name},
        "spec": {
            "symbols": [{"symbol": "ETHBTC", "topic": pipeline.topic("eth"), "collection": "eth"}],
            "sources": [{"exchange": "binance", "rest": {"endpoints": [exchange.url()]}}],
            "kafka": {"bootstrapServers": [pipeline.kafka]},
            "mongodb": {"database": pipeline.name},
        },
    });
    std::fs::write(&file, text.to_string()).expect("a writable folder");
    file
}

fn moment(millis: i64) -> String {
    pricepipe_core::Timestamp::from_millis(millis).expect("a moment").to_string()
}

struct Backfill<'a> {
    folder: &'a Path,
    mongodb: &'a str,
    words: Vec<String>,
}

impl Backfill<'_> {
    fn command(&self, pace: &str) -> Command {
        let words: Vec<&str> = self.words.iter().map(String::as_str).chain(["--pace", pace]).collect();
        command_line::command(self.folder, &[("MONGO_CONNECTION_STRING", self.mongodb)], &words)
    }

    /// Starts it, lets it store so many candles, and ends it by a signal.
    async fn interrupted(&self, pace: &str, stored: u64, signal: &str, collection: &Collection<Document>) {
        let mut child = self.command(pace).spawn().expect("it starts");
        let (begun, before) = (Instant::now(), documents::count(collection).await);
        while documents::count(collection).await < before + stored {
            assert!(begun.elapsed() < GRACE && is_running(&mut child), "{stored} candles are not stored");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{signal}");
        let status = child.wait().expect("a child");
        assert!(signal == "KILL" || status.success(), "{signal}: {status}");
    }
}

fn is_running(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(None))
}

/// What a candle of the store says, as the recording has it.
fn fields(document: &Document) -> [String; 6] {
    let time = document.get_datetime("time").expect("a time").timestamp_millis().to_string();
    let number = |name: &str| match document.get(name) {
        Some(Bson::Decimal128(number)) => number.to_string(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(document.get("price"), document.get("close"));
    [time, number("open"), number("high"), number("low"), number("close"), number("volume")]
}

async fn stored(collection: &Collection<Document>) -> BTreeMap<String, [String; 6]> {
    let mut cursor = collection.find(doc! {}).await.expect("the server answers");
    let mut stored = BTreeMap::new();
    while cursor.advance().await.expect("the server answers") {
        let document = cursor.deserialize_current().expect("a document");
        stored.insert(document.get_str("_id").expect("an id").to_owned(), fields(&document));
    }
    stored
}

/// What was asked for of history.
fn asked(exchange: &Running) -> Vec<String> {
    let requests = exchange.requests().entries().into_iter();
    requests.filter(|request| request.path.ends_with("/klines")).map(|request| request.query).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn recorded_candles_are_stored_once_each_however_often_the_backfill_is_killed() {
    let Some((recording, rows)) = recording() else {
        println!("skipped: the recorded candles are not here");
        return;
    };
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let (exchange, folder) = (exchange(&recording).await, tempfile::tempdir().expect("a folder"));
    let pipeline = TestPipeline::new("replay", &kafka);
    pipeline.create_topics(&["eth"], 3).await;
    let begin: i64 = rows[0][0].parse().expect("a moment");
    let end: i64 = rows[rows.len() - 1][0].parse().expect("a moment");
    let file = file(folder.path(), &pipeline, &exchange).display().to_string();
    let (begin, end) = (moment(begin), moment(end + FIVE_MINUTES));
    let words = ["backfill", &file, "--start", &begin, "--end", &end, "--interval", "5m"];
    let words = words.into_iter().chain(["--admin-address", "127.0.0.1:0"]).map(str::to_owned).collect();
    let backfill = Backfill { folder: folder.path(), mongodb: &mongodb, words };
    let collection = documents::collection(&mongodb, &pipeline.name, "eth_klines_5m").await;

    // Ten days at this pace take 30 s.
    for (candles, signal) in [(300, "KILL"), (500, "INT"), (300, "KILL")] {
        backfill.interrupted("28800x", candles, signal, &collection).await;
    }
    let last = backfill.command("unpaced").output().expect("it ends");
    let said = String::from_utf8_lossy(&last.stdout).into_owned();
    assert!(
        last.status.success() && said.contains("100 %"),
        "{said}{}",
        String::from_utf8_lossy(&last.stderr)
    );
    eventually("lag returns to 0", GRACE, || {
        topics::lag(&kafka, &pipeline.group(), &pipeline.topic("eth")) == 0
    });
    let expected: BTreeMap<String, [String; 6]> =
        rows.iter().map(|row| (format!("binance:ETHBTC:kline:5m:{}", row[0]), row.clone())).collect();
    assert_eq!(expected.len(), 2_880);
    let found = stored(&collection).await;
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "digit for digit");
    let requests = asked(&exchange);
    assert_eq!(requests.iter().collect::<BTreeSet<_>>().len(), requests.len(), "asked twice: {requests:?}");
    println!(
        "{} requests for {} candles, through two kills and an interruption",
        requests.len(),
        found.len()
    );

    let again = backfill.command("unpaced").output().expect("it ends");
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(asked(&exchange), requests, "what is stored is not asked for again");
    documents::drop(&mongodb, &pipeline.name).await;
}
