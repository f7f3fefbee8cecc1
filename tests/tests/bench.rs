//! `make bench`: speed, latency and memory against real servers, beside a raw loop of `insert_many`. Fails when a bar
//! is missed. Release build; one benchmark after the other.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use mongodb::{
    Client, Collection,
    bson::{Bson, DateTime, RawDocumentBuf, doc},
    options::WriteConcern,
};
use pricepipe_tests::{
    documents, eventually, exchange::Exchange, http, messages, pipelines::TestPipeline, servers, topics,
    worker::Worker,
};

const MESSAGES: u64 = 200_000;
const ROUNDS: usize = 3;

/// Prints a figure beside its bar and remembers whether the bar was missed.
#[derive(Default)]
struct Bars {
    missed: Vec<String>,
}

impl Bars {
    fn at_most(&mut self, what: &str, figure: f64, bar: f64, unit: &str) {
        self.note(what, figure, bar, unit, figure <= bar, "at most");
    }

    fn at_least(&mut self, what: &str, figure: f64, bar: f64, unit: &str) {
        self.note(what, figure, bar, unit, figure >= bar, "at least");
    }

    fn note(&mut self, what: &str, figure: f64, bar: f64, unit: &str, met: bool, word: &str) {
        let line = format!("{what:<58} {figure:>10.2} {unit:<8} {word} {bar}");
        println!("{line}{}", if met { "" } else { "   MISSED" });
        if !met {
            self.missed.push(line);
        }
    }

    fn judge(self) {
        assert!(self.missed.is_empty(), "bars missed:\n{}", self.missed.join("\n"));
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

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
    bars.at_least("throughput, share of the raw loop", rate / limit * 100.0, 80.0, "%");
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
            "_id": m.id, "symbol": m.symbol, "price": price, "exchange": &*m.exchange, "kind": m.kind.as_str(),
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "benchmark: make bench"]
async fn bench_2_exchange_to_kafka() {
    let kafka = servers::kafka();
    let exchange = Exchange::start().await;
    let pipeline = TestPipeline::new("latency", &kafka);
    pipeline.create_topics(&["btc", "eth", "sol"], 3).await;
    let folder = tempfile::tempdir().expect("bench");
    let symbols =
        [("BTCUSDT", "btc"), ("ETHUSDT", "eth"), ("SOLUSDT", "sol")].map(|(s, a)| (s.to_owned(), a));
    let topics = symbols.iter().map(|(_, asset)| pipeline.topic(asset)).collect();
    let arrivals = topics::watch(&kafka, topics);
    let config = pipeline.producer(&exchange.url(), 200, &symbols);
    let producer = Worker::start("pricepipe-producer", &config, &[], folder.path());
    eventually("the producer is ready", Duration::from_secs(10), || producer.is_ready());
    // 900 prices. About a third is the same as an earlier one of its symbol, and does not count.
    std::thread::sleep(Duration::from_secs(60));
    let cpu = producer.cpu_time();
    let produced = producer.metric("pricepipe_produced_messages_total", "delivered");
    drop(producer);
    let arrived = arrivals.stop();
    let mut latencies = exchange.latencies_millis(&arrived);
    latencies.sort_by(f64::total_cmp);
    assert!(latencies.len() > 300, "{} prices were seen", latencies.len());
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    println!(
        "\nexchange → Kafka, 3 symbols every 0.2 s: request at the exchange to record at a consumer, {} prices",
        latencies.len()
    );
    println!("p50 {:.2} ms, CPU per message {:.0} µs", at(0.5), cpu.as_secs_f64() * 1e6 / produced);
    let mut bars = Bars::default();
    bars.at_most("exchange to Kafka, p99", at(0.99), 8.0, "ms");
    bars.judge();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "benchmark: make bench"]
async fn bench_3_exchange_to_stored() {
    let mut bars = Bars::default();
    println!("\nexchange → stored: share of prices stored within the bar, from the slot's beginning");
    for (symbols, max_millis, bar) in [(3, 200, "1"), (500, 200, "1"), (3, 20, "0.1"), (500, 20, "0.1")] {
        let share = share_stored_within(symbols, max_millis, bar).await;
        let what = format!("{symbols} symbols, maxMillis {max_millis}: stored within {bar} s");
        bars.at_least(&what, share * 100.0, 99.0, "%");
    }
    bars.judge();
}

/// The share of prices that were stored within `bar` seconds of their slot, by the consumer's own histogram.
async fn share_stored_within(symbols: usize, max_millis: u32, bar: &str) -> f64 {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let exchange = Exchange::with_symbols(symbols).await;
    let pipeline = TestPipeline::new("age", &kafka);
    pipeline.create_topics(&["all"], 3).await;
    let folder = tempfile::tempdir().expect("bench");
    let mut config = pipeline.mongodb_consumer(&["all"]);
    config["batch"] = serde_json::json!({"maxDocuments": 1000, "maxMillis": max_millis});
    let consumer =
        Worker::start("pricepipe-consumer", &config, &[("MONGO_CONNECTION_STRING", &mongodb)], folder.path());
    eventually("the consumer is ready", Duration::from_secs(20), || consumer.is_ready());
    let routes: Vec<(String, &str)> = exchange.symbols().into_iter().map(|symbol| (symbol, "all")).collect();
    let producer = Worker::start(
        "pricepipe-producer",
        &pipeline.producer(&exchange.url(), 200, &routes),
        &[],
        folder.path(),
    );
    // The first seconds warm up: connections, the pool, the first fetch.
    std::thread::sleep(Duration::from_secs(5));
    let before = ages(&consumer);
    std::thread::sleep(Duration::from_secs(15));
    let after = ages(&consumer);
    drop(producer);
    documents::drop(&mongodb, &pipeline.name).await;
    let grown = |bucket: &str| after[bucket] - before[bucket];
    assert!(grown("+Inf") > 100.0, "{} prices were stored", grown("+Inf"));
    grown(bar) / grown("+Inf")
}

/// The cumulated histogram of ages, by bucket.
fn ages(consumer: &Worker) -> HashMap<String, f64> {
    let page = http::get(consumer.admin, "/metrics").expect("metrics").1;
    let buckets = page.lines().filter_map(|line| {
        let rest = line.strip_prefix("pricepipe_price_age_seconds_bucket{")?;
        let (labels, value) = rest.rsplit_once("} ")?;
        let bucket = labels.split("le=\"").nth(1)?.split('"').next()?;
        Some((bucket.to_owned(), value.parse().ok()?))
    });
    buckets.fold(HashMap::new(), |mut sums, (bucket, value): (String, f64)| {
        *sums.entry(bucket).or_default() += value;
        sums
    })
}

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
