//! The Kafka cluster of a pipeline, for commands that ask it something and end. Network I/O; blocks.
//!
//! Nothing here joins a group or commits an offset.

pub(crate) mod scan;

use std::time::Duration;

use pricepipe_core::{
    Pipeline,
    config::{KafkaConnection, KafkaCredentials},
    environment::{KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_SSL_CA_LOCATION, KAFKA_USERNAME},
    names,
};
use pricepipe_service::kafka::{
    self,
    groups::Groups,
    native::{self, AskError, DescribedTopic, ERRORS_AS_EVENTS, End, Offsets},
    trouble::{is_about_login, is_forbidden, most_telling},
};
use rdkafka::{
    ClientConfig,
    admin::AdminClient,
    client::DefaultClientContext,
    error::{KafkaError, RDKafkaErrorCode as Code},
};

use crate::{
    exit::{Exit, Failed},
    parts::{self, KafkaPart, SURROUNDINGS},
};

/// How long the brokers have to answer a question.
const PATIENCE: Duration = Duration::from_secs(5);
const CLIENT_ID: &str = "pricepipe";

/// A cluster, and the pipeline that uses it.
pub(crate) struct Cluster {
    connection: KafkaConnection,
    credentials: Option<KafkaCredentials>,
    topics: AdminClient<DefaultClientContext>,
    groups: Groups,
    group: String,
}

/// What is known of a topic; nothing when it does not exist.
pub(crate) type Known = Option<DescribedTopic>;

impl Cluster {
    /// The cluster that a pipeline uses; `None` when its Kafka is embedded. Nothing is connected yet.
    pub(crate) fn of(pipeline: &Pipeline) -> Result<Option<Cluster>, Failed> {
        match parts::kafka(pipeline, false, &SURROUNDINGS)? {
            KafkaPart::Embedded => Ok(None),
            KafkaPart::Cluster(connection, credentials) => {
                let group = names::consumer_group(&pipeline.namespace, &pipeline.name);
                Cluster::new(connection, credentials, group).map(Some)
            }
        }
    }

    /// The same for a command that has nothing to look at in an embedded Kafka.
    pub(crate) fn required(pipeline: &Pipeline) -> Result<Cluster, Failed> {
        Cluster::of(pipeline)?.ok_or_else(|| {
            let message = format!(
                "{}: its Kafka is embedded, and lives in the process of `pricepipe run`, whose /metrics has the lag; to \
                 look at a cluster, set {KAFKA_BOOTSTRAP_SERVERS} or spec.kafka.bootstrapServers",
                pipeline.name
            );
            Failed::new(Exit::NotFound, message)
        })
    }

    fn new(
        connection: KafkaConnection,
        credentials: Option<KafkaCredentials>,
        group: String,
    ) -> Result<Cluster, Failed> {
        let telling = |mut config: ClientConfig| {
            config.set(ERRORS_AS_EVENTS.0, ERRORS_AS_EVENTS.1);
            config
        };
        let settings = telling(kafka::admin(&connection, credentials.as_ref(), CLIENT_ID));
        let topics = settings.create().map_err(|error| unusable(&error))?;
        Ok(Cluster { topics, groups: Groups::new(settings), connection, credentials, group })
    }

    /// The addresses, for texts.
    pub(crate) fn servers(&self) -> String {
        self.connection.bootstrap_servers.join(",")
    }

    /// The pipeline's consumer group.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// What is known of topics, in their order.
    pub(crate) fn describe(&self, names: &[String]) -> Result<Vec<Known>, Failed> {
        let described = native::describe_topics(self.topics.inner(), names, PATIENCE);
        let mut described = described.map_err(|error| self.failed(&error))?.topics;
        let known = |name: &String| {
            let at = described.iter().position(|(described, _)| described == name);
            match at.map(|at| described.swap_remove(at).1) {
                None | Some(Err(Code::UnknownTopicOrPartition | Code::UnknownTopic)) => Ok(None),
                Some(Ok(topic)) => Ok(Some(topic)),
                Some(Err(code)) => Err(self
                    .failed(&AskError::Failed { code, text: format!("topic {name} cannot be looked at") })),
            }
        };
        names.iter().map(known).collect()
    }

    /// What is known of topics that all have to be there.
    pub(crate) fn existing(&self, names: &[String]) -> Result<Vec<DescribedTopic>, Failed> {
        let known = self.describe(names)?;
        missing(names, &known)?;
        Ok(known.into_iter().flatten().collect())
    }

    /// One end of each of these partitions.
    pub(crate) fn offsets(&self, partitions: &[(String, i32)], end: End) -> Result<Offsets, Failed> {
        native::offsets_of(self.topics.inner(), partitions, end, PATIENCE)
            .map_err(|error| self.failed(&error))
    }

    /// The offsets that the pipeline's consumers have committed of these partitions.
    pub(crate) fn committed(&self, partitions: &[(String, i32)]) -> Result<Offsets, Failed> {
        self.groups.committed_offsets(&self.group, partitions, PATIENCE).map_err(|error| self.failed(&error))
    }

    /// Settings of a client that reads what is committed to the topics, and joins no group.
    pub(crate) fn reader(&self) -> ClientConfig {
        let credentials = self.credentials.as_ref();
        let mut config = kafka::reader(&self.connection, credentials, CLIENT_ID, &self.group);
        config
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            // What was removed meanwhile is passed over.
            .set("auto.offset.reset", "earliest")
            .set("check.crcs", "true")
            // Whoever reads is slower than Kafka, and a message that waits takes several times its size.
            .set("queued.max.messages.kbytes", "4096")
            .set("queued.min.messages", "10000");
        config
    }

