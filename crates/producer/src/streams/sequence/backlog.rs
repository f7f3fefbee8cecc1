//! Messages of markets whose topic takes none now: they wait here in their order, and the other markets go on. Pure.

use std::collections::{BTreeMap, VecDeque};

/// So many wait, of all markets of a source; later ones are left to history.
const MOST: usize = 25_000;

/// What waits, by the market's place.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    markets: BTreeMap<usize, VecDeque<Vec<u8>>>,
    waiting: usize,
}

impl Backlog {
    /// True when messages of a market wait: a later one has to wait behind them.
    pub(super) fn holds(&self, market: usize) -> bool {
        self.markets.contains_key(&market)
    }

    /// True when there is no room for another one of them.
    pub(super) fn is_full(&self) -> bool {
        self.waiting >= MOST
    }

    /// The markets of which messages wait.
    pub(super) fn markets(&self) -> Vec<usize> {
        self.markets.keys().copied().collect()
    }

    /// Adds the latest message of a market.
    pub(super) fn push(&mut self, market: usize, message: Vec<u8>) {
        self.markets.entry(market).or_default().push_back(message);
        self.waiting += 1;
    }

    /// Offers what waits of a market, the oldest first, as long as it is accepted. What is not accepted comes back and
    /// stays.
    pub(super) fn offer(&mut self, market: usize, mut accept: impl FnMut(Vec<u8>) -> Result<(), Vec<u8>>) {
        let Some(messages) = self.markets.get_mut(&market) else { return };
        while let Some(message) = messages.pop_front() {
            if let Err(back) = accept(message) {
                messages.push_front(back);
                return;
            }
            self.waiting -= 1;
        }
        self.markets.remove(&market);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: usize) -> Vec<u8> {
        number.to_string().into_bytes()
    }

    /// Offers until so many were accepted.
    fn take(backlog: &mut Backlog, market: usize, most: usize) -> Vec<String> {
        let mut taken = Vec::new();
        backlog.offer(market, |message| {
            if taken.len() == most {
                return Err(message);
            }
            taken.push(String::from_utf8(message).unwrap());
            Ok(())
        });
        taken
    }

    #[test]
    fn what_waits_keeps_its_order_and_each_market_waits_by_itself() {
        let mut backlog = Backlog::default();
        (0..4).for_each(|number| backlog.push(7, message(number)));
        backlog.push(8, message(9));
        assert_eq!(backlog.markets(), [7, 8]);
        assert_eq!(take(&mut backlog, 7, 3), ["0", "1", "2"]);
        assert!(backlog.holds(7), "one is left");
        backlog.push(7, message(4));
        assert_eq!(take(&mut backlog, 7, 9), ["3", "4"]);
        assert!(!backlog.holds(7) && backlog.holds(8) && take(&mut backlog, 7, 9).is_empty());
    }

    #[test]
    fn there_is_a_bound() {
        let mut backlog = Backlog::default();
        (0..MOST).for_each(|number| backlog.push(number % 2, message(number)));
        assert!(backlog.is_full());
        assert_eq!(take(&mut backlog, 0, 1).len(), 1);
        assert!(!backlog.is_full());
    }
}
