//! Finds where the markets of a source stand: the last observation of each that Kafka has, and the gaps that were left open.
//! Network I/O.
//!
//! Kafka is read backwards from the end of each partition, part by part, until every market was found or enough was read.
//! A market that is not found begins with the first observation that comes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use pricepipe_core::{
    Gap, GapOutcome, PriceMessage,
    config::{KafkaConnection, KafkaCredentials},
    identity,
    message::Position,
};
use pricepipe_exchange::stream::Topic;
use pricepipe_service::{
    health::{Condition, Heartbeat},
    kafka,
};
use rdkafka::{
    Message,
    consumer::BaseConsumer,
    error::KafkaError,
    message::{BorrowedMessage, Headers},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::sequence::{
    Standing,
    market::{self, Mark},
};
use crate::{
    announcer::Announcer,
    route::{REPLAY, Route},
    run::Watermark,
    tail::Tail,
};

/// So many messages of a partition are read first, and twice as many each time after that.
const FIRST_PART: i64 = 1_000;
/// The most messages of a partition that are looked through for a market that may never have been in it.
const MOST_MESSAGES: i64 = 200_000;
/// How long Kafka may take for each answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nor is a topic read for longer.
const LONGEST: Duration = Duration::from_secs(10);
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What has to be known to find where the markets of a source stand.
#[derive(Clone)]
pub(crate) struct Resume {
    pub(crate) connection: KafkaConnection,
    pub(crate) credentials: Option<KafkaCredentials>,
    pub(crate) client_id: String,
    pub(crate) topic: Topic,
    /// Where each market's observations go, by its place.
    pub(crate) routes: Vec<Arc<Route>>,
    pub(crate) gaps_topic: String,
    /// What the host knows besides.
    pub(crate) watermarks: Vec<Watermark>,
}

impl Resume {
    /// Looks until Kafka has told; nothing when told to stop.
    pub(crate) async fn find(
        self,
        condition: Condition,
        heartbeat: &Heartbeat,
        stop: &CancellationToken,
    ) -> Option<Standing> {
        let mut announcer = Announcer::new(condition, "Kafka: ");
        loop {
            heartbeat.beat();
            let (look, asked_to_stop) = (self.clone(), stop.clone());
            let looked = tokio::task::spawn_blocking(move || look.look(&asked_to_stop));
            let found = tokio::select! {
                () = stop.cancelled() => return None,
                found = looked => found,
            };
            let text = match found {
                Ok(Ok(standing)) => {
                    announcer.fine();
                    return Some(standing);
                }
                Ok(Err(error)) => format!("the ends of the topics cannot be read: {error}"),
                Err(died) => format!("reading the ends of the topics failed: {died}"),
            };
            announcer.trouble((), &text);
            tokio::select! {
                () = stop.cancelled() => return None,
                () = sleep(TRY_AGAIN) => {}
            }
        }
    }

    fn look(&self, stop: &CancellationToken) -> Result<Standing, KafkaError> {
        let mut marks = self.known();
        if !self.topic.stream.is_complete() {
            return Ok(Standing::default());
        }
        let settings =
            kafka::reader(&self.connection, self.credentials.as_ref(), &self.client_id, &self.client_id);
        let consumer: BaseConsumer = settings.clone().set("enable.partition.eof", "true").create()?;
        let mut topics: BTreeMap<&str, HashMap<&[u8], usize>> = BTreeMap::new();
        for (place, route) in self.routes.iter().enumerate() {
            topics.entry(route.topic.as_str()).or_default().insert(route.key.as_bytes(), place);
        }
        for (topic, markets) in topics {
            let tail = Tail::of(&consumer, topic, PATIENCE, stop)?;
            tail.map_or(Ok(()), |tail| self.marks_of(tail, &markets, &mut marks))?;
        }
        let gaps = match Tail::of(&consumer, &self.gaps_topic, PATIENCE, stop)? {
            Some(tail) => self.open_gaps(tail)?,
            None => Vec::new(),
        };
        for (place, gap) in &gaps {
            // Nothing before an open gap is missing, so it says itself how far a market has come.
            let before = market::before(&self.topic, gap.from);
            marks.entry(*place).or_insert(Mark { number: before, time: gap.since });
        }
        tracing::info!(
            markets = self.routes.len(),
            found = marks.len(),
            open_gaps = gaps.len(),
            "where the streams stand was read from Kafka"
        );
        Ok(Standing { marks, gaps })
    }

    /// What the host knows.
    fn known(&self) -> HashMap<usize, Mark> {
        let mut marks = HashMap::new();
        for watermark in &self.watermarks {
            for (place, route) in self.routes.iter().enumerate() {
                if let Some(number) = self.number(route, &watermark.id) {
                    raise(&mut marks, place, Mark { number, time: watermark.time });
                }
            }
        }
        marks
    }

    /// Reads a topic backwards until every market of it was found, or enough was read.
    fn marks_of(
        &self,
        mut tail: Tail<'_>,
        markets: &HashMap<&[u8], usize>,
        marks: &mut HashMap<usize, Mark>,
    ) -> Result<(), KafkaError> {
        let (start, mut part, mut found) = (Instant::now(), FIRST_PART, HashMap::new());
        let mut read = 0;
        while found.len() < markets.len() && read < MOST_MESSAGES && start.elapsed() < LONGEST {
            let more = tail.read_back(part, |message| {
                let place = markets.get(message.key()?)?;
                let mark = self.mark(&self.routes[*place], message)?;
                raise(&mut found, *place, mark);
                Some(())
            })?;
            if !more {
                break;
            }
            (read, part) = (read + part, part * 2);
        }
        found.into_iter().for_each(|(place, mark)| raise(marks, place, mark));
        Ok(())
    }

    /// What a message of a market says of where its stream stands; nothing when it is of another stream, or a replay's.
    fn mark(&self, route: &Route, message: &BorrowedMessage<'_>) -> Option<Mark> {
        if message.headers().is_some_and(|headers| headers.iter().any(|header| header.key == REPLAY)) {
            return None;
        }
        let (partition, offset) = (message.partition(), message.offset());
        let position = Position { topic_id: None, partition, offset, timestamp: None };
        let message = PriceMessage::decode(message.payload(), position).ok()?;
        Some(Mark { number: self.number(route, &message.id)?, time: message.time })
    }

    fn number(&self, route: &Route, id: &str) -> Option<u64> {
        let event = identity::parse(&route.key, id)?;
        market::number(&event).filter(|_| market::is_of(&self.topic, &event))
    }

    /// The gaps of our markets whose last word is that they are open.
    fn open_gaps(&self, mut tail: Tail<'_>) -> Result<Vec<(usize, Gap)>, KafkaError> {
        let mut last: BTreeMap<String, (usize, Gap)> = BTreeMap::new();
        tail.read_back(i64::MAX, |message| {
            let gap = Gap::decode(message.payload()?).ok()?;
            let key = identity::key(gap.exchange, &gap.symbol);
            let place = self.routes.iter().position(|route| route.key == key)?;
            // What earlier versions wrote of candles names no interval.
            let same = gap.interval.is_none() || gap.interval == self.topic.interval;
            if gap.stream == self.topic.stream && same {
                last.insert(gap.key(), (place, gap));
            }
            Some(())
        })?;
        Ok(last.into_values().filter(|(_, gap)| gap.outcome == GapOutcome::Open).collect())
    }
}

fn raise(marks: &mut HashMap<usize, Mark>, place: usize, mark: Mark) {
    let known = marks.entry(place).or_insert(mark);
    if known.number < mark.number {
        *known = mark;
    }
}
