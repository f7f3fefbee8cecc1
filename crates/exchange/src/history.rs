//! History: what was traded before, page by page.

use pricepipe_core::{Exchange, KlineInterval, Timestamp};

use crate::{Answer, BadRecord, Record, Refusal, Request};

/// Which trades are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Those from this number on; near the moment, where it is known: some exchanges page by time.
    Number(u64, Option<Timestamp>),
    /// Those from this moment on.
    Moment(Timestamp),
}

/// A page of history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The observations, the oldest first.
    pub records: Vec<Record>,
    /// What could not be used, and why.
    pub rejected: Vec<BadRecord>,
    /// True when there may be more after the last one.
    pub more: bool,
}

/// Asks for trades, or for aggregate trades. It may return earlier ones too; whoever asked leaves them out.
pub fn trades(_exchange: Exchange, _aggregate: bool, _market: &str, _from: From) -> Request {
    Request { path_and_query: String::new(), weight: 1 }
}

/// Reads the answer to [`trades`].
///
/// # Errors
/// An answer that is no page.
pub fn read_trades(
    _exchange: Exchange,
    _aggregate: bool,
    _market: &str,
    _answer: &Answer<'_>,
) -> Result<Page, Refusal> {
    Ok(Page::default())
}

/// Asks for candles that begin from `start` on and before `end`, as many as the exchange gives at once.
pub fn klines(
    _exchange: Exchange,
    _market: &str,
    _interval: KlineInterval,
    _start: Timestamp,
    _end: Timestamp,
) -> Request {
    Request { path_and_query: String::new(), weight: 1 }
}

/// Reads the answer to [`klines`]. A candle that is not over at `now` is left out: it may still change.
///
/// # Errors
/// An answer that is no page.
pub fn read_klines(
    _exchange: Exchange,
    _market: &str,
    _interval: KlineInterval,
    _now: Timestamp,
    _answer: &Answer<'_>,
) -> Result<Page, Refusal> {
    Ok(Page::default())
}
