//! Symbols of streams that an exchange does not have, or will not have: each is told once, with what may have been meant, and
//! costs the others nothing.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::{
    collections::BTreeMap,
    io,
    sync::{Mutex, Once, PoisonError},
    time::Duration,
};

use pricepipe_core::{Exchange, config::Stream};
use pricepipe_exchange_sim::{
    Fault, Rule, Running, SimConfig, StreamConnection, StreamFault, TradeFlow, start,
};
use pricepipe_service::telemetry::{self, BoxMakeWriter, LogFormat};
use support::{Kafka, Producer, eventually, listening, number};

const PATIENCE: Duration = Duration::from_secs(20);

/// What all tests of this file have logged.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static LOGGING: Once = Once::new();

struct Log;

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How often a line with this text was logged.
fn logged(text: &str) -> usize {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8(log).unwrap().lines().filter(|line| line.contains(text)).count()
}

struct Pipeline {
    kafka: Kafka,
    exchange: Running,
    producer: Producer,
}

/// A producer that listens to the trades of these symbols, 50 a second each.
async fn trades(source: Exchange, symbols: &[&str]) -> Pipeline {
    let trades = TradeFlow { past: 10, ..TradeFlow::per_second(50.0) };
    let exchange = start(SimConfig { trades, ..SimConfig::default() }).await.unwrap();
    trades_of(exchange, source, symbols)
}

fn trades_of(exchange: Running, source: Exchange, symbols: &[&str]) -> Pipeline {
    LOGGING.call_once(|| telemetry::start_with(LogFormat::Text, "info", false, BoxMakeWriter::new(|| Log)));
    let kafka = Kafka::start(1, &["trades", "test.gaps"]);
    let endpoints = [exchange.stream_url()];
    let config = listening(&kafka, &exchange, &endpoints, source, Stream::Trade, symbols);
    Pipeline { kafka, exchange, producer: Producer::start(config) }
}

impl Pipeline {
    fn rejected(&self, reason: &str) -> f64 {
        self.producer.metric("source_rejected_prices_total", &[("reason", reason)])
    }

    /// How many messages of a symbol Kafka has acknowledged.
    fn produced(&self, symbol: &str) -> u64 {
        let symbols = self.producer.observations.snapshot().symbols;
        symbols.iter().find(|seen| seen.symbol.as_str() == symbol).map_or(0, |seen| seen.produced)
    }

    fn connections(&self) -> Vec<StreamConnection> {
        self.exchange.streams().connections()
    }
}

