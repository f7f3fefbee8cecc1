//! Messages to store, and a look at the server that does not go through the store.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "all of it is test code")]

use std::{borrow::Cow, sync::Arc};

use mongodb::{
    Client, Database,
    bson::{Bson, Document},
};
use pricepipe_core::{
    Details, Kind, PriceMessage, Secret, Timestamp,
    config::{PriceType, StoreConfig},
    names::CollectionName,
};
use pricepipe_store::{History, Store, open, open_for_reading};

pub(crate) fn collection(name: &str) -> CollectionName {
    name.parse().unwrap()
}

/// The n-th observation of a symbol, one every three seconds.
pub(crate) fn message(symbol: &str, n: i64, price: &str) -> PriceMessage {
    let millis = 1_795_413_603_000 + n * 3_000;
    PriceMessage {
        symbol: symbol.to_owned(),
        price: price.parse().unwrap(),
        exchange: Cow::Borrowed("binance"),
        details: Details::Price,
        time: Timestamp::from_millis(millis).unwrap(),
        received: Timestamp::from_millis(millis + 112).unwrap(),
        id: format!("binance:{symbol}:price:{millis}"),
    }
}

/// What a trade, one without a side, candles and a quote tell, with digits that are easily lost.
pub(crate) fn kinds() -> Vec<Details> {
    let of = |kind: Kind, json: &str| Details::from_json(kind, Some(json)).unwrap();
    let candle = |interval: &str, closed: bool| {
        let json = format!(
            r#"{{"interval":"{interval}","open":67320.10,"high":67330.00,"low":0.00000010,"close":67321.50,
                "volume":0.00,"closed":{closed}}}"#
        );
        of(Kind::Kline, &json)
    };
    vec![
        of(Kind::Trade, r#"{"quantity":23.00000000,"side":"sell"}"#),
        of(Kind::Trade, r#"{"quantity":148976.11427815}"#),
        candle("1m", true),
        candle("1M", false),
        of(Kind::Quote, r#"{"bid":67321.49,"bidQuantity":1.50,"ask":67321.50,"askQuantity":0}"#),
    ]
}

/// A whole number in whichever type a server answers with.
pub(crate) fn number(value: Option<&Bson>) -> Option<i64> {
    let value = value?;
    value.as_i32().map(i64::from).or(value.as_i64()).or(value.as_f64().map(|n| n as i64))
}

/// A database of a test's own on the server that the environment names.
pub(crate) struct Mongo {
    pub(crate) connection_string: Secret,
    pub(crate) database: Database,
}

impl Mongo {
    pub(crate) async fn connect() -> Self {
        let text = std::env::var("MONGO_CONNECTION_STRING").expect(
            "set MONGO_CONNECTION_STRING to a MongoDB-compatible server, as in mongodb://127.0.0.1:27017/",
        );
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let name = format!("store-test-{}-{}", std::process::id(), now.as_nanos() % 1_000_000_000);
        let client = Client::with_uri_str(&text).await.unwrap();
        Mongo { connection_string: Secret::new(text), database: client.database(&name) }
    }

    pub(crate) fn store(&self, price_type: PriceType, retention_seconds: u32) -> Arc<dyn Store> {
        let database = self.database.name().parse().unwrap();
        let config = StoreConfig::Mongodb { database, price_type, retention_seconds };
        open(&config, Some(&self.connection_string)).unwrap()
    }

    pub(crate) fn history(&self) -> Arc<dyn History> {
        let config = StoreConfig::Mongodb {
            database: self.database.name().parse().unwrap(),
            price_type: PriceType::Decimal,
            retention_seconds: 0,
        };
        open_for_reading(&config, Some(&self.connection_string)).unwrap()
    }

    pub(crate) async fn command(&self, command: Document) -> Document {
        self.database.run_command(command).await.unwrap()
    }

    pub(crate) async fn documents(&self, collection: &str, filter: Document) -> Vec<Document> {
        let mut cursor = self.database.collection::<Document>(collection).find(filter).await.unwrap();
        let mut found = Vec::new();
        while cursor.advance().await.unwrap() {
            found.push(cursor.deserialize_current().unwrap());
        }
        found
    }

    pub(crate) async fn indexes(&self, collection: &str) -> Vec<Document> {
        let mut cursor = self.database.collection::<Document>(collection).list_indexes().await.unwrap();
        let mut found = Vec::new();
        while cursor.advance().await.unwrap() {
            found.push(Document::try_from(cursor.current()).unwrap());
        }
        found
    }

    pub(crate) async fn drop(self) {
        self.database.drop().await.unwrap();
    }
}
