//! Tables in the documentation that repeat what the code says are written by this test (`make generate`) and held
//! against the code by it.

use std::fmt::Write as _;

use pricepipe_consumer::Stop;
use pricepipe_controller::{
    Controller,
    conditions::{ConditionType, Reason},
    settings::{self, Settings},
};
use pricepipe_core::{
    config::{ConsumerConfig, ProducerConfig, StoreConfig},
    environment,
};
use pricepipe_producer::Producer;
use pricepipe_service::{Process, metrics::Definition, worker};
use pricepipe_tests::generated::{hold, read};

#[test]
fn the_tables_of_variables_are_up_to_date() {
    hold("README.md", "environment", &variables(environment::VARIABLES));
    hold("docs/cluster.md", "controller", &variables(settings::VARIABLES));
}

fn variables(variables: &[(&str, &str)]) -> String {
    let mut table = String::from("| variable | meaning |\n|---|---|\n");
    for (variable, meaning) in variables {
        writeln!(table, "| `{variable}` | {meaning} |").expect("a text takes all");
    }
    table
}

#[test]
fn the_headers_of_dead_letters_are_up_to_date() {
    let mut table = String::from("| header | says |\n|---|---|\n");
    for (header, meaning) in pricepipe_consumer::letter::header::MEANINGS {
        writeln!(table, "| `{header}` | {meaning} |").expect("a text takes all");
    }
    hold("docs/workers.md", "letters", &table);
}

#[test]
fn the_exit_codes_and_variables_of_the_workers_are_up_to_date() {
    let mut codes = String::from("| exit code | meaning |\n|---|---|\n");
    for (code, meaning) in worker::EXIT_CODES {
        writeln!(codes, "| {code} | {meaning} |").unwrap();
    }
    hold("docs/workers.md", "exit-codes", &codes);
    hold("docs/workers.md", "variables", &variables(worker::VARIABLES));
}

#[test]
fn every_condition_and_every_reason_is_documented() {
    let text = read("docs/cluster.md");
    let types = ConditionType::ALL.iter().map(|kind| kind.as_str());
    for name in types.chain(Reason::ALL.iter().map(|reason| reason.as_str())) {
        assert!(text.contains(&format!("`{name}`")), "docs/cluster.md does not explain {name}");
    }
}

#[test]
fn the_worker_configurations_in_the_documentation_can_be_used() {
    worker_configurations();
}

fn worker_configurations() -> (ProducerConfig, ConsumerConfig) {
    let text = read("docs/workers.md");
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
    for Definition { name, help, kind, labels, .. } in metrics().await.registry.definitions() {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(table, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
    }
    hold("docs/metrics.md", "metrics", &table);
}

#[tokio::test]
async fn the_values_of_every_closed_label_are_up_to_date() {
    let mut table = String::from("| metric | label | values |\n|---|---|---|\n");
    for Definition { name, labels, values, .. } in metrics().await.registry.definitions() {
        let is_closed = |label: &&String| matches!(label.as_str(), "outcome" | "reason" | "state");
        let described =
            |label: &String| values.iter().any(|(one, _)| one == label) || name == CONTROLLER_OUTCOMES;
        assert!(labels.iter().filter(is_closed).all(described), "{name} does not say which values it has");
        for (label, values) in values {
            writeln!(table, "| `{name}` | `{label}` | `{}` |", values.join("`, `")).unwrap();
        }
    }
    hold("docs/metrics.md", "labels", &table);
}

/// Documented by hand: an error of the controller has its kind from what happened.
const CONTROLLER_OUTCOMES: &str = "pricepipe_controller_reconciliations_total";

#[tokio::test]
async fn every_target_of_a_breaker_is_documented_or_the_host_of_an_endpoint() {
    let text = read("docs/metrics.md");
    let endpoints = worker_configurations().0.sources.remove(0).endpoints().clone();
    let families = metrics().await.registry.gather();
    let breakers = families.iter().find(|family| family.name() == "pricepipe_breaker_state").expect("guards");
    let targets: Vec<&str> =
        breakers.get_metric().iter().map(|series| series.get_label()[0].value()).collect();
    assert!(targets.contains(&"kafka") && targets.contains(&"store"), "{targets:?}");
    for target in targets {
        let is_host = endpoints.iter().any(|url| url.ends_with(&format!("//{target}")));
        assert!(
            is_host || text.contains(&format!("`{target}`")),
            "docs/metrics.md does not explain {target}"
        );
    }
}

/// A process in which a producer, a consumer and a controller have registered what they do when they start.
async fn metrics() -> Process {
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
    let settings = Settings::read(|_| None).expect("defaults");
    let nowhere = kube::Config::new("http://localhost".parse().expect("an address"));
    Controller::new(nowhere.try_into().expect("a client"), settings, &process);
    process
}
