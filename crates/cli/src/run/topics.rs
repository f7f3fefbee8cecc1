//! Creates the pipeline's topics in a real Kafka cluster. Topics that exist are left as they are.

use std::time::Duration;

use pricepipe_core::{
    config::{KafkaConnection, KafkaCredentials},
    pipeline::{Pipeline, Topic},
};
use pricepipe_service::{Guard, kafka};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio_util::sync::CancellationToken;

use crate::exit::{Exit, Failed};

const PATIENCE: Duration = Duration::from_secs(5);

/// Why a topic is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum TopicError {
    /// The settings of the connection cannot be used.
    #[error("the Kafka connection cannot be used")]
    Client(#[source] KafkaError),
    /// The cluster does not answer, or does not let us in.
    #[error("Kafka does not answer")]
    Unreachable(#[source] KafkaError),
    /// The cluster said no.
    #[error("topic {topic} cannot be created: {code}")]
    Refused {
        /// The topic.
        topic: String,
        /// Why.
        code: RDKafkaErrorCode,
    },
}

/// Creates what is missing and tries until the cluster has answered. `Ok(false)` when `stop` came first.
///
/// A refusal is not the end: the topics may be created by somebody else, and the workers wait for them.
pub(super) async fn ensure(
    pipeline: &Pipeline,
    connection: &KafkaConnection,
    credentials: Option<&KafkaCredentials>,
    guard: &Guard,
    stop: &CancellationToken,
) -> Result<bool, TopicError> {
    let admin: AdminClient<DefaultClientContext> =
        kafka::admin(connection, credentials, "pricepipe-run").create().map_err(TopicError::Client)?;
    let mut topics = pipeline.topics();
    topics.push(pipeline.dead_letter_topic());
    let servers = connection.bootstrap_servers.join(",");
    let mut told = false;
    let created = guard
        .persist(
            stop,
            async || create(&admin, pipeline, &topics).await,
            async || true,
            |error| {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(servers, error = %Failed::because(Exit::Unreachable, error), "cannot create topics; trying again");
                }
            },
        )
        .await;
    Ok(created.is_some())
}

async fn create(
    admin: &AdminClient<DefaultClientContext>,
    pipeline: &Pipeline,
    topics: &[Topic],
) -> Result<(), TopicError> {
    let settings = &pipeline.topic_settings;
    let entries = settings.entries();
    let replicas = i32::try_from(settings.replication_factor).unwrap_or(1);
    let new = topics.iter().map(|topic| {
        let replication = TopicReplication::Fixed(replicas);
        let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
        entries
            .iter()
            .fold(NewTopic::new(topic.name.as_str(), partitions, replication), |new, (key, value)| {
                new.set(key, value)
            })
    });
    let new: Vec<NewTopic<'_>> = new.collect();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
    for result in admin.create_topics(&new, &options).await.map_err(TopicError::Unreachable)? {
        match result {
            Ok(topic) => tracing::info!(topic, "topic created"),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(TopicError::Refused { topic, code }),
        }
    }
    Ok(())
}
