//! How far an earlier replay came: its last message in Kafka, found by its header from the end of the topic backwards. Network
//! I/O; blocks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use pricepipe_core::{
    KlineInterval, PriceMessage,
    identity::{self, Event},
    message,
};
use rdkafka::{
    ClientConfig, Message,
    consumer::BaseConsumer,
    error::KafkaError,
    message::{BorrowedMessage, Headers},
};
use tokio_util::sync::CancellationToken;

use super::course::Position;
use crate::{
    route::{REPLAY, Route},
    tail::Tail,
};

const PATIENCE: Duration = Duration::from_secs(10);
/// So many messages of each partition are looked at in one go, the newest first …
const CHUNK: i64 = 10_000;
/// … and at most so many of all. What lies further back is asked for again, and stored once as ever.
const FURTHEST: i64 = 500_000;

/// What is looked for: the last message of each market, by its Kafka key.
pub(crate) struct Wanted {
    /// The settings of a client that reads.
    pub(crate) client: ClientConfig,
    /// The routes of the replay.
    pub(crate) routes: Vec<Arc<Route>>,
    /// The interval of its candles; without it, trades.
    pub(crate) interval: Option<KlineInterval>,
    pub(crate) stop: CancellationToken,
}

/// The last messages that were found, by Kafka key.
pub(crate) type Found = HashMap<String, Position>;

impl Wanted {
    /// Looks for them. What was never replayed is not found.
    pub(crate) fn find(&self) -> Result<Found, KafkaError> {
        let consumer: BaseConsumer = self.client.create()?;
        let mut topics: BTreeMap<&str, usize> = BTreeMap::new();
        for route in &self.routes {
            *topics.entry(route.topic.as_str()).or_default() += 1;
        }
        let mut found = Found::new();
        for (topic, markets) in topics {
            found.extend(self.find_in(&consumer, topic, markets)?);
        }
        Ok(found)
    }

    /// Looks through a topic, from its end backwards, until so many markets are found.
    fn find_in(&self, consumer: &BaseConsumer, topic: &str, markets: usize) -> Result<Found, KafkaError> {
        let Some(mut tail) = Tail::of(consumer, topic, PATIENCE, &self.stop)? else {
            return Ok(Found::new());
        };
        let (mut found, mut looked_at) = (Found::new(), 0);
        while looked_at < FURTHEST && found.len() < markets {
            let mut last = Found::new();
            let more = tail.read_back(CHUNK, |message| {
                let (key, position) = self.position(message)?;
                last.insert(key, position);
                Some(())
            })?;
            if !more {
                break;
            }
            // What was found before lies behind all of this.
            for (key, position) in last {
                found.entry(key).or_insert(position);
            }
            looked_at += CHUNK;
        }
        Ok(found)
    }

    /// What a message of this replay says of how far it was; `None` for every other message.
    fn position(&self, message: &BorrowedMessage<'_>) -> Option<(String, Position)> {
        let key = std::str::from_utf8(message.key()?).ok()?;
        let route = self.routes.iter().find(|route| route.key == key)?;
        let header = message.headers()?.iter().find(|header| header.key == REPLAY)?;
        if header.value != route.replay.as_deref().map(str::as_bytes) {
            return None;
        }
        let place = message::Position {
            topic_id: None,
            partition: message.partition(),
            offset: message.offset(),
            timestamp: None,
        };
        let read = PriceMessage::decode(message.payload(), place).ok()?;
        let event = identity::parse(key, &read.id)?;
        let ours = match (event, self.interval) {
            (Event::Trade(_), None) => true,
            (Event::Kline(interval, _), Some(wanted)) => interval == wanted,
            _ => false,
        };
        ours.then(|| (key.to_owned(), (event, read.time)))
    }
}
