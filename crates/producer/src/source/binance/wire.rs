//! What Binance's REST interface is asked and what it answers. Pure: no I/O.

use std::borrow::Cow;

use pricepipe_core::{Exchange, Symbol};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    endpoints::{Reply, Request, UsedWeight},
    events::Rejection,
    penalty::{self, Limit},
    source::{Poll, Quote, SourceError},
};

/// The most symbols of one request, and the longest path and query: every proxy passes it.
const LARGEST_GROUP: usize = 500;
const LONGEST_QUERY: usize = 8_000;
/// The weight of a minute that is ours to use: at the whole of it Binance answers 429.
pub(super) const WEIGHT_LIMIT: u64 = Exchange::Binance.request_weight_limit() as u64 / 100 * 95;

const TOO_MANY_REQUESTS: i64 = -1003;
const BUSY: &[i64] = &[-1000, -1001, -1006, -1007, -1008, -1016];
/// Codes that speak of a symbol: illegal characters, unknown, not of the asked status.
const BAD_SYMBOL: &[i64] = &[-1100, -1121, -1220];

/// How many of these symbols fit into one request.
pub(super) fn group_size(symbols: &[Symbol]) -> usize {
    let longest = symbols.iter().map(|symbol| symbol.as_str().len()).max().unwrap_or(0);
    (LONGEST_QUERY / (longest + "%22%22,".len())).min(LARGEST_GROUP)
}

/// The cheapest request, to see whether the host answers.
pub(super) fn ping() -> Request {
    Request { path_and_query: "/api/v3/ping".to_owned(), weight: 1 }
}

/// The last price of these symbols, in one request. A single symbol is asked for in the form that costs half.
pub(super) fn prices(symbols: &[Symbol]) -> Request {
    if let [symbol] = symbols {
        return Request { path_and_query: format!("/api/v3/ticker/price?symbol={symbol}"), weight: 2 };
    }
    // A symbol's alphabet needs no encoding; the brackets and quotes of the JSON array do.
    let names: Vec<String> = symbols.iter().map(|symbol| format!("%22{symbol}%22")).collect();
    Request {
        path_and_query: format!("/api/v3/ticker/price?symbols=%5B{}%5D", names.join(",")),
        weight: Exchange::Binance.price_request_weight(symbols.len()),
    }
}

/// The used weight, if the answer tells.
pub(super) fn used_weight(headers: &HeaderMap) -> Option<UsedWeight> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let weight = text("x-mbx-used-weight-1m").or_else(|| text("x-mbx-used-weight"))?.trim().parse().ok()?;
    Some(UsedWeight { weight, time: text(DATE.as_str()).and_then(penalty::http_date) })
}

/// Reads the answer to [`ping`].
pub(super) fn read_ping(reply: &Reply) -> Result<(), SourceError> {
    check(reply)?;
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&reply.body) {
        Ok(_) => Ok(()),
        Err(error) => Err(malformed(reply, &error)),
    }
}

/// Reads the answer to [`prices`]. An item that cannot be used is rejected alone.
pub(super) fn read_prices(reply: &Reply, asked: &[Symbol]) -> Result<Poll, SourceError> {
    check(reply)?;
    let items: Vec<&RawValue> = match reply.body.trim_ascii_start().first() {
        Some(b'{') => vec![serde_json::from_slice(&reply.body).map_err(|e| malformed(reply, &e))?],
        _ => serde_json::from_slice(&reply.body).map_err(|e| malformed(reply, &e))?,
    };
    let mut missing: Vec<Symbol> = asked.to_vec();
    let mut poll = Poll { received: Some(reply.received), ..Poll::default() };
    for item in items {
        let Ok(item) = serde_json::from_str::<Item<'_>>(item.get()) else { continue };
        // What was not asked for, or came already, is not ours.
        let Some(index) = missing.iter().position(|symbol| symbol.as_str() == item.symbol) else { continue };
        let symbol = missing.remove(index);
        match item.price() {
            Ok(price) => poll.quotes.push(Quote { symbol, price }),
            Err(rejection) => poll.rejected.push((symbol, rejection)),
        }
    }
    poll.missing = missing;
    Ok(poll)
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
}

impl Item<'_> {
    /// A decimal text; a JSON number would serve as well.
    fn price(&self) -> Result<pricepipe_core::Price, Rejection> {
        let raw = self.price.ok_or(Rejection::NotANumber)?.get();
        let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw);
        Ok(text.parse()?)
    }
}

#[derive(Deserialize)]
struct Fault {
    code: i64,
    #[serde(default)]
    msg: String,
}

/// Sorts out every answer that is no success.
fn check(reply: &Reply) -> Result<(), SourceError> {
    let fault = serde_json::from_slice::<Fault>(&reply.body).ok();
    match (reply.status, fault) {
        (429, _) => Err(limited(reply, Limit::Rate)),
        (418, _) => Err(limited(reply, Limit::Ban)),
        (451, _) => Err(SourceError::GeoBlocked),
        (403, _) => Err(SourceError::Forbidden),
        (_, Some(fault)) if fault.code == TOO_MANY_REQUESTS => Err(limited(reply, Limit::Rate)),
        (200 | 400.., Some(fault)) if BUSY.contains(&fault.code) => {
            Err(SourceError::Unavailable(describe(&fault)))
        }
        (status @ 500.., _) => Err(SourceError::Unavailable(format!("HTTP {status}"))),
        (200 | 400.., Some(fault)) if BAD_SYMBOL.contains(&fault.code) => Err(SourceError::UnknownSymbol),
        (200 | 400.., Some(fault)) => Err(SourceError::Refused(describe(&fault))),
        (200, None) => Ok(()),
        (status, _) => Err(SourceError::UnexpectedStatus(status)),
    }
}

fn limited(reply: &Reply, limit: Limit) -> SourceError {
    let header = reply.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    SourceError::Limited(limit, penalty::retry_after(header, limit, reply.received))
}

/// The exchange's words, short and on one line: they go into logs.
fn describe(fault: &Fault) -> String {
    let text: String = fault.msg.chars().filter(|c| !c.is_control()).take(160).collect();
    format!("{text} ({})", fault.code)
}

/// A web page comes from whatever stands between the exchange and us: where it breaks off as JSON helps nobody.
fn malformed(reply: &Reply, error: &serde_json::Error) -> SourceError {
    SourceError::Malformed(match reply.body.trim_ascii_start().first() {
        Some(b'<') => "a web page instead of prices (a proxy or a sign-in page may be in between)".to_owned(),
        None => "nothing".to_owned(),
        Some(_) => format!("something else than prices ({error})"),
    })
}

#[cfg(test)]
mod tests;
