//! Where consumer groups are, asked by a client that joins none. Network I/O.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    client::Client,
    consumer::{BaseConsumer, Consumer, DefaultConsumerContext},
    error::RDKafkaErrorCode,
};

use super::native::{self, AskError, Notice, Offsets};

/// Between two attempts to find a group's coordinator.
const PAUSE: Duration = Duration::from_millis(200);

/// The client that asks about groups. It is made with the first question, and another one when the coordinator of a
/// group has moved.
pub struct Groups {
    settings: ClientConfig,
    client: Mutex<Option<Arc<BaseConsumer>>>,
}

impl Groups {
    /// Nothing is connected yet. `settings` are those of [`super::group_admin`]; for [`Groups::notices`] they have to
    /// hold [`native::ERRORS_AS_EVENTS`] as well.
    pub fn new(settings: ClientConfig) -> Self {
        Groups { settings, client: Mutex::default() }
    }

    /// The offsets that a group has committed. Blocks for as long as `patience`, and tries again for so long while the
    /// group's coordinator is being found.
    pub fn committed_offsets(&self, group: &str, patience: Duration) -> Result<Offsets, AskError> {
        let start = Instant::now();
        loop {
            let client = self.client()?;
            let left = patience.saturating_sub(start.elapsed());
            let asked = native::committed_offsets(&client, group, left);
            let Err(error) = &asked else { return asked };
            let again = is_about_coordinator(error) && start.elapsed() + PAUSE < patience;
            self.replace(client);
            if !again {
                return asked;
            }
            thread::sleep(PAUSE);
        }
    }

    /// What the client has met since it was last asked.
    pub fn notices(&self) -> Vec<Notice> {
        let client = self.lock().clone();
        let said = |client: Arc<BaseConsumer>| {
            let client: &Client<DefaultConsumerContext> = client.client();
            native::notices(client)
        };
        client.map(said).unwrap_or_default()
    }

    fn client(&self) -> Result<Arc<BaseConsumer>, AskError> {
        let mut client = self.lock();
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let made = Arc::new(self.settings.create().map_err(AskError::Client)?);
        Ok(client.insert(made).clone())
    }

    /// A client that is asked more often than every 15 minutes never looks again where a group's coordinator is, even
    /// when the one that it knows is away or says that it no longer is (librdkafka 2.12.1). Another client does.
    fn replace(&self, old: Arc<BaseConsumer>) {
        self.lock().take_if(|client| Arc::ptr_eq(client, &old));
        // Its end waits for its threads.
        thread::spawn(move || drop(old));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<BaseConsumer>>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
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
        let groups = Groups::new(super::super::group_admin(&connection, None, "test", "asks"));
        let first = groups.client().unwrap();
        let moved = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
        cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[moved]);
        let patience = Duration::from_secs(10);
        assert_eq!(groups.committed_offsets("asked", patience).unwrap(), Offsets::new());
        let second = groups.client().unwrap();
        assert!(!Arc::ptr_eq(&first, &second));
        assert_eq!(groups.committed_offsets("asked", patience).unwrap(), Offsets::new());
        assert!(Arc::ptr_eq(&second, &groups.client().unwrap()), "one that works is kept");
    }
}
