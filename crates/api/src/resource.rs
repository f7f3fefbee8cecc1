//! The PricePipeline resource itself: its spec, its columns and its place in the Kubernetes API. Types only.
#![allow(unreachable_pub, reason = "the derive copies the type, pub and all, into a function")]

use kube::{CustomResource, KubeSchema};
use pricepipe_core::pipeline::DeletionPolicy;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    ConsumerSpec, KafkaSpec, MongodbSpec, PricePipelineStatus, ProducerSpec, SourceSpec, SymbolSpec,
};

/// The most symbols of a pipeline.
pub(crate) const MAX_SYMBOLS: usize = 1_000;

/// What the pipeline does: which symbols it follows, where prices come from and where they go.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "pricepipe.dev",
    version = "v1alpha1",
    kind = "PricePipeline",
    plural = "pricepipelines",
    shortname = "pp",
    category = "prices",
    namespaced,
    status = "PricePipelineStatus",
    derive = "PartialEq",
    doc = "A price pipeline: it reads the prices of some symbols from exchanges, sends them through Kafka and stores each once in MongoDB.",
    scale(
        spec_replicas_path = ".spec.consumer.replicas",
        status_replicas_path = ".status.consumer.replicas",
        label_selector_path = ".status.consumer.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        description = "Whether prices flow from the exchange into the store.",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Symbols",
        type_ = "integer",
        description = "How many symbols are followed.",
        json_path = ".status.symbols"
    ),
    printcolumn(
        name = "Lag",
        type_ = "integer",
        description = "Messages that are in Kafka and not yet stored.",
        json_path = ".status.consumer.lag"
    ),
    printcolumn(
        name = "Consumers",
        type_ = "integer",
        description = "Consumers that are ready.",
        json_path = ".status.consumer.readyReplicas"
    ),
    printcolumn(
        name = "Suspended",
        type_ = "boolean",
        description = "Whether the pipeline is suspended.",
        json_path = ".spec.suspend"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        description = "Time since the pipeline was made.",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Producers",
        type_ = "integer",
        description = "Producers that are ready.",
        json_path = ".status.producer.readyReplicas",
        priority = 1
    ),
    printcolumn(
        name = "Gaps",
        type_ = "integer",
        description = "Holes in what was received that are being repaired.",
        json_path = ".status.gaps.open",
        priority = 1
    ),
    printcolumn(
        name = "Messages/Day",
        type_ = "integer",
        description = "Messages that the pipeline is expected to send in a day.",
        json_path = ".status.estimate.messagesPerDay",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        description = "Why it is ready, or what to do.",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1
    ),
    validation = Rule::new("size(self.metadata.name) <= 50 && !self.metadata.name.contains('.')")
        .message("metadata.name must have at most 50 characters and no dots: it names topics and Deployments")
)]
#[serde(rename_all = "camelCase")]
pub struct PricePipelineSpec {
    /// True stops the pipeline: nothing is read and nothing is stored. Topics and data stay.
    #[serde(default)]
    pub suspend: bool,

    /// The symbols to follow, each once.
    #[schemars(length(min = 1, max = MAX_SYMBOLS))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["symbol"]))]
    pub symbols: Vec<SymbolSpec>,

    /// Where prices come from. Without it: Binance, polled through REST every 3 seconds.
    #[serde(default = "default_sources")]
    #[schemars(length(min = 1, max = 8), extend("default" = json!([{"exchange": "binance", "rest": {}}])))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new(
        "self.all(a, self.exists_one(b, (has(b.name) ? b.name : b.exchange) == (has(a.name) ? a.name : a.exchange)))"
    ).message("two sources have the same name; a source without a name is called like its exchange"))]
    pub sources: Vec<SourceSpec>,

    /// The Kafka cluster and how topics are made in it.
    #[serde(default)]
    #[schemars(extend("default" = json!({})))]
    pub kafka: KafkaSpec,

    /// The MongoDB deployment and how prices are stored in it.
    #[serde(default)]
    #[schemars(extend("default" = json!({})))]
    pub mongodb: MongodbSpec,

    /// The producer: it reads from exchanges and writes to Kafka.
    #[serde(default)]
    #[schemars(extend("default" = json!({})))]
    pub producer: ProducerSpec,

    /// The consumer: it reads from Kafka and writes to the store.
    #[serde(default)]
    #[schemars(extend("default" = json!({})))]
    pub consumer: ConsumerSpec,

    /// What happens to the topics that this pipeline created when it is deleted. Retain keeps them, Delete removes
    /// them. Stored prices are always kept.
    #[serde(default)]
    #[schemars(schema_with = "deletion_policy_schema")]
    pub deletion_policy: DeletionPolicy,
}

fn deletion_policy_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "string", "enum": ["Retain", "Delete"], "default": "Retain"})
}

fn default_sources() -> Vec<SourceSpec> {
    vec![SourceSpec::binance()]
}
