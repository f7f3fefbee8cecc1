//! What both kinds of store promise, by one set of tests; and what only MongoDB can get wrong.
//!
//! The MongoDB half needs `MONGO_CONNECTION_STRING`; it works in databases of its own and drops them.

#![allow(clippy::unwrap_used, reason = "all of it is test code")]

mod support;

use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use pricepipe_core::{
    Details, PriceMessage, Secret,
    config::{PriceType, StoreConfig},
    names::CollectionName,
};
use pricepipe_store::{Market, Period, Store, StoreErrorKind, Written, open, open_for_reading};
use support::{Mongo, collection, kinds, message};

/// Everything that holds for any store.
async fn keeps_its_promises(store: Arc<dyn Store>) {
    store.ping().await.unwrap();
    store.prepare(&[collection("btc"), collection("eth")]).await.unwrap();
    store.prepare(&[collection("btc"), collection("eth")]).await.unwrap();
    an_empty_collection_answers(&store, &collection("btc")).await;
    a_batch_twice_is_stored_once(&store, &collection("btc")).await;
    duplicates_are_counted_in_any_mix(&store, &collection("mix")).await;
    every_digit_is_kept(&store, &collection("digits")).await;
    every_kind_is_kept_with_its_fields(&store, &collection("kinds")).await;
    latest_and_count_tell_what_is_there(&store, &collection("eth")).await;
    many_symbols_are_found(&store, &collection("many")).await;
    writers_of_one_batch_store_it_once(&store, &collection("race")).await;
    store.close().await;
    assert_eq!(store.ping().await.unwrap_err().kind, StoreErrorKind::Unavailable);
}

async fn an_empty_collection_answers(store: &Arc<dyn Store>, collection: &CollectionName) {
    assert_eq!(store.latest(collection, &[]).await.unwrap(), []);
    assert_eq!(store.latest(collection, &[Market::of_any("BTCUSDT")]).await.unwrap(), []);
    assert_eq!(store.count(collection, Period::default()).await.unwrap(), []);
    assert_eq!(store.write(collection, Arc::from([])).await.unwrap(), Written::default());
}

async fn a_batch_twice_is_stored_once(store: &Arc<dyn Store>, collection: &CollectionName) {
    let batch: Arc<[PriceMessage]> = (0..1_000).map(|n| message("BTCUSDT", n, "67321.50")).collect();
    let first = store.write(collection, Arc::clone(&batch)).await.unwrap();
    assert_eq!(first, Written { inserted: 1_000, ..Written::default() });
    let second = store.write(collection, batch).await.unwrap();
    assert_eq!(second, Written { duplicates: 1_000, ..Written::default() });
    assert_eq!(store.count(collection, Period::default()).await.unwrap()[0].documents, 1_000);
}

async fn duplicates_are_counted_in_any_mix(store: &Arc<dyn Store>, collection: &CollectionName) {
    let write = async |numbers: &[i64]| {
        let batch = numbers.iter().map(|n| message("BTCUSDT", *n, "1")).collect();
        let written = store.write(collection, batch).await.unwrap();
        (written.inserted, written.duplicates, written.rejected.len())
    };
    assert_eq!(write(&[0, 1, 2]).await, (3, 0, 0));
    assert_eq!(write(&[3, 1, 4, 0, 5]).await, (3, 2, 0));
    assert_eq!(write(&[6, 6, 5, 6]).await, (1, 3, 0));
    // What was first under an id stays.
    let changed = Arc::from([PriceMessage { price: "2".parse().unwrap(), ..message("BTCUSDT", 6, "1") }]);
    assert_eq!(store.write(collection, changed).await.unwrap().duplicates, 1);
    assert_eq!(store.latest(collection, &[]).await.unwrap()[0].price.to_string(), "1");
}

async fn every_digit_is_kept(store: &Arc<dyn Store>, collection: &CollectionName) {
    let prices = [
        "67321.50",
        "0.00141342",
        "4.00000200",
        "1",
        "100",
        "0.0000000000000000000000000001",
        "1234567890123456789012345678",
        "12345678901234.56789012345670",
        "79228162514264337593543950335",
    ];
    let batch: Vec<_> =
        prices.iter().enumerate().map(|(n, price)| message(&format!("S{n}"), 0, price)).collect();
    store.write(collection, batch.clone().into()).await.unwrap();
    assert_eq!(store.latest(collection, &[]).await.unwrap(), batch);
}

