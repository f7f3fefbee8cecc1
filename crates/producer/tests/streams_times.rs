//! An exchange whose clock is wrong, and observations at moments that cannot be (X7): what is sane is kept, the rest is
//! counted, and nothing else is lost with it. Against the simulated exchange and librdkafka's mock cluster.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::{fmt::Write as _, time::Duration};

use futures::future::join_all;
use pricepipe_core::{Exchange, GapOutcome};
use pricepipe_exchange_sim::{
    Fault, OddFrame, Recording, Rule, SimConfig, StreamFault, TapePace, TapePlayback,
};
use support::{
    eventually, number,
    streams::{EXCHANGES, PATIENCE, Trial, trades},
};

const TEN_MINUTES: i64 = 600_000;
/// How exactly two clocks are compared, in milliseconds: trades wait for their repair, and tests for their turn.
const ABOUT: i64 = 60_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x7_an_exchange_whose_clock_is_wrong_is_taken_at_its_word_and_repaired() {
    let cases = EXCHANGES.iter().flat_map(|source| [(*source, TEN_MINUTES), (*source, -TEN_MINUTES)]);
    join_all(cases.map(async |(source, clock_ahead_millis)| {
        let simulated = SimConfig { trades: trades(50.0), clock_ahead_millis, ..SimConfig::default() };
        let trial = Trial::with(source, simulated).await;
        let producer = trial.producer();
        producer.produces(20, PATIENCE).await;
        let dropped = Fault::Stream(StreamFault::Drop { percent: 100 });
        trial.exchange.faults().add(Rule::lasting(Duration::from_millis(300), dropped));
        producer.fills(1).await;
        producer.produces(20, PATIENCE).await;
        assert_eq!(producer.rejected("invalid_time"), 0.0, "{source}");
        trial.complete(producer, &[]).await;
        let (messages, now) = (trial.messages(), jiff::Timestamp::now().as_millisecond());
        for message in &messages {
            let ahead = message.time.as_millis() - now;
            assert!((ahead - clock_ahead_millis).abs() < ABOUT, "{source}: {ahead} ms ahead");
            assert!((message.received.as_millis() - now).abs() < ABOUT, "{source}: {message:?}");
        }
        assert!(messages.is_sorted_by_key(|message| message.time), "{source}");
    }))
    .await;
}

/// 0, 1969 and 2039, in nanoseconds since 1970.
const IMPOSSIBLE: [i64; 3] = [0, -31_536_000_000_000_000, 2_177_452_800_000_000_000];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x7_a_trade_at_a_moment_that_cannot_be_is_counted_and_missing_and_no_other_is() {
    join_all(EXCHANGES.map(async |source| {
        let trial = Trial::of_trades(source, 50.0).await;
        let producer = trial.producer();
        producer.produces(20, PATIENCE).await;
        trial.exchange.mistime_trades(&trial.listed(), IMPOSSIBLE);
        let gaps = || producer.observations.snapshot().gaps;
        eventually("they are given up", PATIENCE, || gaps().unfillable == 1).await;
        producer.produces(50, PATIENCE).await;
        producer.is_settled().await;
        let given_up =
            gaps().newest.iter().find(|gap| gap.outcome == GapOutcome::Unfillable).cloned().unwrap();
        let lost: Vec<u64> = (given_up.from..=given_up.to).collect();
        assert_eq!((lost.len(), given_up.missing), (IMPOSSIBLE.len(), 3), "{source}: {given_up:?}");
        // The stream's three, and those of history: Kraken's goes by the time, and does not tell what is before it.
        let rejected = producer.rejected("invalid_time");
        assert!(rejected >= if source == Exchange::Kraken { 4.0 } else { 6.0 }, "{source}: {rejected}");
        assert_eq!((producer.lost("malformed"), producer.frames("malformed")), (0.0, 0.0), "{source}");
        trial.complete(producer, &lost).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x7_a_moment_that_is_wrong_and_could_be_right_hides_nothing_that_comes_after_it() {
    join_all(EXCHANGES.map(async |source| {
        let trial = Trial::of_trades(source, 5.0).await;
        let producer = trial.producer();
        producer.produces(3, PATIENCE).await;
        let ahead = jiff::Timestamp::now().as_millisecond() + TEN_MINUTES;
        trial.exchange.mistime_trades(&trial.listed(), [ahead * 1_000_000]);
        let newest = || producer.observations.snapshot().symbols[0].received;
        let before = newest();
        eventually("it has come", PATIENCE, || newest() > before).await;
        // The last before the hole is the one that is wrong.
        let dropped = Fault::Stream(StreamFault::Drop { percent: 100 });
        trial.exchange.faults().add(Rule::lasting(Duration::from_secs(1), dropped));
        producer.fills(1).await;
        producer.is_settled().await;
        let gaps = producer.observations.snapshot().gaps;
        assert!(gaps.unfillable == 0 && gaps.repaired >= 2, "{source}: {gaps:?}");
        trial.complete(producer, &[]).await;
        let is_wrong = |time: i64| (time - ahead).abs() < ABOUT;
        let wrong = trial.messages().iter().filter(|message| is_wrong(message.time.as_millis())).count();
        assert_eq!(wrong, 1, "{source}");
    }))
    .await;
}

/// Trades with the numbers from 1 on, ten milliseconds apart; this one is told by nobody.
fn recorded(lost: u64) -> TapePlayback {
    let mut text = "id,time_ms,price,quantity,side\n".to_owned();
    for id in 1..=200 {
        writeln!(text, "{id},{},1.50,1,buy", 1_700_000_000_000_u64 + 10 * id).unwrap();
    }
    let recording = Recording::from_reader("trades", text.as_bytes()).unwrap();
    let playback = TapePlayback::new("BTCUSDT".parse().unwrap(), recording, TapePace::PerSecond(100.0));
    TapePlayback { lost: vec![lost..=lost], ..playback }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x7_microseconds_are_told_from_milliseconds() {
    let simulated = SimConfig { tapes: vec![recorded(50)], ..SimConfig::default() };
    let trial = Trial::with(Exchange::Binance, simulated).await;
    let text = r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1700000000500123,"s":"BTCUSDT","t":50,"p":"1.50","q":"1","T":1700000000500123,"m":true,"M":true}}"#;
    trial.spoil_once(StreamFault::Insert {
        frame: OddFrame::Text { text: text.to_owned() },
        after_frames: 49,
    });
    let producer = trial.producer();
    producer.produces(100, PATIENCE).await;
    assert_eq!(producer.observations.snapshot().gaps.filled, 0, "nothing was missing");
    trial.complete(producer, &[]).await;
    for message in trial.messages() {
        assert_eq!(message.time.as_millis(), 1_700_000_000_000 + 10 * number(&message) as i64);
    }
}
