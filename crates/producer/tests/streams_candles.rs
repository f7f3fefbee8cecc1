//! Candles of a stream that is cut are repaired from history, and unfinished ones are told from final ones. Against the
//! simulated exchange and librdkafka's mock cluster.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use futures::future::join_all;
use pricepipe_core::{Details, Exchange, PriceMessage, config::Stream};
use pricepipe_exchange_sim::{Fault, Recording, Rule, SimConfig, StreamFault, TapePace, TapePlayback};
use support::{
    SECOND, eventually, number,
    streams::{PATIENCE, Trial, trades},
};

/// Those that have streams of candles.
const EXCHANGES: [Exchange; 2] = [Exchange::Binance, Exchange::Kraken];
const BEGIN: u64 = 1_700_000_040_000;
const MINUTE: u64 = 60_000;

/// An exchange on which a hundred recorded candles of a minute go by in a second, told as they end.
async fn trial(source: Exchange, partial: bool) -> Trial {
    let mut text = "open_time_ms,open,high,low,close,volume\n".to_owned();
    for n in 0..5_000 {
        writeln!(text, "{},1.10,9.{n:04},0.90,1.{n:04},10.50", BEGIN + n * MINUTE).unwrap();
    }
    let recording = Recording::from_reader("candles", text.as_bytes()).unwrap();
    let tape = TapePlayback::new("BTCUSDT".parse().unwrap(), recording, TapePace::PerSecond(100.0));
    let trial = Trial::with(source, SimConfig { tapes: vec![tape], ..SimConfig::default() }).await;
    trial.listening(|websocket| {
        websocket.stream = Stream::Kline;
        websocket.interval = Some("1m".parse().unwrap());
        websocket.partial = partial;
    })
}

/// Whether it is final, and its closing price.
fn candle(message: &PriceMessage) -> (bool, String) {
    let Details::Kline(kline) = &message.details else { panic!("{message:?}") };
    (kline.closed, kline.close.to_string())
}

/// These candles must be final, follow each other without a hole, and be those of the recording.
fn are_the_recorded_ones<'a>(candles: impl Iterator<Item = &'a PriceMessage>, source: Exchange) -> usize {
    let (mut count, mut expected) = (0, None);
    for message in candles {
        let begin = number(message);
        assert_eq!(begin, expected.unwrap_or(begin), "{source}: {}", message.id);
        assert_eq!(
            candle(message),
            (true, format!("1.{:04}", (begin - BEGIN) / MINUTE)),
            "{source}: {}",
            message.id
        );
        (count, expected) = (count + 1, Some(begin + MINUTE));
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candles_that_a_stream_has_missed_come_from_history_each_once() {
    join_all(EXCHANGES.map(async |source| {
        let trial = trial(source, false).await;
        let producer = trial.producer();
        producer.produces(20, PATIENCE).await;
        // For longer than the hundred candles that Kraken begins with.
        trial.exchange.faults().add(Rule::lasting(2 * SECOND, Fault::status(503)));
        trial.spoil_once(StreamFault::Cut { after_frames: 1, close: None });
        eventually("it is cut", PATIENCE, || producer.lost("broken") == 1.0).await;
        producer.fills(1).await;
        producer.produces(20, PATIENCE).await;
        let gaps = producer.observations.snapshot().gaps;
        assert!(gaps.repaired > 20 && gaps.unfillable == 0, "{source}: {gaps:?}");
        producer.stop().await.unwrap();
        assert!(are_the_recorded_ones(trial.messages().iter(), source) > 200, "{source}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unfinished_candles_have_ids_of_their_own_and_the_final_one_comes_once() {
    join_all(EXCHANGES.map(async |source| {
        let trial = trial(source, true).await;
        let producer = trial.producer();
        producer.produces(50, PATIENCE).await;
        trial.spoil_once(StreamFault::Cut { after_frames: 1, close: None });
        eventually("it is cut", PATIENCE, || producer.lost("broken") == 1.0).await;
        producer.produces(50, PATIENCE).await;
        producer.stop().await.unwrap();
        let messages = trial.messages();
        let ids: BTreeSet<&str> = messages.iter().map(|message| message.id.as_str()).collect();
        assert_eq!(ids.len(), messages.len(), "{source}: an id is there twice");
        let (last, unfinished): (Vec<_>, Vec<_>) = messages.iter().partition(|message| candle(message).0);
        assert!(
            are_the_recorded_ones(last.iter().copied(), source) > 30 && unfinished.len() > 30,
            "{source}"
        );
        // The moment at which it begins, and its state.
        let begin = |id: &str| id.split(':').nth_back(1).unwrap().parse::<u64>().is_ok();
        assert!(unfinished.iter().all(|message| begin(&message.id)), "{source}: {unfinished:?}");
        assert!(!last.iter().any(|message| begin(&message.id)), "{source}: {last:?}");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x7_candles_of_an_exchange_whose_clock_is_ahead_are_repaired() {
    let simulated = SimConfig { trades: trades(20.0), clock_ahead_millis: 600_000, ..SimConfig::default() };
    let trial = Trial::with(Exchange::Binance, simulated).await.listening(|websocket| {
        websocket.stream = Stream::Kline;
        websocket.interval = Some("1s".parse().unwrap());
    });
    let producer = trial.producer();
    producer.produces(1, PATIENCE).await;
    let dropped = Fault::Stream(StreamFault::Drop { percent: 100 });
    trial.exchange.faults().add(Rule::lasting(Duration::from_millis(2_500), dropped));
    producer.fills(1).await;
    producer.stop().await.unwrap();
    let begins: Vec<u64> = trial.messages().iter().map(number).collect();
    assert!(begins.len() >= 4 && begins.windows(2).all(|pair| pair[1] == pair[0] + 1_000), "{begins:?}");
}
