//! A consumer that is killed at random moments neither loses nor doubles a message; and the same trial finds the losses
//! of a consumer that commits offsets before it writes.

use std::{
    thread,
    time::{Duration, Instant},
};

use mongodb::{Collection, bson::Document};
use pricepipe_tests::{
    documents, eventually, messages, pipelines::TestPipeline, random_moments, servers, topics, worker::Worker,
};
use serde_json::{Value, json};

/// Between two parts of the flow: about the life of one consumer, so that each kill meets messages.
const FLOW_PAUSE: Duration = Duration::from_secs(5);

/// A consumer that is killed again and again while messages flow, until one is left alone to store what remains.
struct Trial {
    messages: u64,
    kills: u64,
    /// What is wrong with those that are killed. The last one is sound, so that it can be blamed for nothing.
    fault: Option<&'static str>,
}

#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// Messages that are not stored in the end.
    lost: u64,
    /// Observations that are stored more than once.
    doubled: usize,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn ten_kills_lose_nothing_and_double_nothing() {
    let verdict = Trial { messages: 50_000, kills: 10, fault: None }.run().await;
    assert_eq!(verdict, Verdict { lost: 0, doubled: 0 });
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn kills_of_a_consumer_that_commits_before_it_writes_are_found_to_lose_messages() {
    let verdict = Trial { messages: 6_000, kills: 3, fault: Some("commit-before-write") }.run().await;
    println!("{verdict:?}");
    assert!(verdict.lost > 0 && verdict.doubled == 0, "{verdict:?}");
}

impl Trial {
    async fn run(self) -> Verdict {
        let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
        let pipeline = TestPipeline::new("crash", &kafka);
        pipeline.create_topics(&["btc"], 3).await;
        let collection = documents::collection(&mongodb, &pipeline.name, "btc").await;
        let folder = tempfile::tempdir().expect("the test can work");
        let config = consumer(&pipeline);
        let start = |fault: Option<&'static str>| {
            let fault = fault.map(|fault| ("PRICEPIPE_FAULT", fault));
            let variables: Vec<_> =
                [("MONGO_CONNECTION_STRING", mongodb.as_str())].into_iter().chain(fault).collect();
            Worker::start("pricepipe-consumer", &config, &variables, folder.path())
        };

        let flow = thread::spawn({
            let (kafka, topic, kills, share) =
                (kafka.clone(), pipeline.topic("btc"), self.kills, self.messages / self.kills);
            move || (0..kills).for_each(|part| flow(&kafka, &topic, part * share..(part + 1) * share))
        });
        let mut moments = random_moments(Duration::from_millis(300));
        for _ in 0..self.kills {
            let before = documents::count(&collection).await;
            let mut consumer = start(self.fault);
            let stored = wait_for_more(&collection, before).await;
            thread::sleep(moments());
            consumer.kill();
            println!("killed with {stored} stored");
        }
        flow.join().expect("everything is produced");
        let last = start(None);
        eventually("lag returns to 0", Duration::from_secs(120), || {
            topics::lag(&kafka, &pipeline.group(), &pipeline.topic("btc")) == 0
        });
        drop(last);
        let lost = self.messages.saturating_sub(documents::count(&collection).await);
        let verdict = Verdict { lost, doubled: documents::doubled(&collection).await };
        documents::drop(&mongodb, &pipeline.name).await;
        verdict
    }
}

fn consumer(pipeline: &TestPipeline) -> Value {
    let mut config = pipeline.mongodb_consumer(&["btc"]);
    // Small batches: more moments at which a kill hurts.
    config["batch"] = json!({"maxDocuments": 100, "maxMillis": 20});
    // The broker lets a member that was killed go after this.
    config["sessionTimeoutMillis"] = json!(6_000);
    config
}

fn flow(kafka: &str, topic: &str, numbers: std::ops::Range<u64>) {
    let part = messages::records(numbers.end).skip(numbers.start as usize);
    topics::produce(kafka, topic, part);
    thread::sleep(FLOW_PAUSE);
}

/// Waits until something new is stored, since a kill before that proves nothing, but not for ever: the member that was
/// killed must first be thrown out of the group, and there may be nothing left to store.
async fn wait_for_more(collection: &Collection<Document>, before: u64) -> u64 {
    let start = Instant::now();
    loop {
        let stored = documents::count(collection).await;
        if stored > before || start.elapsed() > Duration::from_secs(15) {
            return stored;
        }
        thread::sleep(Duration::from_millis(50));
    }
}
