//! What both kinds of store tell whoever only reads: exchanges apart, candles, the newest, and what an audit asks.
//!
//! The MongoDB half needs `MONGO_CONNECTION_STRING`; it works in databases of its own and drops them.

#![allow(clippy::unwrap_used, reason = "all of it is test code")]

mod support;

use std::sync::Arc;

use mongodb::bson::{Document, doc};
use pricepipe_core::{
    Details, Kind, PriceMessage, Timestamp,
    config::{PriceType, StoreConfig},
};
use pricepipe_store::{
    Doubled, History, Market, Period, Selection, Store, beginning_with, open, open_for_reading,
};
use support::{Mongo, collection, kinds, message};

/// Several exchanges of one symbol, and candles.
async fn tells_exchanges_apart(store: &Arc<dyn Store>, history: &Arc<dyn History>) {
    let name = collection("exchanges");
    let of = |exchange: &str, n, price: &str| PriceMessage {
        id: format!("{exchange}:BTC/USD:price:{n}"),
        exchange: exchange.to_owned().into(),
        ..message("BTC/USD", n, price)
    };
    // The last two are of one moment, and the second was heard of later.
    let mut last = of("kraken", 5, "6");
    last.received = Timestamp::from_millis(last.time.as_millis() + 900).unwrap();
    last.id = "kraken:BTC/USD:price:0".to_owned();
    let batch =
        vec![of("coinbase", 1, "1"), of("kraken", 2, "2"), of("coinbase", 3, "3"), of("kraken", 5, "5")];
    store.write(&name, batch.into_iter().chain([last.clone()]).collect()).await.unwrap();
    let market = |exchange: Option<&str>| Market {
        symbol: "BTC/USD".to_owned(),
        exchange: exchange.map(str::to_owned),
    };
    let wanted = [Some("kraken"), Some("binance"), Some("coinbase"), Some("kraken"), None].map(market);
    assert_eq!(store.latest(&name, &wanted).await.unwrap(), [last.clone(), of("coinbase", 3, "3"), last]);
    let counts = store.count(&name, Period::default()).await.unwrap();
    let counts: Vec<_> = counts.iter().map(|c| (c.exchange.as_str(), c.documents)).collect();
    assert_eq!(counts, [("coinbase", 2), ("kraken", 3)]);
    let prices = async |exchange, newest| {
        let selection = Selection { market: market(exchange), newest, ..Selection::all("BTC/USD") };
        let mut series = history.prices(&name, selection);
        let mut prices = Vec::new();
        while let Some(chunk) = series.next().await.unwrap() {
            prices.extend(chunk.iter().map(|point| point.price.to_string()));
        }
        prices
    };
    assert_eq!(prices(Some("coinbase"), None).await, ["1", "3"]);
    assert_eq!(prices(Some("coinbase"), Some(1)).await, ["3"]);
    assert_eq!(prices(Some("binance"), None).await, [""; 0]);
    assert_eq!(prices(None, None).await.len(), 5);
    let stats = async |exchange| {
        let selection = Selection { market: market(exchange), ..Selection::all("BTC/USD") };
        pricepipe_store::stats(&**history, &name, selection).await.unwrap().map(|stats| stats.count)
    };
    assert_eq!((stats(Some("coinbase")).await, stats(None).await), (Some(2), Some(5)));
}

