//! Tables in the documentation that repeat what the code says are written by this test (`make generate`) and held
//! against the code by it.

use std::{fmt::Write as _, fs, path::PathBuf};

use pricepipe_core::environment;

/// Replaces what lies between `<!-- name: begin -->` and `<!-- name: end -->` when `UPDATE` is set; else asserts it.
fn hold(file: &str, name: &str, expected: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = fs::read_to_string(&path).expect("a file of this repository");
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (head, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{file} has no {begin}"));
    let (current, tail) = rest.split_once(&end).unwrap_or_else(|| panic!("{file} has no {end}"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{head}{begin}{expected}{end}{tail}")).expect("a file of this repository");
    } else {
        assert_eq!(current, expected, "{file}, block {name}: run `make generate`");
    }
}

#[test]
fn the_environment_table_is_up_to_date() {
    let mut table = String::from("| variable | meaning |\n|---|---|\n");
    for (variable, meaning) in environment::VARIABLES {
        writeln!(table, "| `{variable}` | {meaning} |").unwrap();
    }
    hold("README.md", "environment", &table);
}

#[test]
fn the_worker_configurations_in_the_documentation_can_be_used() {
    let text =
        fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/workers.md")).unwrap();
    let blocks: Vec<&str> =
        text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 2);
    serde_json::from_str::<pricepipe_core::config::ProducerConfig>(blocks[0]).unwrap();
    serde_json::from_str::<pricepipe_core::config::ConsumerConfig>(blocks[1]).unwrap();
}

/// The files in which metrics are defined.
const METRICS: [&str; 3] =
    ["crates/service/src/process.rs", "crates/producer/src/events.rs", "crates/consumer/src/events.rs"];

#[test]
fn the_metrics_table_is_up_to_date() {
    let mut table = String::from("| metric | type | labels |\n|---|---|---|\n");
    for file in METRICS {
        let code =
            fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap();
        for definition in code.split("metrics.").skip(1) {
            let Some((kind, rest)) = definition.split_once('(') else { continue };
            let kind = match kind {
                "counter" | "counters" => "counter",
                "histogram" | "histograms" => "histogram",
                "gauge" | "gauges" | "float_gauge" | "float_gauges" => "gauge",
                _ => continue,
            };
            let arguments = rest.split(");").next().unwrap_or(rest);
            let arguments = arguments.split("),\n").next().unwrap_or(arguments);
            let name = arguments.split('"').nth(1).expect("a metric's name");
            let labels =
                arguments.split("&[").nth(1).and_then(|labels| labels.split(']').next()).unwrap_or_default();
            // A histogram without labels has only its buckets in brackets.
            let labels = if labels.contains('"') { labels.replace('"', "`") } else { String::new() };
            writeln!(table, "| `pricepipe_{name}` | {kind} | {labels} |").unwrap();
        }
    }
    hold("docs/metrics.md", "metrics", &table);
}
