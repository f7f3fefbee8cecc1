//! Figures that the server computes: those that it computes exactly.
//!
//! Counting, comparing and adding decimals is exact there as long as a sum fits into the 34 digits of a decimal128.
//! Whether it did can be seen: a sum of positive decimals that was rounded once has all 34 digits from then on.
//! Averages and deviations are made here from the sums, by the code that a fold ends with too. The server's own
//! `$avg` and `$stdDevSamp` are doubles or rounded otherwise, and what slides over a window tells as many figures as
//! there are prices: for those it is cheaper to send the prices in the index's order than to sort them again.

use std::{sync::Arc, time::Duration};

use ::mongodb::{
    Cursor, Database,
    bson::{Bson, Document, RawBsonRef, RawDocument, doc},
    error::ErrorKind,
};
use pricepipe_core::{
    Price, Timestamp,
    analytics::{Candle, Digits, Interval, PricePoint, Totals},
    names::CollectionName,
};

use super::{client::Connection, document, read::collection_of, series::filter};
use crate::{Selection, Shortcut, StoreError};

const COMPUTE_LIMIT: Duration = Duration::from_secs(120);
/// More candles than this are made here, one after the other, so that memory stays flat.
const MOST_CANDLES: usize = 50_000;

/// The totals of a selection.
pub(super) async fn totals(
    connection: &Arc<Connection>,
    collection: &CollectionName,
    selection: &Selection,
) -> Result<Shortcut<Option<Totals>>, StoreError> {
    if selection.newest.is_some() {
        return Ok(Shortcut::Fold);
    }
    let point = || Bson::Array(vec!["$time".into(), "$price".into()]);
    let group = doc! {
        "_id": Bson::Null,
        "count": {"$sum": 1_i64},
        "strangers": strangers(),
        "sum": {"$sum": "$price"},
        "squares": {"$sum": {"$cond": [is_price(), {"$multiply": ["$price", "$price"]}, 0]}},
        "first": {"$top": {"sortBy": {"time": 1, "_id": 1}, "output": point()}},
        "last": {"$bottom": {"sortBy": {"time": 1, "_id": 1}, "output": point()}},
        "min": {"$top": {"sortBy": {"price": 1, "time": 1, "_id": 1}, "output": point()}},
        "max": {"$top": {"sortBy": {"price": -1, "time": 1, "_id": 1}, "output": point()}},
    };
    let pipeline = vec![doc! {"$match": matching(selection)}, doc! {"$group": group}];
    let name = collection.clone();
    let operation = async move |database: Database| {
        let Some(mut cursor) = aggregate(&database, &name, pipeline).await? else {
            return Ok(Shortcut::Fold);
        };
        if !cursor.advance().await? {
            return Ok(Shortcut::Answer(None));
        }
        Ok(read_totals(cursor.current()).map_or(Shortcut::Fold, |totals| Shortcut::Answer(Some(totals))))
    };
    connection.run("a query", COMPUTE_LIMIT, operation).await
}

/// The candles of a selection.
pub(super) async fn candles(
    connection: &Arc<Connection>,
    collection: &CollectionName,
    selection: &Selection,
    interval: Interval,
) -> Result<Shortcut<Vec<Candle>>, StoreError> {
    if selection.newest.is_some() {
        return Ok(Shortcut::Fold);
    }
    // As `Interval::start_of` does it. `$dateTrunc` counts from another day, which shows in spans like 7 minutes.
    let since_monday = doc! {"$add": [{"$toLong": "$time"}, Interval::MONDAY_TO_EPOCH_MILLIS]};
    let start = doc! {"$subtract": ["$time", {"$mod": [since_monday, interval.as_millis()]}]};
    let group = doc! {
        "_id": start,
        "count": {"$sum": 1_i64},
        "strangers": strangers(),
        "open": {"$top": {"sortBy": {"time": 1, "_id": 1}, "output": "$price"}},
        "close": {"$bottom": {"sortBy": {"time": 1, "_id": 1}, "output": "$price"}},
        "high": {"$top": {"sortBy": {"price": -1, "time": 1, "_id": 1}, "output": "$price"}},
        "low": {"$top": {"sortBy": {"price": 1, "time": 1, "_id": 1}, "output": "$price"}},
    };
    let pipeline = vec![
        doc! {"$match": matching(selection)},
        doc! {"$group": group},
        doc! {"$sort": {"_id": 1}},
        doc! {"$limit": MOST_CANDLES as i64 + 1},
    ];
    let name = collection.clone();
    let operation = async move |database: Database| {
        let Some(mut cursor) = aggregate(&database, &name, pipeline).await? else {
            return Ok(Shortcut::Fold);
        };
        let mut candles = Vec::new();
        while cursor.advance().await? {
            match read_candle(cursor.current(), interval) {
                Some(candle) if candles.len() < MOST_CANDLES => candles.push(candle),
                _ => return Ok(Shortcut::Fold),
            }
        }
        Ok(Shortcut::Answer(candles))
    };
    connection.run("a query", COMPUTE_LIMIT, operation).await
}

