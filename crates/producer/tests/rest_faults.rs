//! An exchange that misbehaves in every way that reliability demands an answer to (X1 to X7, X10), over real HTTP.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::time::{Duration, Instant};

use pricepipe_exchange_sim::{Fault, Limits, Rule, Running, SimConfig, StatusFault, start};
use support::{FAST, Kafka, Producer, SECOND, bad_answers, config, eventually, once_each};

const BTC: &str = "BTCUSDT";
const ETH: &str = "ETHUSDT";
const TOPICS: &[&str] = &["btcusdt", "ethusdt", "fooxyz"];
const PRICES: &str = "/api/v3/ticker/price";

struct Pipeline {
    kafka: Kafka,
    exchanges: Vec<Running>,
    producer: Producer,
}

/// A producer of these symbols with so many hosts to ask, well and ready.
async fn pipeline(hosts: usize, symbols: &[&str]) -> Pipeline {
    let mut exchanges = Vec::new();
    for _ in 0..hosts {
        exchanges.push(start(SimConfig::default()).await.unwrap());
    }
    let kafka = Kafka::start(1, TOPICS);
    let urls: Vec<String> = exchanges.iter().map(Running::url).collect();
    let producer = Producer::start(config(&kafka.bootstrap_servers, &urls, symbols, FAST));
    producer.produces(2, 10 * SECOND).await;
    eventually("it is ready", 5 * SECOND, || producer.unmet().is_empty()).await;
    Pipeline { kafka, exchanges, producer }
}

impl Pipeline {
    fn fault(&self, rule: Rule) {
        self.exchanges[0].faults().add(rule);
    }

    /// Ends the producer and checks that every message is there once, with the price that was served.
    async fn finish(self) {
        let summary = self.producer.stop().await.unwrap();
        let messages: Vec<_> = TOPICS.iter().map(|topic| self.kafka.read(topic)).collect();
        let produced: usize = messages.iter().map(Vec::len).sum();
        assert_eq!(produced as u64, summary.produced);
        let served: Vec<String> =
            self.exchanges.iter().flat_map(|e| e.ledger().entries()).map(|s| s.price.to_string()).collect();
        for (_, price) in messages.iter().flat_map(|messages| once_each(messages)) {
            assert!(served.contains(&price), "{price} was never served");
        }
    }
}

/// When requests arrived at the exchange after `since`, the first two.
fn arrivals(exchange: &Running, since: Instant) -> Vec<Duration> {
    let entries = exchange.requests().entries().into_iter();
    entries.filter(|r| r.arrived > since).map(|r| r.arrived - since).collect()
}

#[tokio::test]
async fn x1_no_host_is_asked_before_retry_after_is_over() {
    let pipeline = pipeline(2, &[BTC]).await;
    pipeline.fault(Rule::once(Fault::too_many_requests("2")));
    let producer = &pipeline.producer;
    eventually("the limit is told", 2 * SECOND, || producer.unmet().contains("rate-limited (HTTP 429)"))
        .await;
    let refused = pipeline.exchanges[0].requests().entries();
    let refused = refused.iter().find(|r| r.status == Some(429)).unwrap().arrived;
    producer.produces(1, 4 * SECOND).await;
    let calls = arrivals(&pipeline.exchanges[0], refused);
    assert!(calls[0] >= 2 * SECOND && calls[0] <= 3 * SECOND, "the next call came after {:?}", calls[0]);
    assert!(
        arrivals(&pipeline.exchanges[1], refused).is_empty(),
        "limits are per address: no other host either"
    );
    assert!(producer.skipped("rate_limited") >= 30.0, "{}", producer.skipped("rate_limited"));
    eventually("it is ready", SECOND, || producer.unmet().is_empty()).await;
    pipeline.finish().await;
}

#[tokio::test]
async fn x2_a_ban_is_told_and_obeyed() {
    let pipeline = pipeline(1, &[BTC]).await;
    pipeline.fault(Rule::once(Fault::banned("120")));
    let producer = &pipeline.producer;
    eventually("the ban is told", 2 * SECOND, || producer.unmet().contains("banned (HTTP 418)")).await;
    let before = pipeline.exchanges[0].requests().total();
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(pipeline.exchanges[0].requests().total(), before, "not even a ping");
    assert_eq!(producer.requests("banned"), 1.0);
    pipeline.finish().await;
}

#[tokio::test]
async fn x2_a_geo_blocked_host_is_given_up_and_the_next_one_used() {
    let pipeline = pipeline(2, &[BTC]).await;
    pipeline.fault(Rule::until_cleared(Fault::status(451)));
    eventually("the block is met", SECOND, || pipeline.producer.requests("geo_blocked") == 1.0).await;
    pipeline.exchanges[0].faults().clear();
    let before = pipeline.exchanges[0].requests().total();
    pipeline.producer.produces(10, 3 * SECOND).await;
    assert_eq!(pipeline.exchanges[0].requests().total(), before, "the block is permanent");
    assert_eq!(pipeline.producer.unmet(), "");
    pipeline.exchanges[1].faults().add(Rule::until_cleared(Fault::status(451)));
    eventually("every host is blocked", SECOND, || pipeline.producer.unmet().contains("geo-blocked")).await;
    eventually("slots are counted", SECOND, || pipeline.producer.skipped("geo_blocked") >= 3.0).await;
    assert_eq!(pipeline.producer.requests("geo_blocked"), 2.0);
    pipeline.finish().await;
}

