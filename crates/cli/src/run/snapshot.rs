//! What the live views show: one moment of a running pipeline.

use std::{fmt, sync::Arc, time::Duration};

use pricepipe_consumer::Observations as ConsumerObservations;
use pricepipe_core::{Pipeline, Price, Timestamp};
use pricepipe_producer::{Observations as ProducerObservations, ObservedSymbol};
use pricepipe_service::{Process, clock};
use serde::Serialize;

/// Where the workers of a run say what they have done. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Observers {
    /// The producer.
    pub producer: Arc<ProducerObservations>,
    /// The consumer.
    pub consumer: ConsumerObservations,
    /// What is shown before the producer has begun: every symbol, waiting.
    waiting: Vec<Row>,
}

impl Observers {
    /// Of the workers of a pipeline that have not begun.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let waiting = pipeline.symbols.iter().map(|symbol| Row::waiting(symbol.symbol.to_string())).collect();
        Observers { waiting, ..Observers::default() }
    }

    /// How many symbols there are.
    pub(super) fn symbols(&self) -> usize {
        self.waiting.len()
    }

    /// One moment of the run.
    pub(super) fn snapshot(&self, process: &Process, phase: Phase) -> Snapshot {
        let (produced, consumed, now) = (self.producer.snapshot(), self.consumer.snapshot(), clock::now());
        let row = |seen: &ObservedSymbol| {
            let stored = consumed.symbols.get(seen.symbol.as_str());
            let age = |received: Timestamp| now.as_millis().saturating_sub(received.as_millis());
            Row {
                symbol: seen.symbol.to_string(),
                price: seen.last,
                first: seen.first,
                received: seen.received,
                age: seen
                    .received
                    .map(|received| Duration::from_millis(u64::try_from(age(received)).unwrap_or(0))),
                messages: seen.produced,
                stored: stored.map_or(0, |stored| stored.stored),
                duplicates: stored.map_or(0, |stored| stored.duplicates),
                lag: consumed.lag.get(seen.topic.as_str()).copied(),
            }
        };
        let collections = consumed.collections.values();
        let rows: Vec<Row> = produced.symbols.iter().map(row).collect();
        Snapshot {
            rows: if rows.is_empty() { self.waiting.clone() } else { rows },
            unmet: process.health.unmet(),
            phase,
            totals: Totals {
                produced: produced.totals.produced,
                stored: collections
                    .clone()
                    .map(|collection| collection.inserted + collection.duplicates)
                    .sum(),
                duplicates: collections.map(|collection| collection.duplicates).sum(),
                dead_letters: dead_letters(process),
                skipped_slots: produced.totals.skipped_slots,
            },
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// It works, or waits for what it needs.
    #[default]
    Running,
    /// It stores what is under way, and takes nothing more.
    Draining,
    /// Nothing will change any more.
    Over,
}

/// The sum of the metric over all reasons.
fn dead_letters(process: &Process) -> u64 {
    let families = process.registry.gather();
    let reasons = families.iter().filter(|family| family.name() == "pricepipe_dead_letters_total");
    reasons.flat_map(|family| family.get_metric()).map(|metric| metric.get_counter().get_value() as u64).sum()
}

/// One moment of a running pipeline.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// A row per symbol, in the pipeline's order.
    pub rows: Vec<Row>,
    /// What is not at hand, as `name: reason`; empty when all is well.
    pub unmet: Vec<String>,
    /// How far the run is.
    pub phase: Phase,
    /// The sums over all symbols.
    pub totals: Totals,
}

/// One symbol.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The symbol.
    pub symbol: String,
    /// The last price, once there is one.
    pub price: Option<Price>,
    /// The first price of this run.
    pub first: Option<Price>,
    /// When the last price arrived.
    pub received: Option<Timestamp>,
    /// How old the last price is.
    pub age: Option<Duration>,
    /// Messages that Kafka has acknowledged.
    pub messages: u64,
    /// Messages whose document is in the store, also where it was there already.
    pub stored: u64,
    /// Those of them whose document was there already.
    pub duplicates: u64,
    /// Messages of the symbol's topic that are not stored yet; unknown until the consumer has joined.
    pub lag: Option<u64>,
}

/// Sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Totals {
    /// Messages that Kafka has acknowledged.
    pub produced: u64,
    /// Messages whose document is in the store, also where it was there already.
    pub stored: u64,
    /// Those of them whose document was there already.
    pub duplicates: u64,
    /// Messages that could not be stored.
    pub dead_letters: u64,
    /// Poll slots that passed without a price.
    pub skipped_slots: u64,
}

impl Totals {
    /// Messages that need nothing more: stored, or in the dead-letter topic.
    pub(super) fn settled(&self) -> u64 {
        self.stored + self.dead_letters
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "produced {}, stored {} (duplicates {}), dead letters {}, skipped slots {}",
            self.produced, self.stored, self.duplicates, self.dead_letters, self.skipped_slots
        )
    }
}

impl Row {
    fn waiting(symbol: String) -> Self {
        let (price, first, received, age, lag) = (None, None, None, None, None);
        Row { symbol, price, first, received, age, messages: 0, stored: 0, duplicates: 0, lag }
    }

    /// The change since the run began, in percent.
    pub(super) fn change_percent(&self) -> Option<f64> {
        let (first, last) = (self.first?.to_f64(), self.price?.to_f64());
        Some((last - first) / first * 100.0)
    }

    /// The change as people read it: `+0.12%`.
    pub(super) fn change_text(&self) -> String {
        self.change_percent().map_or_else(String::new, |percent| format!("{percent:+.2}%"))
    }

    /// The age as people read it: `0.4s`, `2m`.
    pub(super) fn age_text(&self) -> String {
        match self.age {
            None => String::new(),
            Some(age) if age < Duration::from_secs(100) => format!("{:.1}s", age.as_secs_f64()),
            Some(age) => format!("{}m", age.as_secs() / 60),
        }
    }

    /// The lag as people read it; empty while it is unknown.
    pub(super) fn lag_text(&self) -> String {
        self.lag.map_or_else(String::new, |lag| lag.to_string())
    }

    /// The price as the exchange wrote it.
    pub(super) fn price_text(&self) -> String {
        self.price.map_or_else(|| "waiting".to_owned(), |price| price.to_string())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn row(symbol: &str, price: &str, messages: u64) -> Row {
        Row {
            symbol: symbol.to_owned(),
            price: price.parse().ok(),
            first: "100.00".parse().ok(),
            received: "2026-11-23T06:00:03.112Z".parse().ok(),
            age: Some(Duration::from_millis(412)),
            messages,
            stored: messages,
            duplicates: 0,
            lag: Some(0),
        }
    }

    #[test]
    fn a_row_reads_well_before_and_after_its_first_price() {
        let row = row("BTCUSDT", "101.50", 3);
        assert_eq!(
            (row.price_text(), row.change_text(), row.age_text()),
            ("101.50".into(), "+1.50%".into(), "0.4s".into())
        );
        let early = Row::waiting("BTCUSDT".to_owned());
        assert_eq!(
            (early.price_text(), early.change_text(), early.lag_text()),
            ("waiting".into(), String::new(), String::new())
        );
    }

    #[test]
    fn every_symbol_waits_in_the_table_before_the_workers_have_begun() {
        let text = "{apiVersion: pricepipe.dev/v1alpha1, kind: PricePipeline, metadata: {name: a}, \
                    spec: {symbols: [{symbol: BTCUSDT}, {symbol: ETHUSDT}]}}";
        let pipeline = pricepipe_api::parse(text).unwrap().remove(0).1;
        let snapshot = Observers::of(&pipeline).snapshot(&Process::new("test"), Phase::Running);
        let rows: Vec<_> = snapshot.rows.iter().map(|row| (row.symbol.as_str(), row.price_text())).collect();
        assert_eq!(rows, [("BTCUSDT", "waiting".to_owned()), ("ETHUSDT", "waiting".to_owned())]);
    }

    #[test]
    fn what_is_stored_holds_what_was_there_already() {
        let totals = Totals { produced: 5, stored: 4, duplicates: 3, dead_letters: 1, skipped_slots: 0 };
        assert_eq!(totals.settled(), totals.produced);
        assert!(totals.to_string().starts_with("produced 5, stored 4 (duplicates 3), dead letters 1"));
    }
}
