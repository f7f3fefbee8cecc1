//! `spec.symbols`: what to follow and where it goes. Types only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{patterns, rules::rules};

/// A symbol to follow.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[(
    "!has(oldSelf.partitions) || (has(self.partitions) && self.partitions >= oldSelf.partitions)",
    "partitions may only grow: Kafka cannot take partitions away from a topic",
)])))]
pub struct SymbolSpec {
    /// The symbol: as the exchange writes it, as in BTCUSDT, or in the neutral form that suits every exchange, as in
    /// BTC/USDT.
    #[schemars(length(min = 1, max = 20), regex(pattern = patterns::SYMBOL))]
    pub symbol: String,

    /// The base asset, as in btc; it is written in lower case. Needed only where it cannot be told from the symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = patterns::BASE))]
    pub base: Option<String>,

    /// The Kafka topic of its prices, instead of what kafka.topics.nameTemplate makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = patterns::TOPIC))]
    pub topic: Option<String>,

    /// The MongoDB collection of its prices, instead of one that is called like the topic. Symbols that share a topic
    /// share its collection.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 120), regex(pattern = patterns::COLLECTION))]
    pub collection: Option<String>,

    /// The partitions of its topic, instead of kafka.topics.partitions. They may only grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub partitions: Option<i32>,
}
