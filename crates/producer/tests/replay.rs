//! History through the same path as prices: every observation once, in order, and none asked for twice. Against the simulated
//! exchange and librdkafka's mock cluster.

#![allow(clippy::unwrap_used, reason = "a test that fails here fails as it should")]

mod support;

use std::{collections::BTreeSet, fmt::Write as _};

use pricepipe_core::{
    Details, Exchange, PriceMessage, ReplayProgress, ReplayState,
    config::{Feed, HistoryConfig, OnComplete, Pace, ProducerConfig, ReplayConfig, SourceConfig},
};
use pricepipe_exchange_sim::{Fault, Recording, Rule, Running, SimConfig, TapePlayback, start};
use pricepipe_producer::ReplayEnd;
use rdkafka::{Message, types::RDKafkaRespErr};
use support::{Kafka, Producer, SECOND, config, eventually};

const BEGIN: i64 = 1_700_000_040_000;
const MINUTE: i64 = 60_000;
const CANDLES: i64 = 2_500;
const TRADES: i64 = 1_500;
const GAPS: &str = "test.gaps";

/// An exchange that holds so many candles of one symbol and so many trades of another.
async fn exchange() -> Running {
    let mut candles = "open_time_ms,open,high,low,close,volume\n".to_owned();
    for n in 0..CANDLES {
        writeln!(candles, "{},1.10,9.{n:04},0.90,1.{n:04},10.50", BEGIN + n * MINUTE).unwrap();
    }
    let mut trades = "id,time_ms,price,quantity,side\n".to_owned();
    for n in 0..TRADES {
        writeln!(trades, "{},{},2.{n:04},0.{n:05}1,buy", 500 + n, BEGIN + n * 1_000).unwrap();
    }
    let tape = |symbol: &str, text: &str| {
        let recording = Recording::from_reader(symbol, text.as_bytes()).unwrap();
        TapePlayback::past(symbol.parse().unwrap(), recording)
    };
    let tapes = vec![tape("BTCUSDT", &candles), tape("ETHUSDT", &trades)];
    start(SimConfig { tapes, ..SimConfig::default() }).await.unwrap()
}

fn at(millis: i64) -> pricepipe_core::Timestamp {
    pricepipe_core::Timestamp::from_millis(millis).unwrap()
}

/// A producer that replays a symbol: candles of a minute, or trades.
fn replay(kafka: &Kafka, exchange: &Running, symbol: &str, interval: Option<&str>) -> ProducerConfig {
    let mut config = config(&kafka.bootstrap_servers, &[], &[symbol], SECOND);
    let replay = ReplayConfig {
        interval: interval.map(|interval| interval.parse().unwrap()),
        start: at(BEGIN),
        end: Some(at(BEGIN + CANDLES * MINUTE)),
        pace: Pace::Unpaced,
        on_complete: OnComplete::Suspend,
        history: HistoryConfig {
            endpoints: vec![exchange.url()],
            timeout_millis: 2_000,
            max_weight_per_minute: 5_700,
        },
    };
    config.sources = vec![SourceConfig { feed: Feed::Replay(replay), ..config.sources[0].clone() }];
    config
}

fn edit(config: &mut ProducerConfig, change: impl FnOnce(&mut ReplayConfig)) {
    if let Feed::Replay(replay) = &mut config.sources[0].feed {
        change(replay);
    }
}

/// Everything that was asked for but pings.
fn asked(exchange: &Running) -> Vec<String> {
    let requests = exchange.requests().entries().into_iter();
    requests.filter(|r| !r.path.ends_with("/ping")).map(|r| format!("{}?{}", r.path, r.query)).collect()
}

/// Waits until the replays of so many markets have ended.
async fn have_ended(producer: &Producer, markets: usize) {
    let ended = || producer.observations.snapshot().replays.first().is_some_and(|r| r.ended() == markets);
    eventually("the replay is complete", 20 * SECOND, ended).await;
}

async fn is_complete(producer: &Producer) {
    have_ended(producer, 1).await;
    eventually("Kafka has it all", 5 * SECOND, || {
        let seen = producer.observations.snapshot();
        seen.totals.produced == seen.replays[0].records()
    })
    .await;
}

