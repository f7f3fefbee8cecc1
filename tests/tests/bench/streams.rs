//! How much a producer takes from streams, how fast, and in how much memory.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use pricepipe_core::{PriceMessage, Symbol, message::Position};
use pricepipe_exchange_sim::{Limits, Running, SimConfig, TradeFlow, start, synthetic_symbols};
use pricepipe_tests::{eventually, pipelines::TestPipeline, servers, topics, worker::Worker};
use rdkafka::Message;
use serde_json::{Value, json};

use crate::bars::Bars;

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 3;

/// A producer that listens to the trades of a simulated exchange.
struct Bench {
    pipeline: TestPipeline,
    /// It trades until it is dropped.
    _exchange: Running,
    producer: Worker,
}

impl Bench {
    async fn new(symbols: usize, per_second: f64, folder: &Path) -> Bench {
        let pipeline = TestPipeline::new("streams", &servers::kafka());
        pipeline.create_topics(&["all"], PARTITIONS).await;
        topics::create(&pipeline.kafka, &[&pipeline.topic("gaps")], 1).await;
        let symbols = synthetic_symbols(symbols);
        let trades = TradeFlow { past: 0, ..TradeFlow::per_second(per_second / symbols.len() as f64) };
        let limits = Limits { weight_per_minute: u32::MAX, ..Limits::default() };
        let config = SimConfig { symbols: symbols.clone(), trades, limits, ..SimConfig::default() };
        let exchange = start(config).await.expect("the simulated exchange starts");
        let config = configuration(&pipeline, &exchange, &symbols);
        let producer = Worker::start("pricepipe-producer", &config, &[], folder);
        eventually("the producer is ready", PATIENCE, || producer.is_ready());
        Bench { pipeline, _exchange: exchange, producer }
    }

    fn delivered(&self) -> f64 {
        self.producer.metric("pricepipe_produced_messages_total", "delivered")
    }

    /// How many numbers are missing between the trades of a symbol that lie in Kafka, and how many are there again.
    fn lost_and_doubled(&self) -> (u64, u64) {
        let (mut last, mut lost, mut doubled) = (HashMap::<Vec<u8>, u64>::new(), 0, 0);
        topics::each(&self.pipeline.kafka, &self.pipeline.topic("all"), |message| {
            let position = Position { topic_id: None, partition: 0, offset: 0, timestamp: None };
            let trade = PriceMessage::decode(message.payload(), position).expect("a message");
            let number: u64 =
                trade.id.rsplit(':').next().and_then(|number| number.parse().ok()).expect("a number");
            if let Some(before) = last.insert(message.key().unwrap_or_default().to_vec(), number) {
                lost += number.saturating_sub(before + 1);
                doubled += u64::from(number <= before);
            }
        });
        (lost, doubled)
    }
}

fn configuration(pipeline: &TestPipeline, exchange: &Running, symbols: &[Symbol]) -> Value {
    let topic = pipeline.topic("all");
    let routes: Vec<Value> =
        symbols.iter().map(|symbol| json!({"symbol": symbol.as_str(), "topic": topic})).collect();
    let history = json!({"endpoints": [exchange.url()], "timeoutMillis": 2_000, "maxWeightPerMinute": 5_700});
    json!({
        "pipeline": pipeline.name, "kafka": {"bootstrapServers": [pipeline.kafka]}, "symbols": routes,
        "sources": [{"name": "binance", "exchange": "binance", "websocket": {
            "endpoints": [exchange.stream_url()], "stream": "trade", "silenceMillis": 30_000, "history": history,
        }}],
    })
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "benchmark: make bench"]
async fn bench_7_streams() {
    let folder = tempfile::tempdir().expect("bench");
    let mut bars = Bars::default();
    most(&mut bars, 50, folder.path()).await;
    most(&mut bars, 1_000, folder.path()).await;
    fastest(&mut bars, folder.path()).await;
    bars.judge();
}

/// 50,000 trades a second of so many symbols, for a minute.
async fn most(bars: &mut Bars, symbols: usize, folder: &Path) {
    let mut bench = Bench::new(symbols, 50_000.0, folder).await;
    std::thread::sleep(Duration::from_secs(5));
    let (before, cpu) = (bench.delivered(), bench.producer.cpu_time());
    std::thread::sleep(Duration::from_secs(60));
    let (delivered, cpu) = (bench.delivered() - before, bench.producer.cpu_time() - cpu);
    let gaps = bench.producer.metric("pricepipe_source_gaps_total", "open");
    println!("\n{symbols} symbols: CPU per trade {:.1} µs", cpu.as_secs_f64() * 1e6 / delivered);
    bars.at_least(&format!("trades a second, {symbols} symbols"), delivered / 60.0, 49_000.0, "/s");
    bars.at_most(&format!("gaps, {symbols} symbols"), gaps, 0.0, "");
    bars.at_most(&format!("memory, {symbols} symbols"), bench.producer.memory_mib().1, 64.0, "MiB");
    assert!(bench.producer.terminate(PATIENCE).success(), "{}", bench.producer.log());
    let (lost, doubled) = bench.lost_and_doubled();
    bars.at_most(&format!("lost, {symbols} symbols"), lost as f64, 0.0, "");
    bars.at_most(&format!("doubled, {symbols} symbols"), doubled as f64, 0.0, "");
}

/// 5,000 trades a second: from the arrival of the frame to a consumer.
async fn fastest(bars: &mut Bars, folder: &Path) {
    let bench = Bench::new(50, 5_000.0, folder).await;
    std::thread::sleep(Duration::from_secs(5));
    let watch = topics::watch(&bench.pipeline.kafka, vec![bench.pipeline.topic("all")]);
    std::thread::sleep(topics::WATCHING + Duration::from_secs(20));
    let arrivals = watch.stop();
    let skipped = arrivals.len() / 20;
    let latency = |arrival: &topics::Arrival| {
        let position = Position { topic_id: None, partition: 0, offset: 0, timestamp: None };
        let message = PriceMessage::decode(Some(&arrival.value), position).expect("a message");
        let seen = arrival.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3;
        seen - message.received.as_millis() as f64
    };
    let mut latencies: Vec<f64> = arrivals.iter().skip(skipped).map(latency).collect();
    assert!(latencies.len() > 50_000, "{} trades were seen", latencies.len());
    latencies.sort_by(f64::total_cmp);
    let p99 = latencies[(latencies.len() - 1) * 99 / 100];
    bars.at_most("frame to Kafka at 5,000 trades a second, p99", p99, 20.0, "ms");
}
