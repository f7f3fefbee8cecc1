//! `spec.kafka`: the cluster and its topics. Types only.

use std::collections::BTreeMap;

use pricepipe_core::config::SaslMechanism;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{SecretKeyRef, SecretRef, patterns, rules::rules};

/// The Kafka cluster and how topics are made in it.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = rules(&[(
    "has(self.bootstrapServers) || !(has(self.tls) || has(self.sasl))",
    "tls and sasl belong to a cluster of your own: add bootstrapServers",
)])))]
pub struct KafkaSpec {
    /// Some brokers, each as host:port. Without them: the operator's default cluster, or the embedded broker on a
    /// laptop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 3, max = 260), regex(pattern = patterns::BROKER)))]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub bootstrap_servers: Vec<String>,

    /// Encrypts the connection. An empty object is enough where the brokers have certificates of a public authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,

    /// Authenticates with a user and a password. Add tls too, or the password travels over an open connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl: Option<SaslSpec>,

    /// How topics are created.
    // Its default is complete: the API server evaluates the rule below on the default as it is written.
    pub topics: TopicsSpec,
}

/// Encryption of the connection.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsSpec {
    /// The certificate authorities to trust, in PEM form, instead of the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,
}

/// Authentication with a user and a password.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SaslSpec {
    /// How the password is proved.
    #[schemars(schema_with = "mechanism_schema")]
    pub mechanism: SaslMechanism,

    /// The Secret with the keys username and password.
    pub credentials_secret_ref: SecretRef,
}

/// How topics are created.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = rules(&[(
    "self.minInSyncReplicas <= self.replicationFactor",
    "minInSyncReplicas must not be above replicationFactor, or nothing could be written",
)])))]
pub struct TopicsSpec {
    /// The name of a symbol's topic. {base} is the base asset and {symbol} the symbol, both in lower case and
    /// with '-' for '/', and {pipeline} is the name of the pipeline. Without a placeholder all symbols share one topic.
    #[schemars(length(min = 1, max = 200), regex(pattern = patterns::TOPIC_TEMPLATE))]
    pub name_template: String,

    /// Partitions of each topic. They may only grow.
    #[schemars(range(min = 1, max = 1000))]
    #[schemars(extend("x-kubernetes-validations" = rules(&[(
        "self >= oldSelf",
        "partitions may only grow: Kafka cannot take partitions away from a topic",
    )])))]
    pub partitions: i32,

    /// Copies of each partition, on as many brokers. It cannot be changed.
    #[schemars(range(min = 1, max = 15))]
    #[schemars(extend("x-kubernetes-validations" = rules(&[(
        "self == oldSelf",
        "replicationFactor cannot be changed; reassign the partitions with Kafka's own tools, or make a new pipeline",
    )])))]
    pub replication_factor: i32,

    /// Copies that must have a message before it counts as written.
    #[schemars(range(min = 1, max = 15))]
    pub min_in_sync_replicas: i32,

    /// Seconds that Kafka keeps messages, counted from their arrival.
    #[schemars(range(min = 60, max = i32::MAX))]
    pub retention_seconds: i32,

    /// Further topic configuration in Kafka's own words, as in compression.type: zstd. Values are texts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "config_schema")]
    pub config: BTreeMap<String, String>,
}

impl Default for TopicsSpec {
    fn default() -> Self {
        TopicsSpec {
            name_template: "{base}".to_owned(),
            partitions: 3,
            replication_factor: 1,
            min_in_sync_replicas: 1,
            retention_seconds: 604_800,
            config: BTreeMap::new(),
        }
    }
}

fn mechanism_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": SaslMechanism::NAMES})
}

fn config_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 1024},
        "x-kubernetes-validations": rules(&[
            ("!('retention.ms' in self)", "retention.ms has a field of its own: use retentionSeconds"),
            ("!('min.insync.replicas' in self)", "min.insync.replicas has a field of its own: use minInSyncReplicas"),
        ]),
    })
}