#[tokio::test]
async fn x3_the_next_host_takes_over_and_the_first_one_comes_back() {
    for fault in
        [Fault::status(500), Fault::status_with_body(502, "<html>Bad Gateway</html>"), Fault::status(403)]
    {
        let pipeline = pipeline(2, &[BTC]).await;
        let (first, second) = (&pipeline.exchanges[0], &pipeline.exchanges[1]);
        pipeline.fault(Rule::until_cleared(fault));
        let label = [("target", first.url().trim_start_matches("http://").to_owned())];
        let breaker = || pipeline.producer.metric("breaker_state", &[("target", &label[0].1)]);
        let served = second.ledger().total();
        eventually("the second host serves", 3 * SECOND, || second.ledger().total() >= served + 5).await;
        eventually("the breaker opens", 20 * SECOND, || breaker() == 2.0).await;
        assert_eq!(pipeline.producer.unmet(), "", "prices go on all the time");
        let asked = |e: &Running| e.requests().entries().iter().filter(|r| r.path == PRICES).count();
        let before = asked(first);
        pipeline.producer.produces(20, 5 * SECOND).await;
        assert_eq!(asked(first), before, "an open breaker spares the host");
        first.faults().clear();
        let served = first.ledger().total();
        eventually("the first host serves again", 10 * SECOND, || first.ledger().total() >= served + 5).await;
        pipeline.finish().await;
    }
}

#[tokio::test]
async fn x3_an_exchange_that_is_away_is_told_once_with_the_hint_and_found_again() {
    let exchange = start(SimConfig::default()).await.unwrap();
    let (address, url) = (exchange.address(), exchange.url());
    exchange.stop().await;
    let kafka = Kafka::start(1, TOPICS);
    let urls = ["http://no-such-host.invalid".to_owned(), url];
    let options = pricepipe_producer::Options {
        unreachable_hint: Some("Try --simulate.".to_owned()),
        ..Default::default()
    };
    let producer = Producer::start_with(config(&kafka.bootstrap_servers, &urls, &[BTC], FAST), options);
    eventually("it is told", 5 * SECOND, || producer.unmet().contains("cannot be reached")).await;
    let told = producer.unmet();
    assert!(
        told.contains("exchange: binance cannot be reached: no-such-host.invalid: ")
            || told.contains(&format!("exchange: binance cannot be reached: {address}: ")),
        "{told}"
    );
    assert!(told.contains("Try --simulate."), "{told}");
    eventually("slots are counted", 3 * SECOND, || producer.skipped("exchange_unavailable") >= 10.0).await;
    tokio::time::sleep(6 * SECOND).await;
    let calls = producer.requests("unreachable");
    assert!((2.0..=20.0).contains(&calls), "{calls} calls in 6 s of 50 ms slots");
    let _exchange = start(SimConfig { address, ..SimConfig::default() }).await.unwrap();
    producer.produces(5, 30 * SECOND).await;
    assert_eq!(producer.unmet(), "");
    producer.stop().await.unwrap();
    once_each(&kafka.read("btcusdt"));
}

#[tokio::test]
async fn x4_hangs_and_torn_connections_end_in_time() {
    let pipeline = pipeline(1, &[BTC]).await;
    for (fault, outcome) in bad_answers() {
        let before = pipeline.producer.requests(outcome);
        pipeline.fault(Rule::once(fault.clone()));
        eventually(outcome, 5 * SECOND, || pipeline.producer.requests(outcome) > before).await;
        let start = Instant::now();
        pipeline.producer.produces(3, 5 * SECOND).await;
        assert!(start.elapsed() < 5 * SECOND, "{fault:?}");
    }
    assert!(pipeline.producer.skipped("request_under_way") >= 6.0, "slots that passed during a hang count");
    assert!(pipeline.producer.process.health.stalled().is_empty());
    pipeline.finish().await;
}

#[tokio::test]
async fn x5_a_bad_price_spoils_nothing_but_itself() {
    let pipeline = pipeline(1, &[BTC, ETH]).await;
    let producer = &pipeline.producer;
    for (text, reason) in [
        ("NaN", "not_a_number"),
        ("", "not_a_number"),
        ("1e400", "too_precise"),
        ("-1", "not_positive"),
        ("0.00000000", "not_positive"),
    ] {
        let rejected = || producer.metric("source_rejected_prices_total", &[("reason", reason)]);
        let (before, row) = (rejected(), |i: usize| producer.observations.snapshot().symbols[i].produced);
        pipeline
            .fault(Rule::times(5, Fault::PriceText { symbol: ETH.parse().unwrap(), text: text.to_owned() }));
        let good = row(0);
        eventually(text, 3 * SECOND, || rejected() == before + 5.0).await;
        assert!(row(0) >= good + 4, "BTC goes on while ETH is {text:?}");
    }
    producer.produces(4, 3 * SECOND).await;
    assert_eq!(producer.unmet(), "");
    pipeline.finish().await;
}

