//! The UUIDs of topics: they name messages that brought no id, and tell when a topic was created anew.
//! Network I/O, and the only unsafe code of pricepipe.
//!
//! librdkafka can describe topics, but rust-rdkafka has no binding for it.
#![expect(unsafe_code, reason = "rust-rdkafka does not bind rd_kafka_DescribeTopics")]

use std::{
    ffi::{CStr, CString},
    ptr::{NonNull, null, null_mut},
    slice,
    sync::Arc,
    time::Duration,
};

use rdkafka::{
    ClientConfig,
    admin::AdminClient,
    bindings::*,
    client::{Client, ClientContext, DefaultClientContext},
    error::{KafkaError, RDKafkaErrorCode},
    metadata::MetadataBroker,
};

const TIMEOUT: Duration = Duration::from_secs(5);
/// What a broker before 2.8 says, which has no topic ids.
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// Why a topic's UUID is not known. Every kind may pass.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicIdError {
    /// No client could be made.
    #[error("cannot create a client to ask for topic ids")]
    Client(#[source] KafkaError),
    /// The brokers did not answer.
    #[error("no answer in time about the id of topic {0:?}")]
    NoAnswer(String),
    /// The brokers answered with an error.
    #[error("the brokers do not tell the id of topic {topic:?}: {code}")]
    Refused {
        /// The topic.
        topic: String,
        /// Why.
        code: RDKafkaErrorCode,
    },
}

/// What the brokers say of each topic: its UUID, or `None` when they are too old to have any.
pub(crate) type Described = Vec<(String, Result<Option<Arc<str>>, RDKafkaErrorCode>)>;

/// Asks the brokers for the UUID of a topic. `None`: they are too old to have any. Blocks for up to 11 s.
///
/// The client lives for this one question: it is asked once per topic, and only when there are plain messages.
pub(crate) fn fetch(config: &ClientConfig, topic: &str) -> Result<Option<Arc<str>>, TopicIdError> {
    let client: AdminClient<DefaultClientContext> = config.create().map_err(TopicIdError::Client)?;
    let described = describe(client.inner(), &[topic.to_owned()])?.into_iter().next();
    let (topic, id) = described.ok_or_else(|| TopicIdError::NoAnswer(topic.to_owned()))?;
    id.map_err(|code| TopicIdError::Refused { topic, code })
}

/// Asks the brokers for the UUIDs of topics. Blocks for up to 11 s.
pub(crate) fn describe<C: ClientContext>(
    client: &Client<C>,
    topics: &[String],
) -> Result<Described, TopicIdError> {
    let Some(first) = topics.first() else { return Ok(Vec::new()) };
    let no_answer = || TopicIdError::NoAnswer(first.clone());
    // Any broker can answer, so the one that is known to is asked rather than the controller, the default.
    let metadata = client.fetch_metadata(Some(first), TIMEOUT).map_err(|_| no_answer())?;
    let known = metadata.brokers().iter().map(MetadataBroker::id);
    let broker =
        Some(metadata.orig_broker_id()).filter(|id| *id >= 0).or(known.min()).ok_or_else(no_answer)?;
    // SAFETY: the client is borrowed for the whole of this function, and what is made from it here ends with it.
    let question = unsafe { Question::new(client.native_ptr(), topics, broker) }.ok_or_else(no_answer)?;
    let answer = question.ask().ok_or_else(no_answer)?;
    answer.topics().map_err(|_| no_answer())
}

/// Everything that the question needs, freed in the end.
struct Question {
    client: *mut rd_kafka_t,
    broker: i32,
    queue: NonNull<rd_kafka_queue_t>,
    options: NonNull<rd_kafka_AdminOptions_t>,
    topics: NonNull<rd_kafka_TopicCollection_t>,
}

