//! A consumer under test, a store in memory that can be told to fail, and what Kafka holds.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use pricepipe_consumer::{ConsumerError, Observations, Stop, Summary};
use pricepipe_core::{PriceMessage, config::ConsumerConfig, names::CollectionName};
use pricepipe_service::{Process, telemetry};
use pricepipe_store::{BoxFuture, Rejected, Store, StoreError, StoreErrorKind, SymbolCount, Written};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
    producer::{BaseProducer, BaseRecord, Producer},
};
use tokio::{runtime::Runtime, sync::watch, task::JoinHandle};

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Documents by collection and id, with faults on request.
pub(crate) struct MemoryStore {
    pub(crate) documents: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    pub(crate) failing: AtomicBool,
    /// The next write panics.
    pub(crate) panics: AtomicBool,
    pub(crate) largest: AtomicUsize,
    hanging: watch::Sender<bool>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore {
            documents: Mutex::default(),
            failing: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            largest: AtomicUsize::new(0),
            hanging: watch::Sender::new(false),
        }
    }
}

impl MemoryStore {
    /// While it hangs, no write and no ping returns.
    pub(crate) fn hang(&self, hanging: bool) {
        self.hanging.send_replace(hanging);
    }

    pub(crate) fn count(&self) -> usize {
        self.documents.lock().unwrap().values().map(BTreeMap::len).sum()
    }

    pub(crate) fn ids(&self, collection: &str) -> BTreeSet<String> {
        let documents = self.documents.lock().unwrap();
        documents.get(collection).map(|found| found.keys().cloned().collect()).unwrap_or_default()
    }

    async fn answer(&self) -> Result<(), StoreError> {
        let mut hanging = self.hanging.subscribe();
        hanging.wait_for(|hanging| !hanging).await.unwrap();
        if self.failing.load(SeqCst) {
            let message = "the test says no".to_owned();
            return Err(StoreError { kind: StoreErrorKind::Unavailable, message });
        }
        Ok(())
    }
}

impl Store for MemoryStore {
    fn prepare<'a>(&'a self, _: &'a [CollectionName]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.answer())
    }

    /// A price of 666 is what this store never takes.
    fn write<'a>(
        &'a self,
        collection: &'a CollectionName,
        batch: Arc<[PriceMessage]>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        Box::pin(async move {
            self.answer().await?;
            assert!(!self.panics.swap(false, SeqCst), "the test says so");
            self.largest.fetch_max(batch.len(), SeqCst);
            let mut written = Written::default();
            let mut documents = self.documents.lock().unwrap();
            let held = documents.entry(collection.to_string()).or_default();
            for (index, message) in batch.iter().enumerate() {
                if message.price.to_string() == "666" {
                    written.rejected.push(Rejected { index, reason: "a validator says no".to_owned() });
                } else if held.insert(message.id.clone(), message.price.to_string()).is_some() {
                    written.duplicates += 1;
                } else {
                    written.inserted += 1;
                }
            }
            Ok(written)
        })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.answer())
    }

    fn latest<'a>(
        &'a self,
        _: &'a CollectionName,
        _: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<PriceMessage>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn count<'a>(&'a self, _: &'a CollectionName) -> BoxFuture<'a, Result<Vec<SymbolCount>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// A consumer of topics that go to collections of their own names.
pub(crate) fn config(servers: &str, topics: &[&str]) -> ConsumerConfig {
    let routes: Vec<_> =
        topics.iter().map(|topic| serde_json::json!({"topic": topic, "collection": topic})).collect();
    serde_json::from_value(serde_json::json!({
        "pipeline": "test",
        "kafka": {"bootstrapServers": servers.split(',').collect::<Vec<_>>()},
        "group": format!("pricepipe.test.{}", topics[0]),
        "topics": routes,
        "deadLetterTopic": format!("{}.dead-letter", topics[0]),
        "batch": {"maxDocuments": 100, "maxMillis": 50},
        "store": {"kind": "embedded", "path": "unused"},
    }))
    .unwrap()
}

