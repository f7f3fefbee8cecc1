//! Kafka away for 20 s, then the store away for 20 s: nothing is lost, memory stays flat, the pipeline recovers by
//! itself within 30 s, and everybody can see what is going on.

use std::time::{Duration, Instant};

use pricepipe_tests::{
    documents, eventually, exchange::Exchange, oracle, pipelines::TestPipeline, servers::OwnServer, topics,
    worker::Worker,
};

const OUTAGE: Duration = Duration::from_secs(20);
/// How soon after a server's return prices are stored and everybody is ready.
const RECOVERY: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(60);
const SYMBOLS: [(&str, &str); 3] = [("BTCUSDT", "btc"), ("ETHUSDT", "eth"), ("SOLUSDT", "sol")];
const ASSETS: [&str; 3] = ["btc", "eth", "sol"];
/// Growth that is no leak: buffers and caches that an outage fills for the first time.
const FLAT_MIB: f64 = 24.0;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn an_outage_of_kafka_and_one_of_the_store_lose_nothing() {
    let (kafka_server, store_server) = (OwnServer::kafka(), OwnServer::mongodb());
    let (kafka, mongodb) = (kafka_server.address.as_str(), store_server.address.as_str());
    let exchange = Exchange::start().await;
    let pipeline = TestPipeline::new("outage", kafka);
    pipeline.create_topics(&ASSETS, 3).await;
    let folder = tempfile::tempdir().expect("the test can work");
    let symbols: Vec<(String, &str)> =
        SYMBOLS.iter().map(|(symbol, asset)| ((*symbol).to_owned(), *asset)).collect();
    let producer_config = pipeline.producer(&exchange.url(), 200, &symbols);
    let mut producer = Worker::start("pricepipe-producer", &producer_config, &[], folder.path());
    let variables = [("MONGO_CONNECTION_STRING", mongodb)];
    let mut consumer =
        Worker::start("pricepipe-consumer", &pipeline.mongodb_consumer(&ASSETS), &variables, folder.path());
    eventually("both are ready", PATIENCE, || producer.is_ready() && consumer.is_ready());
    eventually("prices are stored", PATIENCE, || stored(&consumer) > 30.0);
    let before = (producer.memory_mib().0, consumer.memory_mib().0);

    kafka_server.stop();
    eventually("the producer's breaker opens", OUTAGE, || breaker(&producer, "kafka") > 1.5);
    assert!(!producer.is_ready() && producer.readiness().contains("kafka"), "{}", producer.readiness());
    let skipped = producer.metric("pricepipe_source_slots_skipped_total", "");
    std::thread::sleep(OUTAGE);
    assert!(
        producer.metric("pricepipe_source_slots_skipped_total", "") > skipped,
        "slots that pass are counted"
    );
    assert!(alive(&producer) && alive(&consumer), "an outage of Kafka is no reason to be restarted");
    kafka_server.start();
    recovers("Kafka", &producer, &consumer);
    assert!(breaker(&producer, "kafka") < 0.5);

    store_server.stop();
    eventually("the consumer's breaker opens", OUTAGE, || breaker(&consumer, "store") > 1.5);
    assert!(!consumer.is_ready() && consumer.readiness().contains("store"), "{}", consumer.readiness());
    std::thread::sleep(OUTAGE);
    assert!(alive(&consumer), "an outage of the store is no reason to be restarted");
    assert!(producer.is_ready(), "an outage of the store is not the producer's");
    store_server.start();
    recovers("the store", &producer, &consumer);
    assert!(breaker(&consumer, "store") < 0.5);

    let after = (producer.memory_mib().0, consumer.memory_mib().0);
    println!("memory before {before:?} MiB, after {after:?} MiB");
    assert!(
        after.0 - before.0 < FLAT_MIB && after.1 - before.1 < FLAT_MIB,
        "before {before:?}, after {after:?}"
    );
    assert!(producer.terminate(Duration::from_secs(25)).success(), "{}", producer.log());
    eventually("lag returns to 0", PATIENCE, || {
        ASSETS.iter().all(|asset| topics::lag(kafka, &pipeline.group(), &pipeline.topic(asset)) == 0)
    });
    assert!(consumer.terminate(Duration::from_secs(25)).success(), "{}", consumer.log());
    let mut collections = Vec::new();
    for asset in ASSETS {
        collections.push(documents::collection(mongodb, &pipeline.name, asset).await);
    }
    oracle::assert_same(&exchange.served(), &documents::sequences(&collections).await);
}

fn recovers(what: &str, producer: &Worker, consumer: &Worker) {
    let (start, at_return) = (Instant::now(), stored(consumer));
    eventually(
        &format!("prices are stored again, and both are ready, after {what}'s return"),
        RECOVERY,
        || stored(consumer) > at_return + 15.0 && producer.is_ready() && consumer.is_ready(),
    );
    println!("recovered {:.1} s after {what}'s return", start.elapsed().as_secs_f64());
}

fn stored(consumer: &Worker) -> f64 {
    consumer.metric("pricepipe_sink_documents_total", "inserted")
}

fn breaker(worker: &Worker, target: &str) -> f64 {
    worker.metric("pricepipe_breaker_state", &format!("target=\"{target}\""))
}

fn alive(worker: &Worker) -> bool {
    pricepipe_tests::http::get(worker.admin, "/livez").is_ok_and(|(status, _)| status == 200)
}
