//! `spec.producer`: exchange to Kafka. Types only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ResourcesSpec;

/// The producer: it polls the exchange and writes to Kafka.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerSpec {
    /// How many producers run. More than one is safe: they poll the same slots and give a price the same identity.
    /// Each uses request weight of its own.
    #[schemars(range(min = 1, max = 10))]
    pub replicas: i32,

    /// CPU and memory of each producer. Without it, cpu: 10m and memory: 32Mi are set aside, and memory: 128Mi is the
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
}

impl Default for ProducerSpec {
    fn default() -> Self {
        ProducerSpec { replicas: 1, resources: None }
    }
}
