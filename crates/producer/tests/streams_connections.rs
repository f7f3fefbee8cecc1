//! Connections to streams: they are opened, subscribed, kept alive and replaced, whatever the exchange does to them.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use pricepipe_core::{Exchange, config::Stream};
use pricepipe_exchange_sim::{
    Fault, OddFrame, Rule, Running, SimConfig, StreamFault, StreamLimits, TradeFlow, start, synthetic_symbols,
};
use support::{Kafka, Producer, SECOND, eventually, listening};

const PATIENCE: Duration = Duration::from_secs(20);

/// A producer that listens to trades of these symbols of Binance.
fn trades(kafka: &Kafka, exchange: &Running, symbols: &[&str]) -> Producer {
    let endpoints = [exchange.stream_url()];
    Producer::start(listening(kafka, exchange, &endpoints, Exchange::Binance, Stream::Trade, symbols))
}

/// An exchange with so many trades a second of each symbol.
async fn trading(per_second: f64, streams: StreamLimits) -> Running {
    let trades = TradeFlow { past: 10, ..TradeFlow::per_second(per_second) };
    start(SimConfig { trades, streams, ..SimConfig::default() }).await.unwrap()
}

fn kafka() -> Kafka {
    Kafka::start(1, &["trades", "test.gaps"])
}

fn always(exchange: &Running, fault: StreamFault) {
    exchange.faults().add(Rule::until_cleared(Fault::Stream(fault)));
}

fn once(exchange: &Running, fault: StreamFault) {
    exchange.faults().add(Rule::once(Fault::Stream(fault)));
}

impl Producer {
    fn live(&self) -> f64 {
        self.metric("source_connections", &[])
    }

    fn connects(&self, outcome: &str) -> f64 {
        self.metric("source_connects_total", &[("outcome", outcome)])
    }

