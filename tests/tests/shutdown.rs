//! SIGTERM while everything is full: the workers end in time, with success, and lose nothing that was accepted.

use std::time::Duration;

use pricepipe_tests::{
    documents, eventually, exchange::Exchange, messages, oracle, pipelines::TestPipeline, servers, topics,
    worker::Worker,
};

const GRACE: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn a_producer_that_is_told_to_stop_delivers_what_it_accepted() {
    let kafka = servers::kafka();
    let exchange = Exchange::with_symbols(500).await;
    let symbols: Vec<(String, &str)> = exchange.symbols().into_iter().map(|symbol| (symbol, "all")).collect();
    let pipeline = TestPipeline::new("stop", &kafka);
    pipeline.create_topics(&["all"], 1).await;
    let folder = tempfile::tempdir().expect("the test can work");
    let config = pipeline.producer(&exchange.url(), 20, &symbols);
    let mut producer = Worker::start("pricepipe-producer", &config, &[], folder.path());
    eventually("prices are produced", GRACE, || {
        producer.metric("pricepipe_produced_messages_total", "delivered") > 5_000.0
    });
    assert!(producer.terminate(GRACE).success(), "{}", producer.log());

    let mut produced = oracle::Sequences::new();
    let mut records = topics::read(&kafka, &pipeline.topic("all"));
    records.sort_by_key(|record| record.offset);
    for record in records {
        let value: serde_json::Value =
            serde_json::from_slice(&record.value.expect("the test can work")).unwrap();
        let text =
            String::from_utf8(serde_json::to_vec(&value["symbol"]).expect("the test can work")).unwrap();
        produced.entry(text.trim_matches('"').to_owned()).or_default().push(String::new());
    }
    // The answer under way when the signal came may be given up; what was accepted before it may not.
    for (symbol, served) in exchange.served() {
        let delivered = produced.get(&symbol).map_or(0, Vec::len);
        assert!(delivered >= served.len() - 1, "{symbol}: {delivered} of {} are in Kafka", served.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn a_consumer_that_is_told_to_stop_midway_is_continued_where_it_stopped() {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let pipeline = TestPipeline::new("midway", &kafka);
    pipeline.create_topics(&["btc"], 3).await;
    topics::produce(&kafka, &pipeline.topic("btc"), messages::records(100_000));
    let folder = tempfile::tempdir().expect("the test can work");
    let (config, variables) =
        (pipeline.mongodb_consumer(&["btc"]), [("MONGO_CONNECTION_STRING", mongodb.as_str())]);
    let collection = documents::collection(&mongodb, &pipeline.name, "btc").await;

    let mut first = Worker::start("pricepipe-consumer", &config, &variables, folder.path());
    eventually("some are stored", GRACE, || {
        first.metric("pricepipe_sink_documents_total", "inserted") > 1_000.0
    });
    assert!(first.terminate(GRACE).success(), "{}", first.log());
    let (stored, left) =
        (documents::count(&collection).await, topics::lag(&kafka, &pipeline.group(), &pipeline.topic("btc")));
    println!("{stored} stored, {left} left when told to stop");
    assert_eq!(stored as i64 + left, 100_000, "everything stored is committed, and nothing else");

    let mut second = Worker::start("pricepipe-consumer", &config, &variables, folder.path());
    eventually("lag returns to 0", Duration::from_secs(60), || {
        topics::lag(&kafka, &pipeline.group(), &pipeline.topic("btc")) == 0
    });
    assert_eq!(
        second.metric("pricepipe_sink_documents_total", "duplicate") as u64,
        0,
        "nothing is read twice"
    );
    assert!(second.terminate(GRACE).success());
    assert_eq!(documents::count(&collection).await, 100_000);
    documents::drop(&mongodb, &pipeline.name).await;
}
