//! What can be said of a series of prices: statistics, jumps, moving averages, volatility, candles.
//!
//! Each is a fold: it takes one [`PricePoint`] after the other, oldest first, and keeps no more than its window. So a
//! query over a million prices needs no more memory than one over a hundred, and two stores that yield the same
//! points get the same answer to the last digit.
//!
//! Sums are exact, in whole numbers of any size, and rounded once, when a figure is read: half to even, to 16
//! significant digits and no more than 28 decimals. The logarithms of volatility alone are doubles; what follows
//! from them has 12 digits.

mod candles;
mod exact;
mod interval;
mod jumps;
mod moving;
mod stats;
mod volatility;

pub use candles::{Candle, Candles};
pub use interval::{Interval, IntervalError};
pub use jumps::{Jump, Jumps, Percent};
pub use moving::{Averages, MovingAverages};
pub use stats::{Digits, Stats, StatsFold, Totals};
pub use volatility::{Volatility, VolatilityPoint};

pub use rust_decimal::Decimal;

use crate::{Price, Timestamp};

/// A price and when it was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PricePoint {
    /// The event's own time.
    pub time: Timestamp,
    /// The price.
    pub price: Price,
}

#[cfg(test)]
pub(crate) mod test_points {
    use proptest::prelude::*;

    use super::*;

    /// A point from the moment and the text of a price.
    pub(crate) fn point(millis: i64, price: &str) -> PricePoint {
        PricePoint { time: Timestamp::from_millis(millis).unwrap(), price: price.parse().unwrap() }
    }

    /// Points a second apart.
    pub(crate) fn points(prices: &[&str]) -> Vec<PricePoint> {
        prices.iter().enumerate().map(|(n, price)| point(1_000 + n as i64 * 1_000, price)).collect()
    }

    prop_compose! {
        /// Prices from dust to riches, of any number of decimals, with times that may be equal.
        pub(crate) fn any_points()(
            steps in prop::collection::vec((0_i64..5_000, 1_u64.., 0_u32..12), 0..60),
        ) -> Vec<PricePoint> {
            let mut time = 1;
            steps.into_iter().map(|(step, mantissa, scale)| {
                time += step;
                let price = rust_decimal::Decimal::from_i128_with_scale(i128::from(mantissa), scale);
                PricePoint {
                    time: Timestamp::from_millis(time).unwrap(),
                    price: Price::try_from(price).unwrap(),
                }
            }).collect()
        }
    }
}
