//! Prices in one SQLite file: the same meaning as MongoDB, with nothing to install. Touches the disk.
//!
//! Each open store has two threads with a connection each, one that writes and one that reads, so that the
//! runtime never waits for the disk and a query never waits for a write. The file is in write-ahead mode: another
//! process may read it all the while.

mod audit;
mod read;
mod schema;
mod series;
mod worker;
mod write;

use std::{future::ready, ops::Range, path::Path, sync::Arc};

use pricepipe_core::{
    PriceMessage, Timestamp,
    analytics::{Candle, Interval, Totals},
    names::CollectionName,
};
use rusqlite::ErrorCode;

use self::worker::Worker;
use crate::{
    BoxFuture, Doubled, History, Market, MarketCount, OpenError, Period, Selection, Series, Shortcut, Store,
    StoreError, StoreErrorKind, Written,
};

/// Prices in an SQLite file.
pub(crate) struct EmbeddedStore {
    /// None when the store was opened for reading.
    writer: Option<Worker<write::Writer>>,
    reader: Arc<Worker<rusqlite::Connection>>,
}

impl EmbeddedStore {
    /// Opens the file, and creates it when it is absent.
    pub(crate) fn open(path: &Path, retention_seconds: u32) -> Result<Self, OpenError> {
        let writer = write::Writer::new(schema::open_or_create(path)?, retention_seconds);
        let writer = Worker::start("store-write", writer).map_err(|error| unopenable(path, error))?;
        let reader = Self::open_for_reading(path)?.reader;
        Ok(EmbeddedStore { writer: Some(writer), reader })
    }

    /// Opens a file that is there, for queries.
    pub(crate) fn open_for_reading(path: &Path) -> Result<Self, OpenError> {
        let reader = Worker::start("store-read", schema::open_existing(path)?)
            .map_err(|error| unopenable(path, error))?;
        Ok(EmbeddedStore { writer: None, reader: Arc::new(reader) })
    }

    fn writer(&self) -> Result<&Worker<write::Writer>, StoreError> {
        self.writer.as_ref().ok_or_else(|| {
            StoreError::new(
                StoreErrorKind::Conflict,
                "the store was opened for reading and takes no documents",
            )
        })
    }

    fn series<T: series::Read + Send + 'static>(
        &self,
        collection: &CollectionName,
        selection: Selection,
    ) -> Series<T> {
        let (reader, collection) = (Arc::clone(&self.reader), collection.clone());
        Series::fed(async move |feed| {
            reader.run(move |connection| series::feed(connection, &collection, &selection, &feed)).await
        })
    }
}

impl Store for EmbeddedStore {
    fn prepare<'a>(&'a self, collections: &'a [CollectionName]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let collections = collections.to_vec();
            self.writer()?.run(move |writer| writer.prepare(collections)).await
        })
    }

    fn write<'a>(
        &'a self,
        collection: &'a CollectionName,
        batch: Arc<[PriceMessage]>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        Box::pin(async move {
            let collection = collection.clone();
            self.writer()?.run(move |writer| writer.write(&collection, &batch)).await
        })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.reader.run(|connection| read::ping(connection)))
    }

    fn latest<'a>(
        &'a self,
        collection: &'a CollectionName,
        markets: &'a [Market],
    ) -> BoxFuture<'a, Result<Vec<PriceMessage>, StoreError>> {
        let (collection, markets) = (collection.clone(), markets.to_vec());
        Box::pin(self.reader.run(move |connection| read::latest(connection, &collection, &markets)))
    }

    fn count<'a>(
        &'a self,
        collection: &'a CollectionName,
        period: Period,
    ) -> BoxFuture<'a, Result<Vec<MarketCount>, StoreError>> {
        let collection = collection.clone();
        Box::pin(self.reader.run(move |connection| read::count(connection, &collection, period)))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.reader.close().await;
            if let Some(writer) = &self.writer {
                writer.close().await;
            }
        })
    }
}

impl History for EmbeddedStore {
    fn prices(&self, collection: &CollectionName, selection: Selection) -> Series {
        self.series(collection, selection)
    }

    fn klines(&self, collection: &CollectionName, selection: Selection) -> Series<Candle> {
        self.series(collection, selection)
    }

    /// A price is text here, which SQLite can neither add nor compare exactly.
    fn totals<'a>(
        &'a self,
        _: &'a CollectionName,
        _: &'a Selection,
    ) -> BoxFuture<'a, Result<Shortcut<Option<Totals>>, StoreError>> {
        Box::pin(ready(Ok(Shortcut::Fold)))
    }

    fn candles<'a>(
        &'a self,
        _: &'a CollectionName,
        _: &'a Selection,
        _: Interval,
    ) -> BoxFuture<'a, Result<Shortcut<Vec<Candle>>, StoreError>> {
        Box::pin(ready(Ok(Shortcut::Fold)))
    }

    fn missing<'a>(
        &'a self,
        collection: &'a CollectionName,
        ids: Vec<String>,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        let collection = collection.clone();
        Box::pin(self.reader.run(move |connection| audit::missing(connection, &collection, ids)))
    }

    fn newest<'a>(
        &'a self,
        collection: &'a CollectionName,
        symbol: &'a str,
        ids: Range<String>,
    ) -> BoxFuture<'a, Result<Option<(String, Timestamp)>, StoreError>> {
        let (collection, symbol) = (collection.clone(), symbol.to_owned());
        Box::pin(self.reader.run(move |connection| read::newest(connection, &collection, &symbol, &ids)))
    }

    fn doubled<'a>(
        &'a self,
        collection: &'a CollectionName,
        period: Period,
        examples: usize,
    ) -> BoxFuture<'a, Result<Doubled, StoreError>> {
        let collection = collection.clone();
        Box::pin(self.reader.run(move |connection| audit::doubled(connection, &collection, period, examples)))
    }
}

fn unopenable(path: &Path, error: impl std::fmt::Display) -> OpenError {
    OpenError::Unopenable { path: path.to_owned(), problem: error.to_string() }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::TimedOut,
            Some(
                ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::AuthorizationForStatementDenied,
            ) => StoreErrorKind::Unauthorized,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Conflict,
            _ => StoreErrorKind::Unavailable,
        };
        StoreError::new(kind, format!("SQLite: {error}"))
    }
}

#[cfg(test)]
mod tests;
