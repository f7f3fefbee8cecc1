//! What the producer's tests share: a Kafka in this process, a producer at work, and a look at both.

#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod streams;

use std::{
    collections::HashMap,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use pricepipe_core::{
    Exchange, PriceMessage,
    config::{
        Feed, HistoryConfig, KafkaConnection, ProducerConfig, RestConfig, SourceConfig, Stream, SymbolRoute,
        WebsocketConfig,
    },
    message::Position,
};
use pricepipe_exchange_sim::{Fault, Running};
use pricepipe_producer::{Observations, Options, ProducerError, Summary};
use pricepipe_service::Process;
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::OwnedMessage,
    mocking::MockCluster,
    producer::DefaultProducerContext,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

type Cluster = MockCluster<'static, DefaultProducerContext>;
type Command = Box<dyn FnOnce(&Cluster) + Send>;

/// librdkafka's mock cluster. It must stay on the thread that made it.
pub(crate) struct Kafka {
    commands: mpsc::Sender<Command>,
    pub(crate) bootstrap_servers: String,
}

impl Kafka {
    pub(crate) fn start(brokers: i32, topics: &'static [&'static str]) -> Kafka {
        let (commands, received) = mpsc::channel::<Command>();
        let (started, start) = mpsc::channel();
        thread::spawn(move || {
            let cluster = Cluster::new(brokers).unwrap();
            for topic in topics {
                cluster.create_topic(topic, 3, brokers).unwrap();
            }
            started.send(cluster.bootstrap_servers()).unwrap();
            received.iter().for_each(|command| command(&cluster));
        });
        Kafka { commands, bootstrap_servers: start.recv().unwrap() }
    }

    /// Does something with the cluster and waits until it is done.
    pub(crate) fn with(&self, command: impl FnOnce(&Cluster) + Send + 'static) {
        let (done, is_done) = mpsc::channel();
        let command: Command = Box::new(move |cluster| {
            command(cluster);
            let _ = done.send(());
        });
        self.commands.send(command).unwrap();
        is_done.recv().unwrap();
    }

    /// A client that may ask how many messages a topic has.
    pub(crate) fn counter(&self) -> Counter {
        Counter(ClientConfig::new().set("bootstrap.servers", &self.bootstrap_servers).create().unwrap())
    }

    /// Every message of a topic, in the order of its partitions.
    pub(crate) fn read(&self, topic: &str) -> Vec<PriceMessage> {
        read(&self.bootstrap_servers, topic)
    }

    /// The same where a symbol is written in another form than the exchange's, which the key has.
    pub(crate) fn read_any_key(&self, topic: &str) -> Vec<PriceMessage> {
        read_by(&self.bootstrap_servers, topic, |_, _| {})
    }
}

/// Counts messages, where no producer of this process does.
pub(crate) struct Counter(BaseConsumer);

impl Counter {
    /// How many messages a topic has, of three partitions.
    pub(crate) fn count(&self, topic: &str) -> i64 {
        let end = |partition| self.0.fetch_watermarks(topic, partition, Duration::from_secs(10)).unwrap().1;
        (0..3).map(end).sum()
    }
}

/// Every message of a topic, in the order of its partitions; each must be one of ours, with our key.
pub(crate) fn read(servers: &str, topic: &str) -> Vec<PriceMessage> {
    read_by(servers, topic, |message, key| {
        assert_eq!(key, Some(format!("{}:{}", message.exchange, message.symbol).as_bytes()));
    })
}

fn read_by(servers: &str, topic: &str, check: impl Fn(&PriceMessage, Option<&[u8]>)) -> Vec<PriceMessage> {
    let read = |record: OwnedMessage| {
        let position = Position {
            topic_id: None,
            partition: record.partition(),
            offset: record.offset(),
            timestamp: None,
        };
        let message = PriceMessage::decode(record.payload(), position).unwrap();
        check(&message, record.key());
        message
    };
    messages(servers, topic).into_iter().map(read).collect()
}

