//! Why a consumer cannot run. Outages are not among it: those are waited for.

use std::process::ExitCode;

use pricepipe_core::config::ConfigError;
use pricepipe_service::worker::CONFIG_EXIT;
use rdkafka::error::KafkaError;

/// Why a consumer cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// Something in the configuration that could never work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The Kafka client does not accept its settings.
    #[error("the Kafka client cannot be made: {problem}")]
    Client {
        /// What it says, without the value that it does not like: that may be a secret.
        problem: String,
    },
    /// The thread that takes messages cannot be started.
    #[error("the thread that takes messages cannot be started")]
    Thread(#[source] std::io::Error),
    /// The thread that takes messages ended without a result: a fault in the program.
    #[error("the thread that takes messages ended unexpectedly; nothing was committed that is not stored")]
    IntakeEnded,
}

impl ConsumerError {
    /// The exit code that goes with it: 3 for a configuration that cannot be used, 1 for the rest.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            ConsumerError::Thread(_) | ConsumerError::IntakeEnded => ExitCode::FAILURE,
            ConsumerError::Config(_) | ConsumerError::Client { .. } => CONFIG_EXIT.into(),
        }
    }

    pub(crate) fn client(error: KafkaError) -> Self {
        let problem = match error {
            KafkaError::ClientConfig(_, problem, key, _) => format!("{key}: {problem}"),
            other => other.to_string(),
        };
        ConsumerError::Client { problem }
    }
}
