//! Trades that follow from the clock: an exchange that is started again goes on where time is, and tells of the time between
//! what another one would have told. Pure; the clock is an argument.

use pricepipe_core::Symbol;

use super::source::{NANOS_PER_SECOND, first_id, quantity};
use crate::{
    config::TradeFlow,
    digits::Digits,
    drift::Drift,
    trade::{Side, Trade},
    walk::seed_of,
};

/// Which trades happen when. They are counted from 1970 on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clockwork {
    drift: Drift,
    /// The id of the trade with the number 0.
    first_id: u64,
    nanos_between: f64,
}

impl Clockwork {
    /// None when nothing is traded.
    pub(crate) fn new(seed: u64, symbol: &Symbol, flow: &TradeFlow) -> Option<Self> {
        (flow.goes_on && flow.per_second > 0.0).then(|| Clockwork {
            drift: Drift::new(seed, symbol),
            first_id: first_id(seed_of(seed, symbol)),
            nanos_between: NANOS_PER_SECOND / flow.per_second,
        })
    }

    /// The id of the trade with the number 0.
    pub(super) fn first_id(&self) -> u64 {
        self.first_id
    }

    /// The number of the last trade that has happened, with how much of the time to the next one has passed.
    pub(super) fn number_at(&self, millis: i64) -> (u64, f64) {
        let passed = millis.max(0) as f64 * 1e6 / self.nanos_between;
        (passed as u64, passed.fract())
    }

    /// The price of the last trade that has happened.
    pub(crate) fn price_at(&self, millis: i64) -> Digits {
        self.drift.at(self.number_at(millis).0)
    }

    /// The trade with this number.
    pub(super) fn trade(&self, number: u64) -> Trade {
        let mut chance = self.drift.chance(number);
        Trade {
            id: self.first_id + number,
            time_nanos: (number as f64 * self.nanos_between) as i64,
            price: self.drift.at(number),
            quantity: quantity(&mut chance),
            side: if chance.bool() { Side::Buy } else { Side::Sell },
        }
    }
}