/// Stored candles are read as they are; those that may still change are not.
async fn tells_stored_candles(store: &Arc<dyn Store>, history: &Arc<dyn History>) {
    let name = collection("candles");
    let candle = |n: i64, closed| {
        let json = format!(
            r#"{{"interval":"1m","open":{n}.10,"high":{n}.90,"low":{n}.05,"close":{n}.50,"volume":1,"closed":{closed}}}"#
        );
        PriceMessage {
            id: format!("binance:BTCUSDT:kline:1m:{n}:{closed}"),
            details: Details::from_json(Kind::Kline, Some(&json)).unwrap(),
            ..message("BTCUSDT", n * 20, &format!("{n}.50"))
        }
    };
    let all: Vec<PriceMessage> = (1..=1_200).map(|n| candle(n, true)).chain([candle(1_201, false)]).collect();
    store.write(&name, all.clone().into()).await.unwrap();
    let told = async |selection| {
        let (mut series, mut candles) = (history.klines(&name, selection), Vec::new());
        while let Some(chunk) = series.next().await.unwrap() {
            candles.extend(chunk);
        }
        candles
    };
    let candles = told(Selection::all("BTCUSDT")).await;
    assert_eq!(candles.len(), 1_200);
    let (first, text) = (&candles[0], |price: &pricepipe_core::Price| price.to_string());
    assert_eq!((first.start, first.count, text(&first.open)), (all[0].time, 1, "1.10".to_owned()));
    assert_eq!([&first.high, &first.low, &first.close].map(text), ["1.90", "1.05", "1.50"]);
    let newest = told(Selection { newest: Some(2), ..Selection::all("BTCUSDT") }).await;
    assert_eq!(newest, candles[1_198..]);
    let since = Selection { since: Some(all[1_199].time), ..Selection::all("BTCUSDT") };
    assert_eq!(told(since).await, candles[1_199..]);
    assert_eq!(told(Selection::all("ETHUSDT")).await, []);
}

/// What a run asks that goes on where an earlier one left off.
async fn tells_the_newest_of_a_kind(store: &Arc<dyn Store>, history: &Arc<dyn History>) {
    let name = collection("newest");
    let trade = |exchange: &str, symbol: &str, n, number: u64| PriceMessage {
        id: format!("{exchange}:{symbol}:trade:{number}"),
        exchange: exchange.to_owned().into(),
        details: kinds()[0].clone(),
        ..message(symbol, n, "1")
    };
    let newest = async |symbol: &str, prefix: &str| {
        let found = history.newest(&name, symbol, beginning_with(prefix)).await.unwrap();
        found.map(|(id, time)| (id[prefix.len()..].to_owned(), time))
    };
    assert_eq!(newest("BTCUSDT", "binance:BTCUSDT:trade:").await, None);
    let batch = vec![
        trade("binance", "BTCUSDT", 1, 98),
        trade("binance", "BTCUSDT", 3, 100),
        trade("binance", "BTCUSDT", 2, 99),
        trade("kraken", "BTCUSDT", 4, 7),
        trade("binance", "ETHUSDT", 5, 200),
        message("BTCUSDT", 6, "1"),
    ];
    store.write(&name, batch.into()).await.unwrap();
    let time = |n| message("BTCUSDT", n, "1").time;
    assert_eq!(newest("BTCUSDT", "binance:BTCUSDT:trade:").await, Some(("100".to_owned(), time(3))));
    assert_eq!(newest("BTCUSDT", "kraken:BTCUSDT:trade:").await, Some(("7".to_owned(), time(4))));
    assert_eq!(newest("BTCUSDT", "binance:BTCUSDT:aggTrade:").await, None);
    let one = "binance:BTCUSDT:trade:98".to_owned();
    let found = history.newest(&name, "BTCUSDT", one.clone()..format!("{one}\0")).await.unwrap();
    assert_eq!(found, Some((one, time(1))));
}

