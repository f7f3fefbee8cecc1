//! A Kafka that misbehaves (P1 to P4, P8 to P10): librdkafka's mock cluster, with the real protocol.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::time::{Duration, Instant};

use pricepipe_core::PriceMessage;
use pricepipe_exchange_sim::{Fault, Rule, Running, SimConfig, start};
use pricepipe_producer::{Options, ProducerError};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use support::{FAST, Kafka, Producer, SECOND, config, eventually, once_each};

const BTC: &str = "BTCUSDT";
const ETH: &str = "ETHUSDT";
const TOPICS: &[&str] = &["btcusdt", "ethusdt"];

struct Pipeline {
    kafka: Kafka,
    exchange: Running,
    producer: Producer,
}

async fn pipeline() -> Pipeline {
    pipeline_with(Kafka::start(3, TOPICS)).await
}

async fn pipeline_with(kafka: Kafka) -> Pipeline {
    let exchange = start(SimConfig::default()).await.unwrap();
    let producer = Producer::start(config(&kafka.bootstrap_servers, &[exchange.url()], &[BTC, ETH], FAST));
    producer.produces(6, 10 * SECOND).await;
    Pipeline { kafka, exchange, producer }
}

impl Pipeline {
    /// Ends the producer and checks that what was served is there: everything, once, in order.
    async fn finish(self) -> Vec<PriceMessage> {
        let summary = self.producer.stop().await.unwrap();
        assert_eq!((summary.undelivered, summary.rejected), (0, 0));
        let messages = check(&self.kafka, &self.exchange);
        assert_eq!(messages.len() as u64, summary.produced);
        messages
    }
}

/// Every price that the exchange served must be in its topic, once, in the order in which it was served.
fn check(kafka: &Kafka, exchange: &Running) -> Vec<PriceMessage> {
    let served = exchange.ledger().delivered();
    let mut messages = Vec::new();
    for (symbol, topic) in [(BTC, "btcusdt"), (ETH, "ethusdt")] {
        let of_topic = kafka.read(topic);
        let prices: Vec<String> = once_each(&of_topic).into_iter().map(|(_, price)| price).collect();
        let expected: Vec<String> =
            served.iter().filter(|s| &*s.symbol == symbol).map(|s| s.price.to_string()).collect();
        assert_eq!(prices, expected, "{symbol}");
        messages.extend(of_topic);
    }
    messages
}

#[tokio::test]
async fn every_symbol_and_slot_makes_one_message_with_its_own_id() {
    let pipeline = pipeline().await;
    pipeline.producer.produces(60, 10 * SECOND).await;
    assert_eq!(pipeline.producer.unmet(), "");
    let metric = |outcome| pipeline.producer.metric("produced_messages_total", &[("outcome", outcome)]);
    assert!(metric("delivered") >= 60.0);
    for message in pipeline.finish().await {
        assert_eq!(message.id, format!("binance:{}:price:{}", message.symbol, message.time.as_millis()));
    }
}

#[tokio::test]
async fn p2_what_a_broker_refuses_for_now_is_tried_again_in_order() {
    use RDKafkaRespErr::*;
    let pipeline = pipeline().await;
    for error in [
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    ] {
        // One by one: the mock cluster takes a later message of a partition while an earlier one is refused, which
        // a broker never does, and the client relies on that.
        for _ in 0..5 {
            pipeline.kafka.with(move |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &[error]));
            pipeline.producer.produces(6, 20 * SECOND).await;
            let waiting = || pipeline.exchange.ledger().total() - pipeline.producer.produced();
            eventually("nothing waits", 20 * SECOND, || waiting() == 0).await;
        }
    }
    pipeline.finish().await;
}