/// What is told of how far a symbol is, in the order in which it was told.
fn words(kafka: &Kafka, symbol: &str) -> Vec<ReplayProgress> {
    let read = |message: rdkafka::message::OwnedMessage| {
        let word = ReplayProgress::decode(message.payload().unwrap()).unwrap();
        assert_eq!(message.key(), Some(word.key().as_bytes()));
        word
    };
    let words = support::messages(&kafka.bootstrap_servers, GAPS).into_iter().map(read);
    words.filter(|word| word.symbol.as_str() == symbol).collect()
}

/// Each id must be there once; gives the prices in the order of time.
fn prices(mut messages: Vec<PriceMessage>) -> Vec<String> {
    let ids: BTreeSet<&str> = messages.iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids.len(), messages.len(), "an id is there twice");
    assert!(messages.is_sorted_by_key(|message| message.time), "they are out of order");
    messages.sort_by_key(|message| message.time);
    messages.iter().map(|message| message.price.to_string()).collect()
}

#[tokio::test]
async fn every_candle_comes_once_digit_for_digit_and_no_page_is_asked_for_twice() {
    let (kafka, exchange) = (Kafka::start(1, &["btcusdt", GAPS]), exchange().await);
    let producer = Producer::start(replay(&kafka, &exchange, "BTCUSDT", Some("1m")));
    is_complete(&producer).await;
    eventually("it is ready", 5 * SECOND, || producer.unmet().is_empty()).await;
    let progress = producer.metric("source_replay_progress_ratio", &[("symbol", "BTCUSDT")]);
    let seen = producer.observations.snapshot();
    assert_eq!((progress, seen.replays[0].state()), (1.0, "replay complete".to_owned()));
    assert_eq!(producer.stop().await.unwrap().produced, CANDLES as u64);
    let messages = kafka.read("btcusdt");
    let Details::Kline(first) = &messages[0].details else { panic!("{:?}", messages[0]) };
    assert_eq!(
        (messages[0].id.as_str(), messages[0].time),
        ("binance:BTCUSDT:kline:1m:1700000040000", at(BEGIN))
    );
    assert_eq!((first.high.to_string(), first.volume.to_string()), ("9.0000".into(), "10.50".into()));
    assert!(prices(messages).into_iter().eq((0..CANDLES).map(|n| format!("1.{n:04}"))));
    let asked = asked(&exchange);
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), asked.len(), "{asked:?}");
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn a_replay_that_was_ended_goes_on_behind_what_is_in_kafka() {
    let (kafka, exchange) = (Kafka::start(1, &["btcusdt", GAPS]), exchange().await);
    let mut config = replay(&kafka, &exchange, "BTCUSDT", Some("1m"));
    // 1,200 candles of a minute take 2 s at this pace, and one page lies behind the other.
    edit(&mut config, |replay| replay.pace = "36000x".parse().unwrap());
    for part in [300, 900] {
        let producer = Producer::start(config.clone());
        producer.produces(part, 20 * SECOND).await;
        let sent = producer.stop().await.unwrap().produced;
        assert!(sent < CANDLES as u64 - 1_000, "{sent} before it was ended");
    }
    edit(&mut config, |replay| replay.pace = Pace::Unpaced);
    let producer = Producer::start(config.clone());
    is_complete(&producer).await;
    producer.stop().await.unwrap();
    assert!(prices(kafka.read("btcusdt")).into_iter().eq((0..CANDLES).map(|n| format!("1.{n:04}"))));
    let before = asked(&exchange);
    assert_eq!(before.iter().collect::<BTreeSet<_>>().len(), before.len(), "asked twice: {before:?}");
    let again = Producer::start(config);
    eventually("it is ready", 10 * SECOND, || again.unmet().is_empty()).await;
    is_complete(&again).await;
    again.stop().await.unwrap();
    assert_eq!(asked(&exchange), before, "what is in Kafka is not asked for again");
}

