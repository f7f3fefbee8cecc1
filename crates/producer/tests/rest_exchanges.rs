//! Coinbase and Kraken are polled as Binance is: each price once, unknown symbols left out, refusals obeyed. Over real HTTP.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::time::{Duration, Instant};

use pricepipe_core::Exchange;
use pricepipe_exchange_sim::{
    Fault, RequestRate, Rule, Running, SimConfig, StatusFault, StreamLimits, start,
};
use support::{Kafka, Producer, SECOND, bad_answers, config, eventually, once_each};

struct Pipeline {
    kafka: Kafka,
    exchange: Running,
    producer: Producer,
}

/// A producer that polls these symbols once a second, into these topics in turn.
async fn polling(exchange: Exchange, topics: &'static [&'static str], symbols: &[&str]) -> Pipeline {
    polling_from(start(SimConfig::default()).await.unwrap(), exchange, topics, symbols)
}

fn polling_from(
    simulated: Running,
    exchange: Exchange,
    topics: &'static [&'static str],
    symbols: &[&str],
) -> Pipeline {
    let kafka = Kafka::start(1, topics);
    let mut config = config(&kafka.bootstrap_servers, &[simulated.url()], symbols, SECOND);
    config.sources[0].exchange = exchange;
    config.sources[0].name = exchange.to_string();
    for (route, topic) in config.symbols.iter_mut().zip(topics.iter().cycle()) {
        route.topic = topic.parse().unwrap();
    }
    Pipeline { kafka, exchange: simulated, producer: Producer::start(config) }
}

impl Pipeline {
    /// Ends the producer. Each message must be there once, with a price that was served.
    async fn finish(self, topics: &[&str]) -> Vec<String> {
        self.producer.stop().await.unwrap();
        let served: Vec<String> =
            self.exchange.ledger().entries().iter().map(|served| served.price.to_string()).collect();
        let mut ids = Vec::new();
        for topic in topics {
            let messages = self.kafka.read_any_key(topic);
            for (_, price) in once_each(&messages) {
                assert!(served.contains(&price), "{price} was never served");
            }
            ids.extend(messages.into_iter().map(|message| message.id));
        }
        ids
    }
}

#[tokio::test]
async fn coinbase_is_asked_product_by_product_and_an_unknown_one_costs_the_others_nothing() {
    let topics: &[&str] = &["btc", "eth", "foo", "sol"];
    let symbols = ["BTC/USDT", "ETH-USDT", "FOO/XYZ", "SOL-USDT"];
    let pipeline = polling(Exchange::Coinbase, topics, &symbols).await;
    pipeline.producer.produces(9, 10 * SECOND).await;
    let producer = &pipeline.producer;
    assert_eq!((producer.requests("unknown_symbol"), producer.unmet()), (1.0, String::new()));
    let ids = pipeline.finish(topics).await;
    for market in ["BTC-USDT", "ETH-USDT", "SOL-USDT"] {
        assert!(ids.iter().any(|id| id.starts_with(&format!("coinbase:{market}:price:"))), "{ids:?}");
    }
    assert!(!ids.iter().any(|id| id.contains("FOO")));
}

#[tokio::test]
async fn kraken_is_asked_for_all_at_once_and_answers_under_names_of_its_own() {
    let topics: &[&str] = &["btc", "doge", "eth"];
    let pipeline = polling(Exchange::Kraken, topics, &["BTC/USD", "DOGE/USDT", "ETH/USDT"]).await;
    pipeline.producer.produces(6, 15 * SECOND).await;
    assert_eq!(pipeline.producer.unmet(), "");
    let asked = pipeline.exchange.requests().entries();
    let prices: Vec<_> = asked.iter().filter(|request| request.path.ends_with("/Ticker")).collect();
    assert!(prices.iter().all(|request| request.query.contains("XBTUSD")), "{prices:?}");
    let ids = pipeline.finish(topics).await;
    for market in ["BTC/USD", "DOGE/USDT", "ETH/USDT"] {
        assert!(ids.iter().any(|id| id.starts_with(&format!("kraken:{market}:price:"))), "{ids:?}");
    }
}

#[tokio::test]
async fn an_unknown_pair_of_kraken_is_found_while_the_others_go_on() {
    let topics: &[&str] = &["btc", "foo"];
    let pipeline = polling(Exchange::Kraken, topics, &["BTC/USD", "FOO/XYZ"]).await;
    eventually("it is found", 20 * SECOND, || pipeline.producer.requests("unknown_symbol") >= 2.0).await;
    pipeline.producer.produces(2, 10 * SECOND).await;
    let ids = pipeline.finish(topics).await;
    assert!(ids.len() >= 2 && ids.iter().all(|id| id.starts_with("kraken:BTC/USD:price:")), "{ids:?}");
}

#[tokio::test]
async fn a_limit_is_told_as_it_was_said() {
    let kraken_requests = RequestRate { per_second: 0.1, burst: 1 };
    let streams = StreamLimits { kraken_requests, ..StreamLimits::default() };
    let simulated = start(SimConfig { streams, ..SimConfig::default() }).await.unwrap();
    let pipeline = polling_from(simulated, Exchange::Kraken, &["btc"], &["BTC/USD"]);
    let told = "kraken: rate-limited (EAPI:Rate limit exceeded) for another 5 s";
    eventually("it is told", 10 * SECOND, || pipeline.producer.unmet().contains(told)).await;
    pipeline.finish(&["btc"]).await;
}