    /// Settings of a client that writes, and gives up when the brokers do not take a message in time.
    pub(crate) fn writer(&self) -> ClientConfig {
        let mut config = kafka::producer(&self.connection, self.credentials.as_ref(), CLIENT_ID);
        config.set("message.timeout.ms", "10000").set("statistics.interval.ms", "0");
        config
    }

    /// What it means that a question was not answered.
    fn failed(&self, error: &AskError) -> Failed {
        let said = native::notices(self.topics.inner()).into_iter().chain(self.groups.notices());
        let trouble = most_telling(None, said);
        match (error, trouble) {
            (AskError::Failed { code, text }, _) if is_forbidden(*code) => self.trouble(*code, text),
            (_, Some(notice)) => self.trouble(notice.code, &notice.text),
            (AskError::Failed { code, text }, None) => self.trouble(*code, text),
            (error, None) => self.trouble(Code::OperationTimedOut, &error.to_string()),
        }
    }

    /// What it means that the client met this.
    pub(crate) fn trouble(&self, code: Code, text: &str) -> Failed {
        let (servers, said) = (self.servers(), kafka::words(text, self.credentials.as_ref()));
        let user = self.credentials.as_ref().map_or_else(String::new, |c| format!(" user {:?}", c.username));
        let message = match code {
            code if is_about_login(code) => format!(
                "Kafka at {servers} refuses{user}: {said}; check {KAFKA_USERNAME}, {KAFKA_PASSWORD} and the mechanism"
            ),
            Code::SSL => format!(
                "no TLS connection to Kafka at {servers}: {said}; check that {KAFKA_SSL_CA_LOCATION} names the authority \
                 of the brokers' certificates, and that these name the addresses"
            ),
            code if is_forbidden(code) => format!(
                "Kafka at {servers} does not allow{user} to do this: {said} ({code}); grant Read on the pipeline's topics \
                 and on the group {}, and to replay Write on the topics",
                self.group
            ),
            _ => format!(
                "Kafka at {servers} does not answer: {said}; check {KAFKA_BOOTSTRAP_SERVERS} or \
                 spec.kafka.bootstrapServers, and that the brokers run"
            ),
        };
        Failed::new(Exit::Unreachable, message)
    }
}

/// The partitions of a topic.
pub(crate) fn partitions(topic: &DescribedTopic) -> impl Iterator<Item = i32> {
    topic.copies.iter().map(|copies| copies.partition)
}

/// The partitions of topics that have a leader, so that they can be asked about and read.
pub(crate) fn led<'a>(
    names: &'a [String],
    known: &'a [Known],
) -> impl Iterator<Item = (String, i32)> + use<'a> {
    names.iter().zip(known).flat_map(|(name, known)| {
        let copies = known.iter().flat_map(|topic| &topic.copies);
        copies.filter(|copies| copies.leader.is_some()).map(|copies| (name.clone(), copies.partition))
    })
}

/// Those of these topics that do not exist.
pub(crate) fn absent<'a>(names: &'a [String], known: &[Known]) -> Vec<&'a str> {
    names.iter().zip(known).filter(|(_, known)| known.is_none()).map(|(name, _)| name.as_str()).collect()
}

/// Why no client could be made.
pub(crate) fn unusable(error: &KafkaError) -> Failed {
    Failed::new(Exit::Invalid, format!("the Kafka connection cannot be used: {error}"))
}

/// Names the topics that do not exist, with the remedy.
pub(crate) fn missing(names: &[String], known: &[Known]) -> Result<(), Failed> {
    let missing = absent(names, known);
    let (subject, verb) = match missing.len() {
        0 => return Ok(()),
        1 => ("the topic", "does not exist"),
        _ => ("the topics", "do not exist"),
    };
    let message = format!(
        "{subject} {} {verb}; `pricepipe run`, or the controller in a cluster, creates what is missing",
        missing.join(", ")
    );
    Err(Failed::new(Exit::NotFound, message))
}

#[cfg(test)]
mod tests {
    use pricepipe_core::Secret;

    use super::*;

    pub(super) fn cluster(servers: &str, credentials: Option<KafkaCredentials>) -> Cluster {
        let connection =
            KafkaConnection { bootstrap_servers: vec![servers.to_owned()], ..KafkaConnection::default() };
        Cluster::new(connection, credentials, "pricepipe.default.test".to_owned()).unwrap()
    }

    #[test]
    fn each_kind_of_trouble_has_its_remedy_and_shows_no_password() {
        let credentials = KafkaCredentials { username: "ann".to_owned(), password: Secret::new("hunter2") };
        let cluster = cluster("kafka:1", Some(credentials));
        for (code, remedy) in [
            (Code::SaslAuthenticationFailed, "refuses user \"ann\": no *** (bad); check KAFKA_USERNAME"),
            (Code::SSL, "KAFKA_SSL_CA_LOCATION names the authority"),
            (
                Code::TopicAuthorizationFailed,
                "grant Read on the pipeline's topics and on the group pricepipe.",
            ),
            (Code::BrokerTransportFailure, "does not answer: no *** (bad); check KAFKA_BOOTSTRAP_SERVERS"),
        ] {
            let failed = cluster.trouble(code, "no hunter2 (bad) (after 3ms in state CONNECT)");
            assert!(failed.exit == Exit::Unreachable && failed.message.contains(remedy), "{failed}");
            assert!(failed.message.contains("kafka:1") && !failed.message.contains("hunter2"), "{failed}");
        }
    }
}
