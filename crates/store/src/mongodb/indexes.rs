//! Makes collections ready: an index for queries by symbol and time, and a time-to-live index when documents are
//! to be removed. What exists is compared with what is wanted by a pure plan; what is in the way stays.

use std::{sync::Arc, time::Duration};

use ::mongodb::{
    Database,
    bson::{Document, RawBsonRef, RawDocument, doc},
};
use pricepipe_core::names::CollectionName;
use tokio::task::JoinSet;

use super::{client::Connection, error};
use crate::{StoreError, StoreErrorKind};

/// An index over a collection that holds much takes its time; it goes on when the wait is over.
const PREPARE_LIMIT: Duration = Duration::from_secs(60);

const QUERY_INDEX: &str = "pricepipe_symbol_time";
const TTL_INDEX: &str = "pricepipe_ttl";

const NAMESPACE_NOT_FOUND: i32 = 26;

/// Makes the collections ready, all at once: a consumer waits for this before its first document.
pub(super) async fn prepare(
    connection: &Arc<Connection>,
    collections: &[CollectionName],
    retention_seconds: u32,
) -> Result<(), StoreError> {
    let names: Vec<String> = collections.iter().map(|name| name.as_str().to_owned()).collect();
    let operation = async move |database: Database| refuse_other_kinds(&database, &names).await;
    connection.run("a look at the collections", PREPARE_LIMIT, operation).await?;
    let mut tasks = JoinSet::new();
    for collection in collections {
        let connection = Arc::clone(connection);
        let name = collection.as_str().to_owned();
        tasks.spawn(async move {
            let operation =
                async move |database: Database| reconcile(&database, &name, retention_seconds).await;
            connection.run("an index", PREPARE_LIMIT, operation).await
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error.to_string()))??;
    }
    Ok(())
}

/// Refuses collections that can keep no unique `_id`, which would be duplicates later.
async fn refuse_other_kinds(database: &Database, names: &[String]) -> Result<(), StoreError> {
    let mut cursor = database.list_collections().filter(doc! {"name": {"$in": names}}).await?;
    while cursor.advance().await? {
        refuse_other_kind(cursor.current())?;
    }
    Ok(())
}

fn refuse_other_kind(description: &RawDocument) -> Result<(), StoreError> {
    let text = |key: &str| description.get_str(key).unwrap_or_default();
    let remedy = match text("type") {
        "timeseries" => "is a time-series collection, which cannot keep one document per id",
        "view" => "is a view, which cannot be written to",
        _ => return Ok(()),
    };
    let text = format!("MongoDB: {} {remedy}; choose another collection", text("name"));
    Err(StoreError::new(StoreErrorKind::Conflict, text))
}

async fn reconcile(database: &Database, collection: &str, retention_seconds: u32) -> Result<(), StoreError> {
    let existing = existing(database, collection).await?;
    let plan = plan(&existing, retention_seconds).map_err(|problem| {
        StoreError::new(StoreErrorKind::Conflict, format!("MongoDB: collection {collection}: {problem}"))
    })?;
    if !plan.create.is_empty() {
        tracing::info!(collection, indexes = plan.create.len(), "making indexes");
        let command =
            doc! {"createIndexes": collection, "indexes": plan.create, "writeConcern": {"w": "majority"}};
        database.run_command(command).await?;
    }
    if let Some(seconds) = plan.change_ttl {
        tracing::info!(collection, seconds, "changing how long documents are kept");
        let index = doc! {"name": TTL_INDEX, "expireAfterSeconds": seconds};
        database.run_command(doc! {"collMod": collection, "index": index}).await?;
    }
    if plan.drop_ttl {
        tracing::info!(collection, "documents are kept for ever from now on");
        drop_ttl(database, collection).await?;
    }
    Ok(())
}

/// What counts is that the index is gone: another consumer may have been quicker, and FerretDB answers in a form
/// that the driver takes for an error.
async fn drop_ttl(database: &Database, collection: &str) -> Result<(), StoreError> {
    let outcome = database.run_command(doc! {"dropIndexes": collection, "index": TTL_INDEX}).await;
    match outcome {
        Err(error) if existing(database, collection).await?.iter().any(|index| index.name == TTL_INDEX) => {
            Err(error.into())
        }
        _ => Ok(()),
    }
}

