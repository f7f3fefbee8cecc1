//! How much prices move to and fro.

use std::collections::VecDeque;

use rust_decimal::Decimal;

use super::{
    PricePoint,
    exact::{Moments, round_sqrt},
};

/// What doubles are good for after a logarithm and a division.
const SIGNIFICANT_DIGITS: u32 = 12;
/// Returns are summed in units of 10^-24, far below what a double of their size resolves.
const RETURN_SCALE: u32 = 24;
/// 365 days: these markets never close.
const YEAR_MILLIS: u64 = 365 * 86_400_000;

/// The volatility at a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolatilityPoint {
    /// The price and its time.
    pub point: PricePoint,
    /// The standard deviation (of a sample) of the window's logarithmic returns.
    pub volatility: Decimal,
    /// The same for a year of 365 days: times the root of how many returns of the window's mean length a year has.
    /// None when the window's prices are all of one moment.
    pub annualised: Option<Decimal>,
}

/// Makes the volatility of one price after the other, oldest first.
#[derive(Clone, Debug)]
pub struct Volatility {
    length: usize,
    previous: Option<PricePoint>,
    window: VecDeque<Return>,
    moments: Moments,
}

#[derive(Clone, Copy, Debug)]
struct Return {
    value: Decimal,
    since_millis: i64,
}

impl Volatility {
    /// Over so many returns; two at least, for less has no deviation.
    pub fn over(window: usize) -> Self {
        Volatility {
            length: window.max(2),
            previous: None,
            window: VecDeque::new(),
            moments: Moments::default(),
        }
    }

    /// Takes the next price; tells the volatility at it once the window is full, one price more than returns.
    pub fn push(&mut self, point: PricePoint) -> Option<VolatilityPoint> {
        let previous = self.previous.replace(point)?;
        let value = log_return(previous, point);
        self.window.push_back(Return { value, since_millis: previous.time.as_millis() });
        self.moments.add(value);
        if self.window.len() > self.length
            && let Some(oldest) = self.window.pop_front()
        {
            self.moments.remove(oldest.value);
        }
        if self.window.len() < self.length {
            return None;
        }
        let (numerator, denominator) = self.moments.variance()?;
        let span = point.time.as_millis() - self.window.front()?.since_millis;
        let annualised = (span > 0).then(|| {
            let returns = numerator.clone() * YEAR_MILLIS * self.length as u64;
            round_sqrt(&returns, &(&denominator * span), SIGNIFICANT_DIGITS)
        });
        let volatility = round_sqrt(&numerator, &denominator, SIGNIFICANT_DIGITS);
        Some(VolatilityPoint { point, volatility, annualised })
    }
}

/// The logarithm of the ratio of two prices. Of neighbours it is made through their exact difference: their ratio is
/// so near to one that a double would keep few digits of what matters.
fn log_return(from: PricePoint, to: PricePoint) -> Decimal {
    let change = to.price.as_decimal() - from.price.as_decimal();
    let change = change.to_string().parse().unwrap_or(0.0) / from.price.to_f64();
    let value =
        if f64::abs(change) < 0.5 { change.ln_1p() } else { (to.price.to_f64() / from.price.to_f64()).ln() };
    // Prices have 29 digits, so the logarithm is below 140 and no cast can overflow.
    Decimal::from_i128_with_scale((value * 1e24) as i128, RETURN_SCALE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::test_points::{any_points, points},
        *,
    };

    fn last(window: usize, points: &[PricePoint]) -> Option<VolatilityPoint> {
        let mut volatility = Volatility::over(window);
        points.iter().filter_map(|point| volatility.push(*point)).last()
    }

    fn number(decimal: Decimal) -> f64 {
        decimal.to_string().parse().unwrap()
    }

    #[test]
    fn constant_growth_does_not_fluctuate() {
        let found = last(3, &points(&["1", "2", "4", "8", "16"])).unwrap();
        assert_eq!((found.volatility, found.annualised), (Decimal::ZERO, Some(Decimal::ZERO)));
    }

    #[test]
    fn the_deviation_of_two_returns_is_known() {
        // ln 2 and -ln 2 have the mean 0 and the deviation ln 2 times the root of 2.
        let found = last(2, &points(&["1", "2", "1"])).unwrap();
        assert_eq!(found.volatility.to_string(), "0.980258143469");
        let expected = 0.980_258_143_468_547 * (31_536_000_f64).sqrt();
        assert!((number(found.annualised.unwrap()) / expected - 1.0).abs() < 1e-11, "{found:?}");
    }

    #[test]
    fn the_window_must_be_full_and_needs_time_to_be_annualised() {
        assert_eq!(last(3, &points(&["1", "2", "3"])), None);
        let at_once: Vec<_> = points(&["1", "2", "1"])
            .into_iter()
            .map(|point| PricePoint { time: crate::Timestamp::MIN, ..point })
            .collect();
        assert_eq!(last(2, &at_once).unwrap().annualised, None);
    }

    #[test]
    fn the_most_extreme_prices_have_a_return() {
        let found =
            last(2, &points(&["0.0000000000000000000000000001", "79228162514264337593543950335", "1"]));
        assert!(number(found.unwrap().volatility) > 100.0, "{found:?}");
    }

    proptest! {
        #[test]
        fn a_sliding_window_has_the_deviation_of_each_window(points in any_points(), window in 2_usize..10) {
            let mut volatility = Volatility::over(window);
            let found: Vec<f64> =
                points.iter().filter_map(|p| volatility.push(*p)).map(|v| number(v.volatility)).collect();
            let returns: Vec<f64> =
                points.windows(2).map(|w| (w[1].price.to_f64() / w[0].price.to_f64()).ln()).collect();
            let naive: Vec<f64> = returns.windows(window).map(|returns| {
                let mean = returns.iter().sum::<f64>() / window as f64;
                let squares: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum();
                (squares / (window - 1) as f64).sqrt()
            }).collect();
            prop_assert_eq!(found.len(), naive.len());
            for (found, naive) in found.iter().zip(naive) {
                prop_assert!((found - naive).abs() <= naive * 1e-9 + 1e-12, "{found} {naive}");
            }
        }
    }
}
