//! What both kinds of store answer about series of prices: the same, to the last digit, on the same documents.
//!
//! The MongoDB half needs `MONGO_CONNECTION_STRING`; it works in databases of its own and drops them.

#![allow(clippy::unwrap_used, reason = "all of it is test code")]

mod support;

use std::{path::Path, sync::Arc};

use mongodb::bson::{DateTime, Decimal128, doc};
use pricepipe_core::{
    PriceMessage, Timestamp,
    analytics::{Candle, Jumps, MovingAverages, PricePoint, Stats, Volatility},
    config::{PriceType, StoreConfig},
};
use pricepipe_store::{History, Period, Selection, Shortcut, Store, candles, open, open_for_reading, stats};
use support::{Mongo, collection, message};

/// Prices that wander in steps of a hundredth, written with two decimals, at times with three or none. Each three
/// seconds, and sometimes several at one moment, whose ids are not in the order in which they are stored.
fn wandering(symbol: &str, number: i64) -> Vec<PriceMessage> {
    let (mut state, mut cents) = (88_172_645_463_325_252_u64, 6_732_150_i64);
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut messages: Vec<PriceMessage> = Vec::new();
    for n in 0..number {
        cents += (random() % 1_001) as i64 - 500;
        let price = match random() % 10 {
            0 => format!("{}.{:02}0", cents / 100, cents % 100),
            1 => format!("{}", cents / 100),
            _ => format!("{}.{:02}", cents / 100, cents % 100),
        };
        let together = random() % 8 == 0;
        let mut next = message(symbol, n, &price);
        next.id = format!("trade:{}", random());
        if let (true, Some(before)) = (together, messages.last()) {
            next.time = before.time;
        }
        messages.push(next);
    }
    messages
}

async fn fill(store: &dyn Store, messages: &[PriceMessage]) {
    store.prepare(&[collection("btc")]).await.unwrap();
    for batch in messages.chunks(5_000) {
        let written = store.write(&collection("btc"), batch.into()).await.unwrap();
        assert_eq!(written.inserted, batch.len() as u64);
    }
}

async fn embedded(folder: &Path, messages: &[PriceMessage]) -> Arc<dyn History> {
    let config = StoreConfig::Embedded { path: folder.join("prices.sqlite"), retention_seconds: 0 };
    let store = open(&config, None).unwrap();
    fill(&*store, messages).await;
    store.close().await;
    open_for_reading(&config, None).unwrap()
}

fn reading(mongo: &Mongo) -> Arc<dyn History> {
    let config = StoreConfig::Mongodb {
        database: mongo.database.name().parse().unwrap(),
        price_type: PriceType::Decimal,
        retention_seconds: 0,
    };
    open_for_reading(&config, Some(&mongo.connection_string)).unwrap()
}

async fn prices(history: &dyn History, selection: &Selection) -> Vec<PricePoint> {
    let (mut series, mut points) = (history.prices(&collection("btc"), selection.clone()), Vec::new());
    while let Some(chunk) = series.next().await.unwrap() {
        points.extend(chunk);
    }
    points
}

async fn candles_of(history: &dyn History, selection: &Selection, interval: &str) -> Vec<Candle> {
    let mut found = Vec::new();
    let each = |candle| {
        found.push(candle);
        true
    };
    candles(history, &collection("btc"), selection.clone(), interval.parse().unwrap(), each).await.unwrap();
    found
}

async fn stats_of(history: &dyn History, selection: &Selection) -> Option<Stats> {
    stats(history, &collection("btc"), selection.clone()).await.unwrap()
}

/// With every digit: prices that are equal but written otherwise differ here.
fn told(value: &impl std::fmt::Debug) -> String {
    format!("{value:#?}")
}

/// The points in order, made of the messages without a store.
fn expected(messages: &[PriceMessage], wanted: impl Fn(&PriceMessage) -> bool) -> Vec<PricePoint> {
    let mut chosen: Vec<&PriceMessage> = messages.iter().filter(|message| wanted(message)).collect();
    chosen.sort_by(|left, right| (left.time, &left.id).cmp(&(right.time, &right.id)));
    chosen.iter().map(|message| PricePoint { time: message.time, price: message.price }).collect()
}