    async fn is_ready(&self) {
        let start = Instant::now();
        while self.live() < 1.0 || !self.unmet().is_empty() {
            assert!(start.elapsed() < PATIENCE, "not ready: {}", self.unmet());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_of_each_exchange_arrive_and_it_is_ready_once_every_market_is_subscribed() {
    for (source, symbol) in
        [(Exchange::Binance, "BTC/USDT"), (Exchange::Coinbase, "BTC/USDT"), (Exchange::Kraken, "BTC/USDT")]
    {
        let (kafka, exchange) = (kafka(), trading(50.0, StreamLimits::default()).await);
        let endpoints = [exchange.stream_url()];
        let config = listening(&kafka, &exchange, &endpoints, source, Stream::Trade, &[symbol]);
        let producer = Producer::start(config);
        producer.is_ready().await;
        producer.produces(50, PATIENCE).await;
        assert_eq!((producer.live(), producer.connects("success")), (1.0, 1.0), "{source}");
        assert_eq!(producer.frames("malformed") + producer.frames("unknown"), 0.0, "{source}");
        // Some of the trades came out of history, or many in one frame.
        assert!(producer.metric("source_frames_total", &[("exchange", source.as_str())]) > 20.0);
        producer.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_symbols_share_one_connection_and_its_messages_keep_the_pace() {
    let symbols = synthetic_symbols(1_000);
    let trades = TradeFlow { past: 0, ..TradeFlow::per_second(0.5) };
    let exchange =
        start(SimConfig { symbols: symbols.clone(), trades, ..SimConfig::default() }).await.unwrap();
    let kafka = kafka();
    let names: Vec<&str> = symbols.iter().map(|symbol| symbol.as_str()).collect();
    let producer = self::trades(&kafka, &exchange, &names);
    producer.is_ready().await;
    producer.produces(500, PATIENCE).await;
    let connections = exchange.streams().connections();
    assert_eq!((connections.len(), connections[0].requests), (1, 5), "{connections:?}");
    assert!(connections[0].ended.is_none(), "{connections:?}");
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_whose_subscription_is_not_acknowledged_is_given_up() {
    let (kafka, exchange) = (kafka(), trading(50.0, StreamLimits::default()).await);
    once(&exchange, StreamFault::NoAck);
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    eventually("it is given up", PATIENCE, || producer.connects("timeout") == 1.0).await;
    producer.is_ready().await;
    producer.produces(20, PATIENCE).await;
    assert_eq!(producer.lost("unacknowledged") + producer.lost("silent"), 1.0);
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_says_nothing_any_more_is_noticed_and_replaced() {
    let (kafka, exchange) = (kafka(), trading(50.0, StreamLimits::default()).await);
    once(&exchange, StreamFault::HalfOpen { after_frames: 5 });
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    eventually("the silence is noticed", PATIENCE, || producer.lost("silent") == 1.0).await;
    producer.produces(20, PATIENCE).await;
    assert_eq!(producer.live(), 1.0);
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_market_is_not_taken_for_a_dead_connection() {
    for source in [Exchange::Binance, Exchange::Kraken] {
        let (kafka, exchange) = (kafka(), trading(0.0, StreamLimits::default()).await);
        let endpoints = [exchange.stream_url()];
        let producer =
            Producer::start(listening(&kafka, &exchange, &endpoints, source, Stream::Trade, &["BTC/USDT"]));
        producer.is_ready().await;
        tokio::time::sleep(4 * SECOND).await;
        assert_eq!((producer.lost("silent"), exchange.streams().opened_total()), (0.0, 1), "{source}");
        producer.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_is_answered_with_its_payload_though_nothing_else_is_said() {
    let streams = StreamLimits {
        ping_every: Duration::from_millis(100),
        pong_within: Duration::from_millis(500),
        messages_per_second: 1_000,
        ..StreamLimits::default()
    };
    let (kafka, exchange) = (kafka(), trading(0.0, streams).await);
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    let pongs = || exchange.streams().connections().first().map_or(0, |connection| connection.pongs);
    eventually("pongs come", PATIENCE, || pongs() >= 20).await;
    let connections = exchange.streams().connections();
    assert!(
        connections[0].ended.is_none() && connections[0].pings - connections[0].pongs <= 1,
        "{connections:?}"
    );
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_way_a_connection_ends_another_one_follows() {
    for (close, reason) in [(Some(1001), "closed"), (Some(1008), "closed"), (None, "broken")] {
        let (kafka, exchange) = (kafka(), trading(100.0, StreamLimits::default()).await);
        exchange.faults().add(Rule::times(3, Fault::Stream(StreamFault::Cut { after_frames: 10, close })));
        let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
        eventually("three are cut", PATIENCE, || producer.lost(reason) == 3.0).await;
        eventually("the fourth is live", PATIENCE, || producer.live() == 1.0).await;
        producer.produces(20, PATIENCE).await;
        assert_eq!(exchange.streams().opened_total(), 4, "{close:?}");
        producer.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_that_says_it_will_go_is_left_before_it_goes() {
    let (kafka, exchange) = (kafka(), trading(100.0, StreamLimits::default()).await);
    once(&exchange, StreamFault::Shutdown { after_frames: 20, cut_after_millis: 10_000 });
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    eventually("it is replaced", PATIENCE, || producer.lost("replaced") == 1.0).await;
    assert_eq!((producer.live(), producer.lost("closed"), producer.lost("broken")), (1.0, 0.0, 0.0));
    producer.produces(50, PATIENCE).await;
    producer.stop().await.unwrap();
    let numbers: Vec<u64> = numbers(&kafka);
    let whole = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
    assert!(whole, "a hole at the seam: {numbers:?}");
}

/// The numbers of the trades in Kafka.
fn numbers(kafka: &Kafka) -> Vec<u64> {
    let number = |id: &str| id.rsplit(':').next().unwrap().parse().unwrap();
    let numbers: BTreeSet<u64> = kafka.read("trades").iter().map(|message| number(&message.id)).collect();
    numbers.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_429_on_connecting_is_obeyed() {
    let (kafka, exchange) = (kafka(), trading(100.0, StreamLimits::default()).await);
    exchange.faults().add(Rule::once(Fault::too_many_requests("2")).on_path("/stream"));
    let start = Instant::now();
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    eventually("it is told", PATIENCE, || producer.unmet().contains("rate-limited (HTTP 429)")).await;
    producer.is_ready().await;
    assert!(start.elapsed() >= 2 * SECOND);
    assert_eq!((producer.connects("rate_limited"), producer.connects("success")), (1.0, 1.0));
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_geo_block_is_told_and_tried_once() {
    let (kafka, exchange) = (kafka(), trading(100.0, StreamLimits::default()).await);
    exchange.faults().add(Rule::until_cleared(Fault::status(451)).on_path("/stream"));
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    eventually("it is told", PATIENCE, || producer.unmet().contains("geo-blocked (HTTP 451)")).await;
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(producer.connects("geo_blocked"), 1.0);
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_endpoint_serves_where_the_first_does_not_and_none_is_no_reason_to_give_up() {
    let (kafka, exchange) = (kafka(), trading(100.0, StreamLimits::default()).await);
    let nobody = "ws://127.0.0.1:9".to_owned();
    let endpoints = [nobody.clone(), exchange.stream_url()];
    let producer = Producer::start(listening(
        &kafka,
        &exchange,
        &endpoints,
        Exchange::Binance,
        Stream::Trade,
        &["BTCUSDT"],
    ));
    producer.is_ready().await;
    assert_eq!((producer.connects("unreachable"), producer.connects("success")), (1.0, 1.0));
    producer.stop().await.unwrap();
    let producer = Producer::start(listening(
        &kafka,
        &exchange,
        &[nobody],
        Exchange::Binance,
        Stream::Trade,
        &["BTCUSDT"],
    ));
    let told = "binance's streams cannot be reached: 127.0.0.1:9: ";
    eventually("it is told", PATIENCE, || producer.unmet().contains(told)).await;
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_are_opened_than_the_exchange_allows() {
    let streams = StreamLimits { connects_per_5_minutes: 3, ..StreamLimits::default() };
    let (kafka, exchange) = (kafka(), trading(200.0, streams).await);
    always(&exchange, StreamFault::Cut { after_frames: 1, close: Some(1001) });
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    eventually("the limit is met", PATIENCE, || producer.connects("rate_limited") >= 1.0).await;
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!((exchange.streams().opened_total(), producer.connects("rate_limited")), (3, 1.0));
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_can_read_is_counted_and_what_is_too_large_ends_the_connection() {
    let (kafka, exchange) = (kafka(), trading(100.0, StreamLimits::default()).await);
    let odd = [
        OddFrame::Binary,
        OddFrame::Malformed,
        OddFrame::UnknownType,
        OddFrame::Oversized { bytes: 10_000_000 },
    ];
    for (frame, after_frames) in odd.into_iter().zip(1..) {
        once(&exchange, StreamFault::Insert { frame, after_frames });
    }
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    eventually("the large one ends it", PATIENCE, || producer.lost("too_large") == 1.0).await;
    let counts = ["binary", "malformed", "unknown", "too_large"].map(|kind| producer.frames(kind));
    assert_eq!(counts, [1.0; 4]);
    producer.produces(50, PATIENCE).await;
    assert_eq!((producer.live(), exchange.streams().opened_total()), (1.0, 2));
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_but_rubbish_ends_a_connection() {
    let (kafka, exchange) = (kafka(), trading(100.0, StreamLimits::default()).await);
    for _ in 0..150 {
        once(&exchange, StreamFault::Insert { frame: OddFrame::Malformed, after_frames: 3 });
    }
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    eventually("it is left", PATIENCE, || producer.lost("malformed") == 1.0).await;
    assert_eq!(producer.frames("malformed"), 100.0);
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_kafka_is_behind_the_latest_quote_wins_and_the_others_are_counted() {
    let (kafka, exchange) = (kafka(), trading(2_000.0, StreamLimits::default()).await);
    let endpoints = [exchange.stream_url()];
    let config =
        listening(&kafka, &exchange, &endpoints, Exchange::Binance, Stream::BookTicker, &["BTCUSDT"]);
    let producer = Producer::start(config);
    producer.is_ready().await;
    kafka.with(|cluster| cluster.broker_down(1).unwrap());
    let left_out = || producer.metric("source_conflated_total", &[("stream", "bookTicker")]);
    eventually("quotes give way", 3 * PATIENCE, || left_out() > 1_000.0).await;
    assert_eq!(producer.live(), 1.0);
    kafka.with(|cluster| cluster.broker_up(1).unwrap());
    producer.produces(10, PATIENCE).await;
    producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_kafka_is_behind_reading_pauses_and_the_connection_is_kept() {
    let (kafka, exchange) = (kafka(), trading(3_000.0, StreamLimits::default()).await);
    let producer = trades(&kafka, &exchange, &["BTCUSDT"]);
    producer.is_ready().await;
    kafka.with(|cluster| cluster.broker_down(1).unwrap());
    eventually("frames come", PATIENCE, || producer.frames("data") > 1_000.0).await;
    let (mut before, start) = (0.0, Instant::now());
    while producer.frames("data") > before {
        assert!(start.elapsed() < 3 * PATIENCE, "reading goes on: {} frames", producer.frames("data"));
        before = producer.frames("data");
        tokio::time::sleep(2 * SECOND).await;
    }
    assert_eq!((producer.live(), producer.lost("silent")), (1.0, 0.0), "a pause is no silence");
    kafka.with(|cluster| cluster.broker_up(1).unwrap());
    producer.produces(1_000, PATIENCE).await;
    eventually("reading goes on", PATIENCE, || producer.frames("data") > before).await;
    producer.stop().await.unwrap();
}
