//! Candles that are joined to longer ones until each has the room that it needs to be seen.

use pricepipe_core::analytics::{Candle, Interval};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Lengths that people know candles of.
const USUAL: &[i64] = &[
    SECOND,
    5 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
    12 * HOUR,
    DAY,
    7 * DAY,
    28 * DAY,
];
/// A candle is not joined with more others than this at once, lest few remain.
const LONGEST_STEP: i64 = 7;

/// A candle to draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// When it begins, in milliseconds since 1970.
    pub start: i64,
    /// The first price.
    pub open: f64,
    /// The greatest.
    pub high: f64,
    /// The least.
    pub low: f64,
    /// The last.
    pub close: f64,
}

impl Bar {
    /// Whether the price was higher, or the same, at the end.
    pub fn rises(&self) -> bool {
        self.close >= self.open
    }

    fn join(&mut self, later: Bar) {
        self.high = self.high.max(later.high);
        self.low = self.low.min(later.low);
        self.close = later.close;
    }
}

/// Takes candles, oldest first, and joins them when they span more places than there are.
#[derive(Clone, Debug)]
pub struct BarMerger {
    most: i64,
    asked: Interval,
    width: i64,
    bars: Vec<Bar>,
}

/// Candles to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// The candles, oldest first.
    pub bars: Vec<Bar>,
    /// How long each is, in milliseconds.
    pub width: i64,
    /// How long they were before they were joined.
    pub asked: Interval,
}

impl BarMerger {
    /// For candles of this length, and with so many places.
    pub fn new(interval: Interval, most: usize) -> Self {
        let most = i64::try_from(most).unwrap_or(i64::MAX).max(2);
        BarMerger { most, asked: interval, width: interval.as_millis(), bars: Vec::new() }
    }

    /// Takes the next candle.
    pub fn push(&mut self, candle: &Candle) {
        let Candle { start, open, high, low, close, .. } = candle;
        let [open, high, low, close] = [open, high, low, close].map(|price| price.to_f64());
        self.add(Bar { start: start.as_millis(), open, high, low, close });
        while self.places() > self.most {
            self.width = wider(self.width);
            for bar in std::mem::take(&mut self.bars) {
                self.add(bar);
            }
        }
    }

    /// What is left, to be drawn.
    pub fn finish(self) -> Bars {
        Bars { bars: self.bars, width: self.width, asked: self.asked }
    }

    fn add(&mut self, next: Bar) {
        let start = start_of(next.start, self.width);
        match self.bars.last_mut().filter(|bar| bar.start == start) {
            Some(bar) => bar.join(next),
            None => self.bars.push(Bar { start, ..next }),
        }
    }

    fn places(&self) -> i64 {
        match (self.bars.first(), self.bars.last()) {
            (Some(first), Some(last)) => (last.start - first.start) / self.width + 1,
            _ => 0,
        }
    }
}

impl Bars {
    /// How long each is, as intervals are written.
    pub fn length(&self) -> String {
        length(self.width)
    }

    /// Whether they are longer than was asked for.
    pub fn are_joined(&self) -> bool {
        self.width != self.asked.as_millis()
    }

    /// For the legend, behind the keys of candles that rise and that fall.
    pub fn name(&self) -> String {
        let joined = if self.are_joined() { format!(", joined from {}", self.asked) } else { String::new() };
        format!("up and down in {}{joined}", self.length())
    }
}

/// A length as intervals are written. One above what an [`Interval`] may be is told in days.
fn length(millis: i64) -> String {
    let interval = format!("{millis}ms").parse::<Interval>();
    interval.map_or_else(|_| format!("{}d", millis / DAY), |interval| interval.to_string())
}

/// Where the candle begins that a moment lies in: weeks on Monday, as an [`Interval`] has it.
fn start_of(millis: i64, width: i64) -> i64 {
    millis - (millis + Interval::MONDAY_TO_EPOCH_MILLIS).rem_euclid(width)
}

/// The next usual length that candles of this one fill; else twice as long.
fn wider(width: i64) -> i64 {
    let fits = |usual: &&i64| **usual > width && **usual % width == 0 && **usual <= LONGEST_STEP * width;
    USUAL.iter().find(fits).copied().unwrap_or(2 * width)
}

#[cfg(test)]
mod tests {
    use pricepipe_core::{
        Price, Timestamp,
        analytics::{Candles, PricePoint},
    };
    use proptest::prelude::*;

    use super::*;

    fn bars(interval: &str, most: usize, points: &[PricePoint]) -> Bars {
        let interval: Interval = interval.parse().unwrap();
        let (mut candles, mut merger) = (Candles::of(interval), BarMerger::new(interval, most));
        points.iter().filter_map(|point| candles.push(*point)).for_each(|candle| merger.push(&candle));
        candles.finish().iter().for_each(|candle| merger.push(candle));
        merger.finish()
    }

    fn every(seconds: i64, n: i64) -> Vec<PricePoint> {
        let point = |k: i64| PricePoint {
            time: Timestamp::from_millis(1_795_413_600_000 + k * seconds * 1_000).unwrap(),
            price: (100 + (k * 37) % 19).to_string().parse::<Price>().unwrap(),
        };
        (0..n).map(point).collect()
    }

    #[test]
    fn candles_that_fit_stay_and_others_become_usual_ones() {
        let points = every(20, 600);
        assert_eq!(bars("1m", 200, &points).name(), "up and down in 1m");
        let joined = bars("1m", 100, &points);
        assert_eq!((joined.name().as_str(), joined.bars.len()), ("up and down in 5m, joined from 1m", 40));
        assert_eq!(bars("7s", 2_000, &points).name(), "up and down in 7s");
        assert_eq!(bars("7s", 1_000, &points).name(), "up and down in 14s, joined from 7s");
    }

    proptest! {
        #[test]
        fn joined_candles_are_those_of_the_longer_interval(n in 1_i64..300, most in 2_usize..50) {
            let points = every(61, n);
            let joined = bars("1m", most, &points);
            let places = joined.bars.last().map_or(0, |last| (last.start - joined.bars[0].start) / joined.width);
            prop_assert!(places < most as i64);
            let longer = length(joined.width);
            prop_assert_eq!(&joined.bars, &bars(&longer, usize::MAX, &points).bars);
        }
    }
}