/// What an audit asks. A second opening, since what is written is not read by whoever writes.
async fn can_be_audited(store: Arc<dyn Store>, history: Arc<dyn History>) {
    let (audited, others) = (collection("audited"), collection("audited-too"));
    let id = |n: i64| message("BTCUSDT", n, "1").id;
    let ids = |numbers: &[i64]| numbers.iter().map(|n| id(*n)).collect::<Vec<_>>();
    assert_eq!(history.missing(&audited, ids(&[1])).await.unwrap(), ids(&[1]));
    assert_eq!(history.doubled(&audited, Period::default(), 3).await.unwrap(), Doubled::default());
    let batch: Vec<_> = (0..2_000).map(|n| message("BTCUSDT", n, "1")).collect();
    store.write(&audited, batch.into()).await.unwrap();
    store.write(&others, Arc::from([message("BTCUSDT", 2_000, "1")])).await.unwrap();
    assert_eq!(history.missing(&audited, Vec::new()).await.unwrap(), [""; 0]);
    assert_eq!(history.missing(&audited, (0..2_000).map(id).collect()).await.unwrap(), [""; 0]);
    assert_eq!(history.missing(&audited, ids(&[2_001, 7, 2_000])).await.unwrap(), ids(&[2_001, 2_000]));
    assert_eq!(history.doubled(&audited, Period::default(), 3).await.unwrap(), Doubled::default());

    let renamed = |n, id: &str| PriceMessage { id: id.to_owned(), ..message("BTCUSDT", n, "2") };
    let elsewhere = |n, id: &str| PriceMessage { exchange: "kraken".into(), ..renamed(n, id) };
    let other = |n, id: &str| PriceMessage { symbol: "ETHUSDT".to_owned(), ..renamed(n, id) };
    let second: Vec<PriceMessage> = vec![
        // The same observations under other ids.
        renamed(5, "zz"),
        renamed(9, "a"),
        renamed(9, "kafka:uuid:0:1"),
        // Another exchange, another symbol, and two plain messages of one moment.
        elsewhere(7, "kraken"),
        other(7, "kafka:uuid:0:2"),
        other(7, "kafka:uuid:0:3"),
        // Trades and tickers of one moment are what they are by their numbers.
        PriceMessage { details: kinds()[0].clone(), ..renamed(3, "binance:BTCUSDT:trade:1") },
        PriceMessage { details: kinds()[0].clone(), ..renamed(3, "binance:BTCUSDT:trade:2") },
        renamed(4, "binance:BTCUSDT:ticker:1"),
        renamed(4, "binance:BTCUSDT:ticker:2"),
    ];
    store.write(&audited, second.into()).await.unwrap();
    let all = history.doubled(&audited, Period::default(), 9).await.unwrap();
    let mut found: Vec<_> = all.examples.iter().map(|d| (d.time, d.ids.clone())).collect();
    found.sort();
    let time = |n| message("BTCUSDT", n, "1").time;
    let expected =
        [(time(5), [id(5), "zz".to_owned()]), (time(9), ["a".to_owned(), "kafka:uuid:0:1".to_owned()])];
    assert_eq!((all.count, found), (2, expected.to_vec()));
    assert!(all.examples.iter().all(|double| double.symbol == "BTCUSDT" && double.exchange == "binance"));
    let few = history.doubled(&audited, Period::default(), 1).await.unwrap();
    assert_eq!((few.count, few.examples.len()), (2, 1));
    for (since, until, count) in
        [(Some(6), None, 1), (None, Some(9), 1), (Some(5), Some(10), 2), (Some(10), None, 0)]
    {
        let period = Period { since: since.map(time), until: until.map(time) };
        assert_eq!(history.doubled(&audited, period, 3).await.unwrap().count, count, "{period:?}");
    }
    history.close().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_answers_who_only_reads() {
    let folder = tempfile::tempdir().unwrap();
    let config = StoreConfig::Embedded { path: folder.path().join("prices.db"), retention_seconds: 0 };
    let store = open(&config, None).unwrap();
    let history = open_for_reading(&config, None).unwrap();
    tells_the_newest_of_a_kind(&store, &history).await;
    tells_exchanges_apart(&store, &history).await;
    tells_stored_candles(&store, &history).await;
    can_be_audited(store, history).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_answers_who_only_reads() {
    let mongo = Mongo::connect().await;
    // What others wrote is no price, and nothing of it is doubled.
    let others: Vec<Document> = vec![doc! {"_id": 1, "hello": "world"}, doc! {"_id": 2, "hello": "world"}];
    mongo.command(doc! {"insert": "audited", "documents": others}).await;
    let (store, history) = (mongo.store(PriceType::Decimal, 0), mongo.history());
    tells_the_newest_of_a_kind(&store, &history).await;
    tells_exchanges_apart(&store, &history).await;
    tells_stored_candles(&store, &history).await;
    can_be_audited(store, history).await;
    mongo.drop().await;
}