/// The numbers of the trades in Kafka, by symbol.
fn numbers(kafka: &Kafka) -> BTreeMap<String, Vec<u64>> {
    let mut numbers: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for message in kafka.read_any_key("trades") {
        let number = number(&message);
        numbers.entry(message.symbol).or_default().push(number);
    }
    numbers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_symbol_is_told_once_with_those_like_it_and_the_others_lose_nothing() {
    for source in Exchange::ALL {
        let pipeline = trades(*source, &["BTC/USDT", "BTC/UDST", "ETH/USDT"]).await;
        eventually("it is found", PATIENCE, || pipeline.rejected("unknown_symbol") == 1.0).await;
        let told = format!("symbol BTC/UDST is unknown to {source}; did you mean BTC/USDT");
        eventually("it is told", PATIENCE, || logged(&told) == 1).await;
        eventually("it is ready", PATIENCE, || pipeline.producer.unmet().is_empty()).await;
        let cut = StreamFault::Cut { after_frames: 1, close: Some(1001) };
        pipeline.exchange.faults().add(Rule::once(Fault::Stream(cut)));
        eventually("it is connected anew", PATIENCE, || pipeline.connections().len() == 2).await;
        pipeline.producer.produces(150, PATIENCE).await;
        assert_eq!(pipeline.connections()[1].requests, 1, "{source}: what is unknown is not asked for again");
        assert_eq!((pipeline.rejected("unknown_symbol"), logged(&told)), (1.0, 1), "{source}");
        let Pipeline { kafka, producer, .. } = pipeline;
        producer.stop().await.unwrap();
        let numbers = numbers(&kafka);
        assert_eq!(numbers.keys().collect::<Vec<_>>(), ["BTC/USDT", "ETH/USDT"], "{source}");
        for (symbol, numbers) in &numbers {
            let whole = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
            assert!(whole && numbers.len() > 50, "{source} {symbol}: {numbers:?}");
        }
    }
}

/// It is looked for after a minute, so this takes longer than that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_that_is_listed_later_begins_without_a_restart() {
    let mut pipelines = Vec::new();
    for source in Exchange::ALL {
        pipelines.push((source, trades(*source, &["BTC/USDT", "NEW/USDT"]).await));
    }
    for (source, pipeline) in &pipelines {
        eventually("it is found", PATIENCE, || pipeline.rejected("unknown_symbol") == 1.0).await;
        assert_eq!(pipeline.produced("NEW/USDT"), 0, "{source}");
        pipeline.exchange.list(&"NEWUSDT".parse().unwrap()).unwrap();
    }
    for (source, pipeline) in pipelines {
        eventually("it comes", 5 * PATIENCE, || pipeline.produced("NEW/USDT") > 50).await;
        assert_eq!(logged(&format!("{source} has symbol NEW/USDT by now; it is listened to")), 1);
        assert_eq!(pipeline.exchange.streams().opened_total(), 1, "{source}");
        assert!(pipeline.produced("BTC/USDT") > 50 * 50, "{source}: the other one was not held up");
        pipeline.producer.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_that_does_not_tell_what_it_has_holds_nobody_up_and_is_asked_until_it_does() {
    let exchange = start(SimConfig { trades: TradeFlow::per_second(50.0), ..SimConfig::default() });
    let exchange = exchange.await.unwrap();
    exchange.faults().add(Rule::until_cleared(Fault::status(503)).on_path("/api/v3/ticker/price"));
    let pipeline = trades_of(exchange, Exchange::Binance, &["BTC/USDT", "ETH/UDST"]);
    pipeline.producer.produces(100, PATIENCE).await;
    assert_eq!((pipeline.rejected("unknown_symbol"), pipeline.producer.unmet()), (0.0, String::new()));
    assert!(pipeline.producer.requests("unavailable") >= 1.0);
    pipeline.exchange.faults().clear();
    let told = "symbol ETH/UDST is unknown to binance; did you mean ETH/USDT";
    eventually("it is told", 3 * PATIENCE, || logged(told) == 1).await;
    assert_eq!(pipeline.connections().len(), 1);
    pipeline.producer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_without_any_symbol_that_exists_says_so() {
    for (source, told) in [
        (Exchange::Binance, "every symbol is unknown to binance"),
        (
            Exchange::Coinbase,
            "every symbol is unknown to coinbase or refused by it: Failed to subscribe: NONE-SUCH is not a valid product",
        ),
        (
            Exchange::Kraken,
            "every symbol is unknown to kraken or refused by it: Currency pair not supported NONE/SUCH",
        ),
    ] {
        let pipeline = trades(source, &["NONE/SUCH"]).await;
        eventually("it is told", PATIENCE, || pipeline.producer.unmet().contains(told)).await;
        pipeline.producer.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_that_the_exchange_has_and_refuses_is_not_called_unknown() {
    for source in Exchange::ALL {
        let exchange = start(SimConfig { trades: TradeFlow::per_second(50.0), ..SimConfig::default() });
        let exchange = exchange.await.unwrap();
        exchange.faults().add(Rule::until_cleared(Fault::Stream(StreamFault::ErrorAck)));
        let pipeline = trades_of(exchange, *source, &["SOL/USDT"]);
        eventually("it is counted", PATIENCE, || pipeline.rejected("refused") == 1.0).await;
        let told = format!("{source} refuses symbol SOL/USDT: ");
        eventually("it is told", PATIENCE, || logged(&told) == 1).await;
        assert_eq!(pipeline.rejected("unknown_symbol"), 0.0, "{source}");
        pipeline.producer.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_that_kraken_has_for_a_market_is_listened_to_once() {
    for symbol in ["XBTUSDT", "XBT/USDT", "BTC/USDT"] {
        let pipeline = trades(Exchange::Kraken, &[symbol]).await;
        eventually("it comes", PATIENCE, || pipeline.produced(symbol) > 20).await;
        assert_eq!(pipeline.rejected("unknown_symbol"), 0.0, "{symbol}");
        pipeline.producer.stop().await.unwrap();
    }
    let pipeline = trades(Exchange::Kraken, &["BTC/USDT", "XBTUSDT"]).await;
    eventually("it comes", PATIENCE, || pipeline.produced("BTC/USDT") > 20).await;
    assert_eq!(pipeline.rejected("refused") + pipeline.rejected("unknown_symbol"), 0.0);
    assert_eq!(logged("symbols BTC/USDT and XBTUSDT are one market of kraken"), 1);
    pipeline.producer.stop().await.unwrap();
}
