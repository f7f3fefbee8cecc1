//! Creates the pipeline's topics in a real Kafka cluster. Topics that exist are left as they are.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    pin::pin,
    time::{Duration, Instant},
};

use pricepipe_core::{
    config::{KafkaConnection, KafkaCredentials},
    pipeline::{Pipeline, Topic},
};
use pricepipe_service::{
    Guard,
    health::Condition,
    kafka::{
        self,
        native::{ERRORS_AS_EVENTS, Notice, notices},
    },
};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode},
};
use tokio_util::sync::CancellationToken;

const PATIENCE: Duration = Duration::from_secs(5);
/// How often the client is asked what it has to complain of.
const LISTEN_EVERY: Duration = Duration::from_millis(250);
/// Trouble of one kind is told again after this long.
const REPEAT: Duration = Duration::from_secs(30);

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

/// A cluster, and what is told of it while it is not at hand.
pub(super) struct Cluster<'a> {
    admin: AdminClient<DefaultClientContext>,
    servers: String,
    credentials: Option<&'a KafkaCredentials>,
    condition: &'a Condition,
    told: RefCell<BTreeMap<i32, Instant>>,
}

impl<'a> Cluster<'a> {
    /// Begins to connect.
    pub(super) fn of(
        connection: &KafkaConnection,
        credentials: Option<&'a KafkaCredentials>,
        condition: &'a Condition,
    ) -> Result<Self, TopicError> {
        let mut config = kafka::admin(connection, credentials, "pricepipe-run");
        config.set(ERRORS_AS_EVENTS.0, ERRORS_AS_EVENTS.1);
        let admin = config.create().map_err(TopicError::Client)?;
        let servers = connection.bootstrap_servers.join(",");
        condition.not_ready(format!("connecting to {servers}"));
        Ok(Cluster { admin, servers, credentials, condition, told: RefCell::default() })
    }

    /// Waits for an answer, and tells meanwhile what the client complains of.
    async fn listening<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        loop {
            tokio::select! {
                answer = &mut answer => return answer,
                () = tokio::time::sleep(LISTEN_EVERY) => self.listen(),
            }
        }
    }

    fn listen(&self) {
        let said = notices(self.admin.inner());
        // That all brokers are down says nothing of the reason.
        let reason = said.iter().rfind(|notice| notice.code != RDKafkaErrorCode::AllBrokersDown);
        if let Some(notice) = reason {
            self.tell(notice.code, &self.words(notice));
        }
    }

    fn tell(&self, code: RDKafkaErrorCode, reason: &str) {
        self.condition.not_ready(reason);
        let mut told = self.told.borrow_mut();
        if told.get(&(code as i32)).is_none_or(|at| at.elapsed() >= REPEAT) {
            told.insert(code as i32, Instant::now());
            tracing::warn!("Kafka is not reached: {reason}; trying again");
        }
    }

    fn words(&self, notice: &Notice) -> String {
        let text = kafka::words(&notice.text, self.credentials);
        match (notice.code, self.credentials) {
            (
                RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed,
                Some(credentials),
            ) => {
                format!("user {:?} is refused: {text}", credentials.username)
            }
            _ => text,
        }
    }

    fn failed(&self, error: &TopicError) {
        self.listen();
        match error {
            // The client's own complaint, if it had one, says more.
            TopicError::Unreachable(cause) if self.told.borrow().is_empty() => {
                let code = cause.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                self.tell(code, &format!("{} gives no answer ({cause})", self.servers));
            }
            TopicError::Refused { code, .. } => self.tell(*code, &error.to_string()),
            TopicError::Unreachable(_) | TopicError::Client(_) => {}
        }
    }
}

/// Creates what is missing and tries until the cluster has answered. False when `stop` came first.
///
/// A refusal is told and tried again: the topics may be created by somebody else.
pub(super) async fn ensure(
    pipeline: &Pipeline,
    cluster: &Cluster<'_>,
    guard: &Guard,
    stop: &CancellationToken,
) -> bool {
    let topics = pipeline.all_topics();
    let work = async || cluster.listening(create(&cluster.admin, pipeline, &topics)).await;
    let created = guard.persist(stop, work, async || true, |error| cluster.failed(error));
    // An attempt that is under way need not be waited for.
    stop.run_until_cancelled(created).await.flatten().is_some()
}

async fn create(
    admin: &AdminClient<DefaultClientContext>,
    pipeline: &Pipeline,
    topics: &[Topic],
) -> Result<(), TopicError> {
    let settings = &pipeline.topic_settings;
    let replicas = i32::try_from(settings.replication_factor).unwrap_or(1);
    let entries: Vec<_> = topics.iter().map(|topic| settings.entries(topic.compacted)).collect();
    let new = topics.iter().zip(&entries).map(|(topic, entries)| {
        let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
        let bare = NewTopic::new(topic.name.as_str(), partitions, TopicReplication::Fixed(replicas));
        entries.iter().fold(bare, |topic, (key, value)| topic.set(key, value))
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