/// A broker drops messages that it has already, by their sequence; the mock cluster does not. So this shows what a
/// consumer may see at worst: the same observation again, with the same id and content.
#[tokio::test]
async fn p4_what_may_or_may_not_have_arrived_is_sent_again_with_the_same_id() {
    let pipeline = pipeline().await;
    for _ in 0..5 {
        let disconnect = RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT;
        pipeline.kafka.with(move |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &[disconnect]));
        pipeline.producer.produces(20, 20 * SECOND).await;
    }
    let summary = pipeline.producer.stop().await.unwrap();
    let served = pipeline.exchange.ledger().delivered();
    assert_eq!(summary.produced as usize, served.len());
    for (symbol, topic) in [(BTC, "btcusdt"), (ETH, "ethusdt")] {
        let mut messages = pipeline.kafka.read(topic);
        messages.sort_by_key(|message| message.time);
        messages.dedup();
        let prices: Vec<String> = once_each(&messages).into_iter().map(|(_, price)| price).collect();
        let expected: Vec<String> =
            served.iter().filter(|s| &*s.symbol == symbol).map(|s| s.price.to_string()).collect();
        assert_eq!(prices, expected, "{symbol}");
    }
}

#[tokio::test]
async fn p1_while_kafka_is_away_slots_are_skipped_and_what_was_accepted_arrives_afterwards() {
    let pipeline = pipeline().await;
    let producer = &pipeline.producer;
    pipeline.kafka.with(|cluster| cluster.broker_down(-1).unwrap());
    eventually("it is told", 30 * SECOND, || producer.unmet().starts_with("kafka: ")).await;
    let breaker = || producer.metric("breaker_state", &[("target", "kafka")]);
    eventually("the breaker opens", 30 * SECOND, || breaker() == 2.0).await;
    eventually("slots are skipped", 5 * SECOND, || producer.skipped("kafka_unavailable") >= 20.0).await;
    let served = pipeline.exchange.ledger().total();
    tokio::time::sleep(SECOND).await;
    assert_eq!(pipeline.exchange.ledger().total(), served, "no price is taken that cannot be delivered");
    assert!(producer.process.health.stalled().is_empty(), "it is alive");
    let waiting = producer.produced();
    pipeline.kafka.with(|cluster| cluster.broker_up(-1).unwrap());
    let healed = Instant::now();
    eventually("it is ready", 30 * SECOND, || producer.produced() > waiting && producer.unmet().is_empty())
        .await;
    producer.produces(20, 10 * SECOND).await;
    assert!(healed.elapsed() < 30 * SECOND);
    pipeline.finish().await;
}

#[tokio::test]
async fn p10_a_client_that_failed_for_good_is_replaced_and_nothing_is_lost() {
    let kafka = Kafka::start(1, TOPICS);
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    kafka.with(move |cluster| cluster.request_errors(RDKafkaApiKey::InitProducerId, &[refusal]));
    let pipeline = pipeline_with(kafka).await;
    let retried = pipeline.producer.metric("produced_messages_total", &[("outcome", "retried")]);
    assert!(retried >= 1.0, "the first client never delivered anything");
    eventually("it is ready", 10 * SECOND, || pipeline.producer.unmet().is_empty()).await;
    pipeline.finish().await;
}