#[tokio::test]
async fn x6_an_unknown_symbol_is_isolated_and_the_others_go_on() {
    let pipeline = pipeline(1, &[BTC, "FOOXYZ", ETH]).await;
    let producer = &pipeline.producer;
    let unknown = || producer.metric("source_rejected_prices_total", &[("reason", "unknown_symbol")]);
    assert_eq!(unknown(), 1.0, "it is found before the others bring their first prices, or with them");
    let (before, start) = (producer.produced(), Instant::now());
    tokio::time::sleep(2 * SECOND).await;
    let (messages, slots) = (producer.produced() - before, start.elapsed().as_millis() as u64 / 50);
    assert!(messages * 100 >= slots * 2 * 95, "{messages} messages of 2 symbols in {slots} slots");
    assert_eq!((unknown(), producer.unmet().as_str()), (1.0, ""));
    assert_eq!(producer.observations.snapshot().symbols[1].produced, 0);
    pipeline.finish().await;
}

#[tokio::test]
async fn x6_a_symbol_that_is_missing_in_the_answer_is_counted_and_comes_back() {
    let pipeline = pipeline(1, &[BTC, ETH]).await;
    let producer = &pipeline.producer;
    let missing = || producer.metric("source_rejected_prices_total", &[("reason", "missing")]);
    pipeline.fault(Rule::times(5, Fault::MissingSymbol { symbol: BTC.parse().unwrap() }));
    eventually("it is missed", 3 * SECOND, || missing() == 5.0).await;
    let before = producer.observations.snapshot().symbols[0].produced;
    eventually("it is back", 3 * SECOND, || producer.observations.snapshot().symbols[0].produced > before)
        .await;
    assert_eq!(missing(), 5.0);
    pipeline.finish().await;
}

#[tokio::test]
async fn x7_a_price_belongs_to_the_slot_at_whose_beginning_it_was_asked_for() {
    let pipeline = pipeline(1, &[BTC]).await;
    pipeline.producer.produces(20, 5 * SECOND).await;
    let messages = pipeline.kafka.read("btcusdt");
    for message in &messages {
        let (time, received) = (message.time.as_millis(), message.received.as_millis());
        assert_eq!(time % 50, 0, "a slot lies on the clock");
        assert!((0..1_000).contains(&(received - time)), "received {} ms after its slot", received - time);
    }
    pipeline.finish().await;
}

#[tokio::test]
async fn x10_a_budget_is_kept_before_the_exchange_has_to_say_so() {
    let limits = Limits { weight_per_minute: 6_000, ..Limits::default() };
    let exchange = start(SimConfig { limits, ..SimConfig::default() }).await.unwrap();
    let kafka = Kafka::start(1, TOPICS);
    let mut config = config(&kafka.bootstrap_servers, &[exchange.url()], &[BTC, ETH], FAST);
    config.sources[0].rest_mut().unwrap().max_weight_per_minute = 60;
    let producer = Producer::start(config);
    eventually("the budget is felt", 20 * SECOND, || producer.skipped("weight_budget") >= 10.0).await;
    tokio::time::sleep(3 * SECOND).await;
    let used = producer.metric("source_used_weight", &[("exchange", "binance")]);
    assert!(used > 0.0 && used <= 60.0, "{used}");
    assert_eq!(producer.requests("rate_limited"), 0.0);
    producer.stop().await.unwrap();
}

#[tokio::test]
async fn x10_a_used_weight_near_the_limit_silences_us_before_429() {
    let pipeline = pipeline(1, &[BTC]).await;
    // A minute that ends now would allow the next request.
    while second_of_minute() > 50 {
        tokio::time::sleep(SECOND).await;
    }
    pipeline.fault(Rule::once(Fault::UsedWeight { value: "5700".to_owned() }));
    eventually("it is silent", 5 * SECOND, || pipeline.producer.skipped("weight_budget") >= 1.0).await;
    let before = pipeline.exchanges[0].requests().total();
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(pipeline.exchanges[0].requests().total(), before);
    assert_eq!(pipeline.producer.unmet(), "", "our own caution is no reason to be unready");
    pipeline.finish().await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = start(SimConfig::default()).await.unwrap();
    let pipeline = pipeline(1, &[BTC]).await;
    let location = Some(format!("{}{PRICES}?symbol={BTC}", elsewhere.url()));
    let fault = Fault::Status(StatusFault { status: 302, location, ..StatusFault::default() });
    pipeline.fault(Rule::once(fault));
    eventually("it is met", 3 * SECOND, || pipeline.producer.requests("unexpected_status") == 1.0).await;
    pipeline.producer.produces(3, 5 * SECOND).await;
    assert_eq!(elsewhere.requests().total(), 0);
    pipeline.finish().await;
}

fn second_of_minute() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() % 60
}
