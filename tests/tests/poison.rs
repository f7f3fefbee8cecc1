//! Messages that cannot be stored go to the dead-letter topic with their origin and the reason, and the rest flows on.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use pricepipe_tests::{
    documents, eventually, messages, pipelines::TestPipeline, servers, topics, worker::Worker,
};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

/// Twelve kinds of poison, and the reason that each is given.
const POISON: [(&[u8], &str); 12] = [
    (b"", "no_value"),
    (b"\xff\xfe\x00garbage", "not_json"),
    (b"{\"symbol\":\"BTCUSDT\",\"price\":", "not_json"),
    (b"[\"BTCUSDT\",67321.50]", "not_json"),
    (b"{\"price\":67321.50}", "no_symbol"),
    (b"{\"symbol\":{\"$gt\":\"\"},\"price\":1}", "invalid_symbol"),
    (b"{\"symbol\":\"BTCUSDT\"}", "no_price"),
    (b"{\"symbol\":\"BTCUSDT\",\"price\":\"NaN\"}", "invalid_price"),
    (b"{\"symbol\":\"BTCUSDT\",\"price\":-1}", "invalid_price"),
    (b"{\"symbol\":\"BTCUSDT\",\"price\":1e400}", "invalid_price"),
    (b"{\"symbol\":\"BTCUSDT\",\"price\":1,\"kind\":\"rumour\"}", "unknown_kind"),
    (b"{\"symbol\":\"BTCUSDT\",\"price\":1,\"time\":\"1969-12-31T23:59:59Z\"}", "invalid_time"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn twelve_kinds_of_poison_become_dead_letters_and_the_lag_returns_to_zero() {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let pipeline = TestPipeline::new("poison", &kafka);
    pipeline.create_topics(&["btc"], 1).await;
    // Poison first, in between and last: the last message of a partition must not be left uncommitted.
    let good = |n| (String::from("k"), Cow::Owned(messages::message(n).encode()));
    let poison = POISON.iter().map(|(value, _)| (String::from("poisoned"), Cow::Borrowed(*value)));
    let records = poison.enumerate().flat_map(|(n, bad)| [good(n as u64), bad]);
    topics::produce(&kafka, &pipeline.topic("btc"), records);
    tombstone(&kafka, &pipeline.topic("btc"));

    let folder = tempfile::tempdir().unwrap();
    let config = pipeline.mongodb_consumer(&["btc"]);
    let mut consumer =
        Worker::start("pricepipe-consumer", &config, &[("MONGO_CONNECTION_STRING", &mongodb)], folder.path());
    eventually("lag returns to 0", Duration::from_secs(30), || {
        topics::lag(&kafka, &pipeline.group(), &pipeline.topic("btc")) == 0
    });

    let letters = topics::read(&kafka, &pipeline.dead_letters());
    assert_eq!(letters.len(), POISON.len() + 1, "the twelve and a tombstone");
    for (n, (value, reason)) in POISON.iter().enumerate() {
        let offset = (2 * n + 1).to_string();
        let header = |letter: &topics::Record, name: &str| {
            letter
                .headers
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        };
        let letter = letters.iter().find(|letter| header(letter, "pricepipe.offset") == offset);
        let letter = letter.unwrap_or_else(|| panic!("no dead letter for offset {offset} ({reason})"));
        assert_eq!(letter.value.as_deref().unwrap_or_default(), *value);
        assert_eq!(letter.key.as_deref(), Some("poisoned".as_bytes()));
        let expected = BTreeMap::from([
            ("pricepipe.reason", (*reason).to_owned()),
            ("pricepipe.topic", pipeline.topic("btc")),
            ("pricepipe.partition", "0".to_owned()),
        ]);
        for (name, expected) in expected {
            assert_eq!(header(letter, name), expected, "{name} of offset {offset}");
        }
        assert!(!header(letter, "pricepipe.detail").is_empty(), "why, in words, for offset {offset}");
    }
    let collection = documents::collection(&mongodb, &pipeline.name, "btc").await;
    assert_eq!(documents::count(&collection).await, POISON.len() as u64);
    assert!((consumer.metric("pricepipe_dead_letters_total", "") - (POISON.len() + 1) as f64).abs() < 0.5);
    assert!(consumer.terminate(Duration::from_secs(25)).success());
    documents::drop(&mongodb, &pipeline.name).await;
}

/// A record without a value.
fn tombstone(kafka: &str, topic: &str) {
    let producer: BaseProducer = topics::client(kafka).create().expect("a producer");
    producer.send(BaseRecord::<str, [u8]>::to(topic).key("gone")).expect("room in the queue");
    producer.flush(Duration::from_secs(10)).expect("Kafka answers");
}
