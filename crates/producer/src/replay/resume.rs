//! How far an earlier replay came: its last message in Kafka, found by its header from the end of the topic backwards. Network
//! I/O; blocks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use pricepipe_core::{
    KlineInterval, PriceMessage,
    identity::{self, Event},
    message,
};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
};
use tokio_util::sync::CancellationToken;

use super::course::Position;
use crate::route::{REPLAY, Route};

const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(100);
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

/// Offsets by partition: from, and up to.
type Ranges = BTreeMap<i32, (i64, i64)>;

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
        let mut left = partitions(consumer, topic)?;
        let (mut found, mut looked_at) = (Found::new(), 0);
        while looked_at < FURTHEST && found.len() < markets && !self.stop.is_cancelled() {
            left.retain(|_, (oldest, end)| *oldest < *end);
            if left.is_empty() {
                break;
            }
            let chunk = |(&partition, &(oldest, end)): (&i32, &(i64, i64))| {
                (partition, ((end - CHUNK).max(oldest), end))
            };
            let ranges: Ranges = left.iter().map(chunk).collect();
            // What was found before lies behind all of this.
            for (key, position) in self.read(consumer, topic, &ranges)? {
                found.entry(key).or_insert(position);
            }
            for (partition, (start, _)) in ranges {
                left.entry(partition).and_modify(|(_, end)| *end = start);
            }
            looked_at += CHUNK;
        }
        Ok(found)
    }

    /// Reads these ranges to their ends. Gives the last position of each market in them.
    fn read(&self, consumer: &BaseConsumer, topic: &str, ranges: &Ranges) -> Result<Found, KafkaError> {
        let mut assignment = TopicPartitionList::new();
        for (partition, (start, _)) in ranges {
            assignment.add_partition_offset(topic, *partition, Offset::Offset(*start))?;
        }
        consumer.assign(&assignment)?;
        let (mut last, mut open, mut heard) = (Found::new(), ranges.clone(), Instant::now());
        while !open.is_empty() && !self.stop.is_cancelled() {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    let end = open.get(&message.partition()).map_or(0, |(_, end)| *end);
                    if message.offset() < end {
                        last.extend(self.position(&message));
                    }
                    if message.offset() + 1 >= end {
                        open.remove(&message.partition());
                    }
                }
                // The last messages may have been removed meanwhile, or be a transaction's own.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    open.remove(&partition);
                }
                Some(Err(error)) => return Err(error),
                None if heard.elapsed() < PATIENCE => continue,
                None => return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut)),
            }
            heard = Instant::now();
        }
        Ok(last)
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

/// The oldest offset of each partition, and one after the newest. A topic that does not exist yet has none.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<Ranges, KafkaError> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let Some(known) = metadata.topics().iter().find(|known| known.name() == topic) else {
        return Ok(Ranges::new());
    };
    match known.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => return Ok(Ranges::new()),
        Some(code) => return Err(KafkaError::MetadataFetch(code)),
    }
    let ends = |partition: i32| Ok((partition, consumer.fetch_watermarks(topic, partition, PATIENCE)?));
    known.partitions().iter().map(|partition| ends(partition.id())).collect()
}
