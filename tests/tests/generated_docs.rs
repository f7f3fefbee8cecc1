//! Tables in the documentation that repeat what the code says are written by this test (`make generate`) and held
//! against the code by it.

use std::{fmt::Write as _, fs, path::PathBuf};

use pricepipe_consumer::Stop;
use pricepipe_core::{
    config::{ConsumerConfig, ProducerConfig, StoreConfig},
    environment,
};
use pricepipe_producer::Producer;
use pricepipe_service::{Process, metrics::Definition};

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
    worker_configurations();
}

fn worker_configurations() -> (ProducerConfig, ConsumerConfig) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/workers.md");
    let text = fs::read_to_string(path).expect("a file of this repository");
    let blocks: Vec<&str> =
        text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [producer, consumer] = blocks[..] else { panic!("docs/workers.md: {} configurations", blocks.len()) };
    (
        serde_json::from_str(producer).expect("the producer's configuration"),
        serde_json::from_str(consumer).expect("the consumer's configuration"),
    )
}

#[tokio::test]
async fn the_metrics_table_is_up_to_date() {
    let mut table = String::from("| metric | type | labels | meaning |\n|---|---|---|---|\n");
    for Definition { name, help, kind, labels } in worker_metrics().await {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(table, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    hold("docs/metrics.md", "metrics", &table);
}

/// What a producer and a consumer in one process register when they start.
async fn worker_metrics() -> Vec<Definition> {
    let process = Process::new("documentation");
    let (producer, mut consumer) = worker_configurations();
    Producer::new(&producer, None, &process, Default::default()).expect("a producer is made");
    let stop = Stop::default();
    stop.now.cancel();
    let folder = tempfile::tempdir().expect("a writable folder");
    consumer.store =
        StoreConfig::Embedded { path: folder.path().join("prices.sqlite"), retention_seconds: 0 };
    let store = pricepipe_store::open(&consumer.store, None).expect("a store is opened");
    pricepipe_consumer::run(consumer, None, store, &process, stop, None).await.expect("a consumer ends");
    process.registry.definitions()
}
