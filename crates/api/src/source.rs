//! `spec.sources`: where prices come from. Types only.

use pricepipe_core::Exchange;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{ReplaySpec, WebsocketSpec, patterns, resource::MAX_SYMBOLS, rules::rules};

/// One place that prices come from.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[(
    "[has(self.rest), has(self.websocket), has(self.replay)].exists_one(way, way)",
    "a source needs exactly one way to read prices: rest, websocket or replay, as in rest: {}",
)])))]
pub struct SourceSpec {
    /// A name that is unique in the pipeline. Without it the source is called like its exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), regex(pattern = patterns::SOURCE_NAME))]
    pub name: Option<String>,

    /// The exchange.
    #[schemars(schema_with = "exchange_schema")]
    pub exchange: Exchange,

    /// The symbols that it serves, as they are written in spec.symbols. Without them: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = MAX_SYMBOLS), inner(length(min = 1, max = 20), regex(pattern = patterns::SYMBOL)))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub symbols: Vec<String>,

    /// Polls the exchange's REST interface for the last price of every symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<RestSpec>,

    /// Listens to a stream of the exchange: trades, candles, best offers or last prices, as they happen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub websocket: Option<WebsocketSpec>,

    /// Reads the exchange's history, candles or trades, as if it happened now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplaySpec>,
}

impl SourceSpec {
    /// What a pipeline reads from unless it says otherwise.
    pub(crate) fn binance() -> Self {
        SourceSpec {
            name: None,
            exchange: Exchange::Binance,
            symbols: Vec::new(),
            rest: Some(RestSpec::default()),
            websocket: None,
            replay: None,
        }
    }

    /// The name, said or implied.
    pub fn effective_name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.exchange.as_str())
    }

    /// The base URLs of the REST interface that it names, whatever it asks there for.
    pub fn endpoints(&self) -> &[String] {
        let history = self.websocket.as_ref().map(|websocket| &websocket.history);
        let history = history.or(self.replay.as_ref().map(|replay| &replay.history));
        let rest = self.rest.as_ref().map(|rest| &rest.endpoints);
        rest.or(history.map(|history| &history.endpoints)).map_or(&[], Vec::as_slice)
    }

    /// The base URLs of streams that it names.
    pub fn stream_endpoints(&self) -> &[String] {
        self.websocket.as_ref().map_or(&[], |websocket| &websocket.endpoints)
    }
}

/// How a REST interface is polled.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestSpec {
    /// Base URLs in order of preference; the next is used when one fails. Without them: the exchange's own. Each is
    /// https://host or https://host:port. Plain http is only for names inside the cluster and for this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 270), regex(pattern = patterns::ENDPOINT)))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub endpoints: Vec<String>,

    /// Seconds from one poll to the next. Polls are aligned to the clock. One request serves all symbols; Coinbase is
    /// asked for each by itself.
    #[schemars(range(min = 1, max = 3600))]
    pub interval_seconds: i32,

    /// Seconds after which a request has failed.
    #[schemars(range(min = 1, max = 30))]
    pub timeout_seconds: i32,

    /// The exchange's request weight that this source may use in a minute. The exchange counts it per IP address, so
    /// leave room for whatever else runs behind the same address. Without it: 1200 of Binance's 6000, all of Coinbase's
    /// 600 and of Kraken's 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = Exchange::Binance.request_weight_limit()))]
    pub max_weight_per_minute: Option<i32>,
}

impl Default for RestSpec {
    fn default() -> Self {
        RestSpec {
            endpoints: Vec::new(),
            interval_seconds: 3,
            timeout_seconds: 2,
            max_weight_per_minute: None,
        }
    }
}

/// How a REST interface is asked for history.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HistorySpec {
    /// Base URLs in order of preference; the next is used when one fails. Without them: the exchange's own. Each is
    /// https://host or https://host:port. Plain http is only for names inside the cluster and for this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 270), regex(pattern = patterns::ENDPOINT)))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub endpoints: Vec<String>,

    /// Seconds after which a request has failed.
    #[schemars(range(min = 1, max = 30))]
    pub timeout_seconds: i32,

    /// The exchange's request weight that may be used for history in a minute. The exchange counts it per IP address,
    /// so leave room for whatever else runs behind the same address. Without it: 1200 of Binance's 6000, all of
    /// Coinbase's 600 and of Kraken's 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = Exchange::Binance.request_weight_limit()))]
    pub max_weight_per_minute: Option<i32>,
}

impl Default for HistorySpec {
    fn default() -> Self {
        HistorySpec { endpoints: Vec::new(), timeout_seconds: 5, max_weight_per_minute: None }
    }
}

fn exchange_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Exchange::ALL.iter().map(Exchange::as_str).collect();
    json_schema!({"type": "string", "enum": names})
}
