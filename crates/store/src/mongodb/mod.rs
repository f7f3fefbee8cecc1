//! Prices in MongoDB, or in a server that speaks its protocol. Touches the network.

mod audit;
mod client;
mod compute;
mod document;
mod error;
mod horizon;
mod indexes;
mod reachability;
mod read;
mod series;
mod write;

use std::{ops::Range, sync::Arc, time::Duration};

use ::mongodb::bson::doc;
use pricepipe_core::{
    PriceMessage, Secret, Timestamp,
    analytics::{Candle, Interval, Totals},
    config::PriceType,
    names::{CollectionName, DatabaseName},
};

use self::client::Connection;
use crate::{
    BoxFuture, Doubled, History, Market, MarketCount, OpenError, Period, Selection, Series, Shortcut, Store,
    StoreError, Written,
};

const PING_LIMIT: Duration = Duration::from_secs(6);

/// Prices in a MongoDB database.
pub(crate) struct MongoStore {
    connection: Arc<Connection>,
    writing: Arc<write::Settings>,
    retention_seconds: u32,
}

impl MongoStore {
    /// Reads the connection string; the server is looked for on first use.
    pub(crate) fn new(
        connection_string: &Secret,
        database: &DatabaseName,
        price_type: PriceType,
        retention_seconds: u32,
    ) -> Result<Self, OpenError> {
        let connection = Arc::new(Connection::new(connection_string, database)?);
        let writing = Arc::new(write::Settings::new(price_type, &connection.write_concern()));
        Ok(MongoStore { connection, writing, retention_seconds })
    }

    fn series<T: series::Read + Send + 'static>(
        &self,
        collection: &CollectionName,
        selection: Selection,
    ) -> Series<T> {
        let (connection, collection) = (Arc::clone(&self.connection), collection.clone());
        Series::fed(async move |feed| series::feed(&connection, collection, selection, feed).await)
    }
}

impl Store for MongoStore {
    fn prepare<'a>(&'a self, collections: &'a [CollectionName]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(indexes::prepare(&self.connection, collections, self.retention_seconds))
    }

    fn write<'a>(
        &'a self,
        collection: &'a CollectionName,
        batch: Arc<[PriceMessage]>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        Box::pin(write::write(&self.connection, &self.writing, collection, batch))
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.connection.run("a ping", PING_LIMIT, async |database| {
            database.run_command(doc! {"ping": 1}).await?;
            Ok(())
        }))
    }

    fn latest<'a>(
        &'a self,
        collection: &'a CollectionName,
        markets: &'a [Market],
    ) -> BoxFuture<'a, Result<Vec<PriceMessage>, StoreError>> {
        Box::pin(read::latest(&self.connection, collection, markets))
    }

    fn count<'a>(
        &'a self,
        collection: &'a CollectionName,
        period: Period,
    ) -> BoxFuture<'a, Result<Vec<MarketCount>, StoreError>> {
        Box::pin(read::count(&self.connection, collection, period))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.connection.close())
    }
}

impl History for MongoStore {
    fn prices(&self, collection: &CollectionName, selection: Selection) -> Series {
        self.series(collection, selection)
    }

    fn klines(&self, collection: &CollectionName, selection: Selection) -> Series<Candle> {
        self.series(collection, selection)
    }

    fn totals<'a>(
        &'a self,
        collection: &'a CollectionName,
        selection: &'a Selection,
    ) -> BoxFuture<'a, Result<Shortcut<Option<Totals>>, StoreError>> {
        Box::pin(compute::totals(&self.connection, collection, selection))
    }

    fn candles<'a>(
        &'a self,
        collection: &'a CollectionName,
        selection: &'a Selection,
        interval: Interval,
    ) -> BoxFuture<'a, Result<Shortcut<Vec<Candle>>, StoreError>> {
        Box::pin(compute::candles(&self.connection, collection, selection, interval))
    }

    fn missing<'a>(
        &'a self,
        collection: &'a CollectionName,
        ids: Vec<String>,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(audit::missing(&self.connection, collection, ids))
    }

    fn newest<'a>(
        &'a self,
        collection: &'a CollectionName,
        symbol: &'a str,
        ids: Range<String>,
    ) -> BoxFuture<'a, Result<Option<(String, Timestamp)>, StoreError>> {
        Box::pin(read::newest(&self.connection, collection, symbol, ids))
    }

    fn doubled<'a>(
        &'a self,
        collection: &'a CollectionName,
        period: Period,
        examples: usize,
    ) -> BoxFuture<'a, Result<Doubled, StoreError>> {
        Box::pin(audit::doubled(&self.connection, collection, period, examples))
    }
}
