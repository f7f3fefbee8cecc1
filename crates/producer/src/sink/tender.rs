//! The sink's thread: polls the client, sends again what came back, replaces a client that failed for good, and
//! says how Kafka is.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use pricepipe_core::BreakerState;
use pricepipe_service::health::{Condition, Heartbeat};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    producer::Producer,
};

use super::{
    Client, Shared, Undelivered,
    reports::{Reports, in_words},
};
use crate::{announcer::Announcer, ledger::Record};

const TICK: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(100);
/// Nothing acknowledged for so long while something waits: a failure, counted at every tick.
const STALLED: Duration = Duration::from_secs(5);
const METADATA_PATIENCE: Duration = Duration::from_secs(1);
/// The most topics that are looked up in one tick, so that a tick stays short.
const LOOKUPS: usize = 20;

pub(super) struct Tender {
    shared: Arc<Shared>,
    config: ClientConfig,
    announcer: Announcer<Trouble>,
    heartbeat: Heartbeat,
    /// The topic that is looked up to see whether a broker answers.
    first_topic: Option<String>,
    /// Topics that were not found yet, and those that have not been looked up, with the reason once there is one.
    unseen: BTreeMap<String, Option<String>>,
    connected: bool,
    /// A client that failed for good is not replaced before.
    replace_at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Connecting,
    Complaint(RDKafkaErrorCode),
    Stalled,
    Topics,
}

impl Tender {
    pub(super) fn new(
        shared: &Arc<Shared>,
        config: ClientConfig,
        topics: Vec<String>,
        condition: Condition,
        heartbeat: Heartbeat,
    ) -> Result<Self, KafkaError> {
        let tender = Tender {
            shared: shared.clone(),
            config,
            announcer: Announcer::new(condition, "Kafka: "),
            heartbeat,
            first_topic: topics.first().cloned(),
            unseen: topics.into_iter().map(|topic| (topic, None)).collect(),
            connected: false,
            replace_at: Instant::now(),
        };
        *shared.client() = Some(tender.make_client()?);
        Ok(tender)
    }

    /// Runs until the sink is closed and everything is delivered, or the deadline has passed.
    pub(super) fn run(&mut self) -> Undelivered {
        let mut next_tick = Instant::now();
        loop {
            let closing = self.shared.signals().closing;
            if let Some(client) = self.client() {
                client.poll(if closing.is_some() { POLL / 10 } else { POLL });
            } else {
                thread::sleep(POLL);
            }
            if closing.is_some_and(|deadline| self.shared.ledger().len() == 0 || deadline <= Instant::now()) {
                return self.end();
            }
            if next_tick <= Instant::now() {
                self.tick();
                next_tick = Instant::now() + TICK;
            }
        }
    }

    fn tick(&mut self) {
        self.heartbeat.beat();
        self.replace_failed_client();
        self.look_for_topics();
        self.send_again();
        if let Some(client) = self.client() {
            // A lookup that failed has left the reason among the client's events.
            client.poll(POLL / 10);
        }
        self.judge();
    }

    /// An idempotent client that lost track of its own sequence refuses all further work; a new one begins afresh.
    /// What the old one had not delivered is sent again, with the same ids.
    fn replace_failed_client(&mut self) {
        let Some(old) = self.client() else { return };
        let Some((code, reason)) = old.client().fatal_error() else { return };
        if Instant::now() < self.replace_at {
            return;
        }
        match self.make_client() {
            Ok(new) => {
                tracing::error!(%code, reason, "the Kafka client failed for good; a new one takes over");
                // Messages are held back until the old client has given up its own, which are older.
                *self.shared.client() = None;
                discard(old);
                *self.shared.client() = Some(new);
            }
            Err(error) => tracing::error!(%error, "the Kafka client failed for good; no new one can be made"),
        }
        self.replace_at = Instant::now() + self.shared.guard.failed();
        self.connected = false;
    }

    /// Looks topics up that were never seen or whose messages came back. It also opens the first connection.
    fn look_for_topics(&mut self) {
        let Some(client) = self.client() else { return };
        for topic in self.shared.ledger().held_topics() {
            self.unseen.entry(topic).or_insert(None);
        }
        if self.complains_of_everything() {
            self.connected = false;
        }
        let mut topics: BTreeSet<String> = self.unseen.keys().take(LOOKUPS).cloned().collect();
        if !self.connected && topics.is_empty() {
            topics.extend(self.first_topic.clone());
        }
        for topic in topics {
            match look_up(&client, &topic) {
                Ok(problem) => {
                    self.connected = true;
                    self.shared.signals().complaint.take_if(|(code, _)| is_of_everything(*code));
                    match problem {
                        Some(problem) => self.unseen.insert(topic, Some(problem)),
                        None => self.unseen.remove(&topic),
                    };
                }
                Err(error) => {
                    tracing::debug!(%error, topic, "no metadata");
                    break;
                }
            }
        }
        let missing = self.unseen.iter().filter(|(_, problem)| problem.is_some());
        self.shared.ledger().set_missing(missing.map(|(topic, _)| topic.clone()).collect());
    }

