//! What each question answers on prices that are always the same, in every form, as docs/queries.md shows
//! it; and that MongoDB answers alike.

use std::path::Path;

use pricepipe_core::PriceMessage;
use pricepipe_tests::{command_line, documents, generated, servers, stored, unique};

/// Each block of the page: its name, and the commands of it.
const BLOCKS: &[(&str, &[&str])] = &[
    ("latest", &["latest", "latest --symbol ETHUSDT --output json"]),
    ("count", &["count", "count --since 2026-11-23T06:02:00Z --output csv"]),
    ("stats", &["stats", "stats --symbol BTCUSDT --limit 20 --output json"]),
    (
        "jumps",
        &["jumps --percent 0.2", "jumps --percent 0.5 --within 30s", "jumps --percent 0.3 --output ndjson"],
    ),
    (
        "moving-average",
        &[
            "moving-average --symbol BTCUSDT --window 5 --limit 9",
            "moving-average --symbol BTCUSDT --window 5 --limit 7 --output csv",
        ],
    ),
    (
        "volatility",
        &[
            "volatility --symbol BTCUSDT --window 5 --limit 9 --annualise",
            "volatility --symbol BTCUSDT --window 5 --limit 7 --annualise --output json",
        ],
    ),
    (
        "candles",
        &[
            "candles --interval 1m --symbol BTCUSDT",
            "candles --interval 1m --since 2026-11-23T06:01:00Z --until 2026-11-23T06:02:00Z --output ndjson",
        ],
    ),
    (
        "exchanges",
        &[
            "latest -f examples/three-exchanges.yaml",
            "stats --exchange kraken --output json -f examples/three-exchanges.yaml",
        ],
    ),
    (
        "kinds",
        &[
            "latest -f examples/candles.yaml",
            "candles --interval 5m --symbol BTCUSDT -f examples/candles.yaml",
            "candles --interval 90s --symbol BTCUSDT -f examples/candles.yaml",
        ],
    ),
    (
        "nothing",
        &[
            "jumps --percent 50",
            "moving-average --window 100 --symbol BTCUSDT",
            "stats --since 2026-11-24 --until 2026-11-23",
        ],
    ),
];

const FIRST: i64 = 1_795_413_600_000;
const PAGE: &str = "docs/queries.md";

/// What is stored for an example: collections with messages.
type Stock = Vec<(&'static str, Vec<PriceMessage>)>;

/// The examples that the page asks about, each with what is stored.
fn examples() -> [(&'static str, Stock); 3] {
    [("quickstart", prices()), ("three-exchanges", exchanges()), ("candles", candles())]
}

fn prices() -> Stock {
    vec![
        ("btc", stored::walk("BTCUSDT", FIRST, 6_732_150, 60)),
        ("eth", stored::walk("ETHUSDT", FIRST, 351_206, 60)),
        ("sol", stored::walk("SOLUSDT", FIRST + 90_000, 17_148, 30)),
    ]
}

fn exchanges() -> Stock {
    let of = |exchange: &'static str, symbol, cents| {
        let own = |message: PriceMessage| PriceMessage {
            id: message.id.replace("binance", exchange),
            exchange: exchange.into(),
            ..message
        };
        stored::walk(symbol, FIRST, cents, 20).into_iter().map(own)
    };
    let all = of("coinbase", "BTC/USD", 6_732_150).chain(of("kraken", "BTC/USD", 6_732_410));
    vec![("btc", all.chain(of("binance", "BTC/USDT", 6_732_980)).collect())]
}

fn candles() -> Stock {
    let of = |symbol, cents| stored::klines(&stored::walk(symbol, FIRST, cents, 240));
    vec![("btc_klines_1m", of("BTCUSDT", 6_732_150)), ("eth_klines_1m", of("ETHUSDT", 351_206))]
}

#[tokio::test]
async fn the_answers_that_the_page_shows_are_up_to_date() {
    let folder = with_examples();
    for (example, stock) in examples() {
        let store = stored::embedded(&folder.path().join(format!("{example}.sqlite")));
        stored::fill(&*store, &stock).await;
    }
    for (name, questions) in BLOCKS {
        let told: Vec<String> = questions.iter().map(|question| told(folder.path(), question, &[])).collect();
        generated::hold(PAGE, name, &format!("```console\n{}```\n", told.join("\n")));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a MongoDB-compatible server"]
async fn mongodb_answers_every_question_of_the_page_with_the_same_text() {
    let mongodb = servers::mongodb();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("examples")).expect("a folder");
    let mut databases = Vec::new();
    for (example, stock) in examples() {
        let database = unique("queries");
        stored::fill(&*stored::mongodb(&mongodb, &database), &stock).await;
        let example = format!("{example}.yaml");
        let file = std::fs::read_to_string(command_line::example(&example)).expect("the example");
        let file = file.replace("spec:\n", &format!("spec:\n  mongodb: {{database: {database}}}\n"));
        std::fs::write(folder.path().join("examples").join(example), file).expect("the test can write");
        databases.push(database);
    }
    let page = generated::read(PAGE);
    for question in BLOCKS.iter().flat_map(|(_, questions)| *questions) {
        let told = told(folder.path(), question, &[("MONGO_CONNECTION_STRING", &mongodb)]);
        assert!(page.contains(&told), "the page shows another answer than\n{told}");
    }
    for database in databases {
        documents::drop(&mongodb, &database).await;
    }
}

fn with_examples() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(command_line::example(""), folder.path().join("examples")).expect("a link");
    folder
}

/// A command and what it writes, as a terminal shows it.
fn told(folder: &Path, question: &str, environment: &[(&str, &str)]) -> String {
    let file = if question.contains(" -f ") { "" } else { " -f examples/quickstart.yaml" };
    let words = format!("query {question}{file}");
    let said = command_line::run(folder, environment, &words.split(' ').collect::<Vec<_>>());
    let (code, out, err) = (said.code, said.out, said.err);
    let out = if question.starts_with("latest") { without_ages(&out) } else { out };
    let code = if code == 0 { String::new() } else { format!("(exit code {code})\n") };
    format!("$ pricepipe {words}\n{out}{err}{code}")
}

/// Ages grow; on the page each is 2.1 s.
fn without_ages(out: &str) -> String {
    let line = |line: &str| match line.rsplit_once("  ") {
        Some((rest, "AGE")) => format!("{}   AGE\n", rest.trim_end()),
        Some((rest, age)) if age.trim_end().ends_with('s') => format!("{}  2.1s\n", rest.trim_end()),
        _ => match line.split_once("\"ageSeconds\":") {
            Some((rest, after)) => {
                let end = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
                format!("{rest}\"ageSeconds\":2.1{end}\n")
            }
            None => format!("{line}\n"),
        },
    };
    out.lines().map(line).collect()
}
