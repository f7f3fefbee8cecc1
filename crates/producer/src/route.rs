//! Where a symbol's prices go.

use pricepipe_core::{Exchange, Symbol, identity, names::TopicName};

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
}

impl Route {
    pub(crate) fn new(index: usize, exchange: Exchange, symbol: Symbol, topic: TopicName) -> Self {
        let key = identity::key(exchange, &symbol);
        Route { index, exchange, symbol, topic, key }
    }
}