    /// Sends what came back, and what was accepted behind it meanwhile. What comes back at once or cannot be sent waits for the
    /// next tick: by that it does not become less.
    fn send_again(&mut self) {
        let Some(client) = self.client() else { return };
        let mut before = usize::MAX;
        loop {
            let held = self.shared.ledger().take_held();
            let less = held.len() < before;
            before = held.len();
            self.send_held(&client, held);
            if !less || before == 0 {
                return;
            }
        }
    }

    fn send_held(&self, client: &Client, held: Vec<Record>) {
        let mut full = false;
        for record in held {
            let topic = record.route.topic.clone();
            let is_there = !self.unseen.contains_key(topic.as_str());
            let back = if full || !is_there { Err(record) } else { self.shared.send(client, record) };
            match back {
                Ok(()) => self.shared.ledger().sent_again(topic.as_str()),
                Err(record) => {
                    full |= is_there;
                    self.shared.ledger().put_back(record);
                }
            }
        }
    }

    /// Tells the breaker and the readiness condition how Kafka is.
    fn judge(&mut self) {
        let mut signals = self.shared.signals();
        let (delivered, came_back) = (mem::take(&mut signals.delivered), mem::take(&mut signals.came_back));
        let complaint = signals.complaint.clone();
        drop(signals);
        let stalled = self.shared.ledger().is_stalled(STALLED, Instant::now());
        if !delivered && (came_back || stalled) {
            self.shared.guard.failed();
        }
        let away = stalled || self.shared.guard.state() != BreakerState::Closed;
        if away || !self.connected {
            let (trouble, text) = match complaint {
                Some((code, text)) => (Trouble::Complaint(code), text),
                None if away => (Trouble::Stalled, "nothing is acknowledged".to_owned()),
                None => (Trouble::Connecting, "no broker answers yet".to_owned()),
            };
            self.announcer.trouble(trouble, &text);
        } else if let Some((topic, problem)) = self.unseen.iter().find_map(|(t, p)| Some((t, p.as_ref()?))) {
            self.announcer.trouble(Trouble::Topics, &format!("topic {topic}: {problem}"));
        } else {
            self.announcer.fine();
        }
    }

    /// Ends the client. What it gives up by that is counted as undelivered.
    fn end(&mut self) -> Undelivered {
        self.heartbeat.end();
        let client = self.shared.client().take();
        if let Some(client) = client {
            discard(client);
        }
        let mut ledger = self.shared.ledger();
        let messages = ledger.len();
        let mut topics: BTreeMap<String, usize> = BTreeMap::new();
        for record in ledger.take_held() {
            *topics.entry(record.route.topic.to_string()).or_default() += 1;
        }
        let topics: Vec<String> = topics.iter().map(|(topic, count)| format!("{count} of {topic}")).collect();
        Undelivered { messages, topics: topics.join(", ") }
    }

    fn complains_of_everything(&self) -> bool {
        self.shared.signals().complaint.as_ref().is_some_and(|(code, _)| is_of_everything(*code))
    }

    fn make_client(&self) -> Result<Arc<Client>, KafkaError> {
        Ok(Arc::new(self.config.create_with_context(Reports(self.shared.clone()))?))
    }

    fn client(&self) -> Option<Arc<Client>> {
        self.shared.client().clone()
    }
}

/// Drops a client once nobody uses it any more; its messages come back by that, through its callbacks.
fn discard(mut client: Arc<Client>) {
    loop {
        match Arc::try_unwrap(client) {
            Ok(client) => return drop(client),
            Err(shared) => client = shared,
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// `Ok(None)` when the topic is there, `Ok(Some(problem))` when a broker says otherwise.
fn look_up(client: &Client, topic: &str) -> Result<Option<String>, KafkaError> {
    let metadata = client.client().fetch_metadata(Some(topic), METADATA_PATIENCE)?;
    let error = metadata.topics().iter().find(|t| t.name() == topic).and_then(|t| t.error());
    Ok(error.map(|error| in_words(error.into())))
}

/// Complaints that are of the whole cluster, not of one broker or topic.
fn is_of_everything(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::*;
    matches!(code, AllBrokersDown | Authentication | SSL)
}
