//! What the brokers say of topics: their UUIDs, which tell when a topic was created anew and name messages that brought
//! no id; how many partitions they have; how many copies of each.

use std::{
    ffi::CString,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    admin::AdminClient,
    bindings::*,
    client::{Client, ClientContext, DefaultClientContext},
    error::RDKafkaErrorCode,
    metadata::MetadataBroker,
};

use super::{Answer, AskError, Question, array, text};

/// What a broker before 2.8 says, which has no topic ids.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// A topic as the brokers know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedTopic {
    /// Its UUID. `None`: the brokers are too old to have any.
    pub id: Option<Arc<str>>,
    /// How many partitions it has.
    pub partitions: u32,
    /// How many copies there are of the partition that has the fewest.
    pub replicas: u32,
    /// How many partitions have a leader and fewer copies in sync than there should be.
    pub under_replicated: u32,
    /// How many partitions have no leader, so that nobody can write to them or read them.
    pub offline: u32,
    /// The copies of each partition, in the order of the partitions.
    pub copies: Vec<Copies>,
}

/// The copies of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// The partition.
    pub partition: i32,
    /// How many there should be.
    pub all: usize,
    /// How many have every message.
    pub in_sync: usize,
    /// The broker that is written to and read from. `None`: nobody can do either.
    pub leader: Option<i32>,
}

/// What the brokers say of topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// How many brokers the cluster has now.
    pub brokers: usize,
    /// Each topic as they know it, or why they do not describe it.
    pub topics: Vec<(String, Result<DescribedTopic, RDKafkaErrorCode>)>,
}

/// Asks the brokers for the UUID of a topic, with a client that lives for this one question.
pub fn topic_id(
    config: &ClientConfig,
    topic: &str,
    patience: Duration,
) -> Result<Option<Arc<str>>, AskError> {
    let client: AdminClient<DefaultClientContext> = config.create().map_err(AskError::Client)?;
    let described = describe_topics(client.inner(), &[topic.to_owned()], patience)?;
    match described.topics.into_iter().next() {
        Some((_, Ok(topic))) => Ok(topic.id),
        Some((_, Err(code))) => {
            Err(AskError::Failed { code, text: "the brokers do not describe it".to_owned() })
        }
        None => Err(AskError::NoAnswer),
    }
}

/// Asks the brokers what they know of topics.
pub fn describe_topics<C: ClientContext>(
    client: &Client<C>,
    topics: &[String],
    patience: Duration,
) -> Result<Described, AskError> {
    let Some(first) = topics.first() else { return Ok(Described::default()) };
    let deadline = Instant::now() + patience;
    // Any broker can answer, so the one that is known to is asked rather than the controller, the default.
    let metadata = client.fetch_metadata(Some(first), patience).map_err(|error| AskError::Failed {
        code: error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::BrokerTransportFailure),
        text: "no broker answers".to_owned(),
    })?;
    let known = metadata.brokers().iter().map(MetadataBroker::id);
    let broker = Some(metadata.orig_broker_id()).filter(|id| *id >= 0).or(known.min());
    let broker = broker.ok_or(AskError::NoAnswer)?;
    let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
    let question = Question::new(client, rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, left)?;
    let names = Names::new(topics)?;
    let answer = question.ask(|client, options, queue| {
        // SAFETY: all four are live. The error text may be left out.
        unsafe {
            rd_kafka_AdminOptions_set_broker(options.cast_mut(), broker, std::ptr::null_mut(), 0);
            rd_kafka_DescribeTopics(client, names.0, options, queue);
        }
    })?;
    Ok(Described { brokers: metadata.brokers().len(), topics: described(&answer) })
}

/// A list of topic names, freed in the end.
struct Names(*mut rd_kafka_TopicCollection_t);

impl Names {
    fn new(topics: &[String]) -> Result<Names, AskError> {
        let texts: Result<Vec<CString>, _> =
            topics.iter().map(|topic| CString::new(topic.as_str())).collect();
        let texts = texts.map_err(|_| AskError::Failed {
            code: RDKafkaErrorCode::InvalidTopic,
            text: "the name of a topic holds a NUL".to_owned(),
        })?;
        let mut names: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        // SAFETY: every name is a text that ends in NUL and is live until after this call; librdkafka copies it.
        Ok(Names(unsafe { rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()) }))
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // SAFETY: it was made by its constructor in `new`, is owned by this value alone, and is freed once.
        unsafe { rd_kafka_TopicCollection_destroy(self.0) };
    }
}

fn described(answer: &Answer) -> Vec<(String, Result<DescribedTopic, RDKafkaErrorCode>)> {
    // SAFETY: the two belong together.
    let topics =
        unsafe { answer.items(rd_kafka_event_DescribeTopics_result, rd_kafka_DescribeTopics_result_topics) };
    // SAFETY: each is a topic of this answer.
    topics.iter().map(|topic| unsafe { (name(*topic), describe(*topic)) }).collect()
}

/// # Safety
///
/// `topic` must be a topic of a live answer.
unsafe fn name(topic: *const rd_kafka_TopicDescription_t) -> String {
    // SAFETY: by the contract; the text ends in NUL and lives as long as the topic.
    unsafe { text(rd_kafka_TopicDescription_name(topic)) }.unwrap_or_default()
}