/// Digit for digit, and with what may be absent both there and absent.
async fn every_kind_is_kept_with_its_fields(store: &Arc<dyn Store>, collection: &CollectionName) {
    let kinds = kinds();
    let batch: Vec<_> = kinds.iter().enumerate().map(|(n, details)| of_kind(n as i64, details)).collect();
    let written = store.write(collection, batch.clone().into()).await.unwrap();
    assert_eq!((written.inserted, written.rejected.len()), (kinds.len() as u64, 0));
    assert_eq!(store.latest(collection, &[]).await.unwrap(), batch);
    assert_eq!(store.write(collection, batch.into()).await.unwrap().duplicates, kinds.len() as u64);
}

/// An observation of a symbol of its own.
fn of_kind(n: i64, details: &Details) -> PriceMessage {
    let id = format!("binance:S{n}:{}:{n}", details.kind().as_str());
    PriceMessage { details: details.clone(), id, ..message(&format!("S{n}"), n, "67321.50") }
}

async fn latest_and_count_tell_what_is_there(store: &Arc<dyn Store>, collection: &CollectionName) {
    // Neither the order of arrival nor that of the ids is the order of time.
    let batch: Vec<_> = [("ETHUSDT", 2), ("BTCUSDT", 9), ("ETHUSDT", 11), ("BTCUSDT", 1), ("ETHUSDT", 3)]
        .map(|(symbol, n)| message(symbol, n, &format!("{}.0", n + 1)))
        .into();
    store.write(collection, batch.into()).await.unwrap();
    let (btc, eth) = (message("BTCUSDT", 9, "10.0"), message("ETHUSDT", 11, "12.0"));
    let latest = async |symbols: &[&str]| {
        let markets: Vec<Market> = symbols.iter().map(|symbol| Market::of_any(*symbol)).collect();
        store.latest(collection, &markets).await.unwrap()
    };
    assert_eq!(latest(&[]).await, [btc.clone(), eth.clone()]);
    assert_eq!(latest(&["ETHUSDT"]).await, std::slice::from_ref(&eth));
    assert_eq!(latest(&["ETHUSDT", "BTCUSDT", "ETHUSDT", "NONE"]).await, [btc, eth]);
    assert_eq!(latest(&["$where"]).await, []);
    let counts = store.count(collection, Period::default()).await.unwrap();
    let counts: Vec<_> = counts.iter().map(|c| (c.symbol.as_str(), c.documents, c.first, c.last)).collect();
    let time = |n| message("BTCUSDT", n, "1").time;
    assert_eq!(counts, [("BTCUSDT", 2, time(1), time(9)), ("ETHUSDT", 3, time(2), time(11))]);
    let period = Period { since: Some(time(9)), until: Some(time(11)) };
    let counts = store.count(collection, period).await.unwrap();
    let counts: Vec<_> =
        counts.iter().map(|c| (c.symbol.as_str(), c.first >= time(9), c.last < time(11))).collect();
    assert_eq!(counts.first(), Some(&("BTCUSDT", true, true)), "from the first moment on");
    assert!(counts.iter().all(|(_, begun, over)| *begun && *over), "and none of the last: {counts:?}");
}

async fn many_symbols_are_found(store: &Arc<dyn Store>, collection: &CollectionName) {
    let symbols: Vec<String> = (100..160).map(|n| format!("S{n}")).collect();
    let batch: Vec<_> =
        symbols.iter().flat_map(|symbol| [message(symbol, 1, "1"), message(symbol, 2, "2")]).collect();
    store.write(collection, batch.into()).await.unwrap();
    let markets: Vec<Market> = symbols[..50].iter().map(Market::of_any).collect();
    let found = store.latest(collection, &markets).await.unwrap();
    assert!(found.iter().map(|message| &message.symbol).eq(&symbols[..50]));
    assert!(found.iter().all(|message| message.price.to_string() == "2"));
    assert_eq!(store.latest(collection, &[]).await.unwrap().len(), 60);
}

