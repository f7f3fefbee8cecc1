//! What a live view may read while the producer runs.

mod gaps;
mod replay;

use std::sync::{Mutex, MutexGuard, PoisonError};

use pricepipe_core::{Exchange, Gap, Price, Symbol, Timestamp, config::SourceConfig, names::TopicName};

pub use self::gaps::ObservedGaps;
pub use self::replay::{ObservedReplay, ReplayEnd, ReplayedMarket};
use crate::route::Route;

/// What the producer has seen so far. The host keeps one end, the producer the other.
#[derive(Debug, Default)]
pub struct Observations {
    state: Mutex<Observed>,
}

/// One moment of a running producer.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// A row per exchange and symbol, in the order of the configuration.
    pub symbols: Vec<ObservedSymbol>,
    /// How each source is, by its name: a short text such as `prices arrive`.
    pub sources: Vec<(String, String)>,
    /// The sources that replay history.
    pub replays: Vec<ObservedReplay>,
    /// The sums of this run.
    pub totals: Summary,
    /// The holes in what streams brought.
    pub gaps: ObservedGaps,
}

/// One symbol.
#[derive(Clone, Debug)]
pub struct ObservedSymbol {
    /// The exchange.
    pub exchange: Exchange,
    /// The symbol.
    pub symbol: Symbol,
    /// Its topic.
    pub topic: TopicName,
    /// The first price of this run.
    pub first: Option<Price>,
    /// The last price.
    pub last: Option<Price>,
    /// When the last price arrived.
    pub received: Option<Timestamp>,
    /// Messages that Kafka has acknowledged.
    pub produced: u64,
}

/// The sums of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages that Kafka has acknowledged.
    pub produced: u64,
    /// Messages that Kafka will never take, such as too large ones.
    pub rejected: u64,
    /// Messages that were accepted and not acknowledged before the end.
    pub undelivered: u64,
    /// Poll slots that brought no price or not all of them.
    pub skipped_slots: u64,
}

impl Observations {
    /// One moment, copied.
    pub fn snapshot(&self) -> Observed {
        self.lock().clone()
    }

    pub(crate) fn begin<'a>(&self, routes: impl Iterator<Item = &'a Route>, sources: Vec<String>) {
        let symbol = |route: &Route| ObservedSymbol {
            exchange: route.exchange,
            symbol: route.symbol.clone(),
            topic: route.topic.clone(),
            first: None,
            last: None,
            received: None,
            produced: 0,
        };
        let sources = sources.into_iter().map(|name| (name, "starting".to_owned())).collect();
        *self.lock() = Observed { symbols: routes.map(symbol).collect(), sources, ..Observed::default() };
    }

    pub(crate) fn price_arrived(&self, index: usize, price: Price, received: Timestamp) {
        if let Some(symbol) = self.lock().symbols.get_mut(index) {
            symbol.first.get_or_insert(price);
            symbol.last = Some(price);
            symbol.received = Some(received);
        }
    }

    pub(crate) fn delivered(&self, index: usize) {
        let mut state = self.lock();
        // What is no symbol's, such as a gap, is no price.
        if let Some(symbol) = state.symbols.get_mut(index) {
            symbol.produced += 1;
            state.totals.produced += 1;
        }
    }

    pub(crate) fn rejected(&self) {
        self.lock().totals.rejected += 1;
    }

    pub(crate) fn slots_skipped(&self, slots: u64) {
        self.lock().totals.skipped_slots += slots;
    }

    /// A source is going to replay the history of these symbols.
    pub(crate) fn replay_begins(&self, source: &SourceConfig, symbols: impl Iterator<Item = Symbol>) {
        self.lock().replays.push(ObservedReplay::new(&source.name, source.exchange, symbols));
    }

    /// A market's replay has sent so many records more and is so far; it may have ended by that.
    pub(crate) fn replayed(
        &self,
        source: &str,
        market: usize,
        records: u64,
        at: (Timestamp, f64),
        end: Option<ReplayEnd>,
    ) {
        let mut state = self.lock();
        let Some(replay) = state.replays.iter_mut().find(|replay| replay.source == source) else { return };
        let Some(market) = replay.markets.get_mut(market) else { return };
        market.records += records;
        (market.reached, market.fraction) = (Some(at.0), at.1);
        market.end = end;
        let text = replay.state();
        drop(state);
        self.source_state(source, &text);
    }

    /// A gap opened or ended.
    pub(crate) fn gap(&self, gap: &Gap) {
        self.lock().gaps.note(gap);
    }

    /// History filled in so many observations.
    pub(crate) fn repaired(&self, records: u64) {
        self.lock().gaps.repaired += records;
    }

    pub(crate) fn source_state(&self, name: &str, text: &str) {
        let mut state = self.lock();
        if let Some((_, before)) = state.sources.iter_mut().find(|(n, _)| n == name)
            && before != text
        {
            text.clone_into(before);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Observed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
