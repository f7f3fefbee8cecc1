//! The last prices of each symbol, as a line of bars, and how fast they come. Pure.

use std::collections::{HashMap, VecDeque};

use pricepipe_core::Timestamp;

use super::snapshot::Snapshot;

/// As many prices are kept of each symbol.
pub(super) const LONGEST: usize = 40;
/// How fast messages come is told of so many milliseconds: slow polls have several in it, and a burst is soon forgotten.
const RATE_OVER: i64 = 10_000;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What the last seconds were like of each symbol.
#[derive(Clone, Debug, Default)]
pub(super) struct Trends {
    symbols: HashMap<String, Trend>,
}

#[derive(Clone, Debug, Default)]
struct Trend {
    prices: VecDeque<f64>,
    /// The price that was noted last, by its time and by the number of messages with it.
    noted: Option<(Timestamp, Option<u64>)>,
    /// How many messages there were, and when.
    counts: VecDeque<(Timestamp, u64)>,
}

impl Trends {
    /// Notes what is new.
    pub(super) fn note(&mut self, snapshot: &Snapshot) {
        for row in &snapshot.rows {
            let (Some(price), Some(received)) = (row.price, row.received) else { continue };
            let trend = self.symbols.entry(row.symbol.clone()).or_default();
            if let (Some(at), Some(messages)) = (snapshot.at, row.messages) {
                trend.count(at, messages);
            }
            let now = Some((received, row.messages));
            if trend.noted != now {
                trend.noted = now;
                if trend.prices.len() == LONGEST {
                    trend.prices.pop_front();
                }
                trend.prices.push_back(price.to_f64());
            }
        }
    }

    /// A symbol's last prices as bars, as many as have room.
    pub(super) fn bars(&self, symbol: &str, width: usize) -> String {
        let Some(trend) = self.symbols.get(symbol) else { return String::new() };
        let prices: Vec<f64> =
            trend.prices.iter().skip(trend.prices.len().saturating_sub(width)).copied().collect();
        let least = prices.iter().copied().fold(f64::INFINITY, f64::min);
        let most = prices.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        prices.iter().map(|price| bar(*price, least, most)).collect()
    }

    /// How many messages of a symbol come in a second; nothing until that can be told.
    pub(super) fn rate(&self, symbol: &str) -> Option<f64> {
        let counts = &self.symbols.get(symbol)?.counts;
        let ((since, before), (at, now)) = (counts.front()?, counts.back()?);
        let seconds = (at.as_millis() - since.as_millis()) as f64 / 1_000.0;
        (seconds > 0.0).then(|| now.saturating_sub(*before) as f64 / seconds)
    }
}

impl Trend {
    fn count(&mut self, at: Timestamp, messages: u64) {
        self.counts.push_back((at, messages));
        let old = |count: &(Timestamp, u64)| at.as_millis() - count.0.as_millis() > RATE_OVER;
        while self.counts.front().is_some_and(old) {
            self.counts.pop_front();
        }
    }
}

/// The least price has the lowest bar and the greatest the highest; what does not move lies low.
fn bar(price: f64, least: f64, most: f64) -> char {
    let height = if most > least { (price - least) / (most - least) } else { 0.0 };
    BARS[((height * 7.0).round() as usize).min(7)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::row;

    fn noted(prices: &[&str]) -> Trends {
        let mut trends = Trends::default();
        for (index, price) in prices.iter().enumerate() {
            let rows = vec![row("A", price, index as u64)];
            let snapshot = Snapshot { rows, ..Snapshot::default() };
            // However often it is looked at.
            trends.note(&snapshot);
            trends.note(&snapshot);
        }
        trends
    }

    #[test]
    fn bars_reach_from_the_least_to_the_greatest_price_that_has_room() {
        let trends = noted(&["50", "1", "2", "4.5", "8"]);
        assert_eq!(trends.bars("A", 4), "▁▂▅█");
        assert_eq!(trends.bars("A", 9), "█▁▁▂▂");
        assert_eq!(trends.bars("B", 9), "");
    }

    #[test]
    fn a_rate_is_that_of_the_last_ten_seconds() {
        let (mut trends, start) = (Trends::default(), 1_795_413_600_000);
        let mut rate_at = |second: i64, messages| {
            let at = Timestamp::from_millis(start + second * 1_000).ok();
            trends.note(&Snapshot { at, rows: vec![row("A", "1", messages)], ..Snapshot::default() });
            trends.rate("A")
        };
        let rates = [(0, 100), (1, 104), (10, 200), (11, 200), (21, 200), (60, 900)];
        let rates = rates.map(|(second, messages)| rate_at(second, messages));
        assert_eq!(rates, [None, Some(4.0), Some(10.0), Some(9.6), Some(0.0), None]);
        assert_eq!(Trends::default().rate("A"), None);
    }

    #[test]
    fn a_price_that_does_not_move_lies_low_and_old_prices_are_forgotten() {
        assert_eq!(noted(&["3", "3", "3"]).bars("A", 9), "▁▁▁");
        assert_eq!(noted(&["3"; LONGEST + 9]).bars("A", usize::MAX).chars().count(), LONGEST);
    }
}
