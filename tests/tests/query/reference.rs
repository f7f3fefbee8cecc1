//! Every figure beside one that Python's decimal has computed by definition (tests/reference/analytics.py): on a walk that
//! is always here, and on recorded trades and candles where they are at hand.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use pricepipe_core::PriceMessage;
use pricepipe_tests::{command_line, stored};
use serde_json::value::RawValue;

/// A row: the name of each value, and how it is written.
type Row = BTreeMap<String, String>;

/// A question, as `pricepipe query` and as the reference takes it.
const QUESTIONS: [(&str, &str); 9] = [
    ("stats", "stats"),
    ("jumps --percent 0.2", "jumps 0.2"),
    ("jumps --percent 0.5 --within 10m", "jumps-within 0.5 600000"),
    ("jumps --percent 2 --within 1h", "jumps-within 2 3600000"),
    ("moving-average --window 20 --limit 1000000", "moving-average 20"),
    ("moving-average --window 1 --limit 1000000", "moving-average 1"),
    ("volatility --window 20 --annualise --limit 1000000", "volatility 20"),
    ("candles --interval 1m", "candles 60000"),
    ("candles --interval 1d", "candles 86400000"),
];

/// What rests on logarithms has 12 digits, of which the last may be rounded the other way.
const LOGARITHMIC: [&str; 2] = ["volatility", "annualised"];

#[tokio::test]
#[ignore = "needs Python 3"]
async fn figures_of_a_walk_are_those_of_the_reference() {
    assert_right(&stored::walk("BTCUSDT", 1_795_413_600_000, 6_732_150, 3_000)).await;
}

#[tokio::test]
#[ignore = "needs Python 3"]
async fn figures_of_recorded_trades_are_those_of_the_reference() {
    let Some(trades) = recorded("binance-xrpeth-trades.csv", 1, 2) else { return };
    assert!(trades.len() == 12_477, "{}", trades.len());
    assert_right(&trades).await;
}

#[tokio::test]
#[ignore = "needs Python 3"]
async fn figures_of_recorded_closes_are_those_of_the_reference() {
    let Some(closes) = recorded("binance-ethbtc-klines-5m.csv", 0, 4) else { return };
    assert_right(&closes).await;
}

/// Columns of a recording as prices, or nothing where it is not at hand.
fn recorded(name: &str, time: usize, price: usize) -> Option<Vec<PriceMessage>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: {name} is not here");
        return None;
    };
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (fields[time].parse().expect("a time"), Cow::Owned(fields[price].to_owned()))
    };
    Some(stored::observations("BTCUSDT", text.lines().skip(1).map(row).collect::<Vec<_>>()))
}

async fn assert_right(prices: &[PriceMessage]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prices.sqlite");
    stored::fill(&*stored::embedded(&file), &[("btc", prices.to_vec())]).await;
    let series: String =
        prices.iter().map(|price| format!("{},{}\n", price.time.as_millis(), price.price)).collect();
    for (question, reference) in QUESTIONS {
        let (found, expected) = (asked(folder.path(), &file, question), computed(&series, reference));
        assert!(!expected.is_empty(), "{question}: the reference has no rows, so this would prove nothing");
        assert_eq!(found.len(), expected.len(), "{question}: rows");
        for (number, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_same(found, expected, &format!("{question}, row {number}"));
        }
    }
}

fn assert_same(found: &Row, expected: &Row, place: &str) {
    for (name, expected) in expected {
        let found = found.get(name).unwrap_or_else(|| panic!("{place}: no {name}"));
        let near = LOGARITHMIC.contains(&name.as_str()) && is_near(found, expected);
        assert!(found == expected || near, "{place}, {name}: {found}, and by the reference {expected}");
    }
}

/// Differs by no more than two units of the twelfth digit.
fn is_near(left: &str, right: &str) -> bool {
    let (Ok(left), Ok(right)) = (left.parse::<f64>(), right.parse::<f64>()) else { return false };
    (left - right).abs() <= 2e-11 * right.abs()
}

fn asked(folder: &Path, store: &Path, question: &str) -> Vec<Row> {
    let (file, store) = (command_line::example("quickstart.yaml"), store.display().to_string());
    let rest = ["-f", &file, "--store-file", &store, "--symbol", "BTCUSDT", "--output", "ndjson"];
    let words: Vec<&str> = ["query"].into_iter().chain(question.split(' ')).chain(rest).collect();
    let said = command_line::run(folder, &[], &words);
    assert_eq!(said.code, 0, "{question}: {}", said.err);
    said.out.lines().map(row).collect()
}

fn computed(series: &str, question: &str) -> Vec<Row> {
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("reference/analytics.py");
    let mut python = Command::new("python3");
    python.arg(script).args(question.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().expect("python3 is installed (apt-get install python3)");
    python.stdin.take().expect("a pipe").write_all(series.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the reference failed at {question}");
    String::from_utf8(output.stdout).expect("text").lines().map(row).collect()
}

fn row(line: &str) -> Row {
    let values: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).expect("a row");
    values.into_iter().map(|(name, value)| (name, value.get().trim_matches('"').to_owned())).collect()
}
