//! Answers what an audit asks.

use std::ops::Range;

use pricepipe_core::{Kind, names::CollectionName};
use rusqlite::{Connection, params};

use super::read::{bounds, moment};
use crate::{
    Double, Doubled, Period, StoreError,
    audit::{TICKER, positions},
};

const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM price WHERE collection = ?1 AND id = ?2)";

const DOUBLED: &str = "SELECT symbol, exchange, time, min(id), max(id) FROM price
    WHERE collection = ?1 AND time >= ?2 AND time < ?3 AND kind = ?6 AND instr(id, ?7) = 0
    GROUP BY symbol, time, exchange
    HAVING count(*) > 1 AND count(*) > sum(id >= ?4 AND id < ?5)";

/// Those of these ids that no document has.
pub(super) fn missing(
    connection: &Connection,
    collection: &CollectionName,
    ids: Vec<String>,
) -> Result<Vec<String>, StoreError> {
    let mut exists = connection.prepare_cached(EXISTS)?;
    let mut missing = Vec::new();
    for id in ids {
        if !exists.query_row(params![collection.as_str(), id], |row| row.get::<_, bool>(0))? {
            missing.push(id);
        }
    }
    Ok(missing)
}

/// The observations that are stored under more than one id.
pub(super) fn doubled(
    connection: &Connection,
    collection: &CollectionName,
    period: Period,
    examples: usize,
) -> Result<Doubled, StoreError> {
    let (since, until) = bounds(period.since, period.until);
    let Range { start, end } = positions();
    let mut statement = connection.prepare_cached(DOUBLED)?;
    let mut rows = statement.query(params![
        collection.as_str(),
        since,
        until,
        start,
        end,
        Kind::Price.as_str(),
        TICKER
    ])?;
    let mut doubled = Doubled::default();
    while let Some(row) = rows.next()? {
        let double = Double {
            symbol: row.get(0)?,
            exchange: row.get(1)?,
            time: moment(row.get(2)?)?,
            ids: [row.get(3)?, row.get(4)?],
        };
        doubled.push(double, examples);
    }
    Ok(doubled)
}
