//! Candles: the first, greatest, least and last price of each interval.

use super::{Interval, PricePoint};
use crate::{Price, Timestamp};

/// The prices of an interval, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candle {
    /// When the interval began.
    pub start: Timestamp,
    /// The first price.
    pub open: Price,
    /// The greatest.
    pub high: Price,
    /// The least.
    pub low: Price,
    /// The last.
    pub close: Price,
    /// How many prices.
    pub count: u64,
}

/// Makes candles of one price after the other, oldest first. An interval without a price has no candle.
#[derive(Clone, Debug)]
pub struct Candles {
    interval: Interval,
    current: Option<Candle>,
}

impl Candles {
    /// Of this length.
    pub fn of(interval: Interval) -> Self {
        Candles { interval, current: None }
    }

    /// Takes the next price; tells the candle that it ends by beginning another.
    pub fn push(&mut self, point: PricePoint) -> Option<Candle> {
        let PricePoint { time, price } = point;
        self.join(Candle { start: time, open: price, high: price, low: price, close: price, count: 1 })
    }

    /// Takes the next of shorter candles that the intervals are made up of; tells the candle that it ends.
    pub fn join(&mut self, next: Candle) -> Option<Candle> {
        let start = self.interval.start_of(next.start);
        match &mut self.current {
            Some(candle) if candle.start == start => {
                // Of equal prices the first stays, with its own digits.
                if next.high > candle.high {
                    candle.high = next.high;
                }
                if next.low < candle.low {
                    candle.low = next.low;
                }
                candle.close = next.close;
                candle.count += next.count;
                None
            }
            current => current.replace(Candle { start, ..next }),
        }
    }

    /// The last candle, which is still open.
    pub fn finish(self) -> Option<Candle> {
        self.current
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{
        super::test_points::{any_points, point},
        *,
    };

    fn candles(interval: &str, points: &[PricePoint]) -> Vec<Candle> {
        let mut candles = Candles::of(interval.parse().unwrap());
        let mut found: Vec<Candle> = points.iter().filter_map(|point| candles.push(*point)).collect();
        found.extend(candles.finish());
        found
    }

    #[test]
    fn an_interval_without_a_price_has_no_candle_and_equal_prices_keep_the_first_form() {
        let series =
            [point(60_000, "2.0"), point(61_000, "2.00"), point(119_999, "1.5"), point(240_000, "3")];
        let found = candles("1m", &series);
        let told: Vec<String> = found
            .iter()
            .map(|c| format!("{} {} {} {} {} {}", c.start, c.open, c.high, c.low, c.close, c.count))
            .collect();
        assert_eq!(told, ["1970-01-01T00:01:00Z 2.0 2.0 1.5 1.5 3", "1970-01-01T00:04:00Z 3 3 3 3 1"]);
        assert_eq!(candles("1m", &[]), []);
    }

    proptest! {
        #[test]
        fn candles_of_shorter_candles_are_those_of_the_prices(points in any_points()) {
            let mut joined = Candles::of("21s".parse().unwrap());
            let mut found: Vec<Candle> =
                candles("7s", &points).into_iter().filter_map(|candle| joined.join(candle)).collect();
            found.extend(joined.finish());
            prop_assert_eq!(found, candles("21s", &points));
        }

        #[test]
        fn candles_are_what_grouping_gives(points in any_points()) {
            let interval: Interval = "7s".parse().unwrap();
            let mut groups: BTreeMap<Timestamp, Vec<Price>> = BTreeMap::new();
            for point in &points {
                groups.entry(interval.start_of(point.time)).or_default().push(point.price);
            }
            let naive: Vec<Candle> = groups.into_iter().map(|(start, prices)| Candle {
                start,
                open: prices[0],
                high: *prices.iter().max().unwrap(),
                low: *prices.iter().min().unwrap(),
                close: prices[prices.len() - 1],
                count: prices.len() as u64,
            }).collect();
            prop_assert_eq!(candles("7s", &points), naive);
        }
    }
}
