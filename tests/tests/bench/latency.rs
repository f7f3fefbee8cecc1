//! How long a price takes from the exchange to Kafka, and to the store.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use pricepipe_tests::{
    documents, eventually, exchange::Exchange, http, pipelines::TestPipeline, servers, topics, worker::Worker,
};

use crate::bars::Bars;

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
    let floor = |count, pause| {
        let mut latencies =
            topics::floor_millis(&kafka, &pipeline.topic("btc"), count, Duration::from_millis(pause));
        percentile(&mut latencies, 0.99)
    };
    // A broker that was just started is many times slower until its code is compiled.
    floor(10_000, 1);
    let floor = floor(600, 50);
    let config = pipeline.producer(&exchange.url(), 200, &symbols);
    let producer = Worker::start("pricepipe-producer", &config, &[], folder.path());
    eventually("the producer is ready", Duration::from_secs(10), || producer.is_ready());
    std::thread::sleep(Duration::from_secs(5));
    let arrivals = topics::watch(&kafka, topics);
    std::thread::sleep(topics::WATCHING);
    let watched_since = SystemTime::now();
    let produced = || producer.metric("pricepipe_produced_messages_total", "delivered");
    let before = (producer.cpu_time(), produced());
    // 900 prices. About a third is the same as an earlier one of its symbol, and does not count.
    std::thread::sleep(Duration::from_secs(60));
    let (cpu, produced) = (producer.cpu_time() - before.0, produced() - before.1);
    drop(producer);
    let mut arrived = arrivals.stop();
    arrived.retain(|arrival| arrival.at > watched_since);
    let mut latencies = exchange.latencies_millis(&arrived);
    assert!(latencies.len() > 300, "{} prices were seen", latencies.len());
    let (p50, p99) = (percentile(&mut latencies, 0.5), percentile(&mut latencies, 0.99));
    println!(
        "\nexchange → Kafka, 3 symbols every 0.2 s: request at the exchange to record at a consumer, {} prices",
        latencies.len()
    );
    println!("p50 {p50:.2} ms, CPU per message {:.0} µs", cpu.as_secs_f64() * 1e6 / produced);
    println!("of it a message from the harness to itself, on this machine, p99 {floor:.2} ms");
    let mut bars = Bars::default();
    bars.at_most("exchange to Kafka, p99", p99, 8.0, "ms");
    bars.judge();
}

fn percentile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[((figures.len() - 1) as f64 * share) as usize]
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
