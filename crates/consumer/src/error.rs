//! Why a consumer cannot run. Outages are not among it: those are waited for.

use rdkafka::error::KafkaError;

/// Why a consumer cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ConsumerError {
    /// Nobody said where Kafka is.
    #[error("kafka.bootstrapServers is empty; name some brokers there or in KAFKA_BOOTSTRAP_SERVERS")]
    NoBroker,
    /// Nothing is to be consumed.
    #[error("topics is empty; name at least one topic and its collection")]
    NoTopic,
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
    pub(crate) fn client(error: KafkaError) -> Self {
        let problem = match error {
            KafkaError::ClientConfig(_, problem, key, _) => format!("{key}: {problem}"),
            other => other.to_string(),
        };
        ConsumerError::Client { problem }
    }
}
