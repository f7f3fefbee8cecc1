//! Where prices go: Kafka. What is accepted here is kept until Kafka has acknowledged it.
//!
//! # Guarantees
//! - Accepting never blocks. When there is no room, or Kafka is away, the caller is told so and skips.
//! - Every accepted message is sent, and sent again with the same content, until Kafka has it, refuses it for good
//!   (too large), or the deadline of [`Sink::close`] passes. Messages of one topic keep their order as far as Kafka
//!   itself lets them: one that came back goes out before newer ones that are still here.
//! - Memory is bounded: by librdkafka's queue, and by the [`Ledger`]'s limits for what came back.
//!
//! The client lives on a thread of its own, since it has to be polled and may block when it ends.

mod reports;
mod tender;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use pricepipe_service::{
    Guard,
    health::{Condition, Heartbeat},
};
use rdkafka::{
    ClientConfig,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord},
};
use tokio::sync::oneshot;

use self::{
    reports::{Reports, Ticket},
    tender::Tender,
};
use crate::{
    events::{Events, SkipReason},
    ledger::{LARGEST, LARGEST_OF_STREAMS, Ledger, Record},
    route::{REPLAY, Route},
};

/// What a sink is made of.
pub(crate) struct SinkParts {
    pub(crate) client: ClientConfig,
    /// The user, for messages about failed authentication.
    pub(crate) username: Option<String>,
    /// Every topic that will be produced to.
    pub(crate) topics: Vec<String>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) condition: Condition,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) events: Arc<Events>,
}

/// Accepts messages for Kafka.
pub(crate) struct Sink {
    shared: Arc<Shared>,
    ended: Option<oneshot::Receiver<Undelivered>>,
}

/// Why a message that can wait was not accepted. It comes back.
pub(crate) enum Full {
    /// Its topic takes no more, since it is not there; others may.
    Topic(Vec<u8>),
    /// Nothing more is accepted.
    All(Vec<u8>),
}

/// What was accepted and not acknowledged at the end.
#[derive(Debug, Default)]
pub(crate) struct Undelivered {
    pub(crate) messages: usize,
    /// How many of which topic, as a text.
    pub(crate) topics: String,
}

/// What the callers, the thread and the client's callbacks share.
struct Shared {
    ledger: Mutex<Ledger>,
    /// `None` while a new client is being made, and after the end.
    client: Mutex<Option<Arc<Client>>>,
    signals: Mutex<Signals>,
    guard: Arc<Guard>,
    events: Arc<Events>,
    username: Option<String>,
}

type Client = BaseProducer<Reports>;

/// What the callbacks tell the thread.
#[derive(Default)]
struct Signals {
    /// A message came back since the last look.
    came_back: bool,
    /// A message was acknowledged since the last look.
    delivered: bool,
    /// What the client last complained of, with its code; an acknowledgement settles it.
    complaint: Option<(RDKafkaErrorCode, String)>,
    /// The end has begun and may last until then.
    closing: Option<Instant>,
}

impl Sink {
    /// Connects in the background. Fails only for settings that librdkafka does not take.
    pub(crate) fn start(parts: SinkParts) -> Result<Sink, KafkaError> {
        let shared = Arc::new(Shared {
            ledger: Mutex::new(Ledger::new(Instant::now())),
            client: Mutex::default(),
            signals: Mutex::default(),
            guard: parts.guard,
            events: parts.events,
            username: parts.username,
        });
        let mut tender = Tender::new(&shared, parts.client, parts.topics, parts.condition, parts.heartbeat)?;
        let (end, ended) = oneshot::channel();
        thread::spawn(move || {
            let _ = end.send(tender.run());
        });
        Ok(Sink { shared, ended: Some(ended) })
    }

    /// Why a slot with so many messages had better be skipped.
    pub(crate) fn refuses(&self, messages: usize) -> Option<SkipReason> {
        if self.shared.guard.wait().is_some() {
            Some(SkipReason::KafkaUnavailable)
        } else if !self.shared.ledger().has_room(messages) {
            Some(SkipReason::KafkaQueueFull)
        } else {
            None
        }
    }

    /// Accepts a message, or says that there is no room for it.
    pub(crate) fn offer(&self, route: &Arc<Route>, payload: Vec<u8>) -> Result<(), SkipReason> {
        self.accept(route, payload, LARGEST).map_err(|_| {
            self.shared.events.refused(route);
            SkipReason::KafkaQueueFull
        })
    }

    /// The same for a message of a stream, which can wait: it comes back when there is no room, and nobody is told. Streams
    /// leave the room of a burst to others, and rest while Kafka is away.
    pub(crate) fn try_offer(&self, route: &Arc<Route>, payload: Vec<u8>) -> Result<(), Full> {
        if self.shared.guard.wait().is_some() {
            return Err(Full::All(payload));
        }
        self.accept(route, payload, LARGEST_OF_STREAMS)
    }

    /// Accepts a message unless so many are unacknowledged, or it comes back.
    fn accept(&self, route: &Arc<Route>, payload: Vec<u8>, most: usize) -> Result<(), Full> {
        let topic = route.topic.as_str();
        let mut ledger = self.shared.ledger();
        if ledger.is_full(topic) {
            return Err(Full::Topic(payload));
        }
        if ledger.len() >= most {
            return Err(Full::All(payload));
        }
        let accepted = Instant::now();
        let record = Record { number: ledger.accept(accepted), accepted, route: route.clone(), payload };
        let client = self.shared.client().clone();
        let Some(client) = client.filter(|_| !ledger.holds(topic)) else {
            ledger.hold(record);
            return Ok(());
        };
        drop(ledger);
        self.shared.send(&client, record).map_err(|record| {
            self.shared.ledger().forget(record.number);
            Full::All(record.payload)
        })
    }

    /// Delivers what was accepted, for at most `patience`, and says what was not.
    pub(crate) async fn close(mut self, patience: Duration) -> Undelivered {
        self.shared.signals().closing = Some(Instant::now() + patience);
        match self.ended.take() {
            Some(ended) => ended.await.unwrap_or_else(|_| Undelivered {
                messages: self.shared.ledger().len(),
                topics: "the sink's thread ended early".to_owned(),
            }),
            None => Undelivered::default(),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.signals().closing.get_or_insert_with(Instant::now);
    }
}

fn replay_header(start: &str) -> OwnedHeaders {
    OwnedHeaders::new_with_capacity(1).insert(Header { key: REPLAY, value: Some(start) })
}

impl Shared {
    /// Hands a message to the client. It comes back when the client's queue is full.
    fn send(&self, client: &Client, record: Record) -> Result<(), Record> {
        let ticket = Ticket { number: record.number, accepted: record.accepted, route: record.route.clone() };
        let message = BaseRecord::with_opaque_to(record.route.topic.as_str(), Box::new(ticket))
            .key(&record.route.key)
            .payload(&record.payload);
        let message = match &record.route.replay {
            None => message,
            Some(start) => message.headers(replay_header(start)),
        };
        match client.send(message).map_err(|(error, _)| error) {
            Ok(()) => Ok(()),
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => Err(record),
            Err(error) => {
                self.came_back(record, &error);
                Ok(())
            }
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client(&self) -> MutexGuard<'_, Option<Arc<Client>>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signals(&self) -> MutexGuard<'_, Signals> {
        self.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