async fn writers_of_one_batch_store_it_once(store: &Arc<dyn Store>, collection: &CollectionName) {
    let batch: Arc<[PriceMessage]> = (0..500).map(|n| message("BTCUSDT", n, "1")).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (store, collection, batch) = (Arc::clone(store), collection.clone(), Arc::clone(&batch));
        tasks.spawn(async move { store.write(&collection, batch).await });
    }
    let (mut inserted, mut duplicates) = (0, 0);
    while let Some(written) = tasks.join_next().await {
        let written = written.unwrap().unwrap();
        assert_eq!(written.rejected, []);
        inserted += written.inserted;
        duplicates += written.duplicates;
    }
    assert_eq!((inserted, duplicates), (500, 1_500));
    assert_eq!(store.count(collection, Period::default()).await.unwrap()[0].documents, 500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_the_promises() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::Embedded { path: folder.path().join("prices.db"), retention_seconds: 0 };
    keeps_its_promises(open(&config, None).unwrap()).await;
    // And it is all there the next time.
    let store = open_for_reading(&config, None).unwrap();
    assert_eq!(store.count(&collection("btc"), Period::default()).await.unwrap()[0].documents, 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_keeps_the_promises() {
    let mongo = Mongo::connect().await;
    keeps_its_promises(mongo.store(PriceType::Decimal, 0)).await;
    let stored = mongo.documents("digits", doc! {"symbol": "S0"}).await;
    assert_eq!(stored[0].get("price"), Some(&Bson::Decimal128("67321.50".parse().unwrap())));
    mongo.drop().await;
}

#[tokio::test]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_stores_doubles_for_those_who_want_them() {
    let mongo = Mongo::connect().await;
    let store = mongo.store(PriceType::Double, 0);
    store.write(&collection("btc"), Arc::from([message("BTCUSDT", 1, "0.1000")])).await.unwrap();
    let stored = mongo.documents("btc", doc! {}).await;
    assert_eq!(stored[0].get("price"), Some(&Bson::Double(0.1)));
    store.write(&collection("trades"), Arc::from([of_kind(0, &kinds()[0])])).await.unwrap();
    assert_eq!(mongo.documents("trades", doc! {}).await[0].get("quantity"), Some(&Bson::Double(23.0)));
    assert_eq!(store.latest(&collection("btc"), &[]).await.unwrap()[0].price.to_string(), "0.1");
    mongo.drop().await;
}

#[tokio::test]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_rejects_what_somebodys_own_unique_index_refuses_instead_of_losing_it() {
    let mongo = Mongo::connect().await;
    let unique = doc! {"key": {"symbol": 1}, "name": "one each", "unique": true};
    mongo.command(doc! {"createIndexes": "btc", "indexes": [unique]}).await;
    let store = mongo.store(PriceType::Decimal, 0);
    let batch: Vec<_> = [("A", 1), ("A", 2), ("B", 3), ("A", 1)].map(|(s, n)| message(s, n, "1")).into();
    let written = store.write(&collection("btc"), batch.into()).await.unwrap();
    assert_eq!((written.inserted, written.duplicates, written.rejected.len()), (2, 1, 1));
    assert_eq!(written.rejected[0].index, 1);
    assert!(written.rejected[0].reason.contains("one each"), "{:?}", written.rejected);
    mongo.drop().await;
}

#[tokio::test]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_indexes_follow_the_retention_and_nothing_else_is_touched() {
    let mongo = Mongo::connect().await;
    mongo.command(doc! {"createIndexes": "btc", "indexes": [{"key": {"price": 1}, "name": "theirs"}]}).await;
    for (retention, expected) in [(0, None), (3_600, Some(3_600)), (60, Some(60)), (60, Some(60)), (0, None)]
    {
        let store = mongo.store(PriceType::Decimal, retention);
        store.prepare(&[collection("btc"), collection("eth")]).await.unwrap();
        for name in ["btc", "eth"] {
            let indexes = mongo.indexes(name).await;
            let ttl = indexes.iter().find(|index| index.get_str("name").unwrap() == "pricepipe_ttl");
            let seconds = ttl.and_then(|ttl| support::number(ttl.get("expireAfterSeconds")));
            assert_eq!(seconds, expected, "{name} {indexes:?}");
            assert!(indexes.iter().any(|index| index.get_str("name").unwrap() == "pricepipe_symbol_time"));
        }
        assert!(mongo.indexes("btc").await.iter().any(|index| index.get_str("name").unwrap() == "theirs"));
    }
    mongo.drop().await;
}

