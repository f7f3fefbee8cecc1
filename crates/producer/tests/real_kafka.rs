//! What the mock cluster cannot show: a real broker's own limits, and topics that appear late.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::time::Duration;

use pricepipe_core::config::ProducerConfig;
use pricepipe_exchange_sim::{Running, SimConfig, start};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use support::{Producer, SECOND, config, eventually, once_each, read};

const SYMBOLS: &[&str] = &["BTCUSDT", "ETHUSDT"];

fn servers() -> String {
    std::env::var("KAFKA_BOOTSTRAP_SERVERS").expect("KAFKA_BOOTSTRAP_SERVERS names a real broker")
}

async fn create(topic: &str, max_message_bytes: &str) {
    let mut client = ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> =
        client.set("bootstrap.servers", servers()).create().unwrap();
    let topic =
        NewTopic::new(topic, 1, TopicReplication::Fixed(1)).set("max.message.bytes", max_message_bytes);
    for result in admin.create_topics([&topic], &AdminOptions::new()).await.unwrap() {
        result.unwrap();
    }
}

/// Topics of this test's own.
fn with_own_topics(exchange: &Running, test: &str) -> ProducerConfig {
    let mut config = config(&servers(), &[exchange.url()], SYMBOLS, Duration::from_millis(200));
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    for route in &mut config.symbols {
        route.topic = format!("{test}-{}-{nanos}", route.topic).parse().unwrap();
    }
    config
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn a_topic_that_appears_late_gets_every_message_that_waited_for_it() {
    let exchange = start(SimConfig::default()).await.unwrap();
    let config = with_own_topics(&exchange, "late");
    let topics: Vec<String> = config.symbols.iter().map(|route| route.topic.to_string()).collect();
    create(&topics[0], "1048588").await;
    let producer = Producer::start(config);
    eventually("the missing topic is named", 10 * SECOND, || producer.unmet().contains(&topics[1])).await;
    let row = |index: usize| producer.observations.snapshot().symbols[index].produced;
    // Longer than librdkafka itself waits for a topic before it gives its messages back.
    tokio::time::sleep(35 * SECOND).await;
    assert!(row(0) >= 150 && row(1) == 0, "{} and {}", row(0), row(1));
    create(&topics[1], "1048588").await;
    eventually("its messages arrive", 60 * SECOND, || row(1) >= 200 && producer.unmet().is_empty()).await;
    assert_eq!(producer.stop().await.unwrap().undelivered, 0);
    let served = exchange.ledger().delivered();
    for (symbol, topic) in SYMBOLS.iter().zip(&topics) {
        let messages = read(&servers(), topic);
        let count = served.iter().filter(|price| &*price.symbol == *symbol).count();
        assert_eq!(once_each(&messages).len(), count, "{symbol}");
    }
}

#[tokio::test]
#[ignore = "needs Kafka"]
async fn p8_a_topic_that_refuses_every_message_as_too_large_holds_nobody_up() {
    let exchange = start(SimConfig::default()).await.unwrap();
    let config = with_own_topics(&exchange, "small");
    let topics: Vec<String> = config.symbols.iter().map(|route| route.topic.to_string()).collect();
    create(&topics[0], "1048588").await;
    create(&topics[1], "100").await;
    let producer = Producer::start(config);
    producer.produces(20, 20 * SECOND).await;
    eventually("they are counted", 20 * SECOND, || producer.observations.snapshot().totals.rejected >= 10)
        .await;
    producer.produces(20, 20 * SECOND).await;
    let summary = producer.stop().await.unwrap();
    let messages = read(&servers(), &topics[0]);
    assert_eq!((once_each(&messages).len() as u64, summary.undelivered), (summary.produced, 0));
}
