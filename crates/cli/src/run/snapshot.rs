//! What the live views show: one moment of a running pipeline.

use std::{sync::Arc, time::Duration};

use pricepipe_consumer::Observations as ConsumerObservations;
use pricepipe_core::Price;
use pricepipe_producer::{Observations as ProducerObservations, ObservedSymbol};
use pricepipe_service::{Process, clock};
use serde::Serialize;

/// Where the workers of a run say what they have done.
#[derive(Default)]
pub(super) struct Observers {
    /// The producer.
    pub producer: Arc<ProducerObservations>,
    /// The consumer.
    pub consumer: ConsumerObservations,
}

impl Observers {
    /// One moment of the run.
    pub(super) fn snapshot(&self, process: &Process) -> Snapshot {
        let (produced, consumed, now) = (self.producer.snapshot(), self.consumer.snapshot(), clock::now());
        let row = |seen: &ObservedSymbol| {
            let stored = consumed.symbols.get(seen.symbol.as_str());
            let age =
                |received: pricepipe_core::Timestamp| now.as_millis().saturating_sub(received.as_millis());
            Row {
                symbol: seen.symbol.to_string(),
                price: seen.last,
                first: seen.first,
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
        Snapshot {
            rows: produced.symbols.iter().map(row).collect(),
            unmet: process.health.unmet(),
            totals: Totals {
                produced: produced.totals.produced,
                stored: collections.clone().map(|collection| collection.inserted).sum(),
                duplicates: collections.map(|collection| collection.duplicates).sum(),
                dead_letters: dead_letters(process),
                skipped_slots: produced.totals.skipped_slots,
            },
        }
    }
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
    /// How old the last price is.
    pub age: Option<Duration>,
    /// Messages that Kafka has acknowledged.
    pub messages: u64,
    /// Documents stored.
    pub stored: u64,
    /// Documents that were there already.
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
    /// Documents stored.
    pub stored: u64,
    /// Documents that were there already.
    pub duplicates: u64,
    /// Messages that could not be stored.
    pub dead_letters: u64,
    /// Poll slots that passed without a price.
    pub skipped_slots: u64,
}

impl Totals {
    /// The sums of a run that has ended.
    pub(super) fn of(producer: &pricepipe_producer::Summary, consumer: &pricepipe_consumer::Summary) -> Self {
        Totals {
            produced: producer.produced,
            stored: consumer.stored,
            duplicates: consumer.duplicates,
            dead_letters: consumer.dead_letters,
            skipped_slots: producer.skipped_slots,
        }
    }
}

impl Row {
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
        let early = Row { price: None, first: None, age: None, lag: None, ..row };
        assert_eq!(
            (early.price_text(), early.change_text(), early.lag_text()),
            ("waiting".into(), String::new(), String::new())
        );
    }
}
