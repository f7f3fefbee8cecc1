//! A backlog in Kafka is drained into MongoDB, beside a raw loop of `insert_many`.

use std::time::{Duration, Instant};

use mongodb::{
    Client, Collection,
    bson::{Bson, DateTime, RawDocumentBuf, doc},
    options::WriteConcern,
};
use pricepipe_tests::{documents, messages, pipelines::TestPipeline, servers, topics, worker::Worker};

use crate::bars::{Bars, median};

const MESSAGES: u64 = 200_000;
const ROUNDS: usize = 7;

/// One drain of the prefilled topic into an empty database.
struct Drain {
    documents_per_second: f64,
    first_document: f64,
    cpu_micros: f64,
    peak_mib: f64,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "benchmark: make bench"]
async fn bench_1_drain() {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let pipeline = TestPipeline::new("bench", &kafka);
    pipeline.create_topics(&["btc"], 3).await;
    topics::produce(&kafka, &pipeline.topic("btc"), messages::records(MESSAGES));
    let prebuilt = prebuilt();
    let (mut limits, mut drains) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        limits.push(raw_loop(&mongodb, &pipeline.name, &prebuilt).await);
        drains.push(drain(&pipeline, &mongodb, round).await);
    }
    let of = |figure: fn(&Drain) -> f64| median(drains.iter().map(figure).collect());
    let (limit, rate) = (median(limits.clone()), of(|d| d.documents_per_second));
    println!("\nKafka → MongoDB, {MESSAGES} messages in 3 partitions, medians of {ROUNDS}");
    println!("raw insert_many of the same documents, 4 connections: {limit:.0} docs/s {limits:.0?}");
    println!(
        "consumer: {rate:.0} docs/s {:.0?}",
        drains.iter().map(|d| d.documents_per_second).collect::<Vec<_>>()
    );
    let mut bars = Bars::default();
    // What disturbs a machine for seconds disturbs both of a round.
    let shares = drains.iter().zip(&limits).map(|(drain, limit)| drain.documents_per_second / limit * 100.0);
    bars.at_least("throughput, share of the raw loop", median(shares.collect()), 80.0, "%");
    bars.at_most("CPU per document", of(|d| d.cpu_micros), 6.0, "µs");
    bars.at_most("peak RSS", of(|d| d.peak_mib), 96.0, "MiB");
    bars.at_most("first document after start", of(|d| d.first_document), 0.5, "s");
    bars.judge();
}

/// The documents that the consumer will write, ready to send.
fn prebuilt() -> Vec<RawDocumentBuf> {
    let date = |millis| Bson::DateTime(DateTime::from_millis(millis));
    let document = |n| {
        let m = messages::message(n);
        let price: mongodb::bson::Decimal128 = m.price.to_string().parse().expect("bench");
        let document = doc! {
            "_id": &m.id, "symbol": &m.symbol, "price": price, "exchange": &*m.exchange, "kind": m.kind().as_str(),
            "time": date(m.time.as_millis()), "received": date(m.received.as_millis()),
        };
        RawDocumentBuf::try_from(&document).expect("bench")
    };
    (0..MESSAGES).map(document).collect()
}

/// Unordered `insert_many` of 1,000 over 4 connections: documents per second.
async fn raw_loop(mongodb: &str, name: &str, prebuilt: &[RawDocumentBuf]) -> f64 {
    let database = format!("{name}-raw");
    let client = Client::with_uri_str(mongodb).await.expect("bench");
    let collection: Collection<RawDocumentBuf> = client.database(&database).collection("btc");
    // The same index as the consumer makes: it is part of the work.
    let index = mongodb::IndexModel::builder().keys(doc! {"symbol": 1, "time": -1}).build();
    collection.create_index(index).await.expect("bench");
    let start = Instant::now();
    let loops = prebuilt.chunks(prebuilt.len() / 4).map(|share| {
        let (collection, share) = (collection.clone(), share.to_vec());
        tokio::spawn(async move {
            for batch in share.chunks(1_000) {
                collection
                    .insert_many(batch)
                    .ordered(false)
                    .write_concern(WriteConcern::majority())
                    .await
                    .expect("bench");
            }
        })
    });
    for one in loops.collect::<Vec<_>>() {
        one.await.expect("bench");
    }
    let rate = prebuilt.len() as f64 / start.elapsed().as_secs_f64();
    documents::drop(mongodb, &database).await;
    rate
}

async fn drain(pipeline: &TestPipeline, mongodb: &str, round: usize) -> Drain {
    let folder = tempfile::tempdir().expect("bench");
    let mut config = pipeline.mongodb_consumer(&["btc"]);
    config["group"] = format!("{}.{round}", pipeline.group()).into();
    let start = Instant::now();
    let consumer =
        Worker::start("pricepipe-consumer", &config, &[("MONGO_CONNECTION_STRING", mongodb)], folder.path());
    let stored = || consumer.metric("pricepipe_sink_documents_total", "inserted");
    let reached = |count: f64| {
        while stored() < count {
            assert!(start.elapsed() < Duration::from_secs(120), "{}", consumer.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        start.elapsed()
    };
    let (first, all) = (reached(1.0), reached(MESSAGES as f64));
    let (cpu, (_, peak_mib)) = (consumer.cpu_time(), consumer.memory_mib());
    let collection = documents::collection(mongodb, &pipeline.name, "btc").await;
    assert_eq!(documents::count(&collection).await, MESSAGES);
    drop(consumer);
    documents::drop(mongodb, &pipeline.name).await;
    Drain {
        documents_per_second: MESSAGES as f64 / (all - first).as_secs_f64(),
        first_document: first.as_secs_f64(),
        cpu_micros: cpu.as_secs_f64() * 1e6 / MESSAGES as f64,
        peak_mib,
    }
}
