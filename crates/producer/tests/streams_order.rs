//! What streams bring goes to Kafka in order and without a hole, whatever the exchange does to its frames.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use pricepipe_core::{
    Exchange, Gap, GapOutcome, GapsMessage,
    config::{ProducerConfig, Stream, SymbolRoute},
};
use pricepipe_exchange_sim::{
    Fault, Recording, Rule, Running, SimConfig, StreamFault, TapePace, TapePlayback, TradeFlow, start,
};
use rdkafka::{Message, types::RDKafkaRespErr};
use support::{Kafka, Producer, SECOND, eventually, listen, number, streams::EXCHANGES};

const PATIENCE: Duration = Duration::from_secs(40);
const SYMBOL: &str = "BTC/USDT";

/// The trades of one market of an exchange.
fn listening(kafka: &Kafka, simulated: &Running, exchange: Exchange) -> ProducerConfig {
    let endpoints = [simulated.stream_url()];
    let mut config = support::listening(kafka, simulated, &endpoints, exchange, Stream::Trade, &[SYMBOL]);
    listen(&mut config, |websocket| websocket.silence_millis = 5_000);
    config
}

async fn trading(per_second: f64) -> Running {
    let trades = TradeFlow { past: 10, ..TradeFlow::per_second(per_second) };
    start(SimConfig { trades, ..SimConfig::default() }).await.unwrap()
}

fn kafka() -> Kafka {
    Kafka::start(1, &["trades", "test.gaps"])
}

fn always(exchange: &Running, fault: StreamFault) {
    exchange.faults().add(Rule::until_cleared(Fault::Stream(fault)));
}

/// The numbers in the topic, which follow each other without a hole and without a repetition, except those given.
fn complete(kafka: &Kafka, lost: &[u64]) -> Vec<u64> {
    complete_in(kafka, "trades", lost)
}

fn complete_in(kafka: &Kafka, topic: &str, lost: &[u64]) -> Vec<u64> {
    let numbers: Vec<u64> = kafka.read_any_key(topic).iter().map(number).collect();
    let (first, last) = (numbers[0], *numbers.last().unwrap());
    let expected: Vec<u64> = (first..=last).filter(|number| !lost.contains(number)).collect();
    assert_eq!(numbers, expected);
    numbers
}

