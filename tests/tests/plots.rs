//! `pricepipe query --plot`, from a store to a picture: no server, no network. Also draws the pictures of the
//! documentation.

#![allow(clippy::unwrap_used, reason = "all of it is test code")]

use std::{borrow::Cow, fs, path::Path, process::Command};

use pricepipe_core::PriceMessage;
use pricepipe_tests::{command_line, generated, stored, worker::binary};

const SYMBOLS: [(&str, &str, i64); 2] = [("BTCUSDT", "btc", 6_732_150), ("ETHUSDT", "eth", 352_040)];
const START: i64 = 1_795_413_600_000;

/// A folder with a pipeline's file, and a store with so many prices of each symbol, one every three seconds.
fn folder(count: i64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = "apiVersion: pricepipe.dev/v1alpha1\nkind: PricePipeline\nmetadata: {name: plots}\n\
                spec: {symbols: [{symbol: BTCUSDT}, {symbol: ETHUSDT}]}\n";
    fs::write(folder.path().join("plots.yaml"), file).unwrap();
    let prices = SYMBOLS.map(|(symbol, collection, cents)| (collection, prices(symbol, cents, count)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(stored::fill(&*stored::embedded(&folder.path().join("plots.sqlite")), &prices));
    folder
}

/// Prices that wander by chance that is always the same, now calm and now lively.
fn prices(symbol: &str, mut cents: i64, count: i64) -> Vec<PriceMessage> {
    let (mut random, widest) = (29_u64, cents / 5_000);
    let mut chance = |range: i64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as i64 % (2 * range + 1) - range
    };
    let price = |n: i64| {
        let lively = if (n / 75) % 3 == 1 { 1 } else { 4 };
        cents += chance(widest / lively) + chance(widest / lively);
        (START + n * 3_000, Cow::Owned(format!("{}.{:02}", cents / 100, cents % 100)))
    };
    stored::observations(symbol, (0..count).map(price).collect::<Vec<_>>())
}

/// The exit code, standard output and standard error of a question.
fn query(folder: &Path, question: &str) -> (i32, String, String) {
    let words: Vec<&str> = ["query"].into_iter().chain(question.split_whitespace()).collect();
    let said = command_line::run(folder, &[], &[&words[..], &["-f", "plots.yaml"]].concat());
    (said.code, said.out, said.err)
}

const QUESTIONS: [(&str, &[&str]); 5] = [
    ("stats", &["price", "±1 deviation", "average"]),
    ("jumps --percent 0.02", &["price", "jumps"]),
    ("moving-average", &["price", "simple", "exponential"]),
    ("volatility --annualise", &["price", "±2 volatilities", "volatility of a year"]),
    ("candles --interval 30s", &["up and down in 30s"]),
];

#[test]
fn every_question_about_many_prices_has_a_picture_beside_its_rows() {
    let folder = folder(200);
    for (question, legend) in QUESTIONS {
        let (_, rows, _) = query(folder.path(), question);
        for file in ["a.svg", "a.png"] {
            let (code, out, err) = query(folder.path(), &format!("{question} --plot {file} --size 800x600"));
            assert_eq!((code, &out), (0, &rows), "{question}: the rows stay; {err}");
            assert_eq!(err.lines().next(), Some(format!("wrote {file}, 800x600").as_str()), "{question}");
        }
        let picture = fs::read_to_string(folder.path().join("a.svg")).unwrap();
        for text in legend.iter().chain(&["BTCUSDT", "ETHUSDT", "USDT", "23 Nov 2026"]) {
            assert!(picture.contains(text), "{question}: {text} is not in the picture");
        }
        let bytes = fs::read(folder.path().join("a.png")).unwrap();
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.len() > 5_000, "{question}");
        assert_eq!(bytes[16..24], [0, 0, 3, 32, 0, 0, 2, 88], "{question}: 800 wide, 600 high");
        let (code, text, err) = query(folder.path(), &format!("{question} --plot"));
        assert!(code == 0 && err.is_empty(), "{question}: {err}");
        assert!(text.starts_with("BTCUSDT, ETHUSDT – ") && text.contains('┬'), "{question}:\n{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80) && !text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn what_cannot_be_drawn_is_a_fault_of_the_command_line_or_has_its_reason() {
    let folder = folder(30);
    for (question, told) in [
        ("stats --plot a.jpg", ".svg or a .png"),
        ("stats --plot nowhere/a.svg", "there is no folder nowhere"),
        ("stats --plot a.svg --size 10x10", "not WIDTHxHEIGHT"),
        ("stats --plot a.svg --size 600x300 -s BTCUSDT", ""),
        ("stats --plot a.svg --size 600x200", "not WIDTHxHEIGHT"),
        ("stats --theme dark", "--plot"),
        ("stats --plot -o json", "--output json is for rows"),
        ("latest --plot a.svg", "--plot"),
    ] {
        let (code, _, err) = query(folder.path(), question);
        assert!(
            code == if told.is_empty() { 0 } else { 2 } && err.contains(told),
            "{question}: {code} {err}"
        );
    }
    for (question, told) in [
        ("jumps --percent 90 --plot b.svg", "no jump of 90 % or more among 60 prices"),
        ("candles --since 2030-01-01 --plot b.svg", "no prices of this time"),
        ("stats --since 2030-01-01 --plot", "no prices of this time"),
    ] {
        let (code, out, err) = query(folder.path(), question);
        assert!(code == 0 && err.contains(told) && !err.contains("wrote"), "{question}: {code} {err}{out}");
    }
    assert!(!folder.path().join("b.svg").exists(), "nothing is drawn of nothing");
}

#[test]
fn a_picture_is_written_though_nobody_reads_the_rows() {
    let folder = folder(3_000);
    let command = format!(
        "{} query moving-average -f plots.yaml --since 2026-01-01 --plot a.svg | head -1",
        binary("pricepipe").display()
    );
    let output = Command::new("sh").args(["-c", &command]).current_dir(folder.path()).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(err.trim_end(), "wrote a.svg, 1200x675");
    assert!(fs::read_to_string(folder.path().join("a.svg")).unwrap().ends_with("</svg>\n"));
}

#[test]
fn the_pictures_of_the_documentation_are_up_to_date() {
    let folder = folder(400);
    for (name, question) in [
        ("moving-average", "moving-average -s BTCUSDT --since 2026-11-23"),
        ("candles", "candles -s BTCUSDT --interval 15s"),
        ("volatility", "volatility -s BTCUSDT --since 2026-11-23 --annualise"),
    ] {
        for theme in ["light", "dark"] {
            let plot = format!("{question} --plot a.svg --theme {theme} --size 1000x500");
            let (code, _, err) = query(folder.path(), &plot);
            assert_eq!(code, 0, "{err}");
            let picture = fs::read_to_string(folder.path().join("a.svg")).unwrap();
            assert!(picture.len() < 60 * 1024, "{name} has {} bytes", picture.len());
            generated::hold_file(&format!("docs/images/{name}-{theme}.svg"), &picture);
        }
    }
}
