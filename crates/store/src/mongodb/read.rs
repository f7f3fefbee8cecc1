//! Answers questions about what is stored; the server does the work.

use std::{ops::Range, sync::Arc, time::Duration};

use ::mongodb::{
    Collection, Cursor, Database,
    bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf, doc},
    options::{CollectionOptions, ReadConcern},
};
use pricepipe_core::{PriceMessage, Timestamp, names::CollectionName};

use super::{
    client::Connection,
    document,
    horizon::horizons,
    series::{filter, of_time},
};
use crate::{Period, StoreError, SymbolCount};

const READ_LIMIT: Duration = Duration::from_secs(60);
/// Up to this many symbols each is looked up on its own: a seek or a few in the index. An aggregation over
/// more is a distinct scan on MongoDB, and a scan of everything on servers that lack it.
const MAX_LOOKUPS: usize = 32;

/// The newest price of each symbol.
pub(super) async fn latest(
    connection: &Arc<Connection>,
    collection: &CollectionName,
    symbols: &[String],
) -> Result<Vec<PriceMessage>, StoreError> {
    let name = collection.clone();
    let mut symbols = symbols.to_vec();
    symbols.sort_unstable();
    symbols.dedup();
    let operation = async move |database: Database| {
        let collection = collection_of(&database, &name);
        match symbols.len() {
            1..=MAX_LOOKUPS => look_up(&collection, &symbols).await,
            _ => newest_of_each(&collection, &symbols).await,
        }
    };
    connection.run("a query", READ_LIMIT, operation).await
}

/// The newest document of a symbol with an id of this range.
pub(super) async fn newest(
    connection: &Arc<Connection>,
    collection: &CollectionName,
    symbol: &str,
    ids: Range<String>,
) -> Result<Option<(String, Timestamp)>, StoreError> {
    let (name, symbol) = (collection.clone(), symbol.to_owned());
    let operation = async move |database: Database| {
        let collection = collection_of(&database, &name);
        for since in horizons(None, None) {
            let mut filter = filter(&symbol, since, None);
            filter.insert("_id", doc! {"$gte": &ids.start, "$lt": &ids.end});
            let fields = doc! {"_id": 1, "time": 1};
            let newest = collection.find_one(filter).projection(fields).sort(doc! {"time": -1}).await?;
            if let Some(found) = newest.and_then(|newest| kept(&newest, collection.name(), id_and_time)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    };
    connection.run("a query", READ_LIMIT, operation).await
}

fn id_and_time(raw: &RawDocument) -> Result<(String, Timestamp), document::DecodeError> {
    let field = |key: &'static str| raw.get(key).ok().flatten();
    match field("_id") {
        Some(RawBsonRef::String(id)) => Ok((id.to_owned(), document::moment("time", field("time"))?)),
        _ => Err(document::DecodeError::Field("_id")),
    }
}

/// How much each symbol has.
pub(super) async fn count(
    connection: &Arc<Connection>,
    collection: &CollectionName,
    period: Period,
) -> Result<Vec<SymbolCount>, StoreError> {
    let name = collection.clone();
    let operation = async move |database: Database| {
        let group = doc! {
            "_id": "$symbol",
            "documents": {"$sum": 1_i64},
            "first": {"$min": "$time"},
            "last": {"$max": "$time"},
        };
        let of_period = doc! {"$match": of_time(period.since, period.until)};
        let pipeline = [of_period, doc! {"$group": group}, doc! {"$sort": {"_id": 1}}];
        let cursor = collection_of(&database, &name).aggregate(pipeline).allow_disk_use(true).await?;
        collect(cursor, &name, symbol_count).await
    };
    connection.run("a query", READ_LIMIT, operation).await
}

/// What is read survives a change of primary, unless the connection string asks for another read concern.
pub(super) fn collection_of(database: &Database, name: &CollectionName) -> Collection<RawDocumentBuf> {
    let concern = database.read_concern().cloned().unwrap_or_else(ReadConcern::majority);
    let options = CollectionOptions::builder().read_concern(concern).build();
    database.collection_with_options(name.as_str(), options)
}

async fn look_up(
    collection: &Collection<RawDocumentBuf>,
    symbols: &[String],
) -> Result<Vec<PriceMessage>, StoreError> {
    let mut found = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        for since in horizons(None, None) {
            let newest = collection.find_one(filter(symbol, since, None)).sort(doc! {"time": -1}).await?;
            if let Some(newest) = newest {
                found.extend(kept(&newest, collection.name(), document::decode));
                break;
            }
        }
    }
    Ok(found)
}

async fn newest_of_each(
    collection: &Collection<RawDocumentBuf>,
    symbols: &[String],
) -> Result<Vec<PriceMessage>, StoreError> {
    let mut pipeline: Vec<Document> = Vec::new();
    if !symbols.is_empty() {
        pipeline.push(doc! {"$match": {"symbol": {"$in": symbols}}});
    }
    // In this very form MongoDB answers from the index, one seek a symbol.
    pipeline.push(doc! {"$sort": {"symbol": 1, "time": -1}});
    pipeline.push(doc! {"$group": {"_id": "$symbol", "newest": {"$first": "$$ROOT"}}});
    pipeline.push(doc! {"$replaceRoot": {"newRoot": "$newest"}});
    pipeline.push(doc! {"$sort": {"symbol": 1}});
    let cursor = collection.aggregate(pipeline).allow_disk_use(true).await?;
    collect(cursor, collection.name(), document::decode).await
}

async fn collect<T>(
    mut cursor: Cursor<Document>,
    collection: impl std::fmt::Display,
    read: impl Fn(&RawDocument) -> Result<T, document::DecodeError>,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    while cursor.advance().await? {
        found.extend(kept(cursor.current(), &collection, &read));
    }
    Ok(found)
}

/// What can be read; the rest was written by somebody else, and is left out with a warning.
fn kept<T>(
    raw: &RawDocument,
    collection: impl std::fmt::Display,
    read: impl Fn(&RawDocument) -> Result<T, document::DecodeError>,
) -> Option<T> {
    match read(raw) {
        Ok(value) => Some(value),
        Err(problem) => {
            let id = raw.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok());
            let id = id.map_or_else(|| "none".to_owned(), |id| id.to_string());
            tracing::warn!(%collection, id, %problem, "left out a document that is not a price");
            None
        }
    }
}

fn symbol_count(raw: &RawDocument) -> Result<SymbolCount, document::DecodeError> {
    let field = |key: &'static str| raw.get(key).ok().flatten();
    let symbol = match field("_id") {
        Some(RawBsonRef::String(symbol)) => symbol.to_owned(),
        _ => return Err(document::DecodeError::Field("symbol")),
    };
    let documents = match field("documents") {
        Some(RawBsonRef::Int32(n)) => u64::try_from(n).ok(),
        Some(RawBsonRef::Int64(n)) => u64::try_from(n).ok(),
        _ => None,
    };
    Ok(SymbolCount {
        symbol,
        documents: documents.ok_or(document::DecodeError::Field("documents"))?,
        first: document::moment("time", field("first"))?,
        last: document::moment("time", field("last"))?,
    })
}
