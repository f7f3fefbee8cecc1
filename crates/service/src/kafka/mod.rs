//! Kafka client settings from a connection: the same for every component, in one place. Questions about consumer groups, in
//! [`groups`] and [`lag`]. What its complaints are about, in [`trouble`]. And what
//! rust-rdkafka does not bind of librdkafka, in [`native`].

pub mod groups;
pub mod lag;
pub mod native;
pub mod trouble;

use pricepipe_core::config::{HEARTBEAT_MILLIS, KafkaConnection, KafkaCredentials, LONGEST_POLL_MILLIS};
use rdkafka::ClientConfig;

/// What every client is told.
fn client(
    connection: &KafkaConnection,
    credentials: Option<&KafkaCredentials>,
    client_id: &str,
) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", connection.bootstrap_servers.join(","))
        .set("security.protocol", connection.security_protocol.as_str())
        .set("client.id", client_id)
        .set("allow.auto.create.topics", "false")
        .set("socket.keepalive.enable", "true")
        // Back within seconds after an outage, and soon less than one failed login per second while a password is
        // wrong. The first wait is short, because half of it also passes between the first two connections.
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "2000");
    if let Some(mechanism) = connection.sasl_mechanism.filter(|_| connection.security_protocol.uses_sasl()) {
        config.set("sasl.mechanism", mechanism.as_str());
    }
    if let Some(credentials) = credentials {
        config
            .set("sasl.username", &credentials.username)
            .set("sasl.password", credentials.password.expose());
    }
    if let Some(file) = &connection.ca_file {
        config.set("ssl.ca.location", file.to_string_lossy());
    }
    config
}

/// Settings of a producer that neither loses nor doubles what it accepted: idempotent, acknowledged by all
/// in-sync replicas, patient without limit, and bounded in memory.
pub fn producer(
    connection: &KafkaConnection,
    credentials: Option<&KafkaCredentials>,
    client_id: &str,
) -> ClientConfig {
    let mut config = client(connection, credentials, client_id);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // Never give a message up: while the queue is full, new observations are skipped and counted instead.
        .set("message.timeout.ms", "0")
        .set("queue.buffering.max.messages", "100000")
        .set("queue.buffering.max.kbytes", "16384")
        // A slot's messages are handed over together, so waiting for more would only delay them; nor may one partition's
        // request wait for the answer to another's.
        .set("linger.ms", "0")
        .set("socket.nagle.disable", "true")
        .set("compression.type", "lz4")
        // The Java client's partitioner, so that every client puts a key into the same partition.
        .set("partitioner", "murmur2_random")
        .set("statistics.interval.ms", "5000");
    config
}

/// Changes the settings of a [`producer`] for streams: messages come one by one and many a second, so each request waits a
/// moment for others, and none of them holds much memory.
pub fn for_streams(config: &mut ClientConfig) {
    config.set("linger.ms", "2").set("queue.buffering.max.kbytes", "8192");
}

/// Settings of a member of a consumer group that commits by itself, and only what is stored.
pub fn consumer(
    connection: &KafkaConnection,
    credentials: Option<&KafkaCredentials>,
    client_id: &str,
    group: &str,
) -> ClientConfig {
    let mut config = reader(connection, credentials, client_id, group);
    config
        .set("enable.auto.offset.store", "false")
        // A new group begins with the oldest message; the librdkafka default would skip all that is there.
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("heartbeat.interval.ms", HEARTBEAT_MILLIS.to_string())
        .set("max.poll.interval.ms", LONGEST_POLL_MILLIS.to_string())
        .set("check.crcs", "true")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.wait.max.ms", "100")
        // A topic that was missing, or was created anew, is found within seconds instead of five minutes.
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("statistics.interval.ms", "1000");
    config
}

/// Settings of a client that only administers.
pub fn admin(
    connection: &KafkaConnection,
    credentials: Option<&KafkaCredentials>,
    client_id: &str,
) -> ClientConfig {
    client(connection, credentials, client_id)
}

/// Settings of a client that reads by partitions and joins no group. It has one in name, since librdkafka wants that.
pub fn reader(
    connection: &KafkaConnection,
    credentials: Option<&KafkaCredentials>,
    client_id: &str,
    group: &str,
) -> ClientConfig {
    let mut config = client(connection, credentials, client_id);
    config.set("group.id", group).set("enable.auto.commit", "false");
    config
}

/// librdkafka's words without what differs from one attempt to the next, how long it took, and without the password
/// should it ever be in there.
pub fn words(text: &str, credentials: Option<&KafkaCredentials>) -> String {
    let text = text.split(" (after ").next().unwrap_or_default();
    match credentials.map(|credentials| credentials.password.expose()) {
        Some(password) if !password.is_empty() => text.replace(password, "***"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use pricepipe_core::{
        Secret,
        config::{SaslMechanism, SecurityProtocol},
    };
    use rdkafka::producer::BaseProducer;

    use super::*;

    fn scram() -> (KafkaConnection, KafkaCredentials) {
        let connection = KafkaConnection {
            bootstrap_servers: vec!["127.0.0.1:1".to_owned()],
            security_protocol: SecurityProtocol::SaslSsl,
            sasl_mechanism: Some(SaslMechanism::ScramSha512),
            ca_file: None,
        };
        (connection, KafkaCredentials { username: "u".to_owned(), password: Secret::new("hunter2") })
    }

    #[test]
    fn librdkafka_accepts_every_setting_and_was_built_with_tls_and_scram() {
        let (connection, credentials) = scram();
        let made: Result<BaseProducer, _> = producer(&connection, Some(&credentials), "test").create();
        assert!(made.is_ok());
        let made: Result<rdkafka::consumer::BaseConsumer, _> =
            consumer(&connection, Some(&credentials), "test", "g").create();
        assert!(made.is_ok());
    }

    #[test]
    fn librdkafkas_words_are_the_same_at_every_attempt_and_show_no_password() {
        let (_, credentials) = scram();
        let said = "Connect to kafka:9092 as u:hunter2 failed (after 12ms in state CONNECT)";
        assert_eq!(words(said, Some(&credentials)), "Connect to kafka:9092 as u:*** failed");
        assert_eq!(words(said, None), "Connect to kafka:9092 as u:hunter2 failed");
        let empty = KafkaCredentials { password: Secret::new(""), ..credentials };
        assert_eq!(words("no (after 1ms)", Some(&empty)), "no");
    }

    #[test]
    fn the_password_is_not_in_the_debug_output() {
        let (connection, credentials) = scram();
        let debug = format!("{:?}", producer(&connection, Some(&credentials), "test"));
        assert!(!debug.contains("hunter2"), "{debug}");
    }
}
