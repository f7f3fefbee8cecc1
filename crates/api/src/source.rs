//! `spec.sources`: where prices come from. Types only.

use pricepipe_core::Exchange;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{patterns, rules::rules};

/// One place that prices come from.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[(
    "has(self.rest)",
    "a source needs exactly one way to read prices: add rest, as in rest: {}",
)])))]
pub struct SourceSpec {
    /// A name that is unique in the pipeline. Without it the source is called like its exchange.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 40), regex(pattern = patterns::SOURCE_NAME))]
    pub name: Option<String>,

    /// The exchange.
    #[schemars(schema_with = "exchange_schema")]
    pub exchange: Exchange,

    /// Polls the exchange's REST interface for the last price of every symbol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<RestSpec>,
}

impl SourceSpec {
    /// What a pipeline reads from unless it says otherwise.
    pub(crate) fn binance() -> Self {
        SourceSpec { name: None, exchange: Exchange::Binance, rest: Some(RestSpec::default()) }
    }

    /// The name, said or implied.
    pub fn effective_name(&self) -> &str {
        self.name.as_deref().unwrap_or(self.exchange.as_str())
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

    /// Seconds from one poll to the next. Polls are aligned to the clock, and one request serves all symbols.
    #[schemars(range(min = 1, max = 3600))]
    pub interval_seconds: i32,

    /// Seconds after which a request has failed.
    #[schemars(range(min = 1, max = 30))]
    pub timeout_seconds: i32,

    /// The exchange's request weight that this source may use in a minute. The exchange counts it per IP address, so
    /// leave room for whatever else runs behind the same address.
    #[schemars(range(min = 1, max = pricepipe_core::Exchange::Binance.request_weight_limit()))]
    pub max_weight_per_minute: i32,
}

impl Default for RestSpec {
    fn default() -> Self {
        RestSpec {
            endpoints: Vec::new(),
            interval_seconds: 3,
            timeout_seconds: 2,
            max_weight_per_minute: 1_200,
        }
    }
}

fn exchange_schema(_: &mut SchemaGenerator) -> Schema {
    let names: Vec<&str> = Exchange::ALL.iter().map(Exchange::as_str).collect();
    json_schema!({"type": "string", "enum": names})
}
