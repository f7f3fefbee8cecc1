//! `spec.producer`: exchange to Kafka. Types only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ResourcesSpec;

/// The producer: it reads from exchanges and writes to Kafka.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerSpec {
    /// How many producers do the same. More than one is safe: they give a price the same identity. Each uses request
    /// weight of its own.
    #[schemars(range(min = 1, max = 10))]
    pub replicas: i32,

    /// Among how many producers the symbols are split, each with its share of the request weight. Without it there are
    /// as many as the streams need: one for every 2000 streams of markets begun. pricepipe run follows all symbols in
    /// one process.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = pricepipe_core::pipeline::MOST_SHARDS))]
    pub shards: Option<i32>,

    /// CPU and memory of each producer. Without it, cpu: 10m and memory: 32Mi are set aside, and memory: 128Mi is the
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
}

impl Default for ProducerSpec {
    fn default() -> Self {
        ProducerSpec { replicas: 1, shards: None, resources: None }
    }
}
