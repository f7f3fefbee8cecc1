//! librdkafka's handles for one cluster and user. Network I/O.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use pricepipe_core::config::{KafkaConnection, KafkaCredentials};
use pricepipe_service::kafka::{
    self,
    native::{self, AskError, ERRORS_AS_EVENTS, Notice, Offsets},
};
use rdkafka::{
    ClientConfig,
    admin::AdminClient,
    client::{Client, DefaultClientContext},
    consumer::{BaseConsumer, Consumer, DefaultConsumerContext},
    error::{KafkaError as ClientError, RDKafkaErrorCode},
};

const CLIENT_ID: &str = "pricepipe-controller";

/// In name only: nobody joins it. Whoever may describe the pipelines' groups, `pricepipe.*`, may describe this one.
const GROUP: &str = "pricepipe.controller";

/// Between two attempts to find a group's coordinator.
const PAUSE: Duration = Duration::from_millis(200);

/// The client for topics, and the one for groups once a group was asked about.
pub(super) struct Handles {
    topics: AdminClient<DefaultClientContext>,
    groups: Mutex<Option<Arc<BaseConsumer>>>,
    group_settings: ClientConfig,
}

impl Handles {
    /// `ca_pem`: the text of the certificates to trust instead of the system's.
    pub(super) fn new(
        connection: &KafkaConnection,
        credentials: Option<&KafkaCredentials>,
        ca_pem: Option<&str>,
    ) -> Result<Handles, ClientError> {
        let complete = |mut config: ClientConfig| {
            config.set(ERRORS_AS_EVENTS.0, ERRORS_AS_EVENTS.1);
            if let Some(pem) = ca_pem {
                config.set("ssl.ca.pem", pem);
            }
            config
        };
        Ok(Handles {
            topics: complete(kafka::admin(connection, credentials, CLIENT_ID)).create()?,
            groups: Mutex::default(),
            group_settings: complete(kafka::group_admin(connection, credentials, CLIENT_ID, GROUP)),
        })
    }

    pub(super) fn admin(&self) -> &AdminClient<DefaultClientContext> {
        &self.topics
    }

    /// For questions about topics.
    pub(super) fn topics(&self) -> &Client<DefaultClientContext> {
        self.topics.inner()
    }

    /// The offsets that a group has committed. Blocks for as long as `patience`, and tries again for so long while the
    /// group's coordinator is being found.
    pub(super) fn committed_offsets(&self, group: &str, patience: Duration) -> Result<Offsets, AskError> {
        let start = Instant::now();
        loop {
            let groups = self.groups()?;
            let left = patience.saturating_sub(start.elapsed());
            let asked = native::committed_offsets(&groups, group, left);
            let Err(error) = &asked else { return asked };
            let again = is_about_coordinator(error) && start.elapsed() + PAUSE < patience;
            self.replace(groups);
            if !again {
                return asked;
            }
            thread::sleep(PAUSE);
        }
    }

    /// What both clients have met since they were last asked.
    pub(super) fn notices(&self) -> impl Iterator<Item = Notice> {
        let groups = self.lock().clone();
        let about_groups = groups.map(|groups| {
            let client: &Client<DefaultConsumerContext> = groups.client();
            native::notices(client)
        });
        native::notices(self.topics()).into_iter().chain(about_groups.unwrap_or_default())
    }

    fn groups(&self) -> Result<Arc<BaseConsumer>, AskError> {
        let mut groups = self.lock();
        if let Some(groups) = &*groups {
            return Ok(groups.clone());
        }
        let made = Arc::new(self.group_settings.create().map_err(AskError::Client)?);
        Ok(groups.insert(made).clone())
    }

    /// A client that is asked more often than every 15 minutes never looks again where a group's coordinator is, even
    /// when the one that it knows is away or says that it no longer is (librdkafka 2.12.1). Another client does.
    fn replace(&self, old: Arc<BaseConsumer>) {
        self.lock().take_if(|groups| Arc::ptr_eq(groups, &old));
        // Its end waits for its threads.
        thread::spawn(move || drop(old));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<BaseConsumer>>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_about_coordinator(error: &AskError) -> bool {
    use RDKafkaErrorCode::{CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator};
    let codes = [CoordinatorLoadInProgress, CoordinatorNotAvailable, NotCoordinator];
    matches!(error, AskError::Failed { code, .. } if codes.contains(code))
}

#[cfg(test)]
mod tests {
    use pricepipe_core::config::KafkaConnection;
    use rdkafka::{
        mocking::MockCluster,
        types::{RDKafkaApiKey, RDKafkaRespErr},
    };

    use super::*;

    #[test]
    fn a_coordinator_that_has_moved_is_looked_for_by_another_client() {
        let cluster = MockCluster::new(1).unwrap();
        let connection = KafkaConnection {
            bootstrap_servers: vec![cluster.bootstrap_servers()],
            ..KafkaConnection::default()
        };
        let handles = Handles::new(&connection, None, None).unwrap();
        let first = handles.groups().unwrap();
        let moved = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
        cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[moved]);
        let patience = Duration::from_secs(10);
        assert_eq!(handles.committed_offsets("asked", patience).unwrap(), Offsets::new());
        let second = handles.groups().unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!(handles.committed_offsets("asked", patience).unwrap(), Offsets::new());
        assert!(Arc::ptr_eq(&second, &handles.groups().unwrap()), "one that works is kept");
    }
}
