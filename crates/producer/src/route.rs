//! Where a symbol's prices go.

use pricepipe_core::{Exchange, Symbol, Timestamp, identity, names::TopicName};

/// A symbol of an exchange, its topic and its key.
#[derive(Debug)]
pub(crate) struct Route {
    /// Its row among the observations.
    pub(crate) index: usize,
    pub(crate) exchange: Exchange,
    pub(crate) symbol: Symbol,
    pub(crate) topic: TopicName,
    /// The Kafka key.
    pub(crate) key: String,
    /// The beginning of the history that is replayed to it, where it is history: each message says so, see [`REPLAY`].
    pub(crate) replay: Option<String>,
}

/// The header of a message out of history. By it a replay finds the end of its own work again, whatever streams have sent to
/// the same topic meanwhile; its value is the moment at which the replay begins.
pub(crate) const REPLAY: &str = "replay";

impl Route {
    pub(crate) fn new(index: usize, exchange: Exchange, symbol: Symbol, topic: TopicName) -> Self {
        let key = identity::key(exchange, &symbol);
        Route { index, exchange, symbol, topic, key, replay: None }
    }

    /// For a message of the gaps topic about a market, which is among no observations.
    pub(crate) fn of_gaps(exchange: Exchange, symbol: &Symbol, topic: &TopicName, key: String) -> Self {
        Route { index: usize::MAX, exchange, symbol: symbol.clone(), topic: topic.clone(), key, replay: None }
    }

    /// The same for history that begins then.
    pub(crate) fn replaying(&self, start: Timestamp) -> Self {
        let Route { index, exchange, ref symbol, ref topic, ref key, .. } = *self;
        let (symbol, topic, key) = (symbol.clone(), topic.clone(), key.clone());
        Route { index, exchange, symbol, topic, key, replay: Some(start.to_string()) }
    }
}
