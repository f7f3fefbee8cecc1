//! Why a visit to a pipeline did not come to its end, what is said about it, and when it is tried again.

use std::time::Duration;

use pricepipe_api::Fault;

use crate::{
    conditions::{ConditionType, Finding, Reason},
    kafka::KafkaError,
};

/// Why a visit did not come to its end. No text here ever holds a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The spec cannot be followed.
    #[error("{}", faults(.0))]
    Invalid(Vec<Fault>),
    /// The resource does not fit its own types.
    #[error("{0}")]
    Unreadable(String),
    /// A Secret or its key is not there, or cannot be used.
    #[error("{message}")]
    Secret { about: ConditionType, reason: Reason, message: String },
    /// Neither the pipeline nor the operator names a Kafka cluster.
    #[error(
        "spec.kafka.bootstrapServers is empty and the operator has no default cluster: name your brokers there, or \
         in PRICEPIPE_KAFKA_BOOTSTRAP_SERVERS of the controller"
    )]
    NoKafkaCluster,
    /// Kafka did not do what is needed.
    #[error("{0}")]
    Kafka(#[from] KafkaError),
    /// A topic belongs to another pipeline.
    #[error("topic {topic} belongs to pipeline {owner}: {remedy}")]
    TopicConflict { topic: String, owner: String, remedy: &'static str },
    /// An object of that name belongs to somebody else.
    #[error("{kind} {name} exists and belongs to somebody else: rename or delete it, or rename the pipeline")]
    ObjectConflict { about: Vec<ConditionType>, kind: String, name: String },
    /// An object of a deleted pipeline of the same name is still there.
    #[error("waiting until Kubernetes has removed the earlier {kind} {name}")]
    Leftover { about: Vec<ConditionType>, kind: String, name: String },
    /// The API server refused something or did not answer.
    #[error("cannot {what}: {}", words(source))]
    Api { about: Vec<ConditionType>, what: String, source: Box<kube::Error> },
    /// A kind of object cannot be watched.
    #[error("cannot follow the pipeline's objects: {0}")]
    Watch(String),
    /// This controller does not lead any more.
    #[error("another controller leads")]
    NotLeading,
    /// A visit ended in a way that no visit should.
    #[error("the visit was cut short: {0}")]
    Interrupted(String),
}

impl Error {
    /// An answer of the API server, seen from what was done.
    pub(crate) fn api(
        about: impl Into<Vec<ConditionType>>,
        what: impl Into<String>,
    ) -> impl FnOnce(kube::Error) -> Error {
        let (about, what) = (about.into(), what.into());
        move |source| Error::Api { about, what, source: Box::new(source) }
    }

    /// For metrics. A closed set.
    pub(crate) fn category(&self) -> &'static str {
        match self {
            Error::Invalid(_) | Error::Unreadable(_) | Error::NoKafkaCluster => "invalid",
            Error::Secret { .. } => "secret",
            Error::Kafka(_) => "kafka",
            Error::TopicConflict { .. } => "topic_conflict",
            Error::ObjectConflict { .. } => "object_conflict",
            Error::Leftover { .. } => "leftover",
            Error::Api { .. } if self.is_forbidden() => "forbidden",
            Error::Watch(_) => "watch",
            Error::Api { .. } => "api",
            Error::NotLeading => "not_leading",
            Error::Interrupted(_) => "interrupted",
        }
    }

    /// The longest pause before the next try; `None` when only a change of the pipeline can help.
    pub(crate) fn longest_pause(&self) -> Option<Duration> {
        Some(Duration::from_secs(match self {
            Error::Invalid(_) | Error::Unreadable(_) | Error::NoKafkaCluster => return None,
            Error::Kafka(error) if !error.is_transient() => return None,
            Error::Leftover { .. } => 2,
            // Nobody tells when a Secret appears or Kafka is back, and a question costs little.
            Error::Secret { .. } => 10,
            Error::Kafka(_) => 30,
            // Another pipeline may go any time, and the API server recovers.
            _ => 300,
        }))
    }

    /// What the conditions say about it.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let bad = |about, reason| vec![Finding::bad(about, reason, self.to_string())];
        let all = |about: &[ConditionType], reason: Reason| {
            about.iter().map(|about| Finding::bad(*about, reason, self.to_string())).collect()
        };
        match self {
            Error::Invalid(_) | Error::Unreadable(_) => bad(ConditionType::SpecValid, Reason::Invalid),
            Error::Secret { about, reason, .. } => bad(*about, *reason),
            Error::NoKafkaCluster => bad(ConditionType::KafkaReachable, Reason::NoKafkaCluster),
            Error::Kafka(error) => {
                let (about, reason) = kafka(error);
                bad(about, reason)
            }
            Error::TopicConflict { .. } => bad(ConditionType::TopicsReady, Reason::TopicConflict),
            Error::ObjectConflict { about, .. } => all(about, Reason::ObjectConflict),
            Error::Leftover { about, .. } => all(about, Reason::Progressing),
            Error::Api { about, .. } if self.is_forbidden() => all(about, Reason::Forbidden),
            Error::Api { about, .. } => all(about, Reason::ApplyFailed),
            Error::Watch(_) => all(WORKERS, Reason::Forbidden),
            Error::NotLeading | Error::Interrupted(_) => Vec::new(),
        }
    }

    fn is_forbidden(&self) -> bool {
        matches!(self, Error::Api { source, .. } if matches!(&**source, kube::Error::Api(status) if status.is_forbidden()))
    }
}

/// The conditions about both workers.
pub(crate) const WORKERS: &[ConditionType] =
    &[ConditionType::ProducerAvailable, ConditionType::ConsumerAvailable];

/// The condition that a trouble with Kafka is about, and its reason.
pub(crate) fn kafka(error: &KafkaError) -> (ConditionType, Reason) {
    match error {
        KafkaError::Settings(_) | KafkaError::Unreachable(_) => {
            (ConditionType::KafkaReachable, Reason::Unreachable)
        }
        KafkaError::Authentication(_) => (ConditionType::KafkaReachable, Reason::AuthenticationFailed),
        KafkaError::Forbidden { .. } => (ConditionType::TopicsReady, Reason::Forbidden),
        KafkaError::Refused { .. } => (ConditionType::TopicsReady, Reason::TopicRefused),
    }
}

fn faults(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What the API server says, without the form it says it in.
fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => pricepipe_service::with_causes(other),
    }
}
