//! What each worker is told. One type, three carriers: a ConfigMap that the controller writes, a file that the
//! binaries read, a value that `pricepipe run` passes. None of them holds a secret.

mod check;
mod feed;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    Secret, Symbol,
    names::{CollectionName, DatabaseName, PipelineName, TopicName},
};

pub use check::{ConfigError, Fault};
pub use feed::{
    Feed, HistoryConfig, OnComplete, Pace, PaceError, ReplayConfig, RestConfig, SourceConfig, Stream,
    WebsocketConfig,
};

/// The producer's configuration: exchange → Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProducerConfig {
    /// The pipeline it works for.
    pub pipeline: PipelineName,
    /// Where Kafka is. May be left out when the environment says it.
    #[serde(default)]
    pub kafka: KafkaConnection,
    /// Where prices come from.
    pub sources: Vec<SourceConfig>,
    /// Which symbols, and the topic of each.
    pub symbols: Vec<SymbolRoute>,
}

/// A symbol and the topic that its prices go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SymbolRoute {
    /// The symbol in the exchange's own form.
    pub symbol: Symbol,
    /// The Kafka topic.
    pub topic: TopicName,
}

/// The consumer's configuration: Kafka → store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsumerConfig {
    /// The pipeline it works for.
    pub pipeline: PipelineName,
    /// Where Kafka is. May be left out when the environment says it.
    #[serde(default)]
    pub kafka: KafkaConnection,
    /// The consumer group.
    pub group: String,
    /// Which topics, and the collection of each.
    pub topics: Vec<TopicRoute>,
    /// Where messages go that cannot be stored.
    pub dead_letter_topic: TopicName,
    /// When a batch is written.
    #[serde(default)]
    pub batch: BatchConfig,
    /// How long after a member's sudden death its partitions go to another one.
    #[serde(default = "default_session_timeout")]
    pub session_timeout_millis: u32,
    /// Where documents go.
    pub store: StoreConfig,
}

fn default_session_timeout() -> u32 {
    DEFAULT_SESSION_TIMEOUT_MILLIS
}

/// Three heartbeats may be lost before a member counts as dead; the broker's usual 45 s would leave a dead member's
/// partitions unread for that long.
pub const DEFAULT_SESSION_TIMEOUT_MILLIS: u32 = 10_000;
/// A consumer's heartbeats come from a thread of their own this often.
pub const HEARTBEAT_MILLIS: u32 = 3_000;
/// A consumer that takes no message for this long leaves its group.
pub const LONGEST_POLL_MILLIS: u32 = 300_000;

/// A topic and the collection that its messages go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TopicRoute {
    /// The Kafka topic.
    pub topic: TopicName,
    /// The collection.
    pub collection: CollectionName,
}

/// When a batch is written: as soon as it is full, or old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BatchConfig {
    /// The most documents of one write.
    pub max_documents: u32,
    /// The longest that a message waits for others, in milliseconds.
    pub max_millis: u32,
}

impl Default for BatchConfig {
    fn default() -> Self {
        BatchConfig { max_documents: 1_000, max_millis: 200 }
    }
}

/// Where documents are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields, tag = "kind")]
pub enum StoreConfig {
    /// A MongoDB deployment; its connection string is a secret and comes separately.
    Mongodb {
        /// The database.
        database: DatabaseName,
        /// How a price is stored.
        #[serde(default)]
        price_type: PriceType,
        /// Documents older than this many seconds are removed; 0 keeps them for ever.
        #[serde(default)]
        retention_seconds: u32,
    },
    /// One SQLite file.
    Embedded {
        /// The file; it is created when absent.
        path: PathBuf,
        /// Documents older than this many seconds are removed; 0 keeps them for ever.
        #[serde(default)]
        retention_seconds: u32,
    },
}

/// How a price is stored in MongoDB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PriceType {
    /// `Decimal128`: exact.
    #[default]
    Decimal,
    /// A double: the nearest float.
    Double,
}

/// Where Kafka is and how to speak to it, without the password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KafkaConnection {
    /// `host:port` of some brokers.
    pub bootstrap_servers: Vec<String>,
    /// Encryption and authentication.
    pub security_protocol: SecurityProtocol,
    /// How to authenticate, when the protocol says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sasl_mechanism: Option<SaslMechanism>,
    /// A PEM file of the authorities to trust, instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

/// A name and a password for Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaCredentials {
    /// The user.
    pub username: String,
    /// The password.
    pub password: Secret,
}

macro_rules! setting {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, as it is written.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The value as it is written.
            pub fn as_str(&self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }

            /// Reads the value as it is written.
            pub fn from_name(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

setting! {
    /// Encryption and authentication of a Kafka connection, in Kafka's own words.
    SecurityProtocol {
        /// Neither.
        #[default]
        Plaintext = "PLAINTEXT",
        /// TLS.
        Ssl = "SSL",
        /// A password over an open connection.
        SaslPlaintext = "SASL_PLAINTEXT",
        /// A password over TLS.
        SaslSsl = "SASL_SSL",
    }
}

impl SecurityProtocol {
    /// True when it asks for a name and a password.
    pub fn uses_sasl(&self) -> bool {
        matches!(self, SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl)
    }

    /// True when it encrypts.
    pub fn uses_tls(&self) -> bool {
        matches!(self, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl)
    }
}

setting! {
    /// How to authenticate with Kafka, in Kafka's own words.
    SaslMechanism {
        /// The password itself.
        #[default]
        Plain = "PLAIN",
        /// A salted challenge with SHA-256.
        ScramSha256 = "SCRAM-SHA-256",
        /// A salted challenge with SHA-512.
        ScramSha512 = "SCRAM-SHA-512",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_they_are_read() {
        for name in SecurityProtocol::NAMES {
            let value = SecurityProtocol::from_name(name).unwrap();
            assert_eq!(
                (value.as_str(), serde_json::to_string(&value).unwrap()),
                (*name, format!("{name:?}"))
            );
        }
        for name in SaslMechanism::NAMES {
            let value = SaslMechanism::from_name(name).unwrap();
            assert_eq!(
                (value.as_str(), serde_json::to_string(&value).unwrap()),
                (*name, format!("{name:?}"))
            );
        }
    }
}
