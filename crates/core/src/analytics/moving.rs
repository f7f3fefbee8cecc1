//! Moving averages.

use std::{collections::VecDeque, num::NonZeroUsize};

use rust_decimal::Decimal;

use super::{
    PricePoint,
    exact::{Moments, SIGNIFICANT_DIGITS},
};

/// The moving averages at a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Averages {
    /// The price and its time.
    pub point: PricePoint,
    /// The mean of the window's prices, this one the last.
    pub simple: Decimal,
    /// The average in which each price weighs less than the next, by the factor 1 - 2 / (window + 1). It begins as
    /// the simple one of the first full window.
    pub exponential: Decimal,
}

/// Makes moving averages of one price after the other, oldest first.
#[derive(Clone, Debug)]
pub struct MovingAverages {
    length: NonZeroUsize,
    weight: Decimal,
    window: VecDeque<Decimal>,
    moments: Moments,
    exponential: Option<Decimal>,
}

impl MovingAverages {
    /// Over so many prices.
    pub fn over(window: NonZeroUsize) -> Self {
        MovingAverages {
            length: window,
            weight: Decimal::TWO / (Decimal::from(window.get()) + Decimal::ONE),
            window: VecDeque::new(),
            moments: Moments::default(),
            exponential: None,
        }
    }

    /// Takes the next price; tells the averages at it once the window is full.
    pub fn push(&mut self, point: PricePoint) -> Option<Averages> {
        let price = point.price.as_decimal();
        self.window.push_back(price);
        self.moments.add(price);
        if self.window.len() > self.length.get()
            && let Some(oldest) = self.window.pop_front()
        {
            self.moments.remove(oldest);
        }
        if self.window.len() < self.length.get() {
            return None;
        }
        let simple = self.moments.mean()?;
        let exponential = match self.exponential {
            None => simple,
            // Kept with 28 digits; what one step rounds away the next steps forget.
            Some(before) => before + (price - before) * self.weight,
        };
        self.exponential = Some(exponential);
        Some(Averages { point, simple, exponential: shortened(exponential) })
    }
}

fn shortened(value: Decimal) -> Decimal {
    value.round_sf(SIGNIFICANT_DIGITS).unwrap_or(value).normalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::test_points::{any_points, points},
        *,
    };

    fn averages(window: usize, points: &[PricePoint]) -> Vec<(String, String)> {
        let mut moving = MovingAverages::over(NonZeroUsize::new(window).unwrap());
        let found = points.iter().filter_map(|point| moving.push(*point));
        found.map(|found| (found.simple.to_string(), found.exponential.to_string())).collect()
    }

    #[test]
    fn both_begin_with_the_first_full_window() {
        let found = averages(3, &points(&["1", "2", "6", "8", "10"]));
        let expected = [("3", "3"), ("5.333333333333333", "5.5"), ("8", "7.75")];
        assert_eq!(found, expected.map(|(simple, exponential)| (simple.to_owned(), exponential.to_owned())));
    }

    #[test]
    fn a_window_of_one_follows_the_price_and_too_few_prices_have_none() {
        let found = averages(1, &points(&["1.50", "2.5"]));
        assert_eq!(found, [("1.5", "1.5"), ("2.5", "2.5")].map(|(s, e)| (s.to_owned(), e.to_owned())));
        assert_eq!(averages(3, &points(&["1", "2"])), []);
    }

    proptest! {
        #[test]
        fn a_sliding_window_has_the_mean_of_each_window(points in any_points(), window in 1_usize..10) {
            let mut moving = MovingAverages::over(NonZeroUsize::new(window).unwrap());
            let found: Vec<Decimal> = points.iter().filter_map(|p| moving.push(*p)).map(|a| a.simple).collect();
            let naive: Vec<Decimal> = points.windows(window).map(|window| {
                let mut moments = Moments::default();
                window.iter().for_each(|point| moments.add(point.price.as_decimal()));
                moments.mean().unwrap()
            }).collect();
            prop_assert_eq!(found, naive);
        }
    }
}
