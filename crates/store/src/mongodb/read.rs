//! Answers questions about what is stored; the server does the work.

use std::{ops::Range, sync::Arc, time::Duration};

use ::mongodb::{
    Collection, Cursor, Database,
    bson::{Bson, Document, RawBsonRef, RawDocument, RawDocumentBuf, doc},
    options::{CollectionOptions, ReadConcern},
};
use pricepipe_core::{PriceMessage, Timestamp, message::UNKNOWN_EXCHANGE, names::CollectionName};

use super::{
    client::Connection,
    document,
    horizon::horizons,
    series::{filter, of_time},
};
use crate::{Market, MarketCount, Period, StoreError};

const READ_LIMIT: Duration = Duration::from_secs(60);
/// Up to this many symbols each is looked up on its own: a seek or a few in the index. An aggregation over
/// more is a distinct scan on MongoDB, and a scan of everything on servers that lack it.
const MAX_LOOKUPS: usize = 32;

/// The newest price of each market.
pub(super) async fn latest(
    connection: &Arc<Connection>,
    collection: &CollectionName,
    markets: &[Market],
) -> Result<Vec<PriceMessage>, StoreError> {
    let name = collection.clone();
    let mut markets = markets.to_vec();
    markets.sort_unstable();
    markets.dedup();
    let operation = async move |database: Database| {
        let collection = collection_of(&database, &name);
        let of_one = |market: &Market| market.exchange.is_some();
        if markets.is_empty() || (markets.len() > MAX_LOOKUPS && !markets.iter().any(of_one)) {
            newest_of_each(&collection, &markets).await
        } else {
            look_up(&collection, &markets).await
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
    let (name, market) = (collection.clone(), Market::of_any(symbol));
    let operation = async move |database: Database| {
        let collection = collection_of(&database, &name);
        for since in horizons(None, None) {
            let mut filter = filter(&market, since, None);
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

/// How much each market has.
pub(super) async fn count(
    connection: &Arc<Connection>,
    collection: &CollectionName,
    period: Period,
) -> Result<Vec<MarketCount>, StoreError> {
    let name = collection.clone();
    let operation = async move |database: Database| {
        let group = doc! {
            "_id": {"symbol": "$symbol", "exchange": {"$ifNull": ["$exchange", UNKNOWN_EXCHANGE]}},
            "documents": {"$sum": 1_i64},
            "first": {"$min": "$time"},
            "last": {"$max": "$time"},
        };
        let of_period = doc! {"$match": of_time(period.since, period.until)};
        let in_order = doc! {"$sort": {"_id.symbol": 1, "_id.exchange": 1}};
        let pipeline = [of_period, doc! {"$group": group}, in_order];
        let cursor = collection_of(&database, &name).aggregate(pipeline).allow_disk_use(true).await?;
        collect(cursor, &name, market_count).await
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
    markets: &[Market],
) -> Result<Vec<PriceMessage>, StoreError> {
    let mut found = Vec::with_capacity(markets.len());
    for market in markets {
        for since in horizons(None, None) {
            let newest = collection.find_one(filter(market, since, None)).sort(doc! {"time": -1}).await?;
            let Some(newest) = newest else { continue };
            if let Some(newest) = kept(&newest, collection.name(), document::decode) {
                found.push(last_of_its_moment(collection, market, newest).await?);
            }
            break;
        }
    }
    Ok(found)
}

/// Of one moment that which we learned of last, such as the last state of a candle.
async fn last_of_its_moment(
    collection: &Collection<RawDocumentBuf>,
    market: &Market,
    newest: PriceMessage,
) -> Result<PriceMessage, StoreError> {
    let end = Timestamp::from_millis(newest.time.as_millis() + 1).ok();
    let of_moment = collection.find_one(filter(market, Some(newest.time), end));
    let last = of_moment.sort(doc! {"received": -1, "_id": -1}).await?;
    Ok(last.and_then(|last| kept(&last, collection.name(), document::decode)).unwrap_or(newest))
}

async fn newest_of_each(
    collection: &Collection<RawDocumentBuf>,
    markets: &[Market],
) -> Result<Vec<PriceMessage>, StoreError> {
    let mut pipeline: Vec<Document> = Vec::new();
    if !markets.is_empty() {
        let symbols: Vec<&str> = markets.iter().map(|market| market.symbol.as_str()).collect();
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

fn market_count(raw: &RawDocument) -> Result<MarketCount, document::DecodeError> {
    let field = |key: &'static str| raw.get(key).ok().flatten();
    let text = |key: &'static str| match field("_id") {
        Some(RawBsonRef::Document(market)) => {
            market.get_str(key).map(str::to_owned).map_err(|_| document::DecodeError::Field(key))
        }
        _ => Err(document::DecodeError::Field(key)),
    };
    let documents = match field("documents") {
        Some(RawBsonRef::Int32(n)) => u64::try_from(n).ok(),
        Some(RawBsonRef::Int64(n)) => u64::try_from(n).ok(),
        _ => None,
    };
    Ok(MarketCount {
        symbol: text("symbol")?,
        exchange: text("exchange")?,
        documents: documents.ok_or(document::DecodeError::Field("documents"))?,
        first: document::moment("time", field("first"))?,
        last: document::moment("time", field("last"))?,
    })
}
