//! The consumer against a real broker.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    collections::BTreeSet,
    sync::atomic::Ordering::SeqCst,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};
use support::*;

fn servers() -> String {
    std::env::var("KAFKA_BOOTSTRAP_SERVERS").expect("KAFKA_BOOTSTRAP_SERVERS names a real broker")
}

fn admin() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", servers()).create().unwrap()
}

/// A stage in front of the broker, and the name of a topic that no other test uses.
fn stage(name: &str) -> (Stage, String) {
    let unique = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    (Stage::new(servers()), format!("{name}-{unique}"))
}

fn create(stage: &Stage, topic: &str, partitions: i32) {
    let topics = [NewTopic::new(topic, partitions, TopicReplication::Fixed(1))];
    let made = stage.wait_for(admin().create_topics(&topics, &AdminOptions::new())).unwrap();
    made.into_iter().for_each(|made| drop(made.unwrap()));
}

fn delete(stage: &Stage, topic: &str) {
    stage.wait_for(admin().delete_topics(&[topic], &AdminOptions::new())).unwrap();
}

#[test]
#[ignore = "needs Kafka"]
fn plain_messages_of_a_topic_that_is_created_anew_are_not_taken_for_the_old_ones() {
    let (stage, topic) = stage("plain");
    let plain = || (0..50).map(|n| format!(r#"{{"symbol":"BTCUSDT","price":{}}}"#, n + 1).into_bytes());
    create(&stage, &topic, 1);
    let consumer = stage.start(&[&topic]);
    stage.produce(&topic, 0, plain());
    eventually("the first fifty", || stage.store.count() == 50);
    // It is seen by the topic's id, which must have been asked for once.
    std::thread::sleep(Duration::from_secs(2));
    delete(&stage, &topic);
    std::thread::sleep(Duration::from_secs(2));
    create(&stage, &topic, 1);
    stage.produce(&topic, 0, plain());
    eventually("fifty more", || stage.store.count() == 100);
    consumer.drain();
    delete(&stage, &topic);
    let ids = stage.store.ids(&topic);
    let uuids: BTreeSet<&str> = ids.iter().map(|id| id.split(':').nth(1).unwrap()).collect();
    assert_eq!(uuids.len(), 2, "{uuids:?}");
}

#[test]
#[ignore = "needs Kafka"]
fn members_that_come_and_go_lose_nothing_and_repeat_nothing() {
    let (stage, topic) = stage("members");
    create(&stage, &topic, 4);
    let flow = std::thread::spawn({
        let (servers, topic) = (stage.servers.clone(), topic.clone());
        move || {
            for n in 0..100 {
                produce(&servers, &topic, (n % 4) as i32, prices(&topic, n * 200..(n + 1) * 200));
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    });
    let start = || stage.start(&[&topic]);
    let first = start();
    eventually("the first member works", || stage.store.count() > 1_000);
    let second = start();
    eventually("the second member works", || !second.observations.snapshot().symbols.is_empty());
    let mut done = vec![first.end()];
    let third = start();
    flow.join().unwrap();
    eventually("everything is stored", || stage.store.count() == 20_000);
    let offset = |partition| stage.committed(&topic, &topic, partition);
    eventually("everything is committed", || (0..4).all(|partition| offset(partition) == Some(5_000)));
    done.extend([second.end(), third.end()]);
    delete(&stage, &topic);
    assert_eq!(done.iter().map(|summary| summary.stored).sum::<u64>(), 20_000);
    assert_eq!(done.iter().map(|summary| summary.duplicates).sum::<u64>(), 0, "{done:?}");
}

#[test]
#[ignore = "needs Kafka"]
fn a_backlog_is_drained_with_a_slow_start_of_the_store() {
    let (stage, topic) = stage("backlog");
    create(&stage, &topic, 3);
    stage.fill(&topic, 3, 20_000);
    stage.store.failing.store(true, SeqCst);
    let consumer = stage.start(&[&topic]);
    eventually("not ready, with the reason", || consumer.unmet().contains("store: the test says no"));
    stage.store.failing.store(false, SeqCst);
    let summary = consumer.drain();
    delete(&stage, &topic);
    assert_eq!((summary.stored, summary.duplicates), (60_000, 0));
}

#[test]
#[ignore = "needs Kafka"]
fn a_client_is_replaced_after_a_fault_in_the_program_and_what_it_held_is_read_again() {
    let (stage, topic) = stage("panic");
    create(&stage, &topic, 2);
    stage.fill(&topic, 2, 500);
    stage.store.panics.store(true, SeqCst);
    let consumer = stage.start(&[&topic]);
    eventually("everything is stored", || stage.store.count() == 1_000);
    eventually("ready again", || consumer.unmet().is_empty());
    consumer.drain();
    let offset = |partition| stage.committed(&topic, &topic, partition);
    let offsets = [offset(0), offset(1)];
    delete(&stage, &topic);
    assert_eq!(offsets, [Some(500); 2]);
}
