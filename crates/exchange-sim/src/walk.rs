//! A seeded random walk. Pure, and integers only: one seed gives the same prices on every machine.

use std::sync::Arc;

use fastrand::Rng;
use pricepipe_core::Symbol;

use crate::{digits::Digits, majors};

/// The largest change of one step, in millionths of the price.
const MAX_STEP_MILLIONTHS: i64 = 400;
/// The walk stays within this factor of where it began.
const MAX_DRIFT: u64 = 4;

/// A price that goes up and down at random, deterministic for a seed and a symbol.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    random: Rng,
    /// The price in units of its last decimal.
    units: u64,
    decimals: u8,
    lowest: u64,
    highest: u64,
}

impl Walk {
    pub(crate) fn new(seed: u64, symbol: &Symbol) -> Self {
        let mut random = Rng::with_seed(seed_of(seed, symbol));
        let (start, decimals) = match majors::starting_price(symbol) {
            Some(text) => units_of(text),
            None => invented_start(&mut random),
        };
        Walk {
            random,
            units: start,
            decimals,
            lowest: (start / MAX_DRIFT).max(1),
            highest: start * MAX_DRIFT,
        }
    }

    /// Goes one step, and at least one unit up or down unless that would leave the range.
    pub(crate) fn step(&mut self) {
        let millionths = self.random.i64(-MAX_STEP_MILLIONTHS..=MAX_STEP_MILLIONTHS);
        let size = (i128::from(self.units) * i128::from(millionths.abs()) / 1_000_000).max(1) as u64;
        let moved =
            if millionths < 0 { self.units.saturating_sub(size) } else { self.units.saturating_add(size) };
        self.units = moved.clamp(self.lowest, self.highest);
    }

    /// The price as text, always with the symbol's decimals.
    pub(crate) fn price(&self) -> Arc<str> {
        self.digits().to_string().into()
    }

    /// The price.
    pub(crate) fn digits(&self) -> Digits {
        Digits::new(self.units, self.decimals)
    }
}

/// FNV-1a: the standard library's hasher may change between versions, and the walk must not.
pub(crate) fn seed_of(seed: u64, symbol: &Symbol) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(symbol.as_str().bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// `67000.00` is 6,700,000 units with 2 decimals.
fn units_of(text: &str) -> (u64, u8) {
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let units = text.bytes().filter(u8::is_ascii_digit).fold(0, |n, digit| n * 10 + u64::from(digit - b'0'));
    (units, decimals as u8)
}

/// A start for a symbol that is not well known: five digits, with two to six decimals.
fn invented_start(random: &mut Rng) -> (u64, u8) {
    (random.u64(10_000..100_000), random.usize(2..=6) as u8)
}

#[cfg(test)]
mod tests {
    use pricepipe_core::Price;

    use super::*;

    fn prices(seed: u64, symbol: &str, count: usize) -> Vec<String> {
        let mut walk = Walk::new(seed, &symbol.parse().unwrap());
        (0..count)
            .map(|_| {
                walk.step();
                walk.price().to_string()
            })
            .collect()
    }

    #[test]
    fn one_seed_and_symbol_give_one_sequence_and_others_another() {
        assert_eq!(prices(7, "BTCUSDT", 200), prices(7, "BTCUSDT", 200));
        assert_ne!(prices(7, "BTCUSDT", 200), prices(8, "BTCUSDT", 200));
        assert_ne!(prices(7, "SIM0001USDT", 200), prices(7, "SIM0002USDT", 200));
    }

    #[test]
    fn the_sequence_of_a_seed_is_pinned() {
        assert_eq!(prices(1, "BTCUSDT", 3), ["67001.34", "66997.53", "66990.30"]);
    }

    #[test]
    fn prices_keep_their_decimals_and_stay_plausible() {
        for (symbol, decimals, low, high) in [
            ("BTCUSDT", 2, 16_750.0, 268_000.0),
            ("SHIBUSDT", 8, 0.000_004, 0.000_07),
            ("SIM0042USDT", 4, 0.0, 1e9),
        ] {
            for text in prices(3, symbol, 20_000) {
                let value: f64 = text.parse().unwrap();
                assert!(text.parse::<Price>().is_ok() && (low..=high).contains(&value), "{symbol} {text}");
                if symbol.starts_with("SIM") {
                    continue;
                }
                assert_eq!(text.split_once('.').unwrap().1.len(), decimals, "{symbol} {text}");
            }
        }
    }

    #[test]
    fn a_walk_moves_at_nearly_every_step() {
        let prices = prices(5, "ETHUSDT", 1_000);
        assert!(prices.windows(2).filter(|pair| pair[0] != pair[1]).count() > 950);
    }
}