#[tokio::test]
async fn how_far_it_is_is_told_in_kafka_and_a_later_process_goes_on_from_there() {
    let (kafka, exchange) = (Kafka::start(1, &["btcusdt", GAPS]), exchange().await);
    let mut config = replay(&kafka, &exchange, "BTCUSDT", Some("1m"));
    // A page of candles takes 5 s at this pace.
    edit(&mut config, |replay| replay.pace = "12000x".parse().unwrap());
    let producer = Producer::start(config.clone());
    let market = || producer.observations.snapshot().replays.first().map(|replay| replay.markets[0].clone());
    eventually("it moves", 20 * SECOND, || market().is_some_and(|market| market.records > 0)).await;
    let seen = market().unwrap();
    assert!(seen.records < 1_000 && seen.reached > Some(at(BEGIN)), "within a page: {seen:?}");
    let sent = producer.stop().await.unwrap().produced;
    edit(&mut config, |replay| replay.pace = Pace::Unpaced);
    let producer = Producer::start(config);
    is_complete(&producer).await;
    producer.stop().await.unwrap();

    let words = words(&kafka, "BTCUSDT");
    let states: Vec<&ReplayState> = words.iter().map(|word| &word.state).collect();
    assert_eq!(states, [&ReplayState::Running, &ReplayState::Running, &ReplayState::Complete]);
    let end = at(BEGIN + CANDLES * MINUTE);
    let reached: Vec<_> = words.iter().map(|word| word.reached).collect();
    assert_eq!(reached, [at(BEGIN), at(BEGIN + (sent as i64 - 1) * MINUTE), end]);
    assert_eq!(words[2].records, CANDLES as u64 - sent);
    let last = (words[2].source.as_str(), words[2].interval.unwrap().as_str(), words[2].start, words[2].end);
    assert_eq!(last, ("binance", "1m", at(BEGIN), end));
}

