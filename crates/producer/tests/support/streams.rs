//! What the trials of streams share: one market of an exchange is listened to, and its numbers must be complete.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::time::Duration;

use pricepipe_core::{
    Exchange, PriceMessage, Symbol,
    config::{ProducerConfig, Stream, WebsocketConfig},
};
use pricepipe_exchange_sim::{
    Fault, RequestRate, Rule, Running, SimConfig, StreamFault, StreamLimits, TradeFlow, start,
};

use super::{Kafka, Producer, eventually, listen, number};

pub(crate) const EXCHANGES: [Exchange; 3] = [Exchange::Binance, Exchange::Coinbase, Exchange::Kraken];
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// The market, in the neutral form and as the simulated exchange lists it.
const MARKET: &str = "BTC/USDT";
const LISTED: &str = "BTCUSDT";
pub(crate) const TOPIC: &str = "trades";

/// An exchange, a Kafka, and what a producer is to listen to.
pub(crate) struct Trial {
    pub(crate) kafka: Kafka,
    pub(crate) exchange: Running,
    pub(crate) config: ProducerConfig,
    pub(crate) source: Exchange,
}

/// What history is asked, by the beginning of its path.
pub(crate) fn history_path(source: Exchange) -> &'static str {
    match source {
        Exchange::Binance => "/api/v3/historicalTrades",
        Exchange::Coinbase => "/products/BTC-USDT/trades",
        Exchange::Kraken => "/0/public/Trades",
    }
}

impl Trial {
    /// Trades of one market, so many a second, of this exchange.
    pub(crate) async fn of_trades(source: Exchange, per_second: f64) -> Trial {
        Trial::with(source, SimConfig { trades: trades(per_second), ..SimConfig::default() }).await
    }

    /// The same with a simulated exchange of one's own.
    pub(crate) async fn with(source: Exchange, simulated: SimConfig) -> Trial {
        let kafka = Kafka::start(1, &[TOPIC, "test.gaps"]);
        // Kraken's second between two requests is kept by the producer anyway.
        let streams = StreamLimits { kraken_requests: RequestRate::UNLIMITED, ..simulated.streams };
        let exchange = start(SimConfig { streams, ..simulated }).await.unwrap();
        let endpoints = [exchange.stream_url()];
        let mut config = super::listening(&kafka, &exchange, &endpoints, source, Stream::Trade, &[MARKET]);
        listen(&mut config, |websocket| websocket.history.timeout_millis = 500);
        Trial { kafka, exchange, config, source }
    }

    /// Changes what is listened to.
    pub(crate) fn listening(mut self, change: impl FnOnce(&mut WebsocketConfig)) -> Trial {
        listen(&mut self.config, change);
        self
    }

    pub(crate) fn producer(&self) -> Producer {
        Producer::start(self.config.clone())
    }

    /// The market as the simulated exchange lists it.
    pub(crate) fn listed(&self) -> Symbol {
        LISTED.parse().unwrap()
    }

    /// Every connection meets it until it is cleared.
    pub(crate) fn spoil(&self, fault: StreamFault) {
        self.exchange.faults().add(Rule::until_cleared(Fault::Stream(fault)));
    }

    /// One connection meets it.
    pub(crate) fn spoil_once(&self, fault: StreamFault) {
        self.exchange.faults().add(Rule::once(Fault::Stream(fault)));
    }

    /// Everything that is in Kafka.
    pub(crate) fn messages(&self) -> Vec<PriceMessage> {
        self.kafka.read_any_key(TOPIC)
    }

    /// Ends the producer and gives the numbers in Kafka, which follow each other by one, but for those that are `lost`.
    pub(crate) async fn complete(&self, producer: Producer, lost: &[u64]) -> Vec<u64> {
        producer.stop().await.unwrap();
        let numbers: Vec<u64> = self.messages().iter().map(number).collect();
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        let expected: Vec<u64> = (first..=last).filter(|number| !lost.contains(number)).collect();
        assert_eq!(numbers, expected, "{}", self.source);
        numbers
    }
}

/// So many trades a second of each symbol, and a short past.
pub(crate) fn trades(per_second: f64) -> TradeFlow {
    TradeFlow { past: 10, ..TradeFlow::per_second(per_second) }
}

impl Producer {
    pub(crate) fn lost(&self, reason: &str) -> f64 {
        self.metric("source_disconnects_total", &[("reason", reason)])
    }

    pub(crate) fn frames(&self, kind: &str) -> f64 {
        self.metric("source_frames_total", &[("kind", kind)])
    }

    pub(crate) fn rejected(&self, reason: &str) -> f64 {
        self.metric("source_rejected_records_total", &[("reason", reason)])
    }

    /// Waits until every gap has been filled or given up.
    pub(crate) async fn is_settled(&self) {
        let open = || self.observations.snapshot().gaps.open;
        eventually("no gap is open", PATIENCE, || open() == 0).await;
    }

    /// Waits until so many gaps have been filled.
    pub(crate) async fn fills(&self, gaps: u64) {
        let filled = || self.observations.snapshot().gaps.filled;
        eventually("gaps are filled", PATIENCE, || filled() >= gaps).await;
    }
}
