//! What a worker takes that has little to do, and how soon it is ready.

use std::time::{Duration, Instant};

use pricepipe_tests::{documents, exchange::Exchange, pipelines::TestPipeline, servers, worker::Worker};

use crate::bars::Bars;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "benchmark: make bench"]
async fn bench_4_idle() {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let exchange = Exchange::start().await;
    let pipeline = TestPipeline::new("idle", &kafka);
    pipeline.create_topics(&["btc", "eth", "sol"], 3).await;
    let folder = tempfile::tempdir().expect("bench");
    let symbols =
        [("BTCUSDT", "btc"), ("ETHUSDT", "eth"), ("SOLUSDT", "sol")].map(|(s, a)| (s.to_owned(), a));
    let producer = pipeline.producer(&exchange.url(), 3_000, &symbols);
    let consumer = pipeline.mongodb_consumer(&["btc", "eth", "sol"]);
    let mut bars = Bars::default();
    println!("\nidle: 3 symbols every 3 s");
    for (binary, config) in [("pricepipe-producer", producer), ("pricepipe-consumer", consumer)] {
        let start = Instant::now();
        let worker = Worker::start(binary, &config, &[("MONGO_CONNECTION_STRING", &mongodb)], folder.path());
        while !worker.is_ready() {
            assert!(start.elapsed() < Duration::from_secs(20), "{}", worker.readiness());
            std::thread::sleep(Duration::from_millis(5));
        }
        bars.at_most(&format!("{binary}: start to ready"), start.elapsed().as_secs_f64(), 1.0, "s");
        std::thread::sleep(Duration::from_secs(15));
        bars.at_most(&format!("{binary}: RSS"), worker.memory_mib().0, 25.0, "MiB");
    }
    documents::drop(&mongodb, &pipeline.name).await;
    bars.judge();
}
