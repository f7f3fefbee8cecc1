//! The last prices of each symbol, as a line of bars. Pure.

use std::collections::{HashMap, VecDeque};

use pricepipe_core::Timestamp;

use super::snapshot::Snapshot;

/// As many prices are kept of each symbol.
pub(super) const LONGEST: usize = 40;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last prices of each symbol.
#[derive(Clone, Debug, Default)]
pub(super) struct Trends {
    symbols: HashMap<String, Trend>,
}

#[derive(Clone, Debug, Default)]
struct Trend {
    prices: VecDeque<f64>,
    /// The price that was noted last, by its time and by the number of messages with it.
    noted: Option<(Timestamp, Option<u64>)>,
}

impl Trends {
    /// Notes what is new.
    pub(super) fn note(&mut self, snapshot: &Snapshot) {
        for row in &snapshot.rows {
            let (Some(price), Some(received)) = (row.price, row.received) else { continue };
            let trend = self.symbols.entry(row.symbol.clone()).or_default();
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
    fn a_price_that_does_not_move_lies_low_and_old_prices_are_forgotten() {
        assert_eq!(noted(&["3", "3", "3"]).bars("A", 9), "▁▁▁");
        assert_eq!(noted(&["3"; LONGEST + 9]).bars("A", usize::MAX).chars().count(), LONGEST);
    }
}