#[tokio::test]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_reports_an_index_that_is_in_the_way_and_leaves_it() {
    let mongo = Mongo::connect().await;
    let theirs = doc! {"key": {"time": 1}, "name": "theirs", "expireAfterSeconds": 10};
    mongo.command(doc! {"createIndexes": "btc", "indexes": [theirs]}).await;
    let error = mongo.store(PriceType::Decimal, 60).prepare(&[collection("btc")]).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Conflict);
    assert!(error.message.contains("btc") && error.message.contains("theirs"), "{error}");
    let left = mongo.indexes("btc").await;
    assert!(left.iter().any(|index| support::number(index.get("expireAfterSeconds")) == Some(10)));
    mongo.drop().await;
}

#[tokio::test]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_two_stores_may_prepare_at_once() {
    let mongo = Mongo::connect().await;
    let collections: Vec<_> = (0..8).map(|n| collection(&format!("c{n}"))).collect();
    let (first, second) = (mongo.store(PriceType::Decimal, 60), mongo.store(PriceType::Decimal, 60));
    let outcome = tokio::join!(first.prepare(&collections), second.prepare(&collections));
    // One may be told to come again; the second time nothing is in the way.
    for error in [outcome.0.err(), outcome.1.err()].into_iter().flatten() {
        assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    }
    first.prepare(&collections).await.unwrap();
    second.prepare(&collections).await.unwrap();
    mongo.drop().await;
}

#[tokio::test]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_leaves_out_documents_of_others_that_are_no_prices() {
    let mongo = Mongo::connect().await;
    let store = mongo.store(PriceType::Decimal, 0);
    store.write(&collection("btc"), Arc::from([message("BTCUSDT", 1, "1.50")])).await.unwrap();
    let time = mongodb::bson::DateTime::from_millis(1_795_413_603_000);
    let others: Vec<Document> = vec![
        doc! {"_id": 1, "hello": "world"},
        doc! {"_id": "no time", "symbol": "ETHUSDT", "price": 1.0},
        doc! {"_id": "plain", "symbol": "SOLUSDT", "price": 2.5, "time": time},
    ];
    mongo.command(doc! {"insert": "btc", "documents": others}).await;
    let latest = store.latest(&collection("btc"), &[]).await.unwrap();
    let found: Vec<_> = latest.iter().map(|m| (m.symbol.as_str(), m.price.to_string())).collect();
    assert_eq!(found, [("BTCUSDT", "1.50".to_owned()), ("SOLUSDT", "2.5".to_owned())]);
    assert_eq!(store.latest(&collection("btc"), &[Market::of_any("ETHUSDT")]).await.unwrap(), []);
    let counts = store.count(&collection("btc"), Period::default()).await.unwrap();
    assert!(counts.iter().map(|count| count.symbol.as_str()).eq(["BTCUSDT", "SOLUSDT"]));
    mongo.drop().await;
}

#[tokio::test]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_wrong_credentials_are_told_as_such_and_never_shown() {
    let text = std::env::var("MONGO_CONNECTION_STRING").unwrap();
    let rest = text.split_once("://").unwrap().1;
    let hosts = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let config = StoreConfig::Mongodb {
        database: "fx".parse().unwrap(),
        price_type: PriceType::Decimal,
        retention_seconds: 0,
    };
    let secret = Secret::new(format!("mongodb://nobody:hunt%40er2@{hosts}"));
    let store = open(&config, Some(&secret)).unwrap();
    let btc = collection("btc");
    for error in [
        store.ping().await.unwrap_err(),
        store.prepare(std::slice::from_ref(&btc)).await.unwrap_err(),
        store.write(&btc, Arc::from([message("BTCUSDT", 1, "1")])).await.unwrap_err(),
        store.latest(&btc, &[]).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, StoreErrorKind::Unauthorized, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunt") && !shown.contains("er2"), "{shown}");
    }
}
