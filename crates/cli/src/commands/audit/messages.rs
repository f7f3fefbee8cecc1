//! Reads a topic as its consumer does, and asks the store about it. Network I/O.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::ControlFlow,
    sync::Arc,
};

use pricepipe_consumer::{letter::Label, position};
use pricepipe_core::{
    PriceMessage, Timestamp,
    message::BadMessage,
    names::{CollectionName, Shelf},
};
use pricepipe_service::kafka::native::DescribedTopic;
use pricepipe_store::History;
use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers},
};
use tokio::sync::mpsc;

use super::tally::{Counts, Place, Tally, Terms};
use crate::{
    cluster::{Cluster, scan::Ranges},
    exit::{Exit, Failed},
};

/// Messages about which the store is asked at once.
const CHUNK: usize = 2_000;
/// Chunks that may wait for the store.
const QUEUE: usize = 2;

/// The places of messages that are dead letters, by topic.
pub(super) type DeadLetters = HashMap<String, HashSet<Place>>;

/// A message, and what a consumer makes of it.
struct Read {
    place: Place,
    time: Option<Timestamp>,
    message: Result<PriceMessage, BadMessage>,
}

/// A topic that is audited.
pub(super) struct Topic<'a> {
    pub(super) name: String,
    pub(super) known: &'a DescribedTopic,
    pub(super) collection: &'a CollectionName,
}

/// Counts what became of the messages of a topic. `horizon`: what is older than this now may have been removed.
pub(super) async fn count(
    cluster: &Arc<Cluster>,
    history: &dyn History,
    topic: &Topic<'_>,
    (ranges, terms): (Ranges, Terms),
    horizon: impl Fn() -> Option<Timestamp>,
) -> Result<Counts, Failed> {
    let (sender, mut chunks) = mpsc::channel(QUEUE);
    let reading = tokio::task::spawn_blocking({
        let (cluster, name, id) = (Arc::clone(cluster), topic.name.clone(), topic.known.id.clone());
        move || read(&cluster, &name, id.as_deref(), &ranges, &sender)
    });
    let mut tally = Tally::new(terms);
    while let Some(chunk) = chunks.recv().await {
        tally.expires(horizon());
        settle(&mut tally, history, topic.collection, chunk).await?;
    }
    reading.await.map_err(|error| Failed::new(Exit::Failure, error.to_string()))??;
    Ok(tally.finish())
}

async fn settle(
    tally: &mut Tally,
    history: &dyn History,
    collection: &CollectionName,
    chunk: Vec<Read>,
) -> Result<(), Failed> {
    let questions = chunk.into_iter().filter_map(|read| tally.take(read.place, read.time, read.message));
    let questions: Vec<_> = questions.collect();
    let mut ids: BTreeMap<Shelf, Vec<String>> = BTreeMap::new();
    for question in &questions {
        ids.entry(question.shelf).or_default().push(question.id.clone());
    }
    let mut missing = HashSet::new();
    for (shelf, ids) in ids {
        let collection = shelf.collection(collection);
        let found = history.missing(&collection, ids).await.map_err(|error| super::store_failed(&error))?;
        missing.extend(found.into_iter().map(|id| (shelf, id)));
    }
    for question in questions {
        let is_missing = missing.contains(&(question.shelf, question.id.clone()));
        tally.settle(question, is_missing);
    }
    Ok(())
}

fn read(
    cluster: &Cluster,
    topic: &str,
    topic_id: Option<&str>,
    ranges: &Ranges,
    chunks: &mpsc::Sender<Vec<Read>>,
) -> Result<(), Failed> {
    let mut chunk = Vec::with_capacity(CHUNK);
    cluster.scan(topic, ranges, |record| {
        let (partition, offset, millis) =
            (record.partition(), record.offset(), record.timestamp().to_millis());
        let position = position(topic_id, partition, offset, millis);
        let message = PriceMessage::decode(record.payload(), position);
        chunk.push(Read { place: Place { partition, offset }, time: position.timestamp, message });
        // Nobody listens any more when the store has failed.
        if chunk.len() >= CHUNK && chunks.blocking_send(std::mem::take(&mut chunk)).is_err() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    let _ = chunks.blocking_send(chunk);
    Ok(())
}

/// Which messages of these topics are dead letters. One that comes from a topic of the same name before it was made
/// anew is none of them.
pub(super) fn dead_letters(
    cluster: &Cluster,
    (topic, ranges): (&str, &Ranges),
    topics: &[Topic<'_>],
) -> Result<DeadLetters, Failed> {
    let mut letters = DeadLetters::new();
    cluster.scan(topic, ranges, |record| {
        if let Some((topic, place)) = dead_letter(record, topics) {
            letters.entry(topic).or_default().insert(place);
        }
        ControlFlow::Continue(())
    })?;
    Ok(letters)
}

fn dead_letter(record: &BorrowedMessage<'_>, topics: &[Topic<'_>]) -> Option<(String, Place)> {
    let label = Label::read(record.headers()?.iter().map(|header| (header.key, header.value)));
    let origin = label.origin?;
    let topic = topics.iter().find(|topic| topic.name == origin.topic)?;
    let same = match (&origin.topic_id, &topic.known.id) {
        (Some(then), Some(now)) => **then == **now,
        _ => true,
    };
    same.then_some((origin.topic, Place { partition: origin.partition, offset: origin.offset }))
}
