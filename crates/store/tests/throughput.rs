//! How fast prices get into MongoDB, beside the driver's `insert_many` of the same documents, ready made.
//!
//! `cargo test --release -p pricepipe-store --test throughput -- --ignored --nocapture`

#![cfg(not(debug_assertions))] // Without optimisation the numbers say nothing.
#![allow(clippy::unwrap_used, reason = "all of it is test code")]

mod support;

use std::{sync::Arc, time::Instant};

use mongodb::bson::{DateTime, Decimal128, RawDocumentBuf, rawdoc};
use pricepipe_core::{PriceMessage, config::PriceType};
use support::{Mongo, collection, message};

const WRITERS: usize = 4;
const BATCH: usize = 1_000;
const BATCHES: usize = 25; // of each writer
const ROUNDS: usize = 10;

fn batch(writer: usize, batch: usize) -> Arc<[PriceMessage]> {
    let first = ((writer * BATCHES + batch) * BATCH) as i64;
    (first..first + BATCH as i64).map(|n| message("BTCUSDT", n, "67321.50")).collect()
}

fn ready_made(message: &PriceMessage) -> RawDocumentBuf {
    rawdoc! {
        "_id": message.id.as_str(),
        "symbol": message.symbol.as_str(),
        "price": message.price.to_string().parse::<Decimal128>().unwrap(),
        "exchange": message.exchange.as_ref(),
        "kind": message.kind.as_str(),
        "time": DateTime::from_millis(message.time.as_millis()),
        "received": DateTime::from_millis(message.received.as_millis()),
    }
}

/// Processor time of this process so far, in seconds; Linux counts it in hundredths.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn report(what: &str, started: Instant, processor: f64) -> f64 {
    let documents = (WRITERS * BATCHES * BATCH) as f64;
    let rate = documents / started.elapsed().as_secs_f64();
    let cost = (processor_seconds() - processor) / documents * 1e6;
    println!("{what:<12} {rate:>9.0} documents/s {cost:>6.2} µs of processor each");
    rate
}

async fn by_insert_many(mongo: &Mongo, name: &str) -> f64 {
    let ready: Vec<Vec<Vec<RawDocumentBuf>>> = (0..WRITERS)
        .map(|w| (0..BATCHES).map(|b| batch(w, b).iter().map(ready_made).collect()).collect())
        .collect();
    let (started, processor) = (Instant::now(), processor_seconds());
    let mut tasks = tokio::task::JoinSet::new();
    for batches in ready {
        let collection = mongo.database.collection::<RawDocumentBuf>(name);
        tasks.spawn(async move {
            for documents in &batches {
                collection.insert_many(documents).ordered(false).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    report("insert_many", started, processor)
}

async fn by_store(mongo: &Mongo, name: &str) -> f64 {
    let store = mongo.store(PriceType::Decimal, 0);
    let ready: Vec<Vec<Arc<[PriceMessage]>>> =
        (0..WRITERS).map(|w| (0..BATCHES).map(|b| batch(w, b)).collect()).collect();
    let (started, processor) = (Instant::now(), processor_seconds());
    let mut tasks = tokio::task::JoinSet::new();
    for batches in ready {
        let (store, collection) = (Arc::clone(&store), collection(name));
        tasks.spawn(async move {
            for batch in batches {
                assert_eq!(store.write(&collection, batch).await.unwrap().inserted, BATCH as u64);
            }
        });
    }
    tasks.join_all().await;
    report("store", started, processor)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING), and takes ten seconds"]
async fn the_store_writes_as_fast_as_insert_many() {
    let mongo = Mongo::connect().await;
    let (mut limits, mut rates) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (many, store) = (format!("many{round}"), format!("store{round}"));
        // The server slows down as it fills, so each goes first every other time.
        if round % 2 == 0 {
            limits.push(by_insert_many(&mongo, &many).await);
            rates.push(by_store(&mongo, &store).await);
        } else {
            rates.push(by_store(&mongo, &store).await);
            limits.push(by_insert_many(&mongo, &many).await);
        }
    }
    mongo.drop().await;
    let ratio = median(rates) / median(limits);
    println!("the store reaches {ratio:.2} of insert_many");
    assert!(ratio >= 0.8, "the store reaches {ratio:.2} of insert_many");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