#[tokio::test]
async fn a_topic_that_is_missing_is_named_and_gets_its_messages_when_it_appears() {
    let kafka = Kafka::start(1, &["btcusdt"]);
    let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    kafka.with(move |cluster| cluster.topic_error("ethusdt", missing).unwrap());
    let exchange = start(SimConfig::default()).await.unwrap();
    let mut config = config(&kafka.bootstrap_servers, &[exchange.url()], &[BTC, ETH], SECOND);
    config.sources[0].rest_mut().unwrap().max_weight_per_minute = 5_700;
    let producer = Producer::start(config);
    eventually("it is named", 10 * SECOND, || producer.unmet().contains("topic ethusdt: ")).await;
    let row = |index: usize| producer.observations.snapshot().symbols[index].produced;
    eventually("the other topic goes on", 10 * SECOND, || row(0) >= 4).await;
    assert_eq!(row(1), 0);
    kafka.with(|cluster| {
        cluster.topic_error("ethusdt", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    });
    eventually("everything arrives", 30 * SECOND, || row(1) >= 6 && producer.unmet().is_empty()).await;
    producer.stop().await.unwrap();
    check(&kafka, &exchange);
}

#[tokio::test]
async fn p8_a_message_that_is_too_large_is_dropped_loudly_and_holds_nobody_up() {
    let pipeline = pipeline().await;
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    pipeline.kafka.with(move |cluster| cluster.request_errors(RDKafkaApiKey::Produce, &[refusal]));
    let rejected = || pipeline.producer.observations.snapshot().totals.rejected;
    eventually("it is rejected", 10 * SECOND, || rejected() >= 1).await;
    pipeline.producer.produces(20, 10 * SECOND).await;
    assert_eq!(pipeline.producer.unmet(), "");
    let summary = pipeline.producer.stop().await.unwrap();
    assert_eq!(
        summary.rejected as usize + summary.produced as usize,
        pipeline.exchange.ledger().delivered().len()
    );
}

#[tokio::test]
async fn p9_what_was_accepted_is_flushed_at_the_end() {
    let pipeline = pipeline().await;
    pipeline.kafka.with(|cluster| {
        (1..=3).for_each(|broker| cluster.broker_round_trip_time(broker, 2 * SECOND).unwrap());
    });
    let waiting = || pipeline.exchange.ledger().total() - pipeline.producer.produced();
    eventually("prices wait", 5 * SECOND, || waiting() >= 20).await;
    let start = Instant::now();
    let summary = pipeline.producer.stop().await.unwrap();
    assert!(start.elapsed() < 15 * SECOND, "{:?}", start.elapsed());
    pipeline.kafka.with(|cluster| {
        (1..=3).for_each(|broker| cluster.broker_round_trip_time(broker, Duration::ZERO).unwrap());
    });
    assert_eq!(check(&pipeline.kafka, &pipeline.exchange).len() as u64, summary.produced);
}

#[tokio::test]
async fn p9_what_could_not_be_delivered_before_the_deadline_is_counted_and_named() {
    let kafka = Kafka::start(1, TOPICS);
    let exchange = start(SimConfig::default()).await.unwrap();
    let options = Options { flush_patience: SECOND, ..Options::default() };
    let producer =
        Producer::start_with(config(&kafka.bootstrap_servers, &[exchange.url()], &[BTC, ETH], FAST), options);
    producer.produces(6, 10 * SECOND).await;
    kafka.with(|cluster| cluster.broker_down(-1).unwrap());
    let (produced, served) = (producer.produced(), exchange.ledger().total());
    eventually("prices wait", 5 * SECOND, || exchange.ledger().total() >= served + 10).await;
    let start = Instant::now();
    let error = producer.stop().await.unwrap_err();
    assert!(start.elapsed() < 5 * SECOND, "{:?}", start.elapsed());
    let ProducerError::Undelivered { summary, topics, .. } = &error else { panic!("{error}") };
    assert!(summary.produced >= produced && summary.undelivered >= 10, "{summary:?}");
    assert_eq!(summary.produced + summary.undelivered, exchange.ledger().delivered().len() as u64);
    assert!(topics.contains("of btcusdt") && topics.contains("of ethusdt"), "{topics}");
}

#[tokio::test]
async fn a_request_that_is_under_way_at_the_end_is_still_answered_and_delivered() {
    let pipeline = pipeline().await;
    pipeline.exchange.faults().add(Rule::until_cleared(Fault::Delay { millis: 300 }));
    let last_request = |exchange: &Running| exchange.requests().entries().last().cloned().unwrap();
    let asked = || last_request(&pipeline.exchange).status.is_none();
    tokio::time::sleep(Duration::from_millis(400)).await;
    eventually("a request is under way", 5 * SECOND, asked).await;
    let (requests, ledger) = (pipeline.exchange.requests(), pipeline.exchange.ledger());
    pipeline.finish().await;
    let (last, served) = (requests.entries().last().cloned().unwrap(), ledger.delivered());
    assert_eq!(last.status, Some(200), "the last request was given up");
    assert_eq!(served.last().unwrap().request, last.number, "its answer is among what was delivered");
}