async fn nothing_is_missing(producer: &Producer) {
    let open = || producer.observations.snapshot().gaps.open;
    eventually("every gap is repaired", PATIENCE, || open() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x8_what_is_lost_doubled_swapped_or_cut_arrives_once_and_in_order_from_each_exchange() {
    for source in EXCHANGES {
        let (kafka, exchange) = (kafka(), trading(200.0).await);
        for fault in [
            StreamFault::Drop { percent: 3 },
            StreamFault::Duplicate { percent: 10 },
            StreamFault::Reorder { percent: 5 },
            StreamFault::Cut { after_frames: 300, close: Some(1001) },
        ] {
            always(&exchange, fault);
        }
        let producer = Producer::start(listening(&kafka, &exchange, source));
        producer.produces(1_000, PATIENCE).await;
        exchange.faults().clear();
        nothing_is_missing(&producer).await;
        let gaps = producer.observations.snapshot().gaps;
        assert!(gaps.filled > 5 && gaps.repaired > 5 && gaps.unfillable == 0, "{source}: {gaps:?}");
        assert!(producer.metric("source_sorted_records_total", &[("outcome", "known")]) > 20.0, "{source}");
        producer.stop().await.unwrap();
        assert!(complete(&kafka, &[]).len() >= 1_000, "{source}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_traded_between_two_processes_is_found_and_repaired() {
    for source in EXCHANGES {
        let (kafka, exchange) = (kafka(), trading(100.0).await);
        let producer = Producer::start(listening(&kafka, &exchange, source));
        producer.produces(50, PATIENCE).await;
        producer.stop().await.unwrap();
        tokio::time::sleep(SECOND).await;
        let producer = Producer::start(listening(&kafka, &exchange, source));
        producer.produces(150, PATIENCE).await;
        nothing_is_missing(&producer).await;
        let gaps = producer.observations.snapshot().gaps;
        assert!(gaps.filled >= 1 && gaps.repaired > 50, "{source}: {gaps:?}");
        assert_eq!(gaps.newest[0].noticed.as_str(), "restart", "{source}");
        producer.stop().await.unwrap();
        assert!(complete(&kafka, &[]).len() >= 200, "{source}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_traded_unheard_is_found_in_a_market_that_is_silent_since() {
    for source in EXCHANGES {
        let (kafka, symbol) = (kafka(), "BTCUSDT".parse().unwrap());
        let tape = TapePlayback::new(symbol, recording(60), TapePace::PerSecond(50.0));
        let exchange = start(SimConfig { tapes: vec![tape], ..SimConfig::default() }).await.unwrap();
        let producer = Producer::start(listening(&kafka, &exchange, source));
        producer.produces(20, PATIENCE).await;
        producer.stop().await.unwrap();
        let last = || exchange.trade_ids(&"BTCUSDT".parse().unwrap()).map(|ids| ids.1);
        eventually("the last trade happens", PATIENCE, || last() == Some(1_060)).await;
        let producer = Producer::start(listening(&kafka, &exchange, source));
        producer.produces(1, PATIENCE).await;
        nothing_is_missing(&producer).await;
        producer.stop().await.unwrap();
        assert_eq!(complete(&kafka, &[]).last(), Some(&1_060), "{source}");
    }
}

/// So many trades, numbered from 1,001 on.
fn recording(trades: u64) -> Recording {
    let row = |n: u64| format!("{},{},2.50,1.00,buy\n", 1_000 + n, 1_700_000_000_000 + n);
    let rows: String = (1..=trades).map(row).collect();
    Recording::from_reader("made up", format!("id,time_ms,price,quantity,side\n{rows}").as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_history_does_not_hold_is_recorded_and_the_rest_goes_on() {
    for source in EXCHANGES {
        let (kafka, exchange) = (kafka(), trading(50.0).await);
        let producer = Producer::start(listening(&kafka, &exchange, source));
        producer.produces(20, PATIENCE).await;
        exchange.lose_trades(&"BTCUSDT".parse().unwrap(), 3);
        let gaps = || producer.observations.snapshot().gaps;
        eventually("it is given up", PATIENCE, || gaps().unfillable == 1).await;
        producer.produces(50, PATIENCE).await;
        let gap = gaps().newest.iter().find(|gap| gap.outcome == GapOutcome::Unfillable).cloned().unwrap();
        assert_eq!((gap.to - gap.from + 1, gap.missing), (3, 3), "{source}: {gap:?}");
        assert!(gap.reason.is_some() && gap.ended.is_some(), "{source}: {gap:?}");
        assert_eq!(producer.metric("source_gaps_total", &[("outcome", "unfillable")]), 1.0, "{source}");
        producer.stop().await.unwrap();
        complete(&kafka, &[gap.from, gap.from + 1, gap.to]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_that_is_missing_holds_up_its_own_market_alone_and_loses_no_trade() {
    let (kafka, exchange) = (kafka(), trading(2_000.0).await);
    let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    kafka.with(move |cluster| cluster.topic_error("late", missing).unwrap());
    let mut config = listening(&kafka, &exchange, Exchange::Binance);
    config.symbols.push(SymbolRoute { symbol: "ETH/USDT".parse().unwrap(), topic: "late".parse().unwrap() });
    let producer = Producer::start(config);
    let produced = |index: usize| producer.observations.snapshot().symbols[index].produced;
    let postponed = || producer.metric("source_sorted_records_total", &[("outcome", "postponed")]);
    eventually("no more can wait", 2 * PATIENCE, || postponed() > 1_000.0).await;
    assert!(producer.unmet().contains("topic late: "), "{}", producer.unmet());
    let last = |symbol: &str| exchange.trade_ids(&symbol.parse().unwrap()).unwrap().1;
    let (first, sent) = (last("BTCUSDT"), produced(0));
    tokio::time::sleep(2 * SECOND).await;
    let (traded, sent) = (last("BTCUSDT") - first, produced(0) - sent);
    assert!(sent * 100 >= traded * 95, "{sent} of {traded} went on");
    assert_eq!(produced(1), 0);

    let there = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR;
    kafka.with(move |cluster| cluster.topic_error("late", there).unwrap());
    let traded = last("ETHUSDT");
    let gaps = || producer.observations.snapshot().gaps;
    eventually("it catches up", PATIENCE, || produced(1) > produced(0) * 95 / 100 && gaps().open == 0).await;
    assert!(gaps().repaired > 1_000 && gaps().unfillable == 0, "{:?}", gaps());
    producer.stop().await.unwrap();
    assert!(complete_in(&kafka, "late", &[]).last() >= Some(&traded));
    complete(&kafka, &[]);
}

/// The last word on each gap, by its key.
fn last_words(kafka: &Kafka) -> BTreeMap<String, Gap> {
    let mut last = BTreeMap::new();
    for message in support::messages(&kafka.bootstrap_servers, "test.gaps") {
        if let Ok(GapsMessage::Gap(gap)) = GapsMessage::decode(message.payload().unwrap()) {
            assert_eq!(message.key(), Some(gap.key().as_bytes()));
            last.insert(gap.key(), gap);
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_of_candles_that_names_no_interval_is_repaired_and_ended_under_its_own_key() {
    let begin = 1_700_000_040_000_u64;
    let mut candles = "open_time_ms,open,high,low,close,volume\n".to_owned();
    for n in 0..60 {
        writeln!(candles, "{},1.10,1.30,1.00,1.20,5", begin + n * 60_000).unwrap();
    }
    let recording = Recording::from_reader("BTCUSDT", candles.as_bytes()).unwrap();
    let tapes = vec![TapePlayback::past("BTCUSDT".parse().unwrap(), recording)];
    let exchange = start(SimConfig { tapes, ..SimConfig::default() }).await.unwrap();
    // In one partition, as it is: the last word is the last one.
    let kafka = Kafka::start(1, &["trades"]);
    kafka.with(|cluster| cluster.create_topic("test.gaps", 1, 1).unwrap());
    let mut config = listening(&kafka, &exchange, Exchange::Binance);
    listen(&mut config, |websocket| {
        (websocket.stream, websocket.interval) = (Stream::Kline, "1m".parse().ok());
    });
    let open = format!(
        r#"{{"exchange":"binance","symbol":"BTC/USDT","stream":"kline","from":{},"to":{},"noticed":"restart",
        "since":"2026-11-23T06:00:03Z","outcome":"open","missing":3}}"#,
        begin + 10 * 60_000,
        begin + 12 * 60_000
    );
    let open = Gap::decode(open.as_bytes()).unwrap();
    let replay =
        br#"{"source":"past","exchange":"binance","symbol":"BTC/USDT","start":"2023-11-14T00:00:00Z",
        "end":"2023-11-15T00:00:00Z","reached":"2023-11-14T00:00:00Z","records":0,"state":"running"}"#;
    for (key, payload) in [(open.key(), open.encode()), ("replay:past:x".to_owned(), replay.to_vec())] {
        support::send(&kafka.bootstrap_servers, "test.gaps", &key, &payload);
    }
    let producer = Producer::start(config);
    // The market is silent, so what came after the gap is asked for as well.
    producer.produces(50, PATIENCE).await;
    nothing_is_missing(&producer).await;
    producer.stop().await.unwrap();
    let numbers: Vec<u64> = kafka.read_any_key("trades").iter().map(number).collect();
    assert_eq!(numbers, (10..60).map(|n| begin + n * 60_000).collect::<Vec<_>>());
    let told: Vec<Gap> = last_words(&kafka).into_values().collect();
    assert!(told.iter().all(|gap| gap.outcome == GapOutcome::Filled), "{told:?}");
    let first = told.iter().filter(|gap| gap.from == open.from).map(|gap| gap.interval);
    assert_eq!(first.collect::<Vec<_>>(), [None, "1m".parse().ok()]);
}
