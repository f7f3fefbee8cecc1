//! Where consumer groups are, asked by clients that join none. Network I/O.
//!
//! A client asks about the group that it has in its name, and joins it not. One admin client could ask about all groups;
//! librdkafka ends the process, however, when a broker goes away while it is asked that way (seen with 2.12.1).

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, TopicPartitionList,
    client::Client,
    consumer::{BaseConsumer, Consumer, DefaultConsumerContext},
    error::{KafkaError, RDKafkaErrorCode},
    topic_partition_list::TopicPartitionListElem,
};

use super::native::{self, AskError, Notice, Offsets};

/// Between two attempts to find a group's coordinator.
const PAUSE: Duration = Duration::from_millis(200);
/// So many clients are kept for groups that are asked about again and again. Each has threads and connections.
const KEPT: usize = 4;

/// The clients that ask about groups. One is made with the first question about a group, and another one when a question
/// has failed.
pub struct Groups {
    settings: ClientConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By their groups, the one that was asked last at the end.
    clients: VecDeque<(String, BaseConsumer)>,
    /// What those have met that are closed.
    met: Vec<Notice>,
}

impl Groups {
    /// Nothing is connected yet. `settings` are those of [`super::admin`]; for [`Groups::notices`] they have to hold
    /// [`native::ERRORS_AS_EVENTS`] as well.
    pub fn new(settings: ClientConfig) -> Self {
        Groups { settings, state: Mutex::default() }
    }

    /// The offsets that a group has committed of these partitions. Blocks for as long as `patience`, and tries again for
    /// so long while the group's coordinator is being found.
    pub fn committed_offsets(
        &self,
        group: &str,
        partitions: &[(String, i32)],
        patience: Duration,
    ) -> Result<Offsets, AskError> {
        let start = Instant::now();
        loop {
            let client = self.take(group)?;
            let left = patience.saturating_sub(start.elapsed());
            let error = match committed(&client, partitions, left) {
                Ok(offsets) => {
                    self.keep(group, client);
                    return Ok(offsets);
                }
                Err(error) => error,
            };
            self.close(client);
            if !is_about_coordinator(&error) || start.elapsed() + PAUSE >= patience {
                return Err(error);
            }
            thread::sleep(PAUSE);
        }
    }

    /// What the clients have met since that was last asked.
    pub fn notices(&self) -> Vec<Notice> {
        let mut state = self.lock();
        let mut met = std::mem::take(&mut state.met);
        met.extend(state.clients.iter().flat_map(|(_, client)| notices(client)));
        met
    }

    /// The client of a group, which is asked by nobody else meanwhile.
    fn take(&self, group: &str) -> Result<BaseConsumer, AskError> {
        let mut state = self.lock();
        let place = state.clients.iter().position(|(kept, _)| kept == group);
        if let Some((_, client)) = place.and_then(|place| state.clients.remove(place)) {
            return Ok(client);
        }
        let mut settings = self.settings.clone();
        settings.set("group.id", group).set("enable.auto.commit", "false");
        settings.create().map_err(AskError::Client)
    }

    fn keep(&self, group: &str, client: BaseConsumer) {
        let mut state = self.lock();
        state.clients.push_back((group.to_owned(), client));
        let too_many = if state.clients.len() > KEPT { state.clients.pop_front() } else { None };
        drop(state);
        if let Some((_, client)) = too_many {
            self.close(client);
        }
    }

    fn close(&self, client: BaseConsumer) {
        self.lock().met.extend(notices(&client));
        // Its end waits for its threads.
        thread::spawn(move || drop(client));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn notices(client: &BaseConsumer) -> Vec<Notice> {
    let client: &Client<DefaultConsumerContext> = client.client();
    native::notices(client)
}

fn committed(
    client: &BaseConsumer,
    partitions: &[(String, i32)],
    patience: Duration,
) -> Result<Offsets, AskError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    let list = client.committed_offsets(list, patience).map_err(|error| failed(&error))?;
    let offset = |element: &TopicPartitionListElem<'_>| {
        element.error().map_err(|error| failed(&error))?;
        let place = (element.topic().to_owned(), element.partition());
        Ok(element.offset().to_raw().filter(|offset| *offset >= 0).map(|offset| (place, offset)))
    };
    list.elements().iter().filter_map(|element| offset(element).transpose()).collect()
}

fn failed(error: &KafkaError) -> AskError {
    match error.rdkafka_error_code() {
        None | Some(RDKafkaErrorCode::OperationTimedOut) => AskError::NoAnswer,
        Some(code) => AskError::Failed { code, text: "the offsets of a group cannot be read".to_owned() },
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
        producer::DefaultProducerContext,
        types::{RDKafkaApiKey, RDKafkaRespErr},
    };

    use super::*;

    fn groups(cluster: &MockCluster<'_, DefaultProducerContext>) -> Groups {
        let bootstrap_servers = vec![cluster.bootstrap_servers()];
        let connection = KafkaConnection { bootstrap_servers, ..KafkaConnection::default() };
        cluster.create_topic("btc", 1, 1).unwrap();
        Groups::new(super::super::admin(&connection, None, "test"))
    }

    fn first_partition() -> [(String, i32); 1] {
        [("btc".to_owned(), 0)]
    }

    #[test]
    fn a_coordinator_that_has_moved_is_looked_for_by_another_client() {
        let cluster = MockCluster::new(1).unwrap();
        let groups = groups(&cluster);
        let moved = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
        cluster.request_errors(RDKafkaApiKey::OffsetFetch, &[moved]);
        let ask = || groups.committed_offsets("asked", &first_partition(), Duration::from_secs(10));
        assert_eq!(ask().unwrap(), Offsets::new());
        assert_eq!(ask().unwrap(), Offsets::new());
    }

    #[test]
    fn a_few_clients_are_kept_those_of_the_groups_that_were_asked_about_last() {
        let cluster = MockCluster::new(1).unwrap();
        let groups = groups(&cluster);
        for group in ["a", "b", "c", "d", "e", "c", "e"] {
            groups.committed_offsets(group, &first_partition(), Duration::from_secs(10)).unwrap();
        }
        let kept: Vec<String> = groups.lock().clients.iter().map(|(group, _)| group.clone()).collect();
        assert_eq!(kept, ["b", "d", "c", "e"]);
    }

    #[test]
    fn connections_that_break_end_nothing_but_the_question() {
        let cluster = MockCluster::new(1).unwrap();
        let groups = groups(&cluster);
        let (patience, end) = (Duration::from_millis(500), Instant::now() + Duration::from_secs(3));
        let ask = |group: usize| {
            let name = format!("asked-{group}");
            let ask = || groups.committed_offsets(&name, &first_partition(), patience).is_ok();
            std::iter::repeat_with(ask)
                .take_while(|_| Instant::now() < end)
                .filter(|answered| *answered)
                .count()
        };
        let answered = thread::scope(|scope| {
            let ask = &ask;
            let asking: Vec<_> = (0..8).map(|group| scope.spawn(move || ask(group))).collect();
            // Each of these requests is answered by hanging up.
            let hang_up = [RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT];
            while Instant::now() < end {
                cluster.request_errors(RDKafkaApiKey::OffsetFetch, &hang_up);
                cluster.request_errors(RDKafkaApiKey::FindCoordinator, &hang_up);
                thread::sleep(Duration::from_millis(20));
            }
            asking.into_iter().map(|asked| asked.join().unwrap()).sum::<usize>()
        });
        assert!(answered > 0);
    }
}