/// # Safety
///
/// `topic` must be a topic of a live answer.
unsafe fn describe(topic: *const rd_kafka_TopicDescription_t) -> Result<DescribedTopic, RDKafkaErrorCode> {
    // SAFETY: by the contract. What is got lives as long as the topic and is copied; what may be absent is checked.
    // No error stands for success.
    unsafe {
        let failure = rd_kafka_error_code(rd_kafka_TopicDescription_error(topic));
        if failure != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(failure.into());
        }
        let id = rd_kafka_TopicDescription_topic_id(topic);
        let id = if id.is_null() { None } else { text(rd_kafka_Uuid_base64str(id)) };
        let partitions = array(|count| rd_kafka_TopicDescription_partitions(topic, count));
        let mut copies: Vec<Copies> = partitions.iter().map(|partition| copies(*partition)).collect();
        copies.sort_unstable_by_key(|copies| copies.partition);
        let count = |wanted: fn(&&Copies) -> bool| number(copies.iter().filter(wanted).count());
        Ok(DescribedTopic {
            id: id.filter(|id| id != NO_ID).map(Arc::from),
            replicas: number(copies.iter().map(|copies| copies.all).min().unwrap_or(0)),
            partitions: number(copies.len()),
            under_replicated: count(|copies| copies.leader.is_some() && copies.in_sync < copies.all),
            offline: count(|copies| copies.leader.is_none()),
            copies,
        })
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// # Safety
///
/// `partition` must be a partition of a live answer.
unsafe fn copies(partition: *const rd_kafka_TopicPartitionInfo_t) -> Copies {
    // SAFETY: by the contract. A leader that is not there is null, or a node with a negative id.
    unsafe {
        let leader = rd_kafka_TopicPartitionInfo_leader(partition);
        let leader = if leader.is_null() { None } else { Some(rd_kafka_Node_id(leader)) };
        Copies {
            partition: rd_kafka_TopicPartitionInfo_partition(partition),
            all: array(|count| rd_kafka_TopicPartitionInfo_replicas(partition, count)).len(),
            in_sync: array(|count| rd_kafka_TopicPartitionInfo_isr(partition, count)).len(),
            leader: leader.filter(|broker| *broker >= 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn config(servers: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers);
        config
    }

    #[test]
    fn each_topic_has_an_id_of_its_own_and_keeps_it() {
        let cluster = MockCluster::new(1).unwrap();
        ["one", "two"].iter().for_each(|topic| cluster.create_topic(topic, 3, 1).unwrap());
        let id = |topic| topic_id(&config(&cluster.bootstrap_servers()), topic, PATIENCE).unwrap().unwrap();
        assert_eq!(id("one").len(), 22, "{}", id("one"));
        assert_eq!(id("one"), id("one"));
        assert_ne!(id("one"), id("two"));
    }

    #[test]
    fn partitions_and_copies_are_counted_and_a_topic_that_is_missing_is_told_apart() {
        let cluster = MockCluster::new(3).unwrap();
        cluster.create_topic("one", 4, 3).unwrap();
        let client: AdminClient<DefaultClientContext> =
            config(&cluster.bootstrap_servers()).set("allow.auto.create.topics", "false").create().unwrap();
        let names = ["one".to_owned(), "absent".to_owned()];
        let described = describe_topics(client.inner(), &names, PATIENCE).unwrap();
        assert_eq!(described.brokers, 3);
        let one = described.topics.iter().find(|(name, _)| name == "one").unwrap().1.as_ref().unwrap();
        assert_eq!((one.partitions, one.replicas), (4, 3));
        assert_eq!((one.under_replicated, one.offline), (0, 0));
        let copies: Vec<_> = one.copies.iter().map(|c| (c.partition, c.all, c.in_sync)).collect();
        assert_eq!(copies, [(0, 3, 3), (1, 3, 3), (2, 3, 3), (3, 3, 3)]);
        assert!(one.copies.iter().all(|copies| copies.leader.is_some()));
        let absent = described.topics.iter().find(|(name, _)| name == "absent").unwrap();
        assert_eq!(absent.1, Err(RDKafkaErrorCode::UnknownTopicOrPartition));
    }

    #[test]
    fn partitions_without_a_leader_are_counted() {
        let cluster = MockCluster::new(3).unwrap();
        cluster.create_topic("one", 4, 3).unwrap();
        cluster.partition_leader("one", 2, None).unwrap();
        let client: AdminClient<DefaultClientContext> =
            config(&cluster.bootstrap_servers()).create().unwrap();
        let described = describe_topics(client.inner(), &["one".to_owned()], PATIENCE).unwrap();
        let one = described.topics[0].1.as_ref().unwrap();
        assert_eq!((one.partitions, one.under_replicated, one.offline), (4, 0, 1));
        let led: Vec<bool> = one.copies.iter().map(|copies| copies.leader.is_some()).collect();
        assert_eq!(led, [true, true, false, true]);
    }

    #[test]
    fn a_broker_that_is_away_is_an_error_and_no_panic() {
        let failed = topic_id(&config("127.0.0.1:1"), "one", Duration::from_secs(1));
        assert!(matches!(failed, Err(AskError::Failed { .. })), "{failed:?}");
    }
}
