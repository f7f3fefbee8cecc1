//! A consumer that is killed at random moments neither loses nor doubles a message.

use std::time::{Duration, Instant};

use pricepipe_tests::{
    documents, eventually, messages, pipelines::TestPipeline, servers, topics, unique, worker::Worker,
};

const MESSAGES: u64 = 50_000;
const KILLS: u64 = 10;
/// Between two parts of the flow: about the life of one consumer, so that each kill meets messages.
const FLOW_PAUSE: Duration = Duration::from_secs(5);

/// Kills the consumer `KILLS` times while messages flow; returns how many are stored in the end, and how many
/// observations are stored twice.
async fn killed_while_messages_flow() -> (u64, usize) {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let pipeline = TestPipeline::new("crash", &kafka);
    pipeline.create_topics(&["btc"], 3).await;
    let folder = tempfile::tempdir().expect("the test can work");
    let config = {
        let mut config = pipeline.mongodb_consumer(&["btc"]);
        // Small batches: more moments at which a kill hurts.
        config["batch"] = serde_json::json!({"maxDocuments": 100, "maxMillis": 20});
        // The broker lets a member that was killed go after this.
        config["sessionTimeoutMillis"] = serde_json::json!(6_000);
        config
    };
    let variables = [("MONGO_CONNECTION_STRING", mongodb.as_str())];

    let flow = std::thread::spawn({
        let (kafka, topic) = (kafka.clone(), pipeline.topic("btc"));
        move || {
            for part in 0..KILLS {
                let share = MESSAGES / KILLS;
                topics::produce(
                    &kafka,
                    &topic,
                    messages::records(MESSAGES).skip((part * share) as usize).take(share as usize),
                );
                std::thread::sleep(FLOW_PAUSE);
            }
        }
    });
    let collection = documents::collection(&mongodb, &pipeline.name, "btc").await;
    let seed = unique("seed");
    println!("random moments from {seed}");
    let mut random =
        seed.bytes().fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    for _ in 0..KILLS {
        let mut consumer = Worker::start("pricepipe-consumer", &config, &variables, folder.path());
        let before = documents::count(&collection).await;
        let mut stored = before;
        // A kill before anything was written proves nothing; the member that was killed must first be thrown out
        // of the group, which takes its session timeout.
        let start = Instant::now();
        while stored == before && start.elapsed() < Duration::from_secs(15) {
            std::thread::sleep(Duration::from_millis(50));
            stored = documents::count(&collection).await;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((random >> 33) % 300));
        consumer.kill();
        println!("killed with {stored} stored");
    }
    flow.join().expect("the test can work");
    let last = Worker::start("pricepipe-consumer", &config, &variables, folder.path());
    eventually("lag returns to 0", Duration::from_secs(120), || {
        topics::lag(&kafka, &pipeline.group(), &pipeline.topic("btc")) == 0
    });
    drop(last);
    let result = (documents::count(&collection).await, documents::doubled(&collection).await);
    documents::drop(&mongodb, &pipeline.name).await;
    result
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn ten_kills_lose_nothing_and_double_nothing() {
    assert_eq!(killed_while_messages_flow().await, (MESSAGES, 0));
}
