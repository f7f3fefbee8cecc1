//! With a real broker: what only it can tell.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use pricepipe_api::TopicStatus;
use pricepipe_core::{
    Secret,
    config::{KafkaConnection, KafkaCredentials, SaslMechanism, SecurityProtocol},
    pipeline::{Topic, TopicSettings},
};
use pricepipe_service::kafka::native;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::ResourceSpecifier,
    consumer::{BaseConsumer, CommitMode, Consumer},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};

use super::{Clients, Deleted, Ensured, KafkaAdmin, KafkaError, delete, ensure, lag};

const PATIENCE: Duration = Duration::from_secs(10);

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} names a real broker: run this with `make test`"))
}

fn connection(servers: &str) -> KafkaConnection {
    KafkaConnection { bootstrap_servers: vec![servers.to_owned()], ..KafkaConnection::default() }
}

fn here() -> Arc<KafkaAdmin> {
    let connection = connection(&variable("KAFKA_BOOTSTRAP_SERVERS"));
    Clients::default().admin(&connection, None, None).expect("a client")
}

/// A topic with a name that no other test and no other run has.
fn topic(partitions: u32) -> Topic {
    let name = format!("controller-{:016x}", fastrand::u64(..));
    Topic { name: name.parse().expect("a legal name"), partitions, compacted: false }
}

fn settings() -> TopicSettings {
    TopicSettings {
        partitions: 3,
        replication_factor: 1,
        min_in_sync_replicas: 1,
        retention_seconds: 3_600,
        config: [("segment.ms".to_owned(), "600000".to_owned())].into(),
    }
}

async fn nothing_written(_: Vec<TopicStatus>) -> Result<(), Infallible> {
    Ok(())
}

async fn ensured(
    admin: &KafkaAdmin,
    wanted: &[Topic],
    settings: &TopicSettings,
    known: &[TopicStatus],
) -> Ensured {
    let Ok(ensured) = ensure(admin, wanted, settings, known, nothing_written).await;
    ensured
}

/// Makes topics of which nothing is known, without a problem.
async fn made(admin: &KafkaAdmin, wanted: &[Topic]) -> Vec<TopicStatus> {
    let ensured = ensured(admin, wanted, &settings(), &[]).await;
    assert_eq!(ensured.problems, []);
    assert_eq!(ensured.topics.len(), wanted.len());
    ensured.topics
}

async fn config(admin: &KafkaAdmin, topic: &Topic) -> BTreeMap<String, String> {
    let specifier = [ResourceSpecifier::Topic(topic.name.as_str())];
    let described =
        admin.call(async |client| client.describe_configs(&specifier, &KafkaAdmin::options()).await).await;
    let entries = described.expect("Kafka answers").remove(0).expect("a topic").entries;
    entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?))).collect()
}

