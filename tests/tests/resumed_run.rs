//! `pricepipe run` again, with an embedded Kafka that has forgotten everything: what happened between two runs is fetched.
//! No server, no network.

use std::{
    collections::BTreeSet,
    ops::RangeInclusive,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use pricepipe_core::{config::StoreConfig, names::CollectionName};
use pricepipe_store::{beginning_with, open_for_reading};
use pricepipe_tests::command_line;
use serde_json::Value;
use tempfile::TempDir;

/// Trades of three exchanges in one collection, and candles of a second in another.
const PIPELINE: &str = "
apiVersion: pricepipe.dev/v1alpha1
kind: PricePipeline
metadata: {name: again}
spec:
  symbols: [{symbol: BTC/USD, topic: btc}]
  sources:
  - {name: b, exchange: binance, websocket: {stream: trade}}
  - {name: a, exchange: binance, websocket: {stream: aggTrade}}
  - {name: s, exchange: binance, websocket: {stream: kline, interval: 1s}}
  - {name: c, exchange: coinbase, websocket: {stream: trade}}
  - {name: k, exchange: kraken, websocket: {stream: trade}}
";
/// Each series: its collection, what its ids begin with, and the step from one number to the next.
const SERIES: [(&str, &str, u64); 5] = [
    ("btc", "binance:BTCUSD:trade:", 1),
    ("btc", "binance:BTCUSD:aggTrade:", 1),
    ("btc_klines_1s", "binance:BTCUSD:kline:1s:", 1_000),
    ("btc", "coinbase:BTC-USD:trade:", 1),
    ("btc", "kraken:BTC/USD:trade:", 1),
];
const PAUSE: Duration = Duration::from_secs(4);
const GRACE: Duration = Duration::from_secs(40);

const ARGUMENTS: [&str; 5] = ["run", "again.yaml", "--simulate", "--admin-address", "127.0.0.1:0"];

/// Runs to an orderly end. Gives the sums.
fn run(folder: &Path) -> String {
    let said = command_line::run(folder, &[], &[&ARGUMENTS[..], &["--stop-after", "8"]].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    said.out.lines().last().unwrap_or_default().to_owned()
}

/// Runs until something of each series is stored, and is killed then.
async fn killed_run(folder: &Path) {
    let mut command = command_line::command(folder, &[], &ARGUMENTS);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let deadline = Instant::now() + GRACE;
    while stored(folder)
        .await
        .is_none_or(|series| series.iter().any(|(range, _)| range.start() == range.end()))
    {
        assert!(Instant::now() < deadline, "too little was stored");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    child.kill().and_then(|()| child.wait()).expect("it is killed");
}

/// The first and the last number that is stored of each series, and those between that are not. None while there is
/// nothing of one.
async fn stored(folder: &Path) -> Option<Vec<(RangeInclusive<u64>, Vec<u64>)>> {
    let config = StoreConfig::Embedded { path: folder.join("again.simulated.sqlite"), retention_seconds: 0 };
    let history = open_for_reading(&config, None).ok()?;
    let mut series = Vec::new();
    for (collection, prefix, step) in SERIES {
        let collection: CollectionName = collection.parse().expect("a name");
        let newest =
            history.newest(&collection, "BTC/USD", beginning_with(prefix)).await.expect("it is read");
        let last: u64 = newest?.0[prefix.len()..].parse().expect("a number");
        let numbers: Vec<u64> = (0..3_000).map(|back| last - back * step).collect();
        let ids = numbers.iter().map(|number| format!("{prefix}{number}")).collect();
        let missing: BTreeSet<String> =
            history.missing(&collection, ids).await.expect("it is read").into_iter().collect();
        let is_missing = |number: &u64| missing.contains(&format!("{prefix}{number}"));
        let first = numbers.iter().rfind(|number| !is_missing(number)).copied().unwrap_or(last);
        let between = numbers.into_iter().filter(|number| *number > first && is_missing(number)).collect();
        series.push((first..=last, between));
    }
    history.close().await;
    Some(series)
}

fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("again.yaml"), PIPELINE).expect("a writable folder");
    folder
}

/// Runs again after a while; nothing is missing of what happened since the first run began.
async fn goes_on(folder: &Path) {
    let before = stored(folder).await.expect("something of each series");
    tokio::time::sleep(PAUSE).await;
    let summary = run(folder);
    let after = stored(folder).await.expect("something of each series");
    for (((first, _), (both, missing)), (_, prefix, step)) in before.iter().zip(&after).zip(SERIES) {
        println!("{prefix} {first:?}, then {both:?}");
        assert_eq!(first.start(), both.start(), "{prefix} begins where it began");
        assert!(both.end() - first.end() > PAUSE.as_secs() * step, "{prefix} goes on: {first:?} {both:?}");
        assert!(missing.is_empty(), "{prefix} {both:?} without {missing:?}");
    }
    assert!(summary.contains("unfillable 0"), "{summary}");
}

#[tokio::test]
async fn what_happened_since_a_run_was_killed_is_fetched_by_the_next() {
    let folder = folder();
    killed_run(folder.path()).await;
    goes_on(folder.path()).await;
}

#[tokio::test]
async fn what_happened_between_two_runs_is_fetched_and_a_query_sees_all_of_it() {
    let folder = folder();
    run(folder.path());
    goes_on(folder.path()).await;
    let words = ["query", "latest", "-f", "again.yaml", "--simulated", "-o", "ndjson"];
    let rows = command_line::run(folder.path(), &[], &words).rows();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let told: Vec<_> = rows.iter().map(|row| (text(row, "collection"), text(row, "exchange"))).collect();
    let all = [("btc", "binance"), ("btc", "coinbase"), ("btc", "kraken"), ("btc_klines_1s", "binance")];
    assert_eq!(told, all.map(|(collection, exchange)| (collection.to_owned(), exchange.to_owned())));
}
