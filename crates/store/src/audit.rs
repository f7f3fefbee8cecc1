//! What an audit asks of a store: which observations it lacks, and which it has twice.
//!
//! **Doubled** is an observation that is stored under more than one id: several prices of one exchange, symbol and time,
//! of which at least one has an id that names the observation. Messages of the plain form are named by where they lie
//! instead, so two of them may well be of one moment without being the same. So may two trades and two tickers: they
//! are left out, since their number alone makes them what they are.

use std::ops::Range;

use pricepipe_core::{Timestamp, identity};

use crate::beginning_with;

/// The event times that are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// This moment or later ones.
    pub since: Option<Timestamp>,
    /// Earlier moments than this.
    pub until: Option<Timestamp>,
}

impl Period {
    /// Whether a moment is in it.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }
}

/// The observations of a collection that are stored under more than one id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubled {
    /// How many there are.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<Double>,
}

/// An observation that is stored under more than one id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Double {
    /// Its symbol.
    pub symbol: String,
    /// Its exchange.
    pub exchange: String,
    /// Its time.
    pub time: Timestamp,
    /// The least and the greatest of its ids.
    pub ids: [String; 2],
}

impl Doubled {
    /// Counts one, and keeps it while there are fewer examples than this.
    pub(crate) fn push(&mut self, double: Double, examples: usize) {
        self.count += 1;
        if self.examples.len() < examples {
            self.examples.push(double);
        }
    }
}

/// What the id of a ticker has in it, see [`identity::Event`], and that of no poll.
pub(crate) const TICKER: &str = ":ticker:";

/// The ids that name a place in Kafka.
pub(crate) fn positions() -> Range<String> {
    beginning_with(identity::POSITION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_that_name_a_place_lie_between_two_bounds() {
        let between = |id: &str| positions().contains(&id.to_owned());
        assert!(between(&identity::position("AAAA", 0, 0)) && between("kafka:zzzz:9:9"));
        assert!(!between("binance:BTCUSDT:price:1") && !between("kafka") && !between("kraken:A:price:1"));
    }

    #[test]
    fn a_ticker_is_told_from_a_poll_by_its_id() {
        let id = |event| identity::event("binance:BTCUSDT", event);
        assert!(id(identity::Event::Ticker(7)).contains(TICKER));
        assert!(!id(identity::Event::Poll(Timestamp::MIN)).contains(TICKER));
    }

    #[test]
    fn a_period_has_its_beginning_and_not_its_end() {
        let at = |millis| Timestamp::from_millis(millis).unwrap();
        let period = Period { since: Some(at(5)), until: Some(at(9)) };
        assert_eq!([4, 5, 8, 9].map(|millis| period.contains(at(millis))), [false, true, true, false]);
        assert!(Period::default().contains(at(1)));
    }
}
