//! `spec.sources[].websocket` and `.replay`: what happens now, and what happened. Types only.

use pricepipe_core::{
    KlineInterval,
    config::{OnComplete, Stream},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{HistorySpec, patterns, rules::rules};

/// How a stream is listened to, and what was missed is asked for.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[
    (
        "has(self.interval) == (self.stream == 'kline')",
        "the stream kline needs an interval, as in interval: 1m, and no other stream has one",
    ),
    ("!self.partial || self.stream == 'kline'", "partial is for the stream kline: leave it out"),
])))]
pub struct WebsocketSpec {
    /// Base URLs in order of preference; the next is used when one fails. Without them: the exchange's own. Each is
    /// wss://host or wss://host:port. Plain ws is only for names inside the cluster and for this machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 270), regex(pattern = patterns::STREAM_ENDPOINT)))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub endpoints: Vec<String>,

    /// What is listened to. trade is each trade, aggTrade puts trades of one order at one price together, kline is
    /// candles, bookTicker the best offers, miniTicker the last price about once a second. Trades and candles that were
    /// missed are asked for; offers and last prices have no history. Only Binance has aggTrade, and Coinbase has no
    /// kline.
    #[schemars(schema_with = "stream_schema")]
    pub stream: Stream,

    /// The interval of candles, as in 1m (a minute) or 1M (a month).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "interval_schema")]
    pub interval: Option<KlineInterval>,

    /// True also takes candles that are not finished yet. Only finished ones count as complete.
    #[serde(default)]
    pub partial: bool,

    /// Seconds without any message after which a connection is given up and made anew.
    #[serde(default = "half_a_minute")]
    #[schemars(range(min = 5, max = 300))]
    pub silence_seconds: i32,

    /// Where what was missed is asked for.
    #[serde(default)]
    #[schemars(extend("default" = json!({})))]
    pub history: HistorySpec,
}

/// Which part of an exchange's history is read, and how fast.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[
    (
        "has(self.interval) != self.trades",
        "a replay reads either candles or trades: write interval, as in interval: 1m, or trades: true",
    ),
    ("!has(self.end) || timestamp(self.end) > timestamp(self.start)", "end must be after start"),
])))]
pub struct ReplaySpec {
    /// Reads candles of this interval, as in 1m (a minute) or 1M (a month).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "interval_schema")]
    pub interval: Option<KlineInterval>,

    /// True reads each trade.
    #[serde(default)]
    pub trades: bool,

    /// The first moment that is read, as in 2026-11-01T00:00:00Z.
    #[schemars(length(max = 35), regex(pattern = patterns::MOMENT))]
    pub start: String,

    /// The first moment that is not read any more. Without it: the moment at which the replay begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 35), regex(pattern = patterns::MOMENT))]
    pub end: Option<String>,

    /// How fast: unpaced is as fast as the exchange allows, realTime as fast as it happened, and 60x sixty times as
    /// fast.
    #[serde(default = "unpaced")]
    #[schemars(length(max = 8), regex(pattern = patterns::PACE))]
    pub pace: String,

    /// What comes after the end. suspend rests; loop begins again, which stores nothing twice.
    #[serde(default)]
    #[schemars(schema_with = "on_complete_schema")]
    pub on_complete: OnComplete,

    /// Where history is asked for.
    #[serde(default)]
    #[schemars(extend("default" = json!({})))]
    pub history: HistorySpec,
}

fn half_a_minute() -> i32 {
    30
}

fn unpaced() -> String {
    "unpaced".to_owned()
}

fn stream_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Stream::ALL.iter().map(Stream::as_str).collect();
    json_schema!({"type": "string", "enum": names})
}

fn interval_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = KlineInterval::all().map(|interval| interval.as_str()).collect();
    json_schema!({"type": "string", "enum": names})
}

fn on_complete_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["suspend", "loop"], "default": "suspend"})
}
