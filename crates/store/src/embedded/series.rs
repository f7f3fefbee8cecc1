//! Reads the prices, or the candles, of a symbol in their order, by the index.

use pricepipe_core::{
    analytics::{Candle, PricePoint},
    names::CollectionName,
};
use rusqlite::{Connection, Row, Rows, params};

use super::read::{bounds, message, moment, unreadable};
use crate::{
    StoreError,
    history::{CHUNK, Feed, Selection, closed_candle},
};

// What is of one moment is sorted by id while it is read; the rest is in the index's order already.
const OF_A_MARKET: &str = "FROM price
    WHERE collection = ?1 AND symbol = ?2 AND time >= ?3 AND time < ?4 AND (?5 IS NULL OR exchange = ?5)";
const OLDEST_FIRST: &str = "ORDER BY time, id";
const NEWEST_FIRST: &str = "ORDER BY time DESC, id DESC";

/// What a row is read as.
pub(super) trait Read: Sized {
    /// The columns that this takes.
    const COLUMNS: &'static str;

    /// None for a row that is nothing of the kind.
    fn read(row: &Row<'_>) -> Result<Option<Self>, StoreError>;
}

impl Read for PricePoint {
    const COLUMNS: &'static str = "time, price";

    fn read(row: &Row<'_>) -> Result<Option<Self>, StoreError> {
        let price = row.get_ref(1)?.as_str().map_err(unreadable)?.parse().map_err(unreadable)?;
        Ok(Some(PricePoint { time: moment(row.get(0)?)?, price }))
    }
}

impl Read for Candle {
    const COLUMNS: &'static str = "*";

    fn read(row: &Row<'_>) -> Result<Option<Self>, StoreError> {
        Ok(closed_candle(&message(row)?))
    }
}

/// Feeds a selection to a reader, until there is no more or it wants no more.
pub(super) fn feed<T: Read>(
    connection: &Connection,
    collection: &CollectionName,
    selection: &Selection,
    feed: &Feed<T>,
) -> Result<(), StoreError> {
    let (since, until) = bounds(selection.since, selection.until);
    let market = &selection.market;
    let order = if selection.newest.is_some() { NEWEST_FIRST } else { OLDEST_FIRST };
    let mut statement = connection.prepare_cached(&format!("SELECT {} {OF_A_MARKET} {order}", T::COLUMNS))?;
    let mut rows =
        statement.query(params![collection.as_str(), market.symbol, since, until, market.exchange])?;
    let Some(newest) = selection.newest else {
        loop {
            let chunk = take(&mut rows, CHUNK)?;
            if chunk.is_empty() || feed.give_blocking(chunk).is_err() {
                return Ok(());
            }
        }
    };
    let mut found = take(&mut rows, newest)?;
    found.reverse();
    let mut found = found.into_iter().peekable();
    while found.peek().is_some() {
        if feed.give_blocking(found.by_ref().take(CHUNK).collect()).is_err() {
            break;
        }
    }
    Ok(())
}

fn take<T: Read>(rows: &mut Rows<'_>, most: usize) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::with_capacity(most.min(CHUNK));
    while found.len() < most {
        let Some(row) = rows.next()? else { break };
        found.extend(T::read(row)?);
    }
    Ok(found)
}
