//! `spec.consumer`: Kafka to store. Types only.

use pricepipe_core::config::BatchConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{ResourcesSpec, rules::rules};

/// The consumer: it reads from Kafka and writes to the store.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerSpec {
    /// How many consumers run. This is what kubectl scale changes. More than all topics have partitions is of no use.
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,

    /// When a batch is written to the store: as soon as it is full, or old.
    #[schemars(extend("default" = json!({})))]
    pub batch: BatchSpec,

    /// Changes the number of consumers by their lag. Without it the number stays as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<AutoscalingSpec>,

    /// CPU and memory of each consumer. Without it, cpu: 10m and memory: 32Mi are set aside, and memory: 256Mi is the
    /// limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourcesSpec>,
}

impl Default for ConsumerSpec {
    fn default() -> Self {
        ConsumerSpec { replicas: 1, batch: BatchSpec::default(), autoscaling: None, resources: None }
    }
}

/// When a batch is written.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BatchSpec {
    /// The most prices of one write.
    #[schemars(range(min = 1, max = 10_000))]
    pub max_documents: i32,

    /// The longest that a price waits for others, in milliseconds.
    #[schemars(range(min = 1, max = 60_000))]
    pub max_millis: i32,
}

impl Default for BatchSpec {
    fn default() -> Self {
        let batch = BatchConfig::default();
        BatchSpec { max_documents: batch.max_documents as i32, max_millis: batch.max_millis as i32 }
    }
}

/// How the number of consumers follows the lag.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = rules(&[(
    "self.minReplicas <= self.maxReplicas",
    "minReplicas must not be above maxReplicas",
)])))]
pub struct AutoscalingSpec {
    /// The fewest consumers.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,

    /// The most consumers. There are never more than all topics have partitions.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,

    /// How many messages of lag one consumer is expected to work off.
    #[serde(default = "thousand")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub lag_per_replica: i32,

    /// Seconds that the lag must have been low before consumers are taken away.
    #[serde(default = "five_minutes")]
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_seconds: i32,
}

fn one() -> i32 {
    1
}

fn thousand() -> i32 {
    1_000
}

fn five_minutes() -> i32 {
    300
}