/// An index that a collection has.
#[derive(Clone, Debug, Default, PartialEq)]
struct Index {
    name: String,
    key: Document,
    expire_after_seconds: Option<f64>,
    /// Covers some documents only, so that it serves no query of ours.
    partial: bool,
}

async fn existing(database: &Database, collection: &str) -> Result<Vec<Index>, StoreError> {
    let mut cursor = match database.collection::<Document>(collection).list_indexes().await {
        Err(error) if error::code(&error) == Some(NAMESPACE_NOT_FOUND) => return Ok(Vec::new()),
        result => result?,
    };
    let mut indexes = Vec::new();
    while cursor.advance().await? {
        indexes.push(index(cursor.current()));
    }
    Ok(indexes)
}

fn index(description: &RawDocument) -> Index {
    let key = description.get_document("key").ok().and_then(|key| Document::try_from(key).ok());
    // Servers and their versions differ in the type of this number.
    let expire_after_seconds = match description.get("expireAfterSeconds") {
        Ok(Some(RawBsonRef::Int32(n))) => Some(f64::from(n)),
        Ok(Some(RawBsonRef::Int64(n))) => Some(n as f64),
        Ok(Some(RawBsonRef::Double(n))) => Some(n),
        _ => None,
    };
    Index {
        name: description.get_str("name").unwrap_or_default().to_owned(),
        key: key.unwrap_or_default(),
        expire_after_seconds,
        partial: matches!(description.get("partialFilterExpression"), Ok(Some(_))),
    }
}

/// What has to be done to a collection's indexes.
#[derive(Debug, Default, PartialEq)]
struct Plan {
    create: Vec<Document>,
    change_ttl: Option<i64>,
    drop_ttl: bool,
}

/// Compares what is there with what is wanted, or says what is in the way and how to clear it.
fn plan(existing: &[Index], retention_seconds: u32) -> Result<Plan, String> {
    let mut plan = Plan::default();
    let named = |name: &str| existing.iter().find(|index| index.name == name);
    let query_key = doc! {"symbol": 1, "time": -1};
    if !existing.iter().any(|index| same_key(&index.key, &query_key) && !index.partial) {
        if named(QUERY_INDEX).is_some() {
            return Err(format!("the index {QUERY_INDEX} is not on symbol and time; drop or rename it"));
        }
        plan.create.push(doc! {"key": query_key, "name": QUERY_INDEX});
    }
    let ttl_key = doc! {"time": 1};
    // Servers take no more; it is 68 years.
    let wanted = i64::from(retention_seconds.min(i32::MAX.unsigned_abs()));
    match (named(TTL_INDEX), retention_seconds) {
        (None, 0) => {}
        (Some(ours), _) if !same_key(&ours.key, &ttl_key) || ours.expire_after_seconds.is_none() => {
            return Err(format!("the index {TTL_INDEX} is no time-to-live index on time; drop or rename it"));
        }
        (Some(_), 0) => plan.drop_ttl = true,
        (Some(ours), _) => {
            let same = ours.expire_after_seconds == Some(wanted as f64);
            plan.change_ttl = (!same).then_some(wanted);
        }
        (None, _) => match existing.iter().find(|index| same_key(&index.key, &ttl_key)) {
            Some(other) if other.expire_after_seconds == Some(wanted as f64) && !other.partial => {}
            Some(other) => {
                return Err(format!(
                    "the index {} on time is in the way of removing documents after {wanted} seconds; drop it, or \
                     set retentionSeconds to 0",
                    other.name
                ));
            }
            None => {
                plan.create.push(doc! {"key": ttl_key, "name": TTL_INDEX, "expireAfterSeconds": wanted});
            }
        },
    }
    Ok(plan)
}

/// True for the same fields in the same order and direction; servers differ in the type of the numbers.
fn same_key(a: &Document, b: &Document) -> bool {
    let parts = |key: &Document| -> Vec<(String, Option<f64>)> {
        let number = |value: &::mongodb::bson::Bson| {
            value.as_i32().map(f64::from).or(value.as_i64().map(|n| n as f64)).or(value.as_f64())
        };
        key.iter().map(|(field, value)| (field.clone(), number(value))).collect()
    };
    parts(a) == parts(b)
}

#[cfg(test)]
mod tests;
