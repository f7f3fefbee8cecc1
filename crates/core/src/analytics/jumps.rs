//! Prices that move far at once.

use std::{collections::VecDeque, fmt, str::FromStr};

use num_bigint::BigInt;
use rust_decimal::Decimal;

use super::{
    Interval, PricePoint,
    exact::{SIGNIFICANT_DIGITS, round, same_unit},
};
use crate::{Price, PriceError};

/// A move of the price, in percent: a positive decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(Price);

impl FromStr for Percent {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        text.parse().map(Percent)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A move of the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// Where it began.
    pub from: PricePoint,
    /// Where it ended.
    pub to: PricePoint,
    /// How far it went, in percent of the price where it began; negative when the price fell.
    pub percent: Decimal,
}

/// Finds moves of at least so many percent, in one price after the other, oldest first.
#[derive(Clone, Debug)]
pub struct Jumps {
    least: Percent,
    search: Search,
}

#[derive(Clone, Debug)]
enum Search {
    /// From one price to the next.
    Neighbours(Option<PricePoint>),
    /// From any price to any later one that is at most so many milliseconds away.
    Window { millis: i64, lows: VecDeque<PricePoint>, highs: VecDeque<PricePoint> },
}

impl Jumps {
    /// Between a price and the next.
    pub fn between_neighbours(least: Percent) -> Self {
        Jumps { least, search: Search::Neighbours(None) }
    }

    /// Between two prices that are no further apart than this.
    ///
    /// A move is told once, when it has gone far enough; the search then begins anew where it ended. When the
    /// price has risen and fallen far enough within the window, the greater of both moves is told.
    pub fn within(least: Percent, window: Interval) -> Self {
        let search =
            Search::Window { millis: window.as_millis(), lows: VecDeque::new(), highs: VecDeque::new() };
        Jumps { least, search }
    }

    /// Takes the next price; tells of the move that ends with it.
    pub fn push(&mut self, to: PricePoint) -> Option<Jump> {
        let found = match &mut self.search {
            Search::Neighbours(previous) => previous.replace(to).and_then(|from| jump(from, to, self.least)),
            Search::Window { millis, lows, highs } => {
                for extremes in [&mut *lows, &mut *highs] {
                    while extremes.front().is_some_and(|p| to.time.as_millis() - p.time.as_millis() > *millis)
                    {
                        extremes.pop_front();
                    }
                }
                let rise = lows.front().and_then(|from| jump(*from, to, self.least));
                let fall = highs.front().and_then(|from| jump(*from, to, self.least));
                greater(rise, fall)
            }
        };
        if let Search::Window { lows, highs, .. } = &mut self.search {
            if found.is_some() {
                lows.clear();
                highs.clear();
            }
            // What is older and no more extreme can begin no greater move from here on.
            while lows.back().is_some_and(|low| low.price >= to.price) {
                lows.pop_back();
            }
            while highs.back().is_some_and(|high| high.price <= to.price) {
                highs.pop_back();
            }
            lows.push_back(to);
            highs.push_back(to);
        }
        found
    }
}

fn jump(from: PricePoint, to: PricePoint, least: Percent) -> Option<Jump> {
    let (base, end) = same_unit(from.price.as_decimal(), to.price.as_decimal());
    let least = least.0.as_decimal();
    let moved = (end - &base) * 100_u32;
    // moved / base >= least, without a division.
    let unit = BigInt::from(10_u32).pow(least.scale());
    let far = moved.magnitude() * unit.magnitude() >= base.magnitude() * least.mantissa().unsigned_abs();
    far.then(|| Jump { from, to, percent: round(&moved, &base, SIGNIFICANT_DIGITS) })
}

