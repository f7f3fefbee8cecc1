//! Makes a batch durable: names what has no id, writes it to the store, and the rest to the dead-letter topic.
//!
//! A batch counts as settled only when each of its messages is stored, was there already, or is a dead letter.
//! Until then it is tried again, for ever: an outage holds batches, it does not lose them.

use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    slice,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use pricepipe_core::{
    PriceMessage, Timestamp,
    message::{BadMessage, Position},
    names::CollectionName,
};
use pricepipe_service::{Guard, kafka::native};
use pricepipe_store::{Store, StoreError, Written};
use rdkafka::ClientConfig;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;

use crate::{
    batch::{Batch, Decoded, Part, Record},
    dead_letter::{DeadLetter, DeadLetters},
    events::{Events, REJECTED_BY_STORE},
    observations::Observations,
    routes::Routes,
    writer::watched,
};

/// An idle store is pinged this often.
const PING_EVERY: Duration = Duration::from_secs(5);

/// How long the brokers have to tell a topic's UUID.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of a topic's UUID.
pub(crate) type TopicId = Option<Arc<str>>;

/// Where batches go.
pub(crate) struct Sink {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) store_guard: Arc<Guard>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) events: Arc<Events>,
    pub(crate) observations: Option<Observations>,
    pub(crate) dead_letters: DeadLetters,
    pub(crate) topic_ids: TopicIds,
    /// Cancelled when the topics' collections are prepared.
    pub(crate) prepared: CancellationToken,
    /// The collections beside them that are prepared: which kinds a topic has shows when they come.
    pub(crate) shelves: AsyncMutex<BTreeSet<CollectionName>>,
    /// Cancelled when there is no more time to wait for anything.
    pub(crate) abandon: CancellationToken,
    pub(crate) writing: AtomicUsize,
}

/// The UUIDs of topics that had plain messages.
pub(crate) struct TopicIds {
    known: Mutex<HashMap<usize, TopicId>>,
    config: ClientConfig,
    guard: Arc<Guard>,
}

impl Sink {
    /// Prepares the topics' collections, however long it takes.
    pub(crate) async fn prepare(self: Arc<Self>) {
        if self.prepare_all(self.routes.collections()).await.is_some() {
            self.prepared.cancel();
        }
    }

    async fn prepare_all(&self, collections: &[CollectionName]) -> Option<()> {
        let work = async || watched(self.store.prepare(collections), |t| self.events.store_hangs(t)).await;
        let failed = |error: &StoreError| self.events.store_failed("prepare", error);
        self.store_guard.persist(&self.abandon, work, async || self.ping().await, failed).await?;
        self.events.store_answers();
        Some(())
    }

    /// Prepares a collection before its first document, unless it is one of the topics' own.
    async fn prepare_shelf(&self, collection: &CollectionName) -> Option<()> {
        if self.routes.collections().contains(collection) {
            return Some(());
        }
        // Those who come second wait until it is ready for them, too.
        let mut ready = self.shelves.lock().await;
        if !ready.contains(collection) {
            self.prepare_all(slice::from_ref(collection)).await?;
            ready.insert(collection.clone());
        }
        Some(())
    }

    /// Pings the store while nothing is written, so that an outage shows before a price comes.
    pub(crate) async fn watch_store(self: Arc<Self>) {
        self.prepared.cancelled().await;
        while self.abandon.run_until_cancelled(tokio::time::sleep(PING_EVERY)).await.is_some() {
            if self.writing.load(Relaxed) > 0 {
                continue;
            }
            if self.ping().await {
                self.events.store_answers();
            }
        }
    }

    /// Makes a batch durable. False when there was no time left for it.
    pub(crate) async fn settle(&self, mut batch: Batch) -> bool {
        if !batch.unnamed.is_empty() && !self.name(&mut batch).await {
            return false;
        }
        let Some(rejected) = self.write(&mut batch).await else { return false };
        if rejected.is_empty() && batch.bad.is_empty() {
            return true;
        }
        let letters = self.letters(&batch, rejected).await;
        self.dead_letters.write(&letters, &self.abandon).await
    }

    /// Writes the documents, one collection after the other: each batch is one writer. Gives the records that the store
    /// refused, with its reasons.
    async fn write(&self, batch: &mut Batch) -> Option<Vec<(usize, String)>> {
        if batch.parts.is_empty() {
            return Some(Vec::new());
        }
        self.abandon.run_until_cancelled(self.prepared.cancelled()).await?;
        self.writing.fetch_add(1, Relaxed);
        let refused = self.write_parts(std::mem::take(&mut batch.parts), batch.collection).await;
        self.writing.fetch_sub(1, Relaxed);
        refused
    }

    async fn write_parts(&self, parts: Vec<Part>, collection: usize) -> Option<Vec<(usize, String)>> {
        let base = &self.routes.collections()[collection];
        let mut refused = Vec::new();
        for part in parts {
            let collection = part.shelf.collection(base);
            self.prepare_shelf(&collection).await?;
            let documents: Arc<[PriceMessage]> = part.documents.into();
            let written = self.write_documents(&collection, &documents).await?;
            if let Some(observations) = &self.observations {
                observations.stored(&collection, &documents, &written);
            }
            // The store names each by its place among the documents.
            let record = |index: usize| part.sources.get(index).copied();
            refused.extend(written.rejected.into_iter().filter_map(|r| Some((record(r.index)?, r.reason))));
        }
        Some(refused)
    }

