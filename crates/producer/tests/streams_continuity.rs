//! Nothing is missing and nothing is doubled where connections change hands, where a market falls silent, and where Kafka comes
//! late. Against the simulated exchange and librdkafka's mock cluster.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::time::Duration;

use futures::future::join_all;
use pricepipe_core::{Exchange, Noticed};
use pricepipe_exchange_sim::{SimConfig, StreamFault, StreamLimits};
use pricepipe_producer::Options;
use support::{
    Producer, eventually,
    streams::{EXCHANGES, PATIENCE, Trial, trades},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_of_coinbase_tells_of_trades_that_a_silent_stream_has_lost() {
    let trial = Trial::of_trades(Exchange::Coinbase, 5.0).await;
    trial.spoil(StreamFault::Drop { percent: 100 });
    let producer = trial.producer();
    producer.produces(15, PATIENCE).await;
    assert_eq!((producer.frames("data"), producer.lost("silent")), (0.0, 0.0));
    let gaps = producer.observations.snapshot().gaps;
    assert!(gaps.newest.iter().all(|gap| gap.noticed == Noticed::Heartbeat), "{gaps:?}");
    trial.complete(producer, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_replaced_before_its_end_and_the_seam_has_neither_hole_nor_repetition() {
    let longest = Duration::from_secs(2);
    // The one that was replaced is read for another two seconds.
    let lifetime = 3 * longest;
    join_all(EXCHANGES.map(async |source| {
        let streams = StreamLimits { lifetime, ..StreamLimits::default() };
        let simulated = SimConfig { trades: trades(100.0), streams, ..SimConfig::default() };
        let trial = Trial::with(source, simulated).await;
        let options = Options { longest_connection: Some(longest), ..Options::default() };
        let producer = Producer::start_with(trial.config.clone(), options);
        eventually("three were replaced", PATIENCE, || producer.lost("replaced") == 3.0).await;
        // Both ends of a seam bring the same trades for a while.
        assert!(producer.metric("source_sorted_records_total", &[("outcome", "known")]) > 20.0, "{source}");
        assert_eq!((producer.lost("closed"), producer.lost("broken")), (0.0, 0.0), "{source}");
        producer.produces(20, PATIENCE).await;
        trial.complete(producer, &[]).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_waits_for_kafka_says_so_and_begins_without_a_hole() {
    join_all(EXCHANGES.map(async |source| {
        let trial = Trial::of_trades(source, 50.0).await;
        let producer = trial.producer();
        producer.produces(20, PATIENCE).await;
        producer.stop().await.unwrap();
        trial.kafka.with(|cluster| cluster.broker_down(-1).unwrap());
        let producer = trial.producer();
        let told = "topics: the ends of the topics cannot be read";
        eventually("it is told", PATIENCE, || producer.unmet().contains(told)).await;
        assert_eq!((producer.produced(), trial.exchange.streams().opened_total()), (0, 1), "{source}");
        trial.kafka.with(|cluster| cluster.broker_up(-1).unwrap());
        producer.fills(1).await;
        producer.produces(100, PATIENCE).await;
        eventually("it is ready", PATIENCE, || producer.unmet().is_empty()).await;
        let gaps = producer.observations.snapshot().gaps;
        assert_eq!(gaps.newest[0].noticed, Noticed::Restart, "{source}");
        trial.complete(producer, &[]).await;
    }))
    .await;
}