/// What a selection chooses, and in which order, whatever the store.
async fn selections_are_kept(history: &dyn History, messages: &[PriceMessage]) {
    let all = Selection::all("BTCUSDT");
    let of_symbol = |message: &PriceMessage| message.symbol == "BTCUSDT";
    assert_eq!(told(&prices(history, &all).await), told(&expected(messages, of_symbol)));

    let (since, until) = (messages[100].time, messages[300].time);
    let some = Selection { since: Some(since), until: Some(until), ..all.clone() };
    let between = |m: &PriceMessage| of_symbol(m) && (since..until).contains(&m.time);
    assert_eq!(told(&prices(history, &some).await), told(&expected(messages, between)));

    // Of a moment with several prices too, the last ones are those with the greatest ids.
    for newest in [1, 2, 3, 5, 17, 1_000_000] {
        let last = Selection { newest: Some(newest), ..all.clone() };
        let whole = expected(messages, of_symbol);
        let tail = &whole[whole.len().saturating_sub(newest)..];
        assert_eq!(told(&prices(history, &last).await), told(&tail), "the newest {newest}");
        let last = Selection { newest: Some(newest), ..some.clone() };
        let whole = expected(messages, between);
        let tail = &whole[whole.len().saturating_sub(newest)..];
        assert_eq!(told(&prices(history, &last).await), told(&tail), "the newest {newest} of some");
    }

    for nothing in [Selection::all("NONE"), Selection { since: Some(Timestamp::MAX), ..all.clone() }] {
        assert_eq!(prices(history, &nothing).await, []);
        assert_eq!(stats_of(history, &nothing).await, None);
        assert_eq!(candles_of(history, &nothing, "1m").await, []);
    }
}