/// Waits until a topic has these settings: a broker answers with what was before until it has heard of a change.
async fn until_configured(admin: &KafkaAdmin, topic: &Topic, expected: &[(&str, &str)]) {
    let start = Instant::now();
    loop {
        let config = config(admin, topic).await;
        let found: Vec<_> =
            expected.iter().map(|(key, _)| (*key, config.get(*key).map_or("", |v| v))).collect();
        if found == expected {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{found:?}, not {expected:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn exists(admin: &KafkaAdmin, topic: &Topic) -> bool {
    !admin.describe(vec![topic.name.to_string()]).await.expect("Kafka answers").is_empty()
}

fn nobody() -> BTreeSet<String> {
    BTreeSet::new()
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_missing_topic_is_created_as_the_spec_says_and_is_ours() {
    let (admin, wanted) = (here(), [topic(3), topic(1)]);
    let topics = made(&admin, &wanted).await;
    for (wanted, topic) in wanted.iter().zip(&topics) {
        assert_eq!(topic.name, wanted.name.as_str());
        assert_eq!((i64::from(topic.partitions), topic.created), (i64::from(wanted.partitions), true));
        assert_eq!(topic.id.as_ref().map(String::len), Some(22), "{topic:?}");
        let expected = [("retention.ms", "3600000"), ("min.insync.replicas", "1"), ("segment.ms", "600000")];
        until_configured(&admin, wanted, &expected).await;
    }
    let again = ensured(&admin, &wanted, &settings(), &topics).await;
    assert_eq!((again.topics, again.problems), (topics, vec![]), "the second time nothing changes");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn nothing_is_created_before_the_intention_is_written() {
    let (admin, wanted) = (here(), [topic(1)]);
    let settings = settings();
    let refused = ensure(&admin, &wanted, &settings, &[], |intended| {
        assert_eq!(intended.iter().map(|t| (t.created, t.id.clone())).collect::<Vec<_>>(), [(true, None)]);
        async {
            assert!(!exists(&admin, &wanted[0]).await, "it is created before it is known whose it is");
            Err("the API server is away")
        }
    });
    assert_eq!(refused.await.err(), Some("the API server is away"));
    assert!(!exists(&admin, &wanted[0]).await);
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_whose_creator_died_before_it_saw_the_id_is_still_ours() {
    let (admin, wanted) = (here(), [topic(2)]);
    let intended = Mutex::new(Vec::new());
    let settings = settings();
    let died = ensure(&admin, &wanted, &settings, &[], |statuses| {
        *intended.lock().expect("no panic") = statuses;
        async { Ok::<_, Infallible>(()) }
    });
    let Ok(seen) = died.await;
    let intended = intended.into_inner().expect("no panic");
    let after = ensured(&admin, &wanted, &settings, &intended).await;
    assert_eq!(after.topics, seen.topics);
    assert!(after.topics[0].created && after.topics[0].id.is_some(), "{after:?}");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_that_somebody_else_creates_first_is_written_down_as_theirs_at_once() {
    let (admin, wanted) = (here(), [topic(1)]);
    let written = Mutex::new(Vec::new());
    let settings = settings();
    let outrun = ensure(&admin, &wanted, &settings, &[], |statuses: Vec<TopicStatus>| {
        written.lock().expect("no panic").push(statuses[0].created);
        let is_first = written.lock().expect("no panic").len() == 1;
        let (admin, wanted) = (&admin, &wanted);
        async move {
            if is_first {
                made(admin, wanted).await;
            }
            Ok::<_, Infallible>(())
        }
    });
    let Ok(ensured) = outrun.await;
    assert_eq!(*written.lock().expect("no panic"), [true, false]);
    assert!(!ensured.topics[0].created && ensured.topics[0].id.is_some(), "{ensured:?}");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_that_was_there_before_is_used_grows_and_is_never_deleted() {
    let (admin, name) = (here(), topic(2));
    made(&admin, std::slice::from_ref(&name)).await;
    let wanted = [Topic { partitions: 3, ..name }];
    let adopted = ensured(&admin, &wanted, &settings(), &[]).await;
    assert_eq!(adopted.problems, []);
    assert_eq!((adopted.topics[0].created, adopted.topics[0].partitions), (false, 3));
    let deleted = delete(&admin, &adopted.topics, &nobody()).await.expect("Kafka answers");
    assert_eq!(deleted, Deleted::default());
    assert!(exists(&admin, &wanted[0]).await);
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn partitions_only_grow() {
    let (admin, name) = (here(), topic(1));
    let known = made(&admin, std::slice::from_ref(&name)).await;
    let grown = ensured(&admin, &[Topic { partitions: 4, ..name.clone() }], &settings(), &known).await;
    assert_eq!((grown.topics[0].partitions, grown.problems), (4, vec![]));
    let shrunk = ensured(&admin, &[Topic { partitions: 2, ..name }], &settings(), &grown.topics).await;
    assert_eq!(shrunk.topics, grown.topics, "it stays as it is");
    assert!(matches!(&shrunk.problems[..], [KafkaError::Refused { .. }]), "{shrunk:?}");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn listed_configuration_follows_the_spec_and_the_rest_stays() {
    let (admin, wanted) = (here(), [topic(1)]);
    let known = made(&admin, &wanted).await;
    let by_hand = [("max.message.bytes", "123456"), ("segment.ms", "1000")];
    let by_hand: BTreeMap<_, _> = by_hand.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let change = BTreeMap::from([(known[0].name.clone(), by_hand)]);
    admin
        .ask(move |handles| native::set_topic_configs(handles.topics(), &change, PATIENCE))
        .await
        .expect("Kafka answers");
    until_configured(&admin, &wanted[0], &[("max.message.bytes", "123456"), ("segment.ms", "1000")]).await;
    let longer = TopicSettings { retention_seconds: 7_200, ..settings() };
    assert_eq!(ensured(&admin, &wanted, &longer, &known).await.problems, []);
    let changed = ("retention.ms", "7200000");
    let listed_and_changed_by_hand = ("segment.ms", "600000");
    let not_listed = ("max.message.bytes", "123456");
    until_configured(&admin, &wanted[0], &[changed, listed_and_changed_by_hand, not_listed]).await;
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn what_kafka_refuses_is_told_with_a_remedy_and_other_topics_are_made() {
    let admin = here();
    let too_many = TopicSettings { replication_factor: 3, ..settings() };
    let ensured_none = ensured(&admin, &[topic(1)], &too_many, &[]).await;
    assert!(ensured_none.topics.is_empty());
    let text = ensured_none.problems[0].to_string();
    assert!(text.contains("replicationFactor") && !ensured_none.problems[0].is_transient(), "{text}");

    let nonsense =
        TopicSettings { config: [("no.such.key".to_owned(), "1".to_owned())].into(), ..settings() };
    let there = [topic(1)];
    let known = made(&admin, &there).await;
    let set = ensured(&admin, &there, &nonsense, &known).await;
    assert_eq!(set.topics, known);
    assert!(set.problems[0].to_string().contains("spec.kafka.topics.config"), "{:?}", set.problems);
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn only_the_very_topic_that_was_created_is_deleted_and_only_when_nobody_else_uses_it() {
    let (admin, wanted) = (here(), [topic(1), topic(1), topic(1)]);
    let mut known = made(&admin, &wanted).await;
    known[1].id = Some("AAAAAAAAAAAAAAAAAAAAAQ".to_owned());
    let claimed = BTreeSet::from([known[2].name.clone()]);
    let outcome = delete(&admin, &known, &claimed).await.expect("Kafka answers");
    assert_eq!(outcome.deleted, [known[0].name.clone()]);
    let left: Vec<&str> = outcome.left.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(left, [&known[1].name, &known[2].name]);
    assert!(!exists(&admin, &wanted[0]).await);
    assert!(exists(&admin, &wanted[1]).await && exists(&admin, &wanted[2]).await);
    let again = delete(&admin, &known, &claimed).await.expect("Kafka answers");
    assert_eq!((again.deleted, again.left), (vec![], outcome.left), "what is gone is fine");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_can_be_deleted_and_made_again_at_once() {
    let (admin, wanted) = (here(), [topic(3)]);
    let mut known = made(&admin, &wanted).await;
    for _ in 0..5 {
        let deleted = delete(&admin, &known, &nobody()).await.expect("Kafka answers");
        assert_eq!(deleted.deleted, [known[0].name.clone()]);
        let again = made(&admin, &wanted).await;
        assert!(again[0].created && again[0].id != known[0].id, "{again:?}");
        known = again;
    }
}

fn client() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", variable("KAFKA_BOOTSTRAP_SERVERS"));
    config
}

fn produce(topic: &Topic, partition: i32, count: usize) {
    let producer: ThreadedProducer<DefaultProducerContext> = client().create().expect("a producer");
    for _ in 0..count {
        let record = BaseRecord::<(), str>::to(topic.name.as_str()).partition(partition).payload("1");
        producer.send(record).map_err(|(error, _)| error).expect("room for a message");
    }
    producer.flush(PATIENCE).expect("everything is acknowledged");
}

fn commit(group: &str, topic: &Topic, partition: i32, offset: i64) {
    let consumer: BaseConsumer = client().set("group.id", group).create().expect("a consumer");
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic.name.as_str(), partition, Offset::Offset(offset)).expect("an offset");
    consumer.commit(&offsets, CommitMode::Sync).expect("Kafka answers");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn lag_is_what_a_group_has_not_committed() {
    let (admin, topics) = (here(), [topic(3), topic(1)]);
    let known = made(&admin, &topics).await;
    let group = format!("pricepipe.tests.{}", topics[0].name);
    // A topic that was just created may have no leader yet, and then its lag is not known.
    let start = Instant::now();
    let mut first = lag(&admin, &group, &topics, &known).await;
    while first.is_err() && start.elapsed() < PATIENCE {
        first = lag(&admin, &group, &topics, &known).await;
    }
    assert_eq!(first, Ok(0), "no messages, and no group");
    produce(&topics[0], 0, 5);
    produce(&topics[0], 2, 4);
    produce(&topics[1], 0, 2);
    assert_eq!(lag(&admin, &group, &topics, &known).await, Ok(11), "nothing is committed");
    commit(&group, &topics[0], 0, 5);
    commit(&group, &topics[0], 2, 1);
    assert_eq!(lag(&admin, &group, &topics, &known).await, Ok(5), "some of it is committed");
    assert_eq!(lag(&admin, &group, &topics[..1], &known).await, Ok(3), "of one topic");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn the_lag_of_a_topic_that_is_not_there_is_an_error() {
    let failed = lag(&here(), "pricepipe.tests.none", &[topic(1)], &[]).await;
    assert!(failed.is_err(), "{failed:?}");
}

#[tokio::test]
async fn a_kafka_that_is_away_is_told_within_ten_seconds_by_every_call() {
    let admin = Clients::default().admin(&connection("127.0.0.1:1"), None, None).expect("a client");
    let (wanted, known) = ([topic(1)], [TopicStatus { created: true, ..TopicStatus::default() }]);
    let (settings, nobody, start) = (settings(), nobody(), Instant::now());
    let (ensured, lag, deleted) = tokio::join!(
        ensured(&admin, &wanted, &settings, &known),
        lag(&admin, "group", &wanted, &[]),
        delete(&admin, &known, &nobody)
    );
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(ensured.topics, known, "what was known stays known");
    for error in [ensured.problems[0].clone(), lag.unwrap_err(), deleted.unwrap_err()] {
        assert!(matches!(error, KafkaError::Unreachable(_)) && error.is_transient(), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("127.0.0.1:1") && text.contains("Connection refused"), "{text}");
        assert!(!text.contains("(after"), "the text is the same at the next attempt: {text}");
    }
}

fn sasl(password: &str, ca: Option<&str>) -> Arc<KafkaAdmin> {
    let connection = KafkaConnection {
        security_protocol: SecurityProtocol::SaslSsl,
        sasl_mechanism: Some(SaslMechanism::ScramSha512),
        ..connection(&variable("KAFKA_SASL_BOOTSTRAP_SERVERS"))
    };
    let username = variable("KAFKA_SASL_USERNAME");
    let credentials = KafkaCredentials { username, password: Secret::new(password) };
    Clients::default().admin(&connection, Some(&credentials), ca).expect("a client")
}

fn authority() -> String {
    std::fs::read_to_string(variable("KAFKA_SASL_CA")).expect("a CA file")
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_login_over_tls_works_with_the_authority_of_the_secret() {
    let file = variable("KAFKA_SASL_PASSWORD_FILE");
    let password = std::fs::read_to_string(file).expect("a password file");
    let admin = sasl(password.trim(), Some(&authority()));
    assert!(made(&admin, &[topic(1)]).await[0].created);
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_wrong_password_is_told_as_such_and_not_repeated() {
    let admin = sasl("hunter2-hunter2", Some(&authority()));
    let ensured = ensured(&admin, &[topic(1)], &settings(), &[]).await;
    let text = ensured.problems[0].to_string();
    assert!(matches!(ensured.problems[0], KafkaError::Authentication(_)), "{text}");
    assert!(text.contains("user \"pricepipe\"") && text.contains("credentialsSecretRef"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let again = lag(&admin, "group", &[topic(1)], &[]).await.unwrap_err();
    assert_eq!(again, ensured.problems[0], "the text is the same at the next attempt");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn an_authority_that_did_not_sign_the_brokers_certificate_is_told_as_such() {
    let admin = sasl("x", None);
    let problem = ensured(&admin, &[topic(1)], &settings(), &[]).await.problems.remove(0);
    assert!(matches!(problem, KafkaError::Authentication(_)), "{problem:?}");
    assert!(problem.to_string().contains("caSecretRef"), "{problem}");
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn two_addresses_of_one_kafka_are_known_as_one_once_it_was_reached() {
    let servers = variable("KAFKA_BOOTSTRAP_SERVERS");
    let other = servers.replace("127.0.0.1", "localhost");
    let (one, two) = (connection(&servers), connection(&other));
    let clients = Clients::default();
    let admins = [&one, &two].map(|connection| clients.admin(connection, None, None).expect("a client"));
    assert!(clients.cluster(&one).is_disjoint(&clients.cluster(&two)));
    for admin in &admins {
        assert!(!exists(admin, &topic(1)).await);
    }
    assert!(!clients.cluster(&one).is_disjoint(&clients.cluster(&two)));
}
