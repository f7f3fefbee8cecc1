//! `status`: what the controller has seen. Prices never go into it. Types only.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was seen of a pipeline.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PricePipelineStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Ready sums up the others: SpecValid, KafkaReachable, TopicsReady, ProducerAvailable and ConsumerAvailable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,

    /// How many symbols are followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbols: Option<i32>,

    /// The topics of the pipeline.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1002))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub topics: Vec<TopicStatus>,

    /// The producers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub producer: Option<ProducerStatus>,

    /// Holes in what was received of streams and history. Absent where nobody can notice any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps: Option<GapsStatus>,

    /// How far the sources are that replay history, in the order of the spec.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["source"]))]
    pub replays: Vec<ReplayStatus>,

    /// The consumers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<ConsumerStatus>,

    /// What the pipeline will take of the exchange, of Kafka and of the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<EstimateStatus>,
}

/// A topic of the pipeline.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TopicStatus {
    /// Its name.
    pub name: String,

    /// The identity that Kafka gave it; a topic that is made again has another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,

    /// Its partitions.
    pub partitions: i32,

    /// True when this pipeline created it. Only such topics are ever deleted.
    pub created: bool,
}

/// The producers.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerStatus {
    /// How many there are.
    pub replicas: i32,

    /// How many of them are ready.
    pub ready_replicas: i32,

    /// Among how many Deployments the symbols are split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<i32>,
}

/// Holes in what was received, by what became of them.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GapsStatus {
    /// How many are being repaired.
    pub open: i64,

    /// How many were filled from history.
    pub filled: i64,

    /// How many stay, because history does not hold all that is missing.
    pub unfillable: i64,

    /// The one that was noticed last. pricepipe gaps lists all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<GapStatus>,
}

/// A hole in what was received of a symbol.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GapStatus {
    /// The exchange.
    pub exchange: String,

    /// The symbol.
    pub symbol: String,

    /// What is missing: trades by their numbers, or candles by the milliseconds at which they begin.
    pub stream: String,

    /// How long each candle lasts that is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<String>,

    /// The first that is missing.
    pub from: i64,

    /// The last that is missing.
    pub to: i64,

    /// How it was noticed: skip, reconnect, restart or heartbeat.
    pub noticed: String,

    /// What became of it: open, filled or unfillable.
    pub outcome: String,

    /// When it was noticed.
    pub since: String,
}

/// How far the replay of a source is, over all symbols that it serves.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayStatus {
    /// The name of the source.
    pub source: String,

    /// How many symbols it serves.
    pub symbols: i32,

    /// How many of them are replayed to the end.
    pub complete: i32,

    /// How many were given up, since the exchange does not answer for them.
    pub failed: i32,

    /// How much of the time is behind. What was given up counts as done.
    pub percent: i32,

    /// How far the slowest symbol is of those under way; at the end, the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reached: Option<String>,

    /// The first symbol that was given up, and why. The producer's log names all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// The consumers.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerStatus {
    /// How many there are.
    pub replicas: i32,

    /// How many of them are ready.
    pub ready_replicas: i32,

    /// The label selector that finds their pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,

    /// Messages that are in Kafka and not yet stored. While consumers are ready, what is sent within 5 seconds counts as
    /// under way and not as lag. Absent when it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<i64>,
}

/// What the pipeline will take, worked out beforehand.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EstimateStatus {
    /// Messages in a day.
    pub messages_per_day: i64,

    /// Bytes of messages in a day, before compression.
    pub kafka_bytes_per_day: i64,

    /// Bytes of stored documents in a day, before compression and without indexes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mongodb_bytes_per_day: Option<i64>,

    /// The exchange's request weight in a minute.
    pub request_weight_per_minute: i64,
}
