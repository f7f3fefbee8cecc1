//! Symbols that an exchange does not have, by their places, and when each is looked for again: after a minute, then ever
//! more rarely. Pure: the time is an argument.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const FIRST_RECHECK: Duration = Duration::from_secs(60);
const LONGEST_RECHECK: Duration = Duration::from_secs(60 * 60);

/// The unknown symbols of a source.
#[derive(Debug, Default)]
pub(crate) struct Unknown {
    symbols: BTreeMap<usize, Recheck>,
}

#[derive(Debug)]
struct Recheck {
    wait: Duration,
    at: Instant,
}

impl Unknown {
    /// The exchange does not have a symbol. True when that is news; else the next look at it is twice as far away.
    pub(crate) fn add(&mut self, symbol: usize, now: Instant) -> bool {
        let before = self.symbols.get(&symbol).map(|recheck| recheck.wait);
        let wait = before.map_or(FIRST_RECHECK, |wait| (wait * 2).min(LONGEST_RECHECK));
        self.symbols.insert(symbol, Recheck { wait, at: now + wait });
        before.is_none()
    }

    /// The exchange has a symbol. True when that is news.
    pub(crate) fn remove(&mut self, symbol: usize) -> bool {
        self.symbols.remove(&symbol).is_some()
    }

    pub(crate) fn contains(&self, symbol: usize) -> bool {
        self.symbols.contains_key(&symbol)
    }

    pub(crate) fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Every one and when it is looked for again, the next one first.
    pub(crate) fn rechecks(&self) -> Vec<(Instant, usize)> {
        let mut rechecks: Vec<_> =
            self.symbols.iter().map(|(symbol, recheck)| (recheck.at, *symbol)).collect();
        rechecks.sort();
        rechecks
    }
}
