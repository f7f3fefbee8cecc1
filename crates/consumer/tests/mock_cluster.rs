//! The consumer against librdkafka's mock cluster: the real protocol, in process, no server.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use pricepipe_core::{config::ConsumerConfig, message::UNKNOWN_EXCHANGE};
use rdkafka::{mocking::MockCluster, types::RDKafkaRespErr};
use support::*;

type Cluster = MockCluster<'static, rdkafka::producer::DefaultProducerContext>;

/// A cluster with these topics, and a stage in front of it.
fn stage(topics: &[(&str, i32)]) -> (Cluster, Stage) {
    let cluster = MockCluster::new(1).unwrap();
    topics.iter().for_each(|(topic, partitions)| cluster.create_topic(topic, *partitions, 1).unwrap());
    let stage = Stage::new(cluster.bootstrap_servers());
    (cluster, stage)
}

#[test]
fn several_topics_are_stored_once_and_committed_to_the_end() {
    let (_cluster, stage) = stage(&[("btc", 3), ("eth", 1)]);
    stage.fill("btc", 3, 500);
    // The same observations a second time, as two producers or a retry would send them.
    stage.produce_prices("eth", 0, (0..300).chain(0..300));
    let consumer = stage.start(&["btc", "eth"]);
    eventually("everything is stored", || stage.store.count() == 1_800);
    eventually("ready", || consumer.unmet().is_empty());
    eventually("the lag is known to be 0", || {
        consumer.observations.snapshot().lag.values().sum::<u64>() == 0
    });
    let market = |symbol| consumer.observations.snapshot().market(symbol, UNKNOWN_EXCHANGE);
    eventually("every duplicate is seen", || market("eth").duplicates == 300);
    assert_eq!(market("btc").stored, 1_500);
    assert_eq!(
        consumer.metric(r#"pricepipe_sink_documents_total{collection="eth",outcome="duplicate"}"#),
        Some(300.0)
    );

    let summary = consumer.drain();
    assert_eq!(
        (summary.consumed, summary.stored, summary.duplicates, summary.dead_letters),
        (2_100, 1_800, 300, 0)
    );
    assert!(stage.store.largest.load(SeqCst) <= 100, "batches keep to their limit");
    let offset = |topic, partition| stage.committed("btc", topic, partition);
    assert_eq!([offset("btc", 0), offset("btc", 1), offset("btc", 2)], [Some(500); 3]);
    assert_eq!(offset("eth", 0), Some(600));
}

#[test]
fn what_cannot_be_stored_becomes_a_dead_letter_with_its_origin() {
    let (_cluster, stage) = stage(&[("btc", 1), ("btc.dead-letter", 1)]);
    let refused = br#"{"symbol":"btc","price":666,"id":"btc:refused"}"#.to_vec();
    let bad = [b"{".to_vec(), br#"{"symbol":"btc"}"#.to_vec(), refused.clone(), vec![b'x'; 950_000]];
    stage.produce("btc", 0, prices("btc", 0..10).into_iter().chain(bad).chain(prices("btc", 10..20)));
    stage.produce("btc", 0, [br#"{"symbol":"btc","price":-1}"#.to_vec()]);
    let consumer = stage.start(&["btc"]);
    let summary = consumer.drain();
    assert_eq!((summary.stored, summary.dead_letters), (20, 5));
    assert_eq!(stage.committed("btc", "btc", 0), Some(25), "the last message is bad, and counts");

    let letters = read(&stage.servers, "btc.dead-letter", 5);
    let reasons: Vec<_> = letters
        .iter()
        .map(|(_, headers)| (headers["pricepipe.offset"].as_str(), headers["pricepipe.reason"].as_str()))
        .collect();
    let expected = BTreeSet::from([
        ("10", "not_json"),
        ("11", "no_price"),
        ("12", "rejected_by_store"),
        ("13", "not_json"),
        ("24", "invalid_price"),
    ]);
    assert_eq!(reasons.into_iter().collect::<BTreeSet<_>>(), expected);
    for (value, headers) in &letters {
        let whole = headers.get("pricepipe.truncated").map(String::as_str);
        let large = headers["pricepipe.offset"] == "13";
        assert_eq!((value.len() == 900_000, whole), (large, large.then_some("950000")));
        let origin = (headers["pricepipe.topic"].as_str(), headers["pricepipe.partition"].as_str());
        assert_eq!(origin, ("btc", "0"));
        assert!(headers["pricepipe.pipeline"] == "test" && !headers["pricepipe.detail"].is_empty());
        assert!(headers["pricepipe.timestamp"].parse::<i64>().is_ok());
        assert_eq!(headers["pricepipe.topic-id"].len(), 22, "the topic's UUID");
    }
    assert!(letters.iter().any(|(value, _)| *value == refused), "as it came, byte for byte");
}

/// Messages of all kinds in turn.
fn of_every_kind(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Vec<u8>> {
    let own = [
        r#""kind":"price""#,
        r#""kind":"trade","quantity":23.00,"side":"sell""#,
        r#""kind":"kline","interval":"1M","open":1,"high":1,"low":1,"close":1,"volume":0"#,
        r#""kind":"quote","bid":1,"bidQuantity":1,"ask":1,"askQuantity":1"#,
    ];
    let message =
        move |n: usize| format!(r#"{{"symbol":"btc","price":1,{},"id":"{n}"}}"#, own[n % own.len()]);
    numbers.map(move |n| message(n).into_bytes())
}

#[test]
fn each_kind_goes_to_its_collection_and_no_more_is_committed_than_all_of_them_hold() {
    let (_cluster, stage) = stage(&[("btc", 1)]);
    *stage.store.broken.lock().unwrap() = Some("btc_quotes".to_owned());
    let consumer = stage.start(&["btc"]);
    stage.produce("btc", 0, of_every_kind(0..80));
    let stored = |collection| stage.store.ids(collection).len();
    eventually("the others are stored", || stored("btc") == 40 && stored("btc_klines_1mo") == 20);
    eventually("not ready, with the reason", || consumer.unmet() == "store: the test says no");
    std::thread::sleep(Duration::from_secs(2));
    let offset = || stage.committed("btc", "btc", 0);
    assert!(offset().is_none_or(|offset| offset <= 3), "offset 3 is a quote: {:?}", offset());
    *stage.store.broken.lock().unwrap() = None;
    eventually("the quotes are stored", || stored("btc_quotes") == 20);
    assert_eq!(
        consumer.metric(r#"pricepipe_sink_documents_total{collection="btc_quotes",outcome="inserted"}"#),
        Some(20.0)
    );
    assert_eq!(consumer.observations.snapshot().collections["btc_klines_1mo"].inserted, 20);
    let summary = consumer.drain();
    assert_eq!((summary.stored, summary.duplicates, summary.dead_letters), (80, 0, 0));
    assert_eq!(offset(), Some(80));
    let numbers = |first: usize| (first..80).step_by(4).map(|n| n.to_string());
    assert_eq!(stage.store.ids("btc"), numbers(0).chain(numbers(1)).collect());
    assert_eq!(stage.store.ids("btc_klines_1mo"), numbers(2).collect());
    assert_eq!(stage.store.ids("btc_quotes"), numbers(3).collect());
}

#[test]
fn plain_messages_are_named_by_the_topics_own_id() {
    let (_cluster, stage) = stage(&[("btc", 2)]);
    let plain = || (0..50).map(|n| format!(r#"{{"symbol":"BTCUSDT","price":{}}}"#, n + 1).into_bytes());
    stage.produce("btc", 0, plain());
    stage.produce("btc", 1, plain());
    let summary = stage.start(&["btc"]).drain();
    assert_eq!((summary.stored, summary.dead_letters), (100, 0));
    let ids = stage.store.ids("btc");
    let uuids: BTreeSet<&str> = ids.iter().map(|id| id.split(':').nth(1).unwrap()).collect();
    assert_eq!(uuids.len(), 1, "{uuids:?}");
    let uuid = uuids.first().unwrap();
    assert!(uuid.len() == 22 && ids.contains(&format!("kafka:{uuid}:1:49")), "{ids:?}");
}

#[test]
fn a_store_that_fails_for_a_while_loses_nothing_and_nothing_is_committed_meanwhile() {
    let (_cluster, stage) = stage(&[("btc", 1)]);
    let consumer = stage.start(&["btc"]);
    stage.produce_prices("btc", 0, 0..1);
    eventually("a first document", || stage.store.count() == 1);
    stage.store.failing.store(true, SeqCst);
    stage.produce_prices("btc", 0, 1..2_000);
    eventually("not ready, with the reason", || consumer.unmet() == "store: the test says no");
    let breaker = || consumer.metric(r#"pricepipe_breaker_state{target="store"}"#);
    eventually("the breaker opens", || breaker() == Some(2.0));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(stage.committed("btc", "btc", 0), Some(1), "no further than what is stored");
    assert!(consumer.process.health.stalled().is_empty());
    assert!(consumer.metric(r#"pricepipe_consumer_lag_messages{partition="0",topic="btc"}"#) > Some(1_000.0));
    stage.store.failing.store(false, SeqCst);
    eventually("everything is stored", || stage.store.count() == 2_000);
    eventually("ready", || consumer.unmet().is_empty());
    consumer.drain();
    assert_eq!(stage.committed("btc", "btc", 0), Some(2_000));
}

#[test]
fn a_store_that_hangs_holds_a_bounded_number_of_messages_and_goes_on_where_it_stopped() {
    let (_cluster, stage) = stage(&[("btc", 2)]);
    stage.store.hang(true);
    stage.fill("btc", 2, 5_000);
    let consumer = stage.start(&["btc"]);
    eventually("not ready, with the reason", || consumer.unmet().contains("store: no answer for 10 s"));
    // Four batches on their way and a full one: the partitions are paused.
    let taken = consumer.metric(r#"pricepipe_consumer_lag_messages{partition="0",topic="btc"}"#);
    assert!(taken > Some(4_000.0), "{taken:?}");
    stage.store.hang(false);
    eventually("everything is stored", || stage.store.count() == 10_000);
    let summary = consumer.drain();
    assert_eq!((summary.stored, summary.duplicates), (10_000, 0), "nothing was read twice");
}

#[test]
fn a_consumer_ends_in_time_although_the_store_hangs() {
    let (_cluster, stage) = stage(&[("btc", 1)]);
    let consumer = stage.start(&["btc"]);
    stage.produce_prices("btc", 0, 0..100);
    eventually("stored", || stage.store.count() == 100);
    stage.store.hang(true);
    stage.produce_prices("btc", 0, 100..200);
    std::thread::sleep(Duration::from_millis(500));
    let asked = Instant::now();
    consumer.end();
    assert!(asked.elapsed() < Duration::from_secs(22), "{:?}", asked.elapsed());
    assert_eq!(stage.committed("btc", "btc", 0), Some(100));
}

#[test]
fn a_consumer_ends_in_time_although_kafka_is_away() {
    let (cluster, stage) = stage(&[("btc", 1)]);
    let consumer = stage.start(&["btc"]);
    stage.produce_prices("btc", 0, 0..100);
    eventually("stored", || stage.store.count() == 100);
    cluster.broker_down(-1).unwrap();
    eventually("not ready, with the reason", || consumer.unmet().contains("kafka: "));
    let asked = Instant::now();
    let summary = consumer.end();
    assert!(asked.elapsed() < Duration::from_secs(22), "{:?}", asked.elapsed());
    assert_eq!(summary.stored, 100);
}

#[test]
fn a_dead_letter_topic_that_cannot_be_written_holds_its_partition() {
    let (cluster, stage) = stage(&[("btc", 1), ("eth", 1), ("btc.dead-letter", 1)]);
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
    cluster.topic_error("btc.dead-letter", refused).unwrap();
    stage.produce("btc", 0, [b"poison".to_vec()].into_iter().chain(prices("btc", 0..1_000)));
    stage.produce_prices("eth", 0, 0..10);
    let consumer = stage.start(&["btc", "eth"]);
    eventually("not ready, with the reason", || consumer.unmet().contains("dead-letter: btc.dead-letter: "));
    eventually("other partitions go on", || stage.committed("btc", "eth", 0) == Some(10));
    let offset = || stage.committed("btc", "btc", 0);
    eventually("the start is committed", || offset().is_some());
    assert_eq!(offset(), Some(0), "the poison is not skipped");
    cluster.topic_error("btc.dead-letter", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR).unwrap();
    let summary = consumer.drain();
    assert_eq!((summary.stored, summary.dead_letters), (1_010, 1));
    assert_eq!(stage.committed("btc", "btc", 0), Some(1_001));
}

/// The mock cluster refuses commits for as long as a rebalance takes, and may throw a member out meanwhile: what that one
/// could not commit is read twice, and stored once. `members_that_come_and_go…` sees that a real broker repeats nothing.
#[test]
fn a_second_member_takes_partitions_over_and_every_message_is_stored_once() {
    let (_cluster, stage) = stage(&[("btc", 4)]);
    // The mock cluster takes about a session for each change of members.
    let config = || ConsumerConfig { session_timeout_millis: 4_000, ..config(&stage.servers, &["btc"]) };
    let enough = Arc::new(AtomicBool::new(false));
    let flow = std::thread::spawn({
        let (servers, enough) = (stage.servers.clone(), Arc::clone(&enough));
        move || {
            let mut rounds = 0;
            while !enough.load(SeqCst) {
                let numbers = rounds * 20..(rounds + 1) * 20;
                produce(&servers, "btc", (rounds % 4) as i32, prices("btc", numbers));
                rounds += 1;
                std::thread::sleep(Duration::from_millis(100));
            }
            rounds * 20
        }
    });
    let first = stage.start_with(config());
    eventually("the first member works", || stage.store.count() > 100);
    let second = stage.start_with(config());
    eventually("the second member works", || !second.observations.snapshot().symbols.is_empty());
    enough.store(true, SeqCst);
    let produced = flow.join().unwrap();
    eventually("everything is stored", || stage.store.count() == produced);
    let offset = |partition| stage.committed("btc", "btc", partition).unwrap_or(0);
    eventually("everything is committed", || (0..4).map(offset).sum::<i64>() == produced as i64);
    let (second, first) = (second.end(), first.end());
    assert_eq!(first.stored + second.stored, produced as u64, "{first:?} {second:?}");
}

#[test]
fn an_empty_partition_has_a_committed_offset_so_that_its_lag_is_known() {
    let (_cluster, stage) = stage(&[("btc", 2)]);
    let consumer = stage.start(&["btc"]);
    let offset = |partition| stage.committed("btc", "btc", partition);
    eventually("both are committed", || (offset(0), offset(1)) == (Some(0), Some(0)));
    eventually("and the lag is known to be 0", || {
        consumer.metric(r#"pricepipe_consumer_lag_messages{partition="1",topic="btc"}"#) == Some(0.0)
    });
    consumer.drain();
}