/// A consumer that runs.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) stop: Stop,
    pub(crate) observations: Observations,
    ended: JoinHandle<Result<Summary, ConsumerError>>,
}

impl Running {
    pub(crate) fn start(runtime: &Runtime, config: ConsumerConfig, store: Arc<dyn Store>) -> Running {
        // Seen when a test fails.
        telemetry::start(telemetry::LogFormat::Text, "info");
        let (process, stop) = (Process::new("test"), Stop::default());
        let observations = Observations::default();
        let ended =
            runtime.spawn({
                let (process, stop, observations) = (process.clone(), stop.clone(), observations.clone());
                async move {
                    pricepipe_consumer::run(config, None, store, &process, stop, Some(observations)).await
                }
            });
        Running { process, stop, observations, ended }
    }

    /// Ends it once everything that is in Kafka now is stored.
    pub(crate) fn drain(self, runtime: &Runtime) -> Summary {
        self.stop.when_drained.cancel();
        self.join(runtime)
    }

    /// Ends it now.
    pub(crate) fn end(self, runtime: &Runtime) -> Summary {
        self.stop.now.cancel();
        self.join(runtime)
    }

    fn join(self, runtime: &Runtime) -> Summary {
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, self.ended).await });
        ended.expect("it ends in time").expect("no panic").expect("no error")
    }

    pub(crate) fn unmet(&self) -> String {
        self.process.health.unmet().join("; ")
    }

    pub(crate) fn metric(&self, line: &str) -> Option<f64> {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.process.registry.gather()).unwrap();
        text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
    }
}

pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

pub(crate) fn eventually(what: &str, check: impl FnMut() -> bool) {
    within(PATIENCE, what, check);
}

pub(crate) fn within(patience: Duration, what: &str, mut check: impl FnMut() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < patience, "{what} did not come true within {patience:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A price with an id of its own.
pub(crate) fn price(topic: &str, n: usize) -> Vec<u8> {
    let time = "2026-11-23T06:00:03Z";
    format!(
        r#"{{"symbol":"{topic}","price":{}.50,"time":"{time}","received":"{time}","id":"{topic}:{n}"}}"#,
        n + 1
    )
    .into_bytes()
}

/// Puts values into a partition, in order.
pub(crate) fn produce(servers: &str, topic: &str, partition: i32, values: impl IntoIterator<Item = Vec<u8>>) {
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", servers).set("linger.ms", "1").create().unwrap();
    for value in values {
        let record = BaseRecord::to(topic).partition(partition).key("key").payload(&value);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(10)).unwrap();
}

/// What a group has committed of a partition.
pub(crate) fn committed(servers: &str, group: &str, topic: &str, partition: i32) -> Option<i64> {
    let mut config = ClientConfig::new();
    let consumer: BaseConsumer =
        config.set("bootstrap.servers", servers).set("group.id", group).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let list = consumer.committed_offsets(list, Duration::from_secs(10)).unwrap();
    match list.find_partition(topic, partition).unwrap().offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}

/// The value and the headers of each message of a partition.
pub(crate) fn read(servers: &str, topic: &str, count: usize) -> Vec<(Vec<u8>, BTreeMap<String, String>)> {
    let mut config = ClientConfig::new();
    let config = config.set("bootstrap.servers", servers).set("group.id", format!("reader-of-{topic}"));
    let consumer: BaseConsumer = config.set("auto.offset.reset", "earliest").create().unwrap();
    let partitions = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap().topics()[0]
        .partitions()
        .iter()
        .map(|partition| (topic.to_owned(), partition.id(), Offset::Beginning))
        .collect();
    consumer.assign(&partitions).unwrap();
    let (start, mut found) = (Instant::now(), Vec::new());
    while found.len() < count && start.elapsed() < PATIENCE {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        let headers = message.headers().unwrap().iter();
        let headers = headers.map(|header| (header.key.to_owned(), text(header.value))).collect();
        found.push((message.payload().unwrap_or_default().to_vec(), headers));
    }
    found
}