fn matching(selection: &Selection) -> Document {
    filter(&selection.market, selection.since, selection.until)
}

/// Whether a document is a price that can be added exactly.
fn is_price() -> Document {
    doc! {"$and": [
        {"$eq": [{"$type": "$price"}, "decimal"]},
        {"$gt": ["$price", 0]},
        {"$eq": [{"$type": "$time"}, "date"]},
        {"$eq": [{"$type": "$_id"}, "string"]},
    ]}
}

fn strangers() -> Document {
    doc! {"$sum": {"$cond": [is_price(), 0_i64, 1_i64]}}
}

/// None when the server does not know how, or stumbles over a document of somebody else: the fold leaves those out.
async fn aggregate(
    database: &Database,
    name: &CollectionName,
    pipeline: Vec<Document>,
) -> Result<Option<Cursor<Document>>, StoreError> {
    match collection_of(database, name).aggregate(pipeline).allow_disk_use(true).await {
        Ok(cursor) => Ok(Some(cursor)),
        Err(error) if matches!(*error.kind, ErrorKind::Command(_)) => {
            tracing::debug!(collection = %name, %error, "the server cannot compute this; its prices are read");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn read_totals(raw: &RawDocument) -> Option<Totals> {
    only_prices(raw)?;
    Some(Totals {
        count: whole(raw, "count")?,
        first: point(raw, "first")?,
        last: point(raw, "last")?,
        min: point(raw, "min")?,
        max: point(raw, "max")?,
        sum: digits(raw, "sum")?,
        squares: digits(raw, "squares")?,
    })
}

fn read_candle(raw: &RawDocument, interval: Interval) -> Option<Candle> {
    only_prices(raw)?;
    let price = |key: &str| -> Option<Price> { document::price(field(raw, key)).ok() };
    let RawBsonRef::DateTime(start) = field(raw, "_id")? else { return None };
    // The very first interval begins before the first usable moment.
    let within = Timestamp::from_millis(start.timestamp_millis());
    Some(Candle {
        start: within.unwrap_or_else(|_| interval.start_of(Timestamp::MIN)),
        open: price("open")?,
        high: price("high")?,
        low: price("low")?,
        close: price("close")?,
        count: whole(raw, "count")?,
    })
}

fn only_prices(raw: &RawDocument) -> Option<()> {
    (whole(raw, "strangers")? == 0).then_some(())
}

fn point(raw: &RawDocument, key: &str) -> Option<PricePoint> {
    let Some(RawBsonRef::Array(pair)) = field(raw, key) else { return None };
    let mut values = pair.into_iter().flatten();
    let time = document::moment("time", values.next()).ok()?;
    Some(PricePoint { time, price: document::price(values.next()).ok()? })
}

/// A sum that is exact.
fn digits(raw: &RawDocument, key: &str) -> Option<Digits> {
    let Some(RawBsonRef::Decimal128(sum)) = field(raw, key) else { return None };
    let (coefficient, exponent) = document::unrounded(sum)?;
    Some(Digits { coefficient, exponent })
}

fn whole(raw: &RawDocument, key: &str) -> Option<u64> {
    match field(raw, key)? {
        RawBsonRef::Int32(n) => u64::try_from(n).ok(),
        RawBsonRef::Int64(n) => u64::try_from(n).ok(),
        _ => None,
    }
}

fn field<'a>(raw: &'a RawDocument, key: &str) -> Option<RawBsonRef<'a>> {
    raw.get(key).ok().flatten()
}