impl Question {
    /// # Safety
    ///
    /// `client` must be a live client, and must stay so for as long as the question and its answer live.
    unsafe fn new(client: *mut rd_kafka_t, topics: &[String], broker: i32) -> Option<Question> {
        let texts: Vec<CString> =
            topics.iter().map(|topic| CString::new(topic.as_str())).collect::<Result<_, _>>().ok()?;
        let mut names: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        // SAFETY: every name is a text that ends in NUL and is live until after this call; librdkafka copies it.
        let topics = unsafe { rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len()) };
        // SAFETY: `client` is live, by the contract of this function.
        let queue = unsafe { rd_kafka_queue_new(client) };
        let api = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        // SAFETY: as above.
        let options = unsafe { rd_kafka_AdminOptions_new(client, api) };
        // Each of the three only fails when memory is out, and librdkafka aborts then.
        let (queue, options, topics) = (NonNull::new(queue)?, NonNull::new(options)?, NonNull::new(topics)?);
        Some(Question { client, broker, queue, options, topics })
    }

    fn ask(&self) -> Option<Answer> {
        // SAFETY: all four are live. The error text may be left out.
        let event = unsafe {
            let (options, millis) = (self.options.as_ptr(), TIMEOUT.as_millis() as i32);
            rd_kafka_AdminOptions_set_broker(options, self.broker, null_mut(), 0);
            rd_kafka_AdminOptions_set_request_timeout(options, millis, null_mut(), 0);
            rd_kafka_DescribeTopics(self.client, self.topics.as_ptr(), options, self.queue.as_ptr());
            rd_kafka_queue_poll(self.queue.as_ptr(), millis + 1_000)
        };
        NonNull::new(event).map(Answer)
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        // SAFETY: each was made by its constructor in `new`, is owned by this value alone, and is freed once.
        unsafe {
            rd_kafka_TopicCollection_destroy(self.topics.as_ptr());
            rd_kafka_AdminOptions_destroy(self.options.as_ptr());
            rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// The event that answers the question, freed in the end.
struct Answer(NonNull<rd_kafka_event_t>);

impl Answer {
    fn topics(&self) -> Result<Described, RDKafkaErrorCode> {
        let event = self.0.as_ptr();
        // SAFETY: the event is live for as long as `self`, and the result and its topics live as long as the event.
        let topics = unsafe {
            let result = rd_kafka_event_DescribeTopics_result(event);
            let failure = rd_kafka_event_error(event);
            if result.is_null() || failure != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return Err(failure.into());
            }
            let mut count = 0;
            let topics = rd_kafka_DescribeTopics_result_topics(result, &mut count);
            if topics.is_null() { &[] } else { slice::from_raw_parts(topics, count) }
        };
        // SAFETY: each is a topic of this answer.
        Ok(topics.iter().map(|topic| unsafe { Self::topic(*topic) }).collect())
    }

    /// # Safety
    ///
    /// `topic` must be a topic of a live answer.
    unsafe fn topic(
        topic: *const rd_kafka_TopicDescription_t,
    ) -> (String, Result<Option<Arc<str>>, RDKafkaErrorCode>) {
        // SAFETY: by the contract. The texts end in NUL, live as long as the topic, and are copied; there is a name
        // always, and what may be absent is checked. No error stands for success.
        unsafe {
            let name = CStr::from_ptr(rd_kafka_TopicDescription_name(topic)).to_string_lossy().into_owned();
            let failure = rd_kafka_error_code(rd_kafka_TopicDescription_error(topic));
            if failure != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return (name, Err(failure.into()));
            }
            let id = rd_kafka_TopicDescription_topic_id(topic);
            let text = if id.is_null() { null() } else { rd_kafka_Uuid_base64str(id) };
            let id = (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy());
            (name, Ok(id.filter(|id| id != NO_ID).map(Arc::from)))
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the event came from a poll, is owned by this value alone, and is freed once.
        unsafe { rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    fn config(servers: &str) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", servers);
        config
    }

    #[test]
    fn each_topic_has_an_id_of_its_own_and_keeps_it() {
        let cluster = MockCluster::new(1).unwrap();
        ["one", "two"].iter().for_each(|topic| cluster.create_topic(topic, 3, 1).unwrap());
        let id = |topic| fetch(&config(&cluster.bootstrap_servers()), topic).unwrap().unwrap();
        assert_eq!(id("one").len(), 22, "{}", id("one"));
        assert_eq!(id("one"), id("one"));
        assert_ne!(id("one"), id("two"));
    }

    #[test]
    fn a_broker_that_is_away_is_an_error_and_no_panic() {
        assert!(matches!(fetch(&config("127.0.0.1:1"), "one"), Err(TopicIdError::NoAnswer(_))));
    }
}
