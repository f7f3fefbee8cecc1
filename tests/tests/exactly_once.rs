//! What the exchange served is stored exactly once, digit for digit.

use std::time::Duration;

use pricepipe_tests::{
    documents, eventually, exchange::Exchange, oracle, pipelines::TestPipeline, servers, topics,
    worker::Worker,
};

const GRACE: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn twenty_thousand_prices_arrive_exactly_once() {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let exchange = Exchange::with_symbols(500).await;
    let symbols: Vec<(String, &str)> = exchange.symbols().into_iter().map(|symbol| (symbol, "all")).collect();
    let pipeline = TestPipeline::new("once", &kafka);
    pipeline.create_topics(&["all"], 3).await;
    let folder = tempfile::tempdir().expect("the test can work");
    let variables = [("MONGO_CONNECTION_STRING", mongodb.as_str())];
    let consumer = pipeline.mongodb_consumer(&["all"]);
    let mut consumer = Worker::start("pricepipe-consumer", &consumer, &variables, folder.path());
    let producer = pipeline.producer(&exchange.url(), 200, &symbols);
    let mut producer = Worker::start("pricepipe-producer", &producer, &[], folder.path());
    eventually("20,000 prices are produced", Duration::from_secs(60), || {
        producer.metric("pricepipe_produced_messages_total", "delivered") >= 20_000.0
    });
    assert!(producer.terminate(GRACE).success(), "{}", producer.log());
    eventually("lag returns to 0", GRACE, || {
        topics::lag(&kafka, &pipeline.group(), &pipeline.topic("all")) == 0
    });
    assert!(consumer.terminate(GRACE).success(), "{}", consumer.log());
    let collection = documents::collection(&mongodb, &pipeline.name, "all").await;
    let stored = documents::sequences(&[collection]).await;
    assert!(stored.values().map(Vec::len).sum::<usize>() >= 20_000);
    oracle::assert_same(&exchange.served(), &stored);
    documents::drop(&mongodb, &pipeline.name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn two_producers_on_one_pipeline_store_no_observation_twice() {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let exchange = Exchange::start().await;
    let pipeline = TestPipeline::new("pair", &kafka);
    pipeline.create_topics(&["btc"], 3).await;
    let folder = tempfile::tempdir().expect("the test can work");
    let variables = [("MONGO_CONNECTION_STRING", mongodb.as_str())];
    let consumer = pipeline.mongodb_consumer(&["btc"]);
    let mut consumer = Worker::start("pricepipe-consumer", &consumer, &variables, folder.path());
    let config = pipeline.producer(&exchange.url(), 200, &[("BTCUSDT".to_owned(), "btc")]);
    let mut producers = [0, 1].map(|_| Worker::start("pricepipe-producer", &config, &[], folder.path()));
    eventually("observations meet", Duration::from_secs(60), || {
        consumer.metric("pricepipe_sink_documents_total", "duplicate") >= 25.0
    });
    for producer in &mut producers {
        assert!(producer.terminate(GRACE).success(), "{}", producer.log());
    }
    eventually("lag returns to 0", GRACE, || {
        topics::lag(&kafka, &pipeline.group(), &pipeline.topic("btc")) == 0
    });
    assert!(consumer.terminate(GRACE).success(), "{}", consumer.log());
    let collection = documents::collection(&mongodb, &pipeline.name, "btc").await;
    let (produced, stored) =
        (topics::count(&kafka, &pipeline.topic("btc")), documents::count(&collection).await);
    println!("{produced} messages, {stored} documents");
    assert!((stored as i64) <= produced - 25);
    assert_eq!(documents::doubled(&collection).await, 0);
    documents::drop(&mongodb, &pipeline.name).await;
}
