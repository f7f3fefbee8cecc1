//! A price that follows from a number alone, so that whoever comes later finds the same one. Pure, and integers only.

use fastrand::Rng;
use pricepipe_core::Symbol;

use crate::{
    digits::Digits,
    walk::{Walk, seed_of},
};

/// The waves that a price is the sum of: how many numbers lie between two of a wave's points, as a power of two, and how
/// far it goes up and down, in millionths. Together they stay well below the price itself.
const WAVES: [(u32, i64); 7] =
    [(0, 100), (4, 400), (8, 1_500), (12, 5_000), (16, 20_000), (20, 60_000), (24, 100_000)];
const MILLION: i128 = 1_000_000;

/// A price that goes up and down, the same for a seed, a symbol and a number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drift {
    own: u64,
    middle: Digits,
}

impl Drift {
    pub(crate) fn new(seed: u64, symbol: &Symbol) -> Self {
        Drift { own: seed_of(seed, symbol), middle: Walk::new(seed, symbol).digits() }
    }

    /// The price at a number.
    pub(crate) fn at(&self, number: u64) -> Digits {
        let millionths: i64 = WAVES.iter().map(|(bits, reach)| self.wave(*bits, *reach, number)).sum();
        self.middle.times_millionths(MILLION + i128::from(millionths))
    }

    /// What is made up at a number besides its price.
    pub(crate) fn chance(&self, number: u64) -> Rng {
        self.random(u32::BITS, number)
    }

    /// On the line between the two points of a wave that a number lies between.
    fn wave(&self, bits: u32, reach: i64, number: u64) -> i64 {
        let (point, length) = (number >> bits, 1_i64 << bits);
        let height = |point| self.random(bits, point).i64(-reach..=reach);
        let (from, to) = (height(point), height(point + 1));
        from + (to - from) * (number & (length as u64 - 1)) as i64 / length
    }

    fn random(&self, stream: u32, number: u64) -> Rng {
        Rng::with_seed(self.own.rotate_left(stream) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_price_near_its_neighbours_and_never_far_from_the_middle() {
        let drift = |seed| Drift::new(seed, &"BTCUSDT".parse().unwrap());
        let price = |number| drift(1).at(number).to_string().parse::<f64>().unwrap();
        assert_eq!(drift(7).at(3_600_000_000), drift(7).at(3_600_000_000));
        assert_ne!(drift(7).at(3_600_000_000), drift(8).at(3_600_000_000));
        let mut moves = 0;
        for number in (0..100_000_u64).map(|step| 3_600_000_000 + step * 37) {
            let (here, next) = (price(number), price(number + 1));
            assert!((50_000.0..84_000.0).contains(&here), "{number}: {here}");
            assert!((next / here - 1.0).abs() < 0.000_5, "{number}: {here} to {next}");
            moves += u32::from(next != here);
        }
        assert!(moves > 95_000, "{moves}");
    }

    #[test]
    fn a_price_of_few_digits_stays_one() {
        let drift = Drift::new(1, &"SHIBUSDT".parse().unwrap());
        assert!((0..1_000).all(|number| drift.at(number * 1_000_003).to_string().starts_with("0.0000")));
    }
}
