//! A look into Kafka: create topics, produce, read back.

use std::time::{Duration, Instant};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::BorrowedMessage,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A client's settings for these servers.
pub fn client(servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers);
    config
}

/// Creates topics with this many partitions.
pub async fn create(servers: &str, topics: &[&str], partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = client(servers).create().expect("an admin client");
    let new: Vec<NewTopic<'_>> =
        topics.iter().map(|t| NewTopic::new(t, partitions, TopicReplication::Fixed(1))).collect();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    for result in admin.create_topics(&new, &options).await.expect("Kafka answers") {
        result.expect("a topic is created");
    }
    // A broker answers a creation before it tells others of the topic.
    let start = Instant::now();
    while !topics.iter().all(|topic| exists(servers, topic)) {
        assert!(start.elapsed() < PATIENCE, "{topics:?} are not seen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Produces values, each with its key, and waits until all are acknowledged.
pub fn produce<'a>(
    servers: &str,
    topic: &str,
    records: impl Iterator<Item = (String, std::borrow::Cow<'a, [u8]>)>,
) {
    let producer: ThreadedProducer<DefaultProducerContext> = client(servers)
        .set("linger.ms", "20")
        .set("enable.idempotence", "true")
        .create()
        .expect("a producer");
    for (key, value) in records {
        let mut record = BaseRecord::to(topic).key(&key).payload(&*value);
        while let Err((error, back)) = producer.send(record) {
            assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            record = back;
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    producer.flush(PATIENCE).expect("everything is acknowledged");
}

/// A record as it lies in a topic.
#[derive(Clone, Debug)]
pub struct Record {
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, as text.
    pub headers: Vec<(String, String)>,
}

/// Everything that a topic holds now.
pub fn read(servers: &str, topic: &str) -> Vec<Record> {
    let mut records = Vec::new();
    each(servers, topic, |message| records.push(record(message)));
    records
}

/// Looks at every record that a topic holds now, those of a partition in their order.
pub fn each(servers: &str, topic: &str, mut look: impl FnMut(&BorrowedMessage<'_>)) {
    let consumer: BaseConsumer = client(servers).set("group.id", "tests").create().expect("a consumer");
    let ends = ends(&consumer, topic);
    let mut assignment = TopicPartitionList::new();
    for (partition, _) in &ends {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning).expect("a partition");
    }
    consumer.assign(&assignment).expect("an assignment");
    let (mut seen, expected) = (0, ends.iter().map(|(_, count)| count).sum::<i64>());
    let start = Instant::now();
    while seen < expected {
        assert!(start.elapsed() < PATIENCE * 3, "{seen} of {expected} records of {topic} could be read");
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        look(&message);
        seen += 1;
    }
}

/// The ids of the messages that a topic holds now, in no order.
pub fn ids(servers: &str, topic: &str) -> Vec<String> {
    let id = |record: Record| {
        let message: serde_json::Value =
            serde_json::from_slice(&record.value.expect("a value")).expect("JSON");
        message["id"].as_str().expect("an id").to_owned()
    };
    read(servers, topic).into_iter().map(id).collect()
}

/// How many partitions a topic has; 0 when there is no such topic.
pub fn partitions(servers: &str, topic: &str) -> usize {
    let consumer: BaseConsumer = client(servers).create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("Kafka answers");
    metadata.topics().iter().map(|topic| topic.partitions().len()).sum()
}

/// Whether there is such a topic.
pub fn exists(servers: &str, topic: &str) -> bool {
    partitions(servers, topic) > 0
}

/// How many records a topic holds.
pub fn count(servers: &str, topic: &str) -> i64 {
    let consumer: BaseConsumer = client(servers).set("group.id", "tests").create().expect("a consumer");
    ends(&consumer, topic).iter().map(|(_, count)| count).sum()
}

/// How many records of a topic a group has not committed yet.
pub fn lag(servers: &str, group: &str, topic: &str) -> i64 {
    let consumer: BaseConsumer = client(servers).set("group.id", group).create().expect("a consumer");
    let ends = ends(&consumer, topic);
    let mut partitions = TopicPartitionList::new();
    for (partition, _) in &ends {
        partitions.add_partition(topic, *partition);
    }
    // The first group of a broker waits until it has the topic of the groups.
    let start = Instant::now();
    let committed = loop {
        match consumer.committed_offsets(partitions.clone(), PATIENCE) {
            Ok(committed) => break committed,
            Err(error) => assert!(start.elapsed() < PATIENCE, "Kafka answers: {error}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let position = |partition| match committed.find_partition(topic, partition).map(|found| found.offset()) {
        Some(Offset::Offset(offset)) => offset,
        _ => 0,
    };
    ends.iter().map(|(partition, end)| end - position(*partition)).sum()
}

fn ends(consumer: &BaseConsumer, topic: &str) -> Vec<(i32, i64)> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).expect("Kafka answers");
    let partitions = metadata.topics().iter().flat_map(|t| t.partitions().iter().map(|p| p.id()));
    let end = |partition| consumer.fetch_watermarks(topic, partition, PATIENCE).expect("Kafka answers").1;
    partitions.map(|partition| (partition, end(partition))).collect()
}

fn record(message: &BorrowedMessage<'_>) -> Record {
    use rdkafka::message::Headers;
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let headers =
        message.headers().map(|all| all.iter().map(|h| (h.key.to_owned(), text(h.value))).collect());
    Record {
        partition: message.partition(),
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}

/// A price as a consumer saw it.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The value.
    pub value: Vec<u8>,
    /// When it was seen.
    pub at: std::time::SystemTime,
}

/// A consumer that notes when each record becomes visible.
pub struct Watch {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Arrival>>,
}

/// How long a watch takes to see records at once.
pub const WATCHING: Duration = Duration::from_secs(1);

/// Watches topics from now on. What comes within [`WATCHING`] may be seen late.
pub fn watch(servers: &str, topics: Vec<String>) -> Watch {
    let consumer: BaseConsumer = client(servers)
        .set("group.id", "tests")
        .set("fetch.wait.max.ms", "500")
        .set("fetch.min.bytes", "1")
        .create()
        .expect("a consumer");
    let mut assignment = TopicPartitionList::new();
    for topic in &topics {
        for (partition, _) in ends(&consumer, topic) {
            assignment.add_partition_offset(topic, partition, Offset::End).expect("a partition");
        }
    }
    consumer.assign(&assignment).expect("an assignment");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let thread = std::thread::spawn(move || {
        let mut arrivals = Vec::new();
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
            let value = message.payload().unwrap_or_default().to_vec();
            arrivals.push(Arrival { value, at: std::time::SystemTime::now() });
        }
        arrivals
    });
    Watch { stop, thread }
}

/// How long a message takes from being produced here to being seen here, in milliseconds, for `count` messages with
/// a pause after each: what nobody who goes through this broker can be faster than.
pub fn floor_millis(servers: &str, topic: &str, count: usize, pause: Duration) -> Vec<f64> {
    let producer: ThreadedProducer<DefaultProducerContext> = client(servers)
        .set("linger.ms", "0")
        .set("socket.nagle.disable", "true")
        .set("enable.idempotence", "true")
        .create()
        .expect("a producer");
    let watch = watch(servers, vec![topic.to_owned()]);
    std::thread::sleep(WATCHING);
    let sent: Vec<std::time::SystemTime> = (0..count)
        .map(|number| {
            std::thread::sleep(pause);
            let (now, value) = (std::time::SystemTime::now(), number.to_string());
            producer.send(BaseRecord::to(topic).key("floor").payload(&value)).expect("it is queued");
            now
        })
        .collect();
    producer.flush(PATIENCE).expect("everything is acknowledged");
    std::thread::sleep(Duration::from_millis(200));
    let took = |arrival: Arrival| {
        let number: usize = std::str::from_utf8(&arrival.value).ok()?.parse().ok()?;
        Some(arrival.at.duration_since(sent[number]).unwrap_or_default().as_secs_f64() * 1e3)
    };
    watch.stop().into_iter().filter_map(took).collect()
}

impl Watch {
    /// Ends the watch; everything that was seen.
    pub fn stop(self) -> Vec<Arrival> {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        self.thread.join().expect("the watching thread")
    }
}