/// Every message of a topic as it lies there, whatever it is.
pub(crate) fn messages(servers: &str, topic: &str) -> Vec<OwnedMessage> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("group.id", "test").set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().unwrap();
    let (mut assignment, mut expected) = (TopicPartitionList::new(), 0);
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10)).unwrap();
    for partition in metadata.topics()[0].partitions() {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), Duration::from_secs(10)).unwrap();
        expected += high - low;
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let (mut messages, start) = (Vec::new(), Instant::now());
    while (messages.len() as i64) < expected {
        assert!(start.elapsed() < Duration::from_secs(20), "{} of {expected} of {topic}", messages.len());
        let Some(Ok(record)) = consumer.poll(Duration::from_millis(100)) else { continue };
        messages.push(record.detach());
    }
    messages
}

/// Sends a message as somebody else does.
pub(crate) fn send(servers: &str, topic: &str, key: &str, payload: &[u8]) {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", servers).create().unwrap();
    producer.send(BaseRecord::to(topic).key(key).payload(payload)).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(10)).unwrap();
}

/// A configuration for these endpoints and symbols; the topic is the symbol in lower case, with `-` for `/`.
pub(crate) fn config(
    kafka: &str,
    endpoints: &[String],
    symbols: &[&str],
    interval: Duration,
) -> ProducerConfig {
    let route = |symbol: &&str| SymbolRoute {
        symbol: symbol.parse().unwrap(),
        topic: symbol.to_lowercase().replace('/', "-").parse().unwrap(),
    };
    ProducerConfig {
        pipeline: "test".parse().unwrap(),
        kafka: KafkaConnection { bootstrap_servers: vec![kafka.to_owned()], ..KafkaConnection::default() },
        sources: vec![SourceConfig {
            name: "binance".to_owned(),
            exchange: Exchange::Binance,
            symbols: Vec::new(),
            feed: Feed::Rest(RestConfig {
                endpoints: endpoints.to_vec(),
                interval_millis: interval.as_millis() as u64,
                timeout_millis: 400,
                max_weight_per_minute: 5_700,
            }),
        }],
        symbols: symbols.iter().map(route).collect(),
    }
}

/// A source that listens to a stream of the simulated exchange, at these endpoints.
pub(crate) fn listening(
    kafka: &Kafka,
    history: &Running,
    endpoints: &[String],
    exchange: Exchange,
    stream: Stream,
    symbols: &[&str],
) -> ProducerConfig {
    let mut config = config(&kafka.bootstrap_servers, &[], &[], SECOND);
    let route =
        |symbol: &&str| SymbolRoute { symbol: symbol.parse().unwrap(), topic: "trades".parse().unwrap() };
    config.symbols = symbols.iter().map(route).collect();
    let history =
        HistoryConfig { endpoints: vec![history.url()], timeout_millis: 2_000, max_weight_per_minute: 5_700 };
    let websocket = WebsocketConfig {
        endpoints: endpoints.to_vec(),
        stream,
        interval: None,
        partial: false,
        silence_millis: 1_500,
        history,
    };
    let feed = Feed::Websocket(websocket);
    config.sources = vec![SourceConfig { name: "stream".to_owned(), exchange, symbols: Vec::new(), feed }];
    config
}

