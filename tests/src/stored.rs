//! Prices that lie in a store without a pipeline having run: what queries are tested on.

use std::{borrow::Cow, path::Path, sync::Arc};

use pricepipe_core::{
    Details, PriceMessage, Secret, Timestamp, config::StoreConfig, message::Kline, names::CollectionName,
};
use pricepipe_store::Store;

/// Prices of a symbol, oldest first: `(milliseconds, price)`.
pub fn observations<'a>(
    symbol: &str,
    prices: impl IntoIterator<Item = (i64, Cow<'a, str>)>,
) -> Vec<PriceMessage> {
    let message = |(number, (millis, price)): (usize, (i64, Cow<'a, str>))| {
        let time = Timestamp::from_millis(millis).expect("a sane time");
        PriceMessage {
            symbol: symbol.to_owned(),
            price: price.parse().expect("a price"),
            exchange: Cow::Borrowed("binance"),
            details: Details::Price,
            time,
            received: time,
            // In the order of the series, also where several are of one moment.
            id: format!("binance:{symbol}:price:{millis}:{number:09}"),
        }
    };
    prices.into_iter().enumerate().map(message).collect()
}

/// A walk of prices every three seconds around a price in cents, the same each time: small steps, at times a jump.
pub fn walk(symbol: &str, first_millis: i64, cents: i64, count: i64) -> Vec<PriceMessage> {
    let mut state = u64::try_from(cents).expect("a positive price");
    let mut price = cents;
    let step = |n: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = i64::try_from(state >> 33).expect("31 bits");
        let reach = if random % 17 == 0 { cents / 200 } else { cents / 2_000 };
        price += random % (2 * reach + 1) - reach - (price - cents) / 200;
        (first_millis + n * 3_000, Cow::Owned(format!("{}.{:02}", price / 100, price % 100)))
    };
    observations(symbol, (0..count).map(step).collect::<Vec<_>>())
}

/// Candles of a minute that prices make up, 20 of each.
pub fn klines(prices: &[PriceMessage]) -> Vec<PriceMessage> {
    let candle = |prices: &[PriceMessage]| {
        let (first, last) = (&prices[0], &prices[prices.len() - 1]);
        let sorted = || prices.iter().map(|message| message.price);
        let kline = Kline {
            interval: "1m".parse().expect("an interval"),
            open: first.price,
            high: sorted().max().unwrap_or(first.price),
            low: sorted().min().unwrap_or(first.price),
            close: last.price,
            volume: "1.50".parse().expect("a quantity"),
            closed: true,
        };
        let id = format!("binance:{}:kline:1m:{}", first.symbol, first.time.as_millis());
        PriceMessage { id, price: last.price, details: Details::Kline(Box::new(kline)), ..first.clone() }
    };
    prices.chunks(20).map(candle).collect()
}

/// Opens the file of an embedded store for writing.
pub fn embedded(path: &Path) -> Arc<dyn Store> {
    let config = StoreConfig::Embedded { path: path.to_owned(), retention_seconds: 0 };
    pricepipe_store::open(&config, None).expect("a store")
}

/// A database of a MongoDB-compatible server, for writing.
pub fn mongodb(connection_string: &str, database: &str) -> Arc<dyn Store> {
    let config = StoreConfig::Mongodb {
        database: database.parse().expect("a database's name"),
        price_type: pricepipe_core::config::PriceType::Decimal,
        retention_seconds: 0,
    };
    pricepipe_store::open(&config, Some(&Secret::new(connection_string))).expect("a store")
}

/// Writes prices, and closes the store when all of them are durable.
pub async fn fill(store: &dyn Store, prices: &[(&str, Vec<PriceMessage>)]) {
    let name = |name: &str| -> CollectionName { name.parse().expect("a collection's name") };
    let collections: Vec<CollectionName> = prices.iter().map(|(collection, _)| name(collection)).collect();
    store.prepare(&collections).await.expect("the store is ready");
    for (collection, messages) in prices {
        for batch in messages.chunks(5_000) {
            let written = store.write(&name(collection), batch.into()).await.expect("it is written");
            assert_eq!(written.inserted, batch.len() as u64, "{collection}");
        }
    }
    store.close().await;
}
