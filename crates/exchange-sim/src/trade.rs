//! One trade. Pure data.

use serde::Serialize;

use crate::digits::Digits;

/// A trade on the tape: what streams and history tell of it, each in its own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trade {
    /// Its number, one more than that of the trade before.
    pub id: u64,
    /// When, in nanoseconds since 1970; no two trades of a symbol have the same.
    pub time_nanos: i64,
    /// The price, digit for digit.
    pub price: Digits,
    /// How much of the base asset.
    pub quantity: Digits,
    /// What the taker did.
    pub side: Side,
}

/// What the taker of a trade did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Took an offer: the maker sold.
    Buy,
    /// Took a bid: the maker bought.
    Sell,
}

impl Trade {
    /// When, in milliseconds since 1970.
    pub fn time_millis(&self) -> i64 {
        self.time_nanos.div_euclid(1_000_000)
    }

    /// The best bid and offer after it: it was made at one of the two.
    pub(crate) fn quote(&self) -> (Digits, Digits) {
        match self.side {
            Side::Buy => (self.price.beside(false), self.price),
            Side::Sell => (self.price, self.price.beside(true)),
        }
    }

    /// When, in microseconds since 1970.
    pub(crate) fn time_micros(&self) -> i64 {
        self.time_nanos.div_euclid(1_000)
    }
}

impl Side {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }

    /// What the maker did.
    pub(crate) fn of_maker(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}
