//! Answers questions about what is stored.

use std::{borrow::Cow, ops::Range};

use pricepipe_core::{Details, Exchange, Kind, PriceMessage, Timestamp, names::CollectionName};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{Market, MarketCount, Period, StoreError, StoreErrorKind};

/// Each symbol of a collection by one seek in the index, however many documents it has.
const SYMBOLS: &str = "WITH RECURSIVE symbols (symbol) AS (
        SELECT min(symbol) FROM price WHERE collection = ?1
        UNION ALL
        SELECT (SELECT min(symbol) FROM price WHERE collection = ?1 AND symbol > symbols.symbol)
        FROM symbols WHERE symbols.symbol IS NOT NULL
    ) SELECT symbol FROM symbols WHERE symbol IS NOT NULL";

// All columns, by whatever they are: a file of format 1 that is only read has no details.
// Of one moment that which we learned of last, such as the last state of a candle. Unless it is told to take the index,
// SQLite reads all of the collection to sort it.
const LATEST: &str = "SELECT * FROM price INDEXED BY price_by_symbol_and_time
    WHERE collection = ?1 AND symbol = ?2 AND (?3 IS NULL OR exchange = ?3)
    ORDER BY time DESC, received DESC, id DESC LIMIT 1";

// The exchange is in the table alone. Every id is one of these: so the table is read in its order, and not row by row by
// the index, which takes twice as long.
const COUNT: &str = "SELECT symbol, exchange, count(*), min(time), max(time) FROM price
    WHERE collection = ?1 AND id >= '' AND time >= ?2 AND time < ?3
    GROUP BY symbol, exchange ORDER BY symbol, exchange";

// By the index: the newest comes first, and its id is in it too. Of one moment the one with the greatest number.
const NEWEST: &str = "SELECT id, time FROM price INDEXED BY price_by_symbol_and_time
    WHERE collection = ?1 AND symbol = ?2 AND id >= ?3 AND id < ?4
    ORDER BY time DESC, length(id) DESC, id DESC LIMIT 1";

/// Whether the file can be read.
pub(super) fn ping(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.query_row("SELECT 1 FROM sqlite_master LIMIT 1", [], |_| Ok(()))?)
}

/// The symbols of a collection, in order.
pub(super) fn symbols(connection: &Connection, collection: &CollectionName) -> rusqlite::Result<Vec<String>> {
    connection.prepare_cached(SYMBOLS)?.query_map([collection.as_str()], |row| row.get(0))?.collect()
}

/// The newest price of each market.
pub(super) fn latest(
    connection: &Connection,
    collection: &CollectionName,
    markets: &[Market],
) -> Result<Vec<PriceMessage>, StoreError> {
    let mut wanted = match markets {
        [] => symbols(connection, collection)?.into_iter().map(Market::of_any).collect(),
        some => some.to_vec(),
    };
    wanted.sort_unstable();
    wanted.dedup();
    let mut newest = connection.prepare_cached(LATEST)?;
    let mut found = Vec::with_capacity(wanted.len());
    for Market { symbol, exchange } in wanted {
        let parameters = params![collection.as_str(), symbol, exchange];
        let row = newest.query_row(parameters, |row| Ok(message(row))).optional()?;
        found.extend(row.transpose()?);
    }
    Ok(found)
}

/// The newest document of a symbol with an id of this range.
pub(super) fn newest(
    connection: &Connection,
    collection: &CollectionName,
    symbol: &str,
    ids: &Range<String>,
) -> Result<Option<(String, Timestamp)>, StoreError> {
    let mut statement = connection.prepare_cached(NEWEST)?;
    let found = statement.query_row(params![collection.as_str(), symbol, ids.start, ids.end], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    let found: Option<(String, i64)> = found.optional()?;
    found.map(|(id, millis)| Ok((id, moment(millis)?))).transpose()
}

/// How much each market has.
pub(super) fn count(
    connection: &Connection,
    collection: &CollectionName,
    period: Period,
) -> Result<Vec<MarketCount>, StoreError> {
    let mut statement = connection.prepare_cached(COUNT)?;
    let (since, until) = bounds(period.since, period.until);
    let mut rows = statement.query(params![collection.as_str(), since, until])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        counts.push(MarketCount {
            symbol: row.get(0)?,
            exchange: row.get(1)?,
            documents: row.get::<_, i64>(2)?.unsigned_abs(),
            first: moment(row.get(3)?)?,
            last: moment(row.get(4)?)?,
        });
    }
    Ok(counts)
}

pub(super) fn message(row: &Row<'_>) -> Result<PriceMessage, StoreError> {
    let exchange: String = row.get("exchange")?;
    Ok(PriceMessage {
        id: row.get("id")?,
        symbol: row.get("symbol")?,
        price: row.get::<_, String>("price")?.parse().map_err(unreadable)?,
        exchange: match exchange.parse::<Exchange>() {
            Ok(known) => Cow::Borrowed(known.as_str()),
            Err(_) => Cow::Owned(exchange),
        },
        details: details(row)?,
        time: moment(row.get("time")?)?,
        received: moment(row.get("received")?)?,
    })
}

fn details(row: &Row<'_>) -> Result<Details, StoreError> {
    let kind: String = row.get("kind")?;
    let kind = Kind::from_name(&kind).ok_or_else(|| unreadable(format!("kind is {kind:?}")))?;
    let json: Option<String> = match row.get("details") {
        Err(rusqlite::Error::InvalidColumnName(_)) => None,
        json => json?,
    };
    Details::from_json(kind, json.as_deref()).map_err(unreadable)
}

/// The first moment of a time, and the one after its last.
pub(super) fn bounds(since: Option<Timestamp>, until: Option<Timestamp>) -> (i64, i64) {
    let millis = |time: Timestamp| time.as_millis();
    (since.map_or(i64::MIN, millis), until.map_or(i64::MAX, millis))
}

pub(super) fn moment(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millis(millis).map_err(unreadable)
}

/// Only we write this file, so what cannot be read was changed by somebody's hand.
pub(super) fn unreadable(problem: impl std::fmt::Display) -> StoreError {
    StoreError::new(StoreErrorKind::Conflict, format!("SQLite: a stored price cannot be read: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::{super::schema, *};

    #[test]
    fn what_is_asked_of_a_symbol_is_sought_by_the_index_and_what_of_all_is_read_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let connection = schema::open_or_create(&folder.path().join("prices.db")).unwrap();
        let plan = |query: &str| -> String {
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
            let anything = vec!["1"; plan.parameter_count()];
            plan.query_row(rusqlite::params_from_iter(anything), |row| row.get(3)).unwrap()
        };
        let by_index = "INDEX price_by_symbol_and_time (collection=? AND symbol=?)";
        for query in [LATEST, NEWEST] {
            assert!(plan(query).contains(by_index), "{}", plan(query));
        }
        assert!(plan(COUNT).contains("PRIMARY KEY (collection=? AND id>?)"), "{}", plan(COUNT));
    }
}
