//! What the live view shows: one moment of a pipeline. Pure.

use std::{fmt::Display, time::Duration};

use pricepipe_core::{
    Pipeline, Price, Timestamp,
    config::{Feed, SourceConfig},
};
use serde::Serialize;

/// How long a price may be on its way.
const GRACE: Duration = Duration::from_secs(2);

/// How far a pipeline is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It works, or waits for what it needs.
    #[default]
    Running,
    /// It stores what is under way, and takes nothing more.
    Draining,
    /// Nothing will change any more.
    Over,
}

/// One moment of a pipeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// When it was taken.
    pub at: Option<Timestamp>,
    /// A row per symbol, in the pipeline's order.
    pub rows: Vec<Row>,
    /// The exchange, Kafka and the store.
    pub parts: Vec<Part>,
    /// What else is not as it should be.
    pub notes: Vec<String>,
    /// How far it is.
    pub phase: Phase,
    /// How much of a history is replayed, where one is.
    pub replay: Option<Share>,
    /// The sums over all symbols.
    pub sums: Sums,
    /// A price that is older than this is not what the pipeline promises; zero when it promises nothing.
    pub stale_after: Duration,
}

/// How far something is that has an end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Share {
    /// From 0 to 1.
    pub fraction: f64,
    /// What there is to say of it besides.
    pub text: String,
}

impl Share {
    /// Whole percents; 100 only at the end.
    pub(crate) fn percent(&self) -> u32 {
        (self.fraction * 100.0).clamp(0.0, 100.0) as u32
    }

    /// A bar of so many characters, with the percents and the text behind it.
    pub(crate) fn bar(&self, length: usize) -> String {
        let full = (self.fraction.clamp(0.0, 1.0) * length as f64) as usize;
        let (full, empty) = ("#".repeat(full), "-".repeat(length - full));
        format!("[{full}{empty}] {:>3} %  {}", self.percent(), self.text)
    }
}

/// One of the three that a pipeline needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// What it is.
    pub name: &'static str,
    /// Which one.
    pub place: String,
    /// How it is.
    pub state: State,
}

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nobody knows yet.
    Waiting(String),
    /// At hand.
    Fine(String),
    /// Not at hand, and why.
    Away(String),
}

/// The sums over all symbols, for people and for programs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sums {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: serde_json::Value,
}

impl Sums {
    /// Both forms of one value.
    pub(crate) fn of(sums: &(impl Display + Serialize)) -> Self {
        Sums { text: sums.to_string(), json: serde_json::to_value(sums).unwrap_or_default() }
    }
}

/// One symbol. What is not known is absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// The symbol.
    pub symbol: String,
    /// The last price, once there is one.
    pub price: Option<Price>,
    /// The first price that was seen.
    pub first: Option<Price>,
    /// When the last price arrived.
    pub received: Option<Timestamp>,
    /// How old the last price is.
    pub age: Option<Duration>,
    /// Messages in Kafka.
    pub messages: Option<u64>,
    /// Messages whose document is in the store, also where it was there already.
    pub stored: Option<u64>,
    /// Messages of an observation that another message had told already.
    pub duplicates: Option<u64>,
    /// Messages of the symbol's topic that are not stored yet.
    pub lag: Option<u64>,
}

impl Row {
    /// A symbol that waits for its first price.
    pub(crate) fn waiting(symbol: impl Into<String>) -> Self {
        Row { symbol: symbol.into(), ..Row::default() }
    }

    /// The change since the first price, in percent.
    pub(crate) fn change_percent(&self) -> Option<f64> {
        let (first, last) = (self.first?.to_f64(), self.price?.to_f64());
        Some((last - first) / first * 100.0)
    }

    /// The change as people read it: `+0.12%`.
    pub(crate) fn change_text(&self) -> String {
        self.change_percent().map_or_else(String::new, |percent| format!("{percent:+.2}%"))
    }

    /// The age as people read it: `0.4s`, `2m`.
    pub(crate) fn age_text(&self) -> String {
        match self.age.map(|age| (age, age.as_secs())) {
            None => String::new(),
            Some((age, 0..100)) => format!("{:.1}s", age.as_secs_f64()),
            Some((_, seconds @ 0..7_200)) => format!("{}m", seconds / 60),
            Some((_, seconds)) => format!("{}h", seconds / 3_600),
        }
    }

    /// The price as the exchange wrote it.
    pub(crate) fn price_text(&self) -> String {
        self.price.map_or_else(|| "waiting".to_owned(), |price| price.to_string())
    }
}

/// A count as people read it; `-` where nobody knows.
pub(crate) fn count_text(count: Option<u64>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

/// How long ago that was; nothing where the other clock is ahead.
pub(crate) fn age(received: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(now.as_millis().saturating_sub(received.as_millis())).unwrap_or(0))
}

/// When a price of the pipeline is older than it should be: two more should have come, and had a moment to do so. Zero
/// where prices come when something happens in a market, or out of history.
pub(crate) fn stale_after(pipeline: &Pipeline) -> Duration {
    interval(pipeline).map_or(Duration::ZERO, |interval| interval.saturating_mul(2) + GRACE)
}

/// How often a price of each symbol is due, where that is regular: by the slowest of the sources.
pub(crate) fn interval(pipeline: &Pipeline) -> Option<Duration> {
    pipeline.sources.iter().filter_map(every_millis).max().map(Duration::from_millis)
}

/// How often a source brings something of each symbol, if that is regular.
fn every_millis(source: &SourceConfig) -> Option<u64> {
    match &source.feed {
        Feed::Rest(rest) => Some(rest.interval_millis),
        Feed::Websocket(websocket) => websocket.interval?.as_millis().map(i64::unsigned_abs),
        Feed::Replay(_) => None,
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
            messages: Some(messages),
            stored: Some(messages),
            duplicates: Some(0),
            lag: Some(0),
        }
    }

    #[test]
    fn a_bar_is_full_at_the_end_and_not_before() {
        let bar = |fraction| Share { fraction, text: "at noon".to_owned() }.bar(10);
        assert_eq!(bar(0.0), "[----------]   0 %  at noon");
        assert_eq!(bar(0.456), "[####------]  45 %  at noon");
        assert_eq!(bar(0.9999), "[#########-]  99 %  at noon");
        assert_eq!(bar(1.0), "[##########] 100 %  at noon");
    }

    #[test]
    fn a_row_reads_well_before_and_after_its_first_price() {
        let row = row("BTCUSDT", "101.50", 3);
        assert_eq!(
            (row.price_text(), row.change_text(), row.age_text()),
            ("101.50".into(), "+1.50%".into(), "0.4s".into())
        );
        let early = Row::waiting("BTCUSDT");
        assert_eq!(
            (early.price_text(), early.change_text(), early.age_text(), count_text(early.lag)),
            ("waiting".into(), String::new(), String::new(), "-".into())
        );
    }

    #[test]
    fn an_age_has_the_unit_that_people_would_choose() {
        let aged = |seconds| Row { age: Some(Duration::from_secs(seconds)), ..Row::default() }.age_text();
        assert_eq!([99, 100, 7_199, 7_200].map(aged), ["99.0s", "1m", "119m", "2h"]);
        let at = |text: &str| text.parse().unwrap();
        assert_eq!(age(at("2026-11-23T06:00:05Z"), at("2026-11-23T06:00:03Z")), Duration::ZERO);
    }
}
