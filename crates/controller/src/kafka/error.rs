//! Why Kafka did not do what a pipeline needs, in words for the one who wrote the pipeline. Never a secret.

/// Why Kafka did not do what a pipeline needs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KafkaError {
    /// No client can be made of the connection's settings.
    #[error("{0}")]
    Settings(String),
    /// No broker answers.
    #[error("{0}")]
    Unreachable(String),
    /// The brokers refuse the user, or the certificates do not fit.
    #[error("{0}")]
    Authentication(String),
    /// The user is not allowed to do this.
    #[error("{what}; {remedy}")]
    Forbidden {
        /// What is not allowed.
        what: String,
        /// What to do about it.
        remedy: String,
    },
    /// A topic cannot be made what the pipeline wants it to be.
    #[error("topic {topic}: {what}; {remedy}")]
    Refused {
        /// The topic.
        topic: String,
        /// What is wrong.
        what: String,
        /// What to do about it.
        remedy: String,
    },
}

impl KafkaError {
    /// True when it may pass without a change of the pipeline: try again, with growing pauses.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            KafkaError::Unreachable(_) | KafkaError::Authentication(_) | KafkaError::Forbidden { .. }
        )
    }

    /// True when Kafka itself could not be used, so that nothing is known about topics.
    pub(crate) fn is_about_access(&self) -> bool {
        !matches!(self, KafkaError::Refused { .. })
    }
}