    async fn write_documents(
        &self,
        collection: &CollectionName,
        documents: &Arc<[PriceMessage]>,
    ) -> Option<Written> {
        let work = async || {
            let started = Instant::now();
            let write = self.store.write(collection, Arc::clone(documents));
            let written = watched(write, |waited| self.events.store_hangs(waited)).await?;
            self.events.written(collection.as_str(), documents, &written, started.elapsed());
            Ok::<_, StoreError>(written)
        };
        let failed = |error: &StoreError| self.events.store_failed("write", error);
        self.store_guard.persist(&self.abandon, work, async || self.ping().await, failed).await
    }

    async fn ping(&self) -> bool {
        let ping = watched(self.store.ping(), |waited| self.events.store_hangs(waited)).await;
        ping.inspect_err(|error| self.events.store_failed("ping", error)).is_ok()
    }

    /// Gives the messages without an id one that is made of where they lie.
    async fn name(&self, batch: &mut Batch) -> bool {
        for index in std::mem::take(&mut batch.unnamed) {
            let topic = batch.record(index).place.topic;
            let Some(id) = self.topic_ids.wait_for(topic, self).await else { return false };
            let decoded = match decode(batch.record(index), id.as_deref()) {
                Decoded::Unnamed => Decoded::Bad(BadMessage::NoIdentity),
                decoded => decoded,
            };
            batch.settle(index, decoded);
        }
        true
    }

    async fn letters<'a>(&'a self, batch: &'a Batch, rejected: Vec<(usize, String)>) -> Vec<DeadLetter<'a>> {
        let bad = batch.bad.iter().map(|(index, bad)| (*index, bad.reason(), bad.to_string()));
        let rejected = rejected.into_iter().map(|(index, reason)| (index, REJECTED_BY_STORE, reason));
        let (mut letters, mut ids) = (Vec::new(), HashMap::new());
        for (index, reason, detail) in bad.chain(rejected) {
            let record: Record<'_> = batch.record(index);
            let (number, topic) = (record.place.topic, self.routes.topic_name(record.place.topic));
            let topic_id = match ids.entry(number) {
                Entry::Occupied(known) => TopicId::clone(known.get()),
                Entry::Vacant(unknown) => unknown.insert(self.topic_ids.look_up(number, self).await).clone(),
            };
            letters.push(DeadLetter { record, topic, topic_id, reason, detail });
        }
        letters
    }
}

impl TopicIds {
    /// Nothing is known yet.
    pub(crate) fn new(config: ClientConfig, guard: Arc<Guard>) -> Self {
        TopicIds { known: Mutex::default(), config, guard }
    }

    /// The UUID of a topic if it has been asked for already: `Some(None)` when it has none.
    pub(crate) fn known(&self, topic: usize) -> Option<TopicId> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&topic).cloned()
    }

    /// The topic may have been created anew.
    pub(crate) fn forget(&self, topic: usize) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&topic);
    }

    async fn wait_for(&self, topic: usize, sink: &Sink) -> Option<TopicId> {
        if let Some(known) = self.known(topic) {
            return Some(known);
        }
        let name = sink.routes.topic_name(topic);
        let failed = |problem: &String| sink.events.topic_id_failed(problem);
        let ask = async || self.ask(name).await;
        let id = self.guard.persist(&sink.abandon, ask, async || true, failed).await?;
        sink.events.topic_id_known();
        self.learn(topic, id.clone());
        Some(id)
    }

    /// Asks once: a dead letter is better written without it than not at all.
    async fn look_up(&self, topic: usize, sink: &Sink) -> TopicId {
        if let Some(known) = self.known(topic) {
            return known;
        }
        let asked = sink.abandon.run_until_cancelled(self.ask(sink.routes.topic_name(topic))).await?;
        let told = asked.inspect_err(|problem| tracing::debug!(problem, "dead letters lack the topic's id"));
        let id = told.ok()?;
        self.learn(topic, id.clone());
        id
    }

    async fn ask(&self, name: &str) -> Result<TopicId, String> {
        let (config, topic) = (self.config.clone(), name.to_owned());
        let ask = move || native::topic_id(&config, &topic, PATIENCE);
        let asked = tokio::task::spawn_blocking(ask).await.map_err(|error| error.to_string())?;
        asked.map_err(|error| format!("the id of topic {name:?} is not known: {error}"))
    }

    fn learn(&self, topic: usize, id: TopicId) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(topic, id);
    }
}

/// Where a record lies, for [`PriceMessage::decode`]. Whoever wants to know what a consumer makes of a message has to
/// take it from here.
pub fn position(
    topic_id: Option<&str>,
    partition: i32,
    offset: i64,
    timestamp_millis: Option<i64>,
) -> Position<'_> {
    let timestamp = timestamp_millis.and_then(|millis| Timestamp::from_millis(millis).ok());
    Position { topic_id, partition, offset, timestamp }
}

/// Reads a message. A good one without an id stays unnamed when the topic's UUID is not given.
pub(crate) fn decode(record: Record<'_>, topic_id: Option<&str>) -> Decoded {
    let position = position(topic_id, record.place.partition, record.offset, record.timestamp);
    match PriceMessage::decode(record.value, position) {
        Ok(message) => Decoded::Good(message),
        Err(BadMessage::NoIdentity) if topic_id.is_none() => Decoded::Unnamed,
        Err(bad) => Decoded::Bad(bad),
    }
}