fn two_symbols() -> Vec<PriceMessage> {
    let mut messages = wandering("BTCUSDT", 1_500);
    messages.extend((0..200).map(|n| message("ETHUSDT", n, "3000.5")));
    // The order in which they come is neither that of time nor that of ids.
    messages.reverse();
    messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_selections() {
    let folder = tempfile::tempdir().unwrap();
    let messages = two_symbols();
    selections_are_kept(&*embedded(folder.path(), &messages).await, &in_order(messages)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_keeps_selections() {
    let mongo = Mongo::connect().await;
    let messages = two_symbols();
    fill(&*mongo.store(PriceType::Decimal, 0), &messages).await;
    selections_are_kept(&*reading(&mongo), &in_order(messages)).await;
    mongo.drop().await;
}

fn in_order(mut messages: Vec<PriceMessage>) -> Vec<PriceMessage> {
    messages.sort_by_key(|message| message.time);
    messages
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_reading_leaves_the_store_usable() {
    let folder = tempfile::tempdir().unwrap();
    let history = embedded(folder.path(), &wandering("BTCUSDT", 20_000)).await;
    let mut series = history.prices(&collection("btc"), Selection::all("BTCUSDT"));
    assert_eq!(series.next().await.unwrap().map(|chunk| chunk.len()), Some(1_000));
    drop(series);
    assert_eq!(history.count(&collection("btc"), Period::default()).await.unwrap()[0].documents, 20_000);
    history.close().await;
    let mut series = history.prices(&collection("btc"), Selection::all("BTCUSDT"));
    assert!(series.next().await.unwrap_err().to_string().contains("closed"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn both_stores_answer_alike_over_100_000_documents() {
    let (mongo, folder) = (Mongo::connect().await, tempfile::tempdir().unwrap());
    let messages = wandering("BTCUSDT", 100_000);
    fill(&*mongo.store(PriceType::Decimal, 0), &messages).await;
    let (left, right) = (embedded(folder.path(), &messages).await, reading(&mongo));
    let name = collection("btc");
    let all = Selection::all("BTCUSDT");
    let some =
        Selection { since: Some(messages[10].time), until: Some(messages[70_000].time), ..all.clone() };
    let last = Selection { newest: Some(1_000), ..all.clone() };
    for selection in [&all, &some, &last] {
        let here = stats_of(&*left, selection).await;
        assert!(here.is_some());
        assert_eq!(told(&here), told(&stats_of(&*right, selection).await), "{selection:?}");
        for interval in ["10s", "1m", "7m", "1h", "1w"] {
            let here = candles_of(&*left, selection, interval).await;
            assert!(!here.is_empty());
            let there = candles_of(&*right, selection, interval).await;
            assert_eq!(told(&here), told(&there), "{interval} {selection:?}");
        }
        let (here, there) = (prices(&*left, selection).await, prices(&*right, selection).await);
        assert_eq!(told(&here), told(&there), "{selection:?}");
        assert_eq!(told(&series_figures(&here)), told(&series_figures(&there)), "{selection:?}");
    }
    // Nothing was compared with itself by mistake: the server did compute.
    let Shortcut::Answer(Some(_)) = right.totals(&name, &all).await.unwrap() else {
        panic!("the server computed no totals")
    };
    let Shortcut::Answer(computed) = right.candles(&name, &all, "1h".parse().unwrap()).await.unwrap() else {
        panic!("the server computed no candles")
    };
    assert!(computed.len() > 80, "{}", computed.len());
    mongo.drop().await;
}

/// Jumps, moving averages and volatility.
fn series_figures(points: &[PricePoint]) -> Vec<String> {
    let least = "0.007".parse().unwrap();
    let mut neighbours = Jumps::between_neighbours(least);
    let mut window = Jumps::within(least, "30s".parse().unwrap());
    let mut averages = MovingAverages::over(20.try_into().unwrap());
    let mut volatility = Volatility::over(20);
    let figures = points.iter().flat_map(|point| {
        [
            neighbours.push(*point).map(|found| told(&found)),
            window.push(*point).map(|found| told(&found)),
            averages.push(*point).map(|found| told(&found)),
            volatility.push(*point).map(|found| told(&found)),
        ]
    });
    figures.flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING)"]
async fn mongodb_leaves_out_what_is_no_price_and_does_not_trust_a_rounded_sum() {
    let mongo = Mongo::connect().await;
    let store = mongo.store(PriceType::Decimal, 0);
    store.write(&collection("btc"), (0..10).map(|n| message("BTCUSDT", n, "1.50")).collect()).await.unwrap();
    let (history, name, all) = (reading(&mongo), collection("btc"), Selection::all("BTCUSDT"));
    let exact = history.totals(&name, &all).await.unwrap();
    assert!(matches!(exact, Shortcut::Answer(Some(_))), "{exact:?}");

    // The square of this one has more digits than a decimal128.
    let long = "12345678901234567890.12345678".parse::<Decimal128>().unwrap();
    let time = DateTime::from_millis(1_795_413_700_000);
    let long = doc! {"_id": "long", "symbol": "BTCUSDT", "price": long, "time": time};
    mongo.command(doc! {"insert": "btc", "documents": [long]}).await;
    assert_eq!(history.totals(&name, &all).await.unwrap(), Shortcut::Fold);
    let found = stats_of(&*history, &all).await.unwrap();
    assert_eq!((found.count, found.max.price.to_string()), (11, "12345678901234567890.12345678".to_owned()));

    mongo.command(doc! {"delete": "btc", "deletes": [{"q": {"_id": "long"}, "limit": 1}]}).await;
    let others = vec![
        doc! {"_id": "text", "symbol": "BTCUSDT", "price": "1.50", "time": time},
        doc! {"_id": "negative", "symbol": "BTCUSDT", "price": -1.5, "time": time},
        doc! {"_id": "no time", "symbol": "BTCUSDT", "price": 1.5},
        doc! {"_id": "double", "symbol": "BTCUSDT", "price": 2.5, "time": time},
    ];
    mongo.command(doc! {"insert": "btc", "documents": others}).await;
    let found = stats_of(&*history, &all).await.unwrap();
    assert_eq!((found.count, found.max.price.to_string()), (11, "2.5".to_owned()));
    let found = candles_of(&*history, &all, "1d").await;
    assert_eq!((found.len(), found[0].count, found[0].close.to_string()), (1, 11, "2.5".to_owned()));
    mongo.drop().await;
}