/// Each exchange says in its own way that it is asked too much, or that it cannot serve now.
#[tokio::test]
async fn a_refusal_is_obeyed_and_prices_come_back() {
    for (exchange, symbol) in [(Exchange::Coinbase, "BTC-USDT"), (Exchange::Kraken, "BTC/USDT")] {
        let pipeline = polling(exchange, &["btc"], &[symbol]).await;
        let producer = &pipeline.producer;
        producer.produces(1, 10 * SECOND).await;
        pipeline.exchange.faults().add(Rule::once(Fault::too_many_requests("2")));
        eventually("the limit is told", 5 * SECOND, || producer.unmet().contains("rate-limited")).await;
        let told = Instant::now();
        producer.produces(1, 15 * SECOND).await;
        assert!(told.elapsed() > Duration::from_millis(1_500), "{exchange}: after {:?}", told.elapsed());
        for (fault, outcome) in [(Fault::status(500), "unavailable"), (Fault::MalformedJson, "malformed")] {
            pipeline.exchange.faults().add(Rule::once(fault));
            eventually(outcome, 10 * SECOND, || producer.requests(outcome) >= 1.0).await;
            producer.produces(1, 15 * SECOND).await;
        }
        eventually("it is ready", 5 * SECOND, || producer.unmet().is_empty()).await;
        pipeline.finish(&["btc"]).await;
    }
}

/// Everything that an answer may be instead of prices. Each costs the slots that it lasts for.
async fn answers_that_are_none_end_in_time(exchange: Exchange, symbol: &str) {
    let pipeline = polling(exchange, &["btc"], &[symbol]).await;
    let producer = &pipeline.producer;
    producer.produces(1, 10 * SECOND).await;
    let elsewhere = Fault::Status(StatusFault {
        status: 302,
        location: Some("http://127.0.0.1:1/elsewhere".to_owned()),
        ..StatusFault::default()
    });
    let others = [
        (Fault::WrongShape, "malformed"),
        (Fault::status_with_body(403, "<html>no</html>"), "forbidden"),
        (Fault::status_with_body(502, "<html>later</html>"), "unavailable"),
        (elsewhere, "unexpected_status"),
    ];
    for (fault, outcome) in bad_answers().into_iter().chain(others) {
        let before = producer.requests(outcome);
        pipeline.exchange.faults().add(Rule::until_cleared(fault.clone()));
        eventually(&format!("{exchange}: {outcome} of {fault:?}"), 10 * SECOND, || {
            producer.requests(outcome) > before
        })
        .await;
        pipeline.exchange.faults().clear();
        producer.produces(1, 15 * SECOND).await;
    }
    // These are right answers, though unusual ones, or bombs that nobody unpacks.
    for fault in [
        Fault::GzipBomb { bytes: 50 << 20 },
        Fault::WrongContentType,
        Fault::ExtraField,
        Fault::PriceAsNumber,
    ] {
        pipeline.exchange.faults().add(Rule::once(fault));
        producer.produces(2, 15 * SECOND).await;
    }
    eventually("it is ready", 5 * SECOND, || producer.unmet().is_empty()).await;
    assert!(producer.process.health.stalled().is_empty(), "{exchange}");
    pipeline.finish(&["btc"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_answer_costs_a_slot_and_no_more() {
    tokio::join!(
        answers_that_are_none_end_in_time(Exchange::Coinbase, "BTC-USDT"),
        answers_that_are_none_end_in_time(Exchange::Kraken, "BTC/USDT")
    );
}

async fn a_bad_price_is_left_out_alone(exchange: Exchange) {
    let topics: &[&str] = &["btc", "eth"];
    let pipeline = polling(exchange, topics, &["BTC/USDT", "ETH/USDT"]).await;
    let producer = &pipeline.producer;
    producer.produces(2, 10 * SECOND).await;
    let rejected = |reason| producer.metric("source_rejected_prices_total", &[("reason", reason)]);
    let produced = || producer.observations.snapshot().symbols[0].produced;
    for (text, reason) in [
        ("NaN", "not_a_number"),
        ("", "not_a_number"),
        ("1e400", "too_precise"),
        ("-1", "not_positive"),
        ("0.0000000000000000000000000000000000000001", "too_precise"),
    ] {
        let (before, good) = (rejected(reason), produced());
        let fault = Fault::PriceText { symbol: "ETHUSDT".parse().unwrap(), text: text.to_owned() };
        pipeline.exchange.faults().add(Rule::times(4, fault));
        let what = format!("{exchange}: {text:?} is {reason}");
        eventually(&what, 15 * SECOND, || rejected(reason) > before && produced() > good).await;
        pipeline.exchange.faults().clear();
    }
    eventually("all is well", 10 * SECOND, || producer.unmet().is_empty()).await;
    pipeline.finish(topics).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x5_a_bad_price_spoils_nothing_but_itself() {
    tokio::join!(
        a_bad_price_is_left_out_alone(Exchange::Coinbase),
        a_bad_price_is_left_out_alone(Exchange::Kraken)
    );
}

#[tokio::test]
async fn twenty_products_are_asked_for_within_ten_requests_a_second() {
    let pairs: Vec<String> = SimConfig::default()
        .symbols
        .iter()
        .filter_map(|symbol| symbol.as_str().strip_suffix("USDT").map(|base| format!("{base}-USDT")))
        .take(20)
        .collect();
    let symbols: Vec<&str> = pairs.iter().map(String::as_str).collect();
    let pipeline = polling(Exchange::Coinbase, &["all"], &symbols).await;
    pipeline.producer.produces(30, 20 * SECOND).await;
    assert_eq!(pipeline.producer.requests("rate_limited"), 0.0);
    let mut arrived: Vec<Instant> =
        pipeline.exchange.requests().entries().iter().map(|request| request.arrived).collect();
    arrived.sort();
    let most =
        arrived.iter().map(|from| arrived.iter().filter(|at| **at >= *from && **at < *from + SECOND).count());
    assert!(most.max() <= Some(20), "a burst of 10 and 10 a second");
    pipeline.producer.stop().await.unwrap();
}
