//! Coinbase's history: trades and candles, a page at a time, the newest first. Pure.

use std::collections::HashMap;

use axum::{extract::Query, http::Uri};

use crate::{
    history::{Span, candles},
    interval::Interval,
    tape::{Moment, Tape},
    times,
};

const LARGEST_LIMIT: usize = 1_000;
const MOST_CANDLES: i64 = 300;
/// The lengths of candles, in seconds.
const GRANULARITIES: &[i64] = &[60, 300, 900, 3_600, 21_600, 86_400];

/// What of the past is asked for.
#[derive(Debug)]
pub(super) struct Page {
    limit: usize,
    /// Only ids below.
    after: Option<u64>,
    /// Only ids above.
    before: Option<u64>,
    granularity: Option<i64>,
    span: Option<(i64, i64)>,
}

/// What was found, each row in JSON.
pub(super) struct Rows {
    pub(super) rows: Vec<String>,
    /// The ids of the first row and of the last one.
    pub(super) newest_and_oldest: Option<(u64, u64)>,
}

impl Page {
    pub(super) fn read(uri: &Uri) -> Result<Page, &'static str> {
        let Query(query) =
            Query::<HashMap<String, String>>::try_from_uri(uri).map_err(|_| "Invalid query")?;
        let limit = number(&query, "limit", "Invalid limit")?;
        let moment = |name| match query.get(name) {
            None => Ok(None),
            Some(text) => times::millis_of(text).map(Some).ok_or("Invalid start or end"),
        };
        Ok(Page {
            limit: limit.unwrap_or(LARGEST_LIMIT).clamp(1, LARGEST_LIMIT),
            after: number(&query, "after", "Invalid after")?,
            before: number(&query, "before", "Invalid before")?,
            granularity: number(&query, "granularity", "Invalid granularity")?,
            // One without the other is of no account.
            span: moment("start")?.zip(moment("end")?),
        })
    }

    pub(super) fn trades(&self, tape: &Tape) -> Rows {
        let begin = self.before.map_or(0, |before| tape.position(|trade| trade.id <= before));
        let end = self.after.map_or(tape.trades().len(), |after| tape.position(|trade| trade.id < after));
        let found: Vec<_> = tape.trades().range(begin.min(end)..end).rev().take(self.limit).collect();
        let newest_and_oldest =
            found.first().zip(found.last()).map(|(newest, oldest)| (newest.id, oldest.id));
        let rows = found.into_iter().map(|trade| {
            let (id, side, time) =
                (trade.id, trade.side.of_maker().as_str(), times::to_micros(trade.time_nanos));
            let (price, size) = (trade.price, trade.quantity);
            format!(
                r#"{{"time":"{time}","trade_id":{id},"price":"{price}","size":"{size}","side":"{side}"}}"#
            )
        });
        Rows { rows: rows.collect(), newest_and_oldest }
    }

    pub(super) fn candles(&self, tape: &Tape, now: Moment) -> Result<Rows, &'static str> {
        let seconds = self.granularity.unwrap_or(60);
        if !GRANULARITIES.contains(&seconds) {
            return Err("Unsupported granularity");
        }
        let length = seconds * 1_000;
        let span = match self.span {
            Some((start, end)) if (end - start) / length > MOST_CANDLES => {
                return Err(
                    "granularity too small for the requested time range. Count of aggregations requested \
                            exceeds 300",
                );
            }
            Some((start, end)) => Span { from: Some(start), to: Some(end), most: MOST_CANDLES as usize },
            None => Span { from: None, to: None, most: MOST_CANDLES as usize },
        };
        let found = candles(tape, Interval::Millis(length), span, now);
        // There is no candle of a time without trades; recorded candles do not say how many they had.
        let recorded = tape.recorded_interval().is_some();
        let told = found.iter().rev().filter(|candle| recorded || candle.trades > 0);
        let rows = told.map(|candle| {
            let (low, high, open, close) = (candle.low, candle.high, candle.open, candle.close);
            format!("[{},{low},{high},{open},{close},{}]", candle.open_millis / 1_000, candle.volume)
        });
        Ok(Rows { rows: rows.collect(), newest_and_oldest: None })
    }
}

fn number<N: std::str::FromStr>(
    query: &HashMap<String, String>,
    name: &str,
    problem: &'static str,
) -> Result<Option<N>, &'static str> {
    query.get(name).map(|text| text.parse().map_err(|_| problem)).transpose()
}