#[tokio::test]
async fn a_gaps_topic_that_is_missing_holds_no_record_up_and_is_told_later() {
    let (kafka, exchange) = (Kafka::start(1, &["btcusdt", GAPS]), exchange().await);
    let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    kafka.with(move |cluster| cluster.topic_error(GAPS, missing).unwrap());
    let producer = Producer::start(replay(&kafka, &exchange, "BTCUSDT", Some("1m")));
    is_complete(&producer).await;
    eventually("it is named", 10 * SECOND, || producer.unmet().contains("topic test.gaps: ")).await;
    kafka.with(|cluster| cluster.topic_error(GAPS, RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap());
    eventually("it is ready", 30 * SECOND, || producer.unmet().is_empty()).await;
    assert_eq!(producer.stop().await.unwrap().produced, CANDLES as u64);
    assert_eq!(words(&kafka, "BTCUSDT").pop().unwrap().state, ReplayState::Complete);
}

#[tokio::test]
async fn trades_come_by_their_numbers_and_a_live_one_does_not_hide_what_is_left() {
    let (kafka, exchange) = (Kafka::start(1, &["ethusdt", GAPS]), exchange().await);
    let mut config = replay(&kafka, &exchange, "ETHUSDT", None);
    let whole = config.clone();
    edit(&mut config, |replay| replay.end = Some(at(BEGIN + 700 * 1_000)));
    let producer = Producer::start(config);
    is_complete(&producer).await;
    assert_eq!(producer.stop().await.unwrap().produced, 700);
    // A later trade, as a stream sends it: without the header of a replay.
    let mut live = kafka.read("ethusdt").pop().unwrap();
    live.id = "binance:ETHUSDT:trade:999999".to_owned();
    support::send(&kafka.bootstrap_servers, "ethusdt", "binance:ETHUSDT", &live.encode());
    let producer = Producer::start(whole);
    is_complete(&producer).await;
    assert_eq!(producer.stop().await.unwrap().produced, 800, "the rest, and nothing that was there");
    let ids = kafka.read("ethusdt").into_iter().map(|message| message.id);
    let ids: BTreeSet<String> = ids.filter(|id| *id != live.id).collect();
    assert!(ids.len() == 1_500 && ids.contains("binance:ETHUSDT:trade:500"));
    assert!(asked(&exchange).iter().any(|asked| asked.contains("fromId=1200")), "{:?}", asked(&exchange));
}

#[tokio::test]
async fn an_earlier_start_is_another_replay() {
    let (kafka, exchange) = (Kafka::start(1, &["btcusdt", GAPS]), exchange().await);
    let mut late = replay(&kafka, &exchange, "BTCUSDT", Some("1m"));
    let whole = late.clone();
    edit(&mut late, |replay| replay.start = at(BEGIN + 2_000 * MINUTE));
    for (config, sent) in [(late, 500), (whole, 2_500)] {
        let producer = Producer::start(config);
        is_complete(&producer).await;
        assert_eq!(producer.stop().await.unwrap().produced, sent);
    }
}

#[tokio::test]
async fn history_waits_where_the_exchange_or_kafka_is_away_and_nothing_is_lost() {
    let (kafka, exchange) = (Kafka::start(1, &["btcusdt", GAPS]), exchange().await);
    exchange.faults().add(Rule::times(3, Fault::status(500)));
    exchange.faults().add(Rule::once(Fault::too_many_requests("1")));
    let producer = Producer::start(replay(&kafka, &exchange, "BTCUSDT", Some("1m")));
    eventually("trouble is told", 5 * SECOND, || producer.unmet().contains("gives no history")).await;
    is_complete(&producer).await;
    eventually("it is ready", 5 * SECOND, || producer.unmet().is_empty()).await;
    producer.stop().await.unwrap();
    assert_eq!(prices(kafka.read("btcusdt")).len(), CANDLES as usize);
}

#[tokio::test]
async fn a_symbol_that_the_exchange_does_not_have_is_given_up_alone() {
    let (kafka, exchange) = (Kafka::start(1, &["btcusdt", "fooxyz", GAPS]), exchange().await);
    let mut config = replay(&kafka, &exchange, "BTCUSDT", Some("1m"));
    let route = support::config("", &[], &["FOOXYZ"], SECOND).symbols.remove(0);
    config.symbols.push(route);
    let producer = Producer::start(config);
    have_ended(&producer, 2).await;
    let markets = producer.observations.snapshot().replays.remove(0).markets;
    assert_eq!(markets[0].end, Some(ReplayEnd::Complete));
    let Some(ReplayEnd::GivenUp(reason)) = markets[1].end.clone() else { panic!("{markets:?}") };
    assert_eq!(producer.metric("source_rejected_prices_total", &[("reason", "unknown_symbol")]), 1.0);
    producer.stop().await.unwrap();
    let last = |symbol: &str| words(&kafka, symbol).pop().unwrap();
    assert_eq!(last("BTCUSDT").state, ReplayState::Complete);
    let given_up = last("FOOXYZ");
    assert_eq!((given_up.state, given_up.reached), (ReplayState::Failed { reason }, at(BEGIN)));
}

#[tokio::test]
async fn a_loop_begins_again_with_the_same_ids() {
    let (kafka, exchange) = (Kafka::start(1, &["ethusdt", GAPS]), exchange().await);
    let mut config = replay(&kafka, &exchange, "ETHUSDT", None);
    edit(&mut config, |replay| {
        replay.on_complete = OnComplete::Loop;
        replay.end = Some(at(BEGIN + 10_000));
    });
    let producer = Producer::start(config);
    producer.produces(20, 20 * SECOND).await;
    producer.stop().await.unwrap();
    let ids: BTreeSet<String> = kafka.read("ethusdt").into_iter().map(|message| message.id).collect();
    assert_eq!(ids.len(), 10);
}

#[tokio::test]
async fn coinbase_candles_have_its_own_name_and_digits() {
    let (kafka, exchange) = (Kafka::start(1, &["btc-usdt", GAPS]), exchange().await);
    let mut config = replay(&kafka, &exchange, "BTC-USDT", Some("1m"));
    config.sources[0].exchange = Exchange::Coinbase;
    edit(&mut config, |replay| replay.end = Some(at(BEGIN + 700 * MINUTE)));
    let producer = Producer::start(config);
    is_complete(&producer).await;
    producer.stop().await.unwrap();
    let messages = kafka.read("btc-usdt");
    assert_eq!(messages[0].id, "coinbase:BTC-USDT:kline:1m:1700000040000");
    assert!(prices(messages).into_iter().eq((0..700).map(|n| format!("1.{n:04}"))));
    assert_eq!(asked(&exchange).len(), 3, "300 candles a page: {:?}", asked(&exchange));
}