/// Answers that hang, that are torn off, too large, or none, and how a request ends that meets one.
pub(crate) fn bad_answers() -> [(Fault, &'static str); 7] {
    [
        (Fault::Hang, "timeout"),
        (Fault::SlowHeaders { byte_millis: 100 }, "timeout"),
        (Fault::SlowBody { byte_millis: 100 }, "timeout"),
        (Fault::Reset { after_bytes: None }, "interrupted"),
        (Fault::Truncate { after_bytes: None }, "interrupted"),
        (Fault::Oversized { bytes: 50 << 20 }, "too_large"),
        (Fault::MalformedJson, "malformed"),
    ]
}

/// Changes what a source listens to, and how.
pub(crate) fn listen(config: &mut ProducerConfig, change: impl FnOnce(&mut WebsocketConfig)) {
    if let Feed::Websocket(websocket) = &mut config.sources[0].feed {
        change(websocket);
    }
}

/// The number at the end of a message's id.
pub(crate) fn number(message: &PriceMessage) -> u64 {
    message.id.rsplit(':').next().unwrap().parse().unwrap()
}

/// A producer at work.
pub(crate) struct Producer {
    pub(crate) process: Process,
    pub(crate) observations: Arc<Observations>,
    stop: CancellationToken,
    work: JoinHandle<Result<Summary, ProducerError>>,
}

impl Producer {
    pub(crate) fn start(config: ProducerConfig) -> Producer {
        Producer::start_with(config, Options::default())
    }

    pub(crate) fn start_with(config: ProducerConfig, options: Options) -> Producer {
        let (process, stop) = (Process::new("test"), CancellationToken::new());
        let (observations, token, shared) = (options.observations.clone(), stop.clone(), process.clone());
        let work =
            tokio::spawn(async move { pricepipe_producer::run(config, None, &shared, token, options).await });
        Producer { process, observations, stop, work }
    }

    /// Asks it to stop and waits for its end.
    pub(crate) async fn stop(self) -> Result<Summary, ProducerError> {
        self.stop.cancel();
        self.work.await.unwrap()
    }

    /// The sum of a metric over all series whose labels contain every one of `labels`.
    pub(crate) fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let families = self.process.registry.gather();
        let family = families.iter().find(|family| family.name() == format!("pricepipe_{name}"));
        let metrics = family.map(|family| family.get_metric()).unwrap_or_default().iter();
        let matching = metrics.filter(|metric| {
            let has = |(name, value): &(&str, &str)| {
                metric.get_label().iter().any(|label| label.name() == *name && label.value() == *value)
            };
            labels.iter().all(has)
        });
        matching
            .map(|metric| match family.unwrap().get_field_type() {
                prometheus::proto::MetricType::COUNTER => metric.get_counter().get_value(),
                prometheus::proto::MetricType::HISTOGRAM => metric.get_histogram().get_sample_count() as f64,
                _ => metric.get_gauge().get_value(),
            })
            .sum()
    }

    pub(crate) fn skipped(&self, reason: &str) -> f64 {
        self.metric("source_slots_skipped_total", &[("reason", reason)])
    }

    pub(crate) fn requests(&self, outcome: &str) -> f64 {
        self.metric("source_requests_total", &[("outcome", outcome)])
    }

    pub(crate) fn produced(&self) -> u64 {
        self.observations.snapshot().totals.produced
    }

    /// Everything that is not at hand.
    pub(crate) fn unmet(&self) -> String {
        self.process.health.unmet().join("; ")
    }

    /// Waits until so many more messages are acknowledged.
    pub(crate) async fn produces(&self, more: u64, patience: Duration) {
        let target = self.produced() + more;
        eventually("messages are acknowledged", patience, || self.produced() >= target).await;
    }
}

/// Waits until `condition` holds, and says what it waited for when it does not within `patience`.
pub(crate) async fn eventually(what: &str, patience: Duration, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < patience, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Every observation must be there once: gives the prices by slot, in order.
pub(crate) fn once_each(messages: &[PriceMessage]) -> Vec<(i64, String)> {
    let mut seen = HashMap::new();
    for message in messages {
        let before = seen.insert(message.id.clone(), message.price.to_string());
        assert_eq!(before, None, "{} is there twice", message.id);
    }
    let mut prices: Vec<(i64, String)> =
        messages.iter().map(|m| (m.time.as_millis(), m.price.to_string())).collect();
    let in_order = prices.is_sorted_by_key(|(time, _)| *time);
    assert!(in_order, "slots are out of order: {prices:?}");
    prices.sort();
    prices
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const FAST: Duration = Duration::from_millis(50);
