//! Why the producer could not start, or could not end well.

use std::process::ExitCode;

use pricepipe_core::{Exchange, config::ConfigError};
use pricepipe_service::worker::CONFIG_EXIT;
use rdkafka::error::KafkaError;

use crate::Summary;

/// Why the producer could not start, or could not end well.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    /// Something in the configuration that could never work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An endpoint that is no base URL.
    #[error("source {source_name}: endpoint {url:?} {problem}; write it as {scheme}s://host")]
    Endpoint {
        /// The source.
        source_name: String,
        /// The endpoint.
        url: String,
        /// What is wrong with it.
        problem: &'static str,
        /// The scheme that it should have; with an `s` where it is encrypted.
        scheme: &'static str,
    },
    /// There are no certificates to tell an exchange by.
    #[error(
        "the system's CA certificates cannot be read: {0}; install ca-certificates, or set SSL_CERT_FILE"
    )]
    Certificates(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client cannot be made (are the system's CA certificates installed?)")]
    HttpClient(#[source] reqwest::Error),
    /// The Kafka client could not be made. Not the library's own error, whose text may hold a password.
    #[error("the Kafka client cannot be made: {0}")]
    KafkaClient(String),
    /// An exchange does not say which markets it has.
    #[error("{exchange} does not list its symbols: {reason}")]
    NoListings {
        /// Which exchange.
        exchange: Exchange,
        /// Why.
        reason: String,
    },
    /// A task ended that should not have.
    #[error("the loop of a source ended unexpectedly; what was accepted is in Kafka")]
    Died(#[source] tokio::task::JoinError),
    /// Kafka did not acknowledge everything before the deadline.
    #[error(
        "{} accepted messages were not acknowledged by Kafka within {seconds} s and are lost: {topics}",
        summary.undelivered
    )]
    Undelivered {
        /// What happened before.
        summary: Summary,
        /// How long it waited.
        seconds: u64,
        /// How many of which topic.
        topics: String,
    },
}

impl ProducerError {
    /// The exit code that goes with it: 3 for a configuration that cannot be used, 1 for the rest.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            ProducerError::Died(_) | ProducerError::Undelivered { .. } | ProducerError::NoListings { .. } => {
                ExitCode::FAILURE
            }
            _ => CONFIG_EXIT.into(),
        }
    }
}

impl From<KafkaError> for ProducerError {
    fn from(error: KafkaError) -> Self {
        ProducerError::KafkaClient(match error {
            // The fourth field is the setting's value.
            KafkaError::ClientConfig(_, problem, setting, _) => format!("{setting}: {problem}"),
            KafkaError::Nul(_) => "a setting holds a NUL character".to_owned(),
            other => other.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_librdkafka_refuses_is_named_without_its_value() {
        use rdkafka::types::RDKafkaConfRes::RD_KAFKA_CONF_INVALID;
        let error = KafkaError::ClientConfig(
            RD_KAFKA_CONF_INVALID,
            "is not valid".into(),
            "sasl.password".into(),
            "hunter2".into(),
        );
        let text = ProducerError::from(error).to_string();
        assert_eq!(text, "the Kafka client cannot be made: sasl.password: is not valid");
    }
}
