//! The consumer against a real broker.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use support::*;
use tokio::runtime::Runtime;

fn servers() -> String {
    std::env::var("KAFKA_BOOTSTRAP_SERVERS").expect("KAFKA_BOOTSTRAP_SERVERS names a real broker")
}

fn unique(name: &str) -> String {
    format!("{name}-{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos())
}

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", servers()).create().unwrap()
}

fn create(runtime: &Runtime, topic: &str, partitions: i32) {
    let topics = [NewTopic::new(topic, partitions, TopicReplication::Fixed(1))];
    let made = runtime.block_on(admin().create_topics(&topics, &AdminOptions::new())).unwrap();
    made.into_iter().for_each(|made| drop(made.unwrap()));
}

fn delete(runtime: &Runtime, topic: &str) {
    runtime.block_on(admin().delete_topics(&[topic], &AdminOptions::new())).unwrap();
}

fn prices(topic: &str, numbers: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    numbers.into_iter().map(|n| price(topic, n)).collect()
}

#[test]
#[ignore = "needs Kafka"]
fn a_first_document_is_stored_within_half_a_second_of_the_start() {
    let (servers, runtime, store, topic) =
        (servers(), runtime(), Arc::new(MemoryStore::default()), unique("quick"));
    create(&runtime, &topic, 3);
    produce(&servers, &topic, 0, prices(&topic, 0..10));
    let started = Instant::now();
    let consumer = Running::start(&runtime, config(&servers, &[&topic]), store.clone());
    while store.count() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = started.elapsed();
    consumer.drain(&runtime);
    delete(&runtime, &topic);
    assert!(took < Duration::from_millis(500), "{took:?}");
}

#[test]
#[ignore = "needs Kafka"]
fn plain_messages_of_a_topic_that_is_created_anew_are_not_taken_for_the_old_ones() {
    let (servers, runtime, store, topic) =
        (servers(), runtime(), Arc::new(MemoryStore::default()), unique("plain"));
    let plain = || (0..50).map(|n| format!(r#"{{"symbol":"BTCUSDT","price":{}}}"#, n + 1).into_bytes());
    create(&runtime, &topic, 1);
    let consumer = Running::start(&runtime, config(&servers, &[&topic]), store.clone());
    produce(&servers, &topic, 0, plain());
    eventually("the first fifty", || store.count() == 50);
    // It is seen by the topic's id, which must have been asked for once.
    std::thread::sleep(Duration::from_secs(2));
    delete(&runtime, &topic);
    std::thread::sleep(Duration::from_secs(2));
    create(&runtime, &topic, 1);
    produce(&servers, &topic, 0, plain());
    eventually("fifty more", || store.count() == 100);
    consumer.drain(&runtime);
    delete(&runtime, &topic);
    let ids = store.ids(&topic);
    let uuids: BTreeSet<&str> = ids.iter().map(|id| id.split(':').nth(1).unwrap()).collect();
    assert_eq!(uuids.len(), 2, "{uuids:?}");
}

#[test]
#[ignore = "needs Kafka"]
fn members_that_come_and_go_lose_nothing_and_repeat_nothing() {
    let (servers, runtime, store, topic) =
        (servers(), runtime(), Arc::new(MemoryStore::default()), unique("members"));
    create(&runtime, &topic, 4);
    let flow = std::thread::spawn({
        let (servers, topic) = (servers.clone(), topic.clone());
        move || {
            for n in 0..100 {
                produce(&servers, &topic, (n % 4) as i32, prices(&topic, n * 200..(n + 1) * 200));
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let start = || Running::start(&runtime, config(&servers, &[&topic]), store.clone());
    let first = start();
    eventually("the first member works", || store.count() > 1_000);
    let second = start();
    eventually("the second member works", || !second.observations.snapshot().symbols.is_empty());
    let mut done = vec![first.end(&runtime)];
    let third = start();
    flow.join().unwrap();
    eventually("everything is stored", || store.count() == 20_000);
    let offset = |partition| committed(&servers, &format!("pricepipe.test.{topic}"), &topic, partition);
    eventually("everything is committed", || (0..4).all(|partition| offset(partition) == Some(5_000)));
    done.extend([second.end(&runtime), third.end(&runtime)]);
    delete(&runtime, &topic);
    assert_eq!(done.iter().map(|summary| summary.stored).sum::<u64>(), 20_000);
    assert_eq!(done.iter().map(|summary| summary.duplicates).sum::<u64>(), 0, "{done:?}");
}

#[test]
#[ignore = "needs Kafka"]
fn a_backlog_is_drained_with_a_slow_start_of_the_store() {
    let (servers, runtime, store, topic) =
        (servers(), runtime(), Arc::new(MemoryStore::default()), unique("backlog"));
    create(&runtime, &topic, 3);
    (0..3).for_each(|p| {
        produce(&servers, &topic, p, prices(&topic, p as usize * 20_000..(p as usize + 1) * 20_000))
    });
    store.failing.store(true, SeqCst);
    let consumer = Running::start(&runtime, config(&servers, &[&topic]), store.clone());
    eventually("not ready, with the reason", || consumer.unmet().contains("store: the test says no"));
    store.failing.store(false, SeqCst);
    let summary = consumer.drain(&runtime);
    delete(&runtime, &topic);
    assert_eq!((summary.stored, summary.duplicates), (60_000, 0));
}

#[test]
#[ignore = "needs Kafka"]
fn a_client_is_replaced_after_a_fault_in_the_program_and_what_it_held_is_read_again() {
    let (servers, runtime, store, topic) =
        (servers(), runtime(), Arc::new(MemoryStore::default()), unique("panic"));
    create(&runtime, &topic, 2);
    (0..2)
        .for_each(|p| produce(&servers, &topic, p, prices(&topic, p as usize * 500..(p as usize + 1) * 500)));
    store.panics.store(true, SeqCst);
    let consumer = Running::start(&runtime, config(&servers, &[&topic]), store.clone());
    eventually("everything is stored", || store.count() == 1_000);
    eventually("ready again", || consumer.unmet().is_empty());
    consumer.drain(&runtime);
    let offset = |partition| committed(&servers, &format!("pricepipe.test.{topic}"), &topic, partition);
    let offsets = [offset(0), offset(1)];
    delete(&runtime, &topic);
    assert_eq!(offsets, [Some(500); 2]);
}
