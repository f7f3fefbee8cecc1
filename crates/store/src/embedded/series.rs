//! Reads the prices of a symbol in their order, by the index.

use pricepipe_core::{analytics::PricePoint, names::CollectionName};
use rusqlite::{Connection, Rows, params};

use super::read::{bounds, moment, unreadable};
use crate::{
    StoreError,
    history::{CHUNK, Feed, Selection},
};

// What is of one moment is sorted by id while it is read; the rest is in the index's order already.
const OLDEST_FIRST: &str = "SELECT time, price FROM price
    WHERE collection = ?1 AND symbol = ?2 AND time >= ?3 AND time < ?4 ORDER BY time, id";
const NEWEST_FIRST: &str = "SELECT time, price FROM price
    WHERE collection = ?1 AND symbol = ?2 AND time >= ?3 AND time < ?4 ORDER BY time DESC, id DESC LIMIT ?5";

/// Feeds the prices to a reader, until there are no more or it wants no more.
pub(super) fn feed(
    connection: &Connection,
    collection: &CollectionName,
    selection: &Selection,
    feed: &Feed,
) -> Result<(), StoreError> {
    let (since, until) = bounds(selection.since, selection.until);
    let (collection, symbol) = (collection.as_str(), &selection.symbol);
    let Some(newest) = selection.newest else {
        let mut statement = connection.prepare_cached(OLDEST_FIRST)?;
        let mut rows = statement.query(params![collection, symbol, since, until])?;
        loop {
            let chunk = take(&mut rows, CHUNK)?;
            if chunk.is_empty() || feed.give_blocking(chunk).is_err() {
                return Ok(());
            }
        }
    };
    let limit = i64::try_from(newest).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(NEWEST_FIRST)?;
    let mut points = take(&mut statement.query(params![collection, symbol, since, until, limit])?, newest)?;
    points.reverse();
    for chunk in points.chunks(CHUNK) {
        if feed.give_blocking(chunk.to_vec()).is_err() {
            break;
        }
    }
    Ok(())
}

fn take(rows: &mut Rows<'_>, most: usize) -> Result<Vec<PricePoint>, StoreError> {
    let mut points = Vec::with_capacity(most.min(CHUNK));
    while points.len() < most {
        let Some(row) = rows.next()? else { break };
        let price = row.get_ref(1)?.as_str().map_err(unreadable)?.parse().map_err(unreadable)?;
        points.push(PricePoint { time: moment(row.get(0)?)?, price });
    }
    Ok(points)
}
