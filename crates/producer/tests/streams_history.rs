//! Gaps are repaired whatever history does, and a connection that dies without a word leaves none (X4). Against the simulated
//! exchange and librdkafka's mock cluster.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::time::Duration;

use futures::future::join_all;
use pricepipe_core::Noticed;
use pricepipe_exchange_sim::{Fault, Rule, StreamFault};
use support::{
    eventually,
    streams::{EXCHANGES, PATIENCE, Trial, history_path},
};

const DROPPED: StreamFault = StreamFault::Drop { percent: 100 };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x4_a_repair_outlasts_history_that_hangs_dribbles_or_is_torn_off() {
    join_all(EXCHANGES.map(async |source| {
        let trial = Trial::of_trades(source, 100.0).await;
        let producer = trial.producer();
        producer.produces(20, PATIENCE).await;
        let faults = trial.exchange.faults();
        for fault in [
            Fault::Hang,
            Fault::SlowHeaders { byte_millis: 50 },
            Fault::SlowBody { byte_millis: 50 },
            Fault::Reset { after_bytes: Some(40) },
            Fault::Truncate { after_bytes: None },
        ] {
            faults.add(Rule::once(fault).on_path(history_path(source)));
        }
        faults.add(Rule::lasting(Duration::from_millis(300), Fault::Stream(DROPPED)));
        eventually("every fault was met", PATIENCE, || faults.rules().is_empty()).await;
        producer.fills(1).await;
        producer.is_settled().await;
        let (late, torn) = (producer.requests("timeout"), producer.requests("interrupted"));
        assert!(late >= 3.0 && torn >= 2.0, "{source}: {late} late, {torn} torn off");
        let gaps = producer.observations.snapshot().gaps;
        assert!(gaps.repaired > 5 && gaps.unfillable == 0, "{source}: {gaps:?}");
        producer.produces(20, PATIENCE).await;
        trial.complete(producer, &[]).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x4_a_half_open_connection_is_replaced_and_what_it_missed_is_repaired() {
    join_all(EXCHANGES.map(async |source| {
        let trial = Trial::of_trades(source, 100.0).await;
        trial.spoil_once(StreamFault::HalfOpen { after_frames: 20 });
        let producer = trial.producer();
        eventually("the silence is noticed", PATIENCE, || producer.lost("silent") == 1.0).await;
        producer.fills(1).await;
        producer.produces(100, PATIENCE).await;
        producer.is_settled().await;
        let gaps = producer.observations.snapshot().gaps;
        // More than the trades that Kraken begins with.
        assert!(gaps.repaired > 50, "{source}: {gaps:?}");
        assert!(gaps.newest.iter().any(|gap| gap.noticed == Noticed::Reconnect), "{source}: {gaps:?}");
        trial.complete(producer, &[]).await;
    }))
    .await;
}
