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

fn prices() -> [(&'static str, Vec<PriceMessage>); 3] {
    [
        ("btc", stored::walk("BTCUSDT", FIRST, 6_732_150, 60)),
        ("eth", stored::walk("ETHUSDT", FIRST, 351_206, 60)),
        ("sol", stored::walk("SOLUSDT", FIRST + 90_000, 17_148, 30)),
    ]
}

#[tokio::test]
async fn the_answers_that_the_page_shows_are_up_to_date() {
    let folder = with_examples();
    stored::fill(&*stored::embedded(&folder.path().join("quickstart.sqlite")), &prices()).await;
    for (name, questions) in BLOCKS {
        let told: Vec<String> = questions.iter().map(|question| told(folder.path(), question, &[])).collect();
        generated::hold(PAGE, name, &format!("```console\n{}```\n", told.join("\n")));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a MongoDB-compatible server"]
async fn mongodb_answers_every_question_of_the_page_with_the_same_text() {
    let (mongodb, database) = (servers::mongodb(), unique("queries"));
    stored::fill(&*stored::mongodb(&mongodb, &database), &prices()).await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("examples")).expect("a folder");
    let file = std::fs::read_to_string(command_line::example("quickstart.yaml")).expect("the example");
    let file = file.replace("spec:\n", &format!("spec:\n  mongodb: {{database: {database}}}\n"));
    std::fs::write(folder.path().join("examples/quickstart.yaml"), file).expect("the test can write");
    let page = generated::read(PAGE);
    for question in BLOCKS.iter().flat_map(|(_, questions)| *questions) {
        let told = told(folder.path(), question, &[("MONGO_CONNECTION_STRING", &mongodb)]);
        assert!(page.contains(&told), "the page shows another answer than\n{told}");
    }
    documents::drop(&mongodb, &database).await;
}

fn with_examples() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(command_line::example(""), folder.path().join("examples")).expect("a link");
    folder
}

/// A command and what it writes, as a terminal shows it.
fn told(folder: &Path, question: &str, environment: &[(&str, &str)]) -> String {
    let words = format!("query {question} -f examples/quickstart.yaml");
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
