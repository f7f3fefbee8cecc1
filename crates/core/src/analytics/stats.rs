//! Number, least, greatest, average and standard deviation of prices.

use num_bigint::BigInt;
use rust_decimal::Decimal;

use super::{
    PricePoint,
    exact::{Fixed, Moments, SIGNIFICANT_DIGITS, round_sqrt},
};

/// What can be said of all prices of a series at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// How many prices.
    pub count: u64,
    /// The oldest.
    pub first: PricePoint,
    /// The newest.
    pub last: PricePoint,
    /// The least; the oldest of several.
    pub min: PricePoint,
    /// The greatest; the oldest of several.
    pub max: PricePoint,
    /// The arithmetic mean.
    pub average: Decimal,
    /// The standard deviation of a sample (divided by the number less one); none of a single price.
    pub deviation: Option<Decimal>,
}

/// Makes [`Stats`] of one price after the other, oldest first.
#[derive(Clone, Debug, Default)]
pub struct StatsFold {
    ends: Option<Ends>,
    moments: Moments,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: PricePoint,
    last: PricePoint,
    min: PricePoint,
    max: PricePoint,
}

impl StatsFold {
    /// Takes the next price.
    pub fn push(&mut self, point: PricePoint) {
        let ends = self.ends.get_or_insert(Ends { first: point, last: point, min: point, max: point });
        ends.last = point;
        if point.price < ends.min.price {
            ends.min = point;
        }
        if point.price > ends.max.price {
            ends.max = point;
        }
        self.moments.add(point.price.as_decimal());
    }

    /// The figures so far; none without a price.
    pub fn finish(&self) -> Option<Stats> {
        let Ends { first, last, min, max } = self.ends?;
        Some(stats(first, last, min, max, &self.moments))
    }
}

/// A sum that a store has made: `coefficient * 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits {
    /// Its digits.
    pub coefficient: u128,
    /// The power of ten.
    pub exponent: i32,
}

impl Digits {
    fn fixed(self) -> Fixed {
        let coefficient = BigInt::from(self.coefficient);
        let more = BigInt::from(10).pow(self.exponent.max(0).unsigned_abs());
        Fixed { coefficient: coefficient * more, scale: self.exponent.min(0).unsigned_abs() }
    }
}

/// What a store that can add exactly tells of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How many prices; not zero.
    pub count: u64,
    /// The oldest.
    pub first: PricePoint,
    /// The newest.
    pub last: PricePoint,
    /// The least; the oldest of several.
    pub min: PricePoint,
    /// The greatest; the oldest of several.
    pub max: PricePoint,
    /// The exact sum of the prices.
    pub sum: Digits,
    /// The exact sum of their squares.
    pub squares: Digits,
}

impl Totals {
    /// The figures: the very same that a fold over the prices makes.
    pub fn stats(&self) -> Stats {
        let moments = Moments::of_sums(self.count, self.sum.fixed(), self.squares.fixed());
        stats(self.first, self.last, self.min, self.max, &moments)
    }
}

fn stats(first: PricePoint, last: PricePoint, min: PricePoint, max: PricePoint, moments: &Moments) -> Stats {
    Stats {
        count: moments.count(),
        first,
        last,
        min,
        max,
        average: moments.mean().unwrap_or_default(),
        deviation: moments.variance().map(|(n, d)| round_sqrt(&n, &d, SIGNIFICANT_DIGITS)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::test_points::{any_points, point, points},
        *,
    };

    fn stats_of(points: &[PricePoint]) -> Option<Stats> {
        let mut fold = StatsFold::default();
        points.iter().for_each(|point| fold.push(*point));
        fold.finish()
    }

    #[test]
    fn a_small_spread_around_a_large_price_is_not_lost() {
        // In doubles the sum of squares less the square of the sum is mere noise here.
        let found = stats_of(&points(&["1000000000.01", "1000000000.02", "1000000000.03"])).unwrap();
        assert_eq!(
            (found.average.to_string(), found.deviation.unwrap().to_string()),
            ("1000000000.02".into(), "0.01".into())
        );
    }

    #[test]
    fn the_least_and_the_greatest_come_with_their_first_time() {
        let series = points(&["2.50", "1.00", "3.0", "1.0", "3.000", "2"]);
        let found = stats_of(&series).unwrap();
        assert_eq!((found.min, found.max), (point(2_000, "1.00"), point(3_000, "3.0")));
        assert_eq!((found.min.price.to_string(), found.max.price.to_string()), ("1.00".into(), "3.0".into()));
        assert_eq!((found.first, found.last, found.count), (series[0], series[5], 6));
    }

    #[test]
    fn nothing_has_no_figures_and_one_price_no_deviation() {
        assert_eq!(stats_of(&[]), None);
        let found = stats_of(&points(&["0.10"])).unwrap();
        assert_eq!((found.average.to_string(), found.deviation), ("0.1".into(), None));
    }

    #[test]
    fn totals_of_a_store_make_the_same_figures() {
        let series = points(&["67321.50", "67322", "67319.125"]);
        let totals = Totals {
            count: 3,
            first: series[0],
            last: series[2],
            min: series[2],
            max: series[1],
            sum: Digits { coefficient: 201_962_625, exponent: -3 },
            squares: Digits { coefficient: 13_596_300_637_015_625, exponent: -6 },
        };
        assert_eq!(Some(totals.stats()), stats_of(&series));
    }

    proptest! {
        #[test]
        fn figures_agree_with_a_naive_two_pass_computation(points in any_points()) {
            prop_assume!(!points.is_empty());
            let found = stats_of(&points).unwrap();
            let prices: Vec<f64> = points.iter().map(|p| p.price.to_f64()).collect();
            let mean = prices.iter().sum::<f64>() / prices.len() as f64;
            let near = |left: Decimal, right: f64| {
                let left: f64 = left.to_string().parse().unwrap();
                (left - right).abs() <= right.abs() * 1e-9 + 1e-27
            };
            prop_assert!(near(found.average, mean), "{} {mean}", found.average);
            prop_assert_eq!(found.min.price, points.iter().map(|p| p.price).min().unwrap());
            prop_assert_eq!(found.max.price, points.iter().map(|p| p.price).max().unwrap());
            if let Some(deviation) = found.deviation {
                let squares: f64 = prices.iter().map(|price| (price - mean).powi(2)).sum();
                let expected = (squares / (prices.len() - 1) as f64).sqrt();
                prop_assert!(near(deviation, expected), "{deviation} {expected}");
            }
        }
    }
}
