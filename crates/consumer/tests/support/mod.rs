//! A consumer under test, a store in memory that can be told to fail, and what Kafka holds.
#![allow(dead_code, reason = "each test binary uses a part of it")]

mod store;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use pricepipe_consumer::{ConsumerError, Observations, Stop, Summary};
use pricepipe_core::config::ConsumerConfig;
use pricepipe_service::{Process, telemetry};
use pricepipe_store::Store;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
    producer::{BaseProducer, BaseRecord, Producer},
};
use tokio::{
    runtime::{Handle, Runtime},
    task::JoinHandle,
};

pub(crate) use self::store::MemoryStore;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

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

/// Where a test takes place: a broker, a store in memory, and a runtime for consumers.
pub(crate) struct Stage {
    pub(crate) servers: String,
    pub(crate) store: Arc<MemoryStore>,
    runtime: Runtime,
}

impl Stage {
    /// With an empty store.
    pub(crate) fn new(servers: String) -> Stage {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Stage { servers, store: Arc::default(), runtime: runtime.unwrap() }
    }

    /// Starts a consumer of these topics.
    pub(crate) fn start(&self, topics: &[&str]) -> Running {
        self.start_with(config(&self.servers, topics))
    }

    /// Starts a consumer.
    pub(crate) fn start_with(&self, config: ConsumerConfig) -> Running {
        Running::start(self.runtime.handle(), config, self.store.clone())
    }

    /// Waits for what a client of Kafka promises.
    pub(crate) fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// Puts values into a partition, in order.
    pub(crate) fn produce(&self, topic: &str, partition: i32, values: impl IntoIterator<Item = Vec<u8>>) {
        produce(&self.servers, topic, partition, values);
    }

    /// Puts the prices with these numbers into a partition.
    pub(crate) fn produce_prices(
        &self,
        topic: &str,
        partition: i32,
        numbers: impl IntoIterator<Item = usize>,
    ) {
        self.produce(topic, partition, prices(topic, numbers));
    }

    /// Puts so many prices into each of the partitions.
    pub(crate) fn fill(&self, topic: &str, partitions: usize, prices: usize) {
        (0..partitions).for_each(|p| self.produce_prices(topic, p as i32, p * prices..(p + 1) * prices));
    }

    /// What the consumers of a topic have committed of each of its partitions. (A group is named after the first topic.)
    pub(crate) fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        committed(&self.servers, &format!("pricepipe.test.{group}"), topic, partition)
    }
}

/// A consumer that runs.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) stop: Stop,
    pub(crate) observations: Observations,
    runtime: Handle,
    ended: JoinHandle<Result<Summary, ConsumerError>>,
}

impl Running {
    fn start(runtime: &Handle, config: ConsumerConfig, store: Arc<dyn Store>) -> Running {
        // Seen when a test fails.
        telemetry::start(telemetry::LogFormat::Text, "info");
        let (process, stop) = (Process::new("test"), Stop::default());
        let observations = Observations::default();
        let ended = runtime.spawn({
            let (process, stop, seen) = (process.clone(), stop.clone(), Some(observations.clone()));
            async move { pricepipe_consumer::run(config, None, store, &process, stop, seen).await }
        });
        Running { process, stop, observations, runtime: runtime.clone(), ended }
    }

    /// Ends it once everything that is in Kafka now is stored.
    pub(crate) fn drain(self) -> Summary {
        self.stop.when_drained.cancel();
        self.join()
    }

    /// Ends it now.
    pub(crate) fn end(self) -> Summary {
        self.stop.now.cancel();
        self.join()
    }

    fn join(self) -> Summary {
        let ended = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.ended).await });
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
fn price(topic: &str, n: usize) -> Vec<u8> {
    let time = "2026-11-23T06:00:03Z";
    format!(
        r#"{{"symbol":"{topic}","price":{}.50,"time":"{time}","received":"{time}","id":"{topic}:{n}"}}"#,
        n + 1
    )
    .into_bytes()
}

/// The prices with these numbers.
pub(crate) fn prices(topic: &str, numbers: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    numbers.into_iter().map(|n| price(topic, n)).collect()
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

fn committed(servers: &str, group: &str, topic: &str, partition: i32) -> Option<i64> {
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
