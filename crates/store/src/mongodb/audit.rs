//! Answers what an audit asks; the server does the work.

use std::{collections::HashSet, ops::Range, sync::Arc, time::Duration};

use ::mongodb::{
    Database,
    bson::{Bson, Document, RawBsonRef, RawDocument, doc},
};
use pricepipe_core::{Kind, message::UNKNOWN_EXCHANGE, names::CollectionName};

use super::{
    client::Connection,
    document::{self, DecodeError},
    read::collection_of,
    series::within,
};
use crate::{
    Double, Doubled, Period, StoreError,
    audit::{TICKER, positions},
};

/// Looking ids up is a seek for each.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(60);
/// To find what is doubled, a server reads all of the period.
const GROUP_LIMIT: Duration = Duration::from_secs(1_800);

/// Those of these ids that no document has.
pub(super) async fn missing(
    connection: &Arc<Connection>,
    collection: &CollectionName,
    ids: Vec<String>,
) -> Result<Vec<String>, StoreError> {
    let name = collection.clone();
    let operation = async move |database: Database| {
        let collection = collection_of(&database, &name);
        let find = collection.find(doc! {"_id": {"$in": &ids}});
        let mut cursor =
            find.projection(doc! {"_id": 1}).batch_size(u32::try_from(ids.len()).unwrap_or(1)).await?;
        let mut found = HashSet::with_capacity(ids.len());
        while cursor.advance().await? {
            if let Ok(Some(RawBsonRef::String(id))) = cursor.current().get("_id") {
                found.insert(id.to_owned());
            }
        }
        Ok(ids.into_iter().filter(|id| !found.contains(id)).collect())
    };
    connection.run("a look for documents", LOOK_UP_LIMIT, operation).await
}

/// The observations that are stored under more than one id.
pub(super) async fn doubled(
    connection: &Arc<Connection>,
    collection: &CollectionName,
    period: Period,
    examples: usize,
) -> Result<Doubled, StoreError> {
    let name = collection.clone();
    let operation = async move |database: Database| {
        let collection = collection_of(&database, &name);
        let mut cursor = collection.aggregate(pipeline(period)).allow_disk_use(true).await?;
        let mut doubled = Doubled::default();
        while cursor.advance().await? {
            // What is grouped has a text for a symbol and a time.
            if let Ok(double) = double(cursor.current()) {
                doubled.push(double, examples);
            }
        }
        Ok(doubled)
    };
    connection.run("a look for what is doubled", GROUP_LIMIT, operation).await
}

/// What others wrote may lack an exchange and a kind, as for every reader of documents. See [`crate::audit`] for what
/// is left out.
fn pipeline(period: Period) -> [Document; 3] {
    let Range { start, end } = positions();
    let mut time = within(period.since, period.until);
    time.insert("$type", "date");
    let names_a_place = doc! {"$and": [{"$gte": ["$_id", start]}, {"$lt": ["$_id", end]}]};
    let observation = doc! {
        "symbol": "$symbol",
        "exchange": {"$ifNull": ["$exchange", UNKNOWN_EXCHANGE]},
        "time": "$time",
    };
    let group = doc! {
        "_id": observation,
        "documents": {"$sum": 1_i64},
        "named": {"$sum": {"$cond": [names_a_place, 0_i64, 1_i64]}},
        "first": {"$min": "$_id"},
        "last": {"$max": "$_id"},
    };
    [
        doc! {"$match": {
            "symbol": {"$type": "string"},
            "time": time,
            "kind": {"$in": [null, Kind::Price.as_str()]},
            "_id": {"$not": {"$regex": TICKER}},
        }},
        doc! {"$group": group},
        doc! {"$match": {"documents": {"$gt": 1_i64}, "named": {"$gt": 0_i64}}},
    ]
}

fn double(raw: &RawDocument) -> Result<Double, DecodeError> {
    let malformed = |error: ::mongodb::bson::error::Error| DecodeError::Malformed(error.to_string());
    let observation = raw.get_document("_id").map_err(malformed)?;
    let text = |key: &'static str| match observation.get(key) {
        Ok(Some(RawBsonRef::String(text))) => Ok(text.to_owned()),
        _ => Err(DecodeError::Field(key)),
    };
    // Whoever wrote the document may have chosen another type for its id.
    let id = |key: &'static str| match raw.get(key) {
        Ok(Some(RawBsonRef::String(id))) => Ok(id.to_owned()),
        Ok(Some(id)) => Bson::try_from(id).map(|id| id.to_string()).map_err(malformed),
        _ => Err(DecodeError::Field(key)),
    };
    Ok(Double {
        symbol: text("symbol")?,
        exchange: text("exchange")?,
        time: document::moment("time", observation.get("time").map_err(malformed)?)?,
        ids: [id("first")?, id("last")?],
    })
}