fn greater(left: Option<Jump>, right: Option<Jump>) -> Option<Jump> {
    match (left, right) {
        (Some(left), Some(right)) => {
            Some(if right.percent.abs() > left.percent.abs() { right } else { left })
        }
        (left, right) => left.or(right),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::test_points::{any_points, point, points},
        *,
    };

    fn found(mut jumps: Jumps, points: &[PricePoint]) -> Vec<(i64, i64, String)> {
        let tell =
            |jump: Jump| (jump.from.time.as_millis(), jump.to.time.as_millis(), jump.percent.to_string());
        points.iter().filter_map(|point| jumps.push(*point)).map(tell).collect()
    }

    fn percent(text: &str) -> Percent {
        text.parse().unwrap()
    }

    fn seconds(text: &str) -> Interval {
        text.parse().unwrap()
    }

    #[test]
    fn neighbours_that_differ_by_exactly_the_percentage_jump() {
        let series = points(&["100", "102", "103.99", "101.9102", "101.9102"]);
        let jumps = found(Jumps::between_neighbours(percent("2")), &series);
        assert_eq!(jumps, [(1_000, 2_000, "2".to_owned()), (3_000, 4_000, "-2".to_owned())]);
        // 0.1 and 0.3 are no doubles; a float says that this is less than 200 percent.
        let jumps = found(Jumps::between_neighbours(percent("200")), &points(&["0.1", "0.3"]));
        assert_eq!(jumps, [(1_000, 2_000, "200".to_owned())]);
    }

    #[test]
    fn a_slow_move_is_a_jump_within_a_window_and_told_once() {
        let series = points(&["100", "101", "102", "103", "104.04", "104.04"]);
        assert_eq!(found(Jumps::between_neighbours(percent("2")), &series), []);
        let jumps = found(Jumps::within(percent("2"), seconds("2s")), &series);
        assert_eq!(jumps, [(1_000, 3_000, "2".to_owned()), (3_000, 5_000, "2".to_owned())]);
        assert_eq!(found(Jumps::within(percent("2"), seconds("1s")), &series), []);
    }

    #[test]
    fn a_move_begins_at_the_nearest_of_equal_extremes() {
        let series = [point(1_000, "100"), point(2_000, "100"), point(3_000, "101"), point(4_000, "110")];
        let jumps = found(Jumps::within(percent("5"), seconds("1m")), &series);
        assert_eq!(jumps, [(2_000, 4_000, "10".to_owned())]);
    }

    #[test]
    fn the_greater_of_a_rise_and_a_fall_is_told() {
        let series = points(&["100", "150", "50", "75"]);
        let jumps = found(Jumps::within(percent("60"), seconds("1m")), &series);
        assert_eq!(jumps, [(2_000, 3_000, "-66.66666666666667".to_owned())]);
        let jumps = found(Jumps::within(percent("30"), seconds("1m")), &points(&["100", "71", "100"]));
        assert_eq!(jumps, [(2_000, 3_000, "40.84507042253521".to_owned())]);
    }

    #[test]
    fn no_percentage_is_zero_or_negative() {
        for text in ["0", "-1", "", "two", "NaN"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }

    /// All pairs of a window, one after the other.
    fn naive(least: Percent, millis: i64, points: &[PricePoint]) -> Vec<Jump> {
        let (mut jumps, mut start) = (Vec::new(), 0);
        for (end, to) in points.iter().enumerate() {
            let near = |from: &&PricePoint| to.time.as_millis() - from.time.as_millis() <= millis;
            let moves = points[start..end].iter().filter(near).filter_map(|from| jump(*from, *to, least));
            // The greatest; the rise before the fall, then the latest.
            let best = moves.max_by_key(|j| (j.percent.abs(), j.percent.is_sign_positive(), j.from.time));
            if let Some(best) = best {
                jumps.push(best);
                start = end;
            }
        }
        jumps
    }

    proptest! {
        #[test]
        fn a_window_finds_what_comparing_all_pairs_finds(points in any_points(), percent in 1_u32..2_000) {
            let (least, window) = (Percent(Price::try_from(Decimal::from(percent)).unwrap()), seconds("10s"));
            let mut jumps = Jumps::within(least, window);
            let found: Vec<Jump> = points.iter().filter_map(|point| jumps.push(*point)).collect();
            prop_assert_eq!(found, naive(least, window.as_millis(), &points));
        }
    }
}
