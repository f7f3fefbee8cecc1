//! Kraken's history: trades by time, to the nanosecond; the newest 720 candles of each interval. Pure.

use pricepipe_core::{
    Details, Timestamp,
    identity::Event,
    message::{Side, Trade},
};
use serde_json::value::RawValue;

use super::{From, Klines, Page, Trades, kline, page};
use crate::{Answer, BadRecord, Record, Refusal, Request, kraken, raw};

/// The most trades of a page.
const TRADES: usize = 1_000;
/// So many candles of an interval are kept.
const CANDLES: usize = 720;

pub(super) fn trades(asked: &Trades<'_>) -> Request {
    let (pair, since) = (kraken::rest_name(asked.market), since(asked.from));
    let path = format!("/0/public/Trades?pair={pair}&since={since}&count={TRADES}");
    Request { path_and_query: path, weight: 1 }
}

/// The nanosecond behind which trades are asked for.
fn since(from: From) -> u64 {
    let before = |moment: Timestamp| moment.as_millis().unsigned_abs() * 1_000_000 - 1;
    match from {
        From::Number(_, moment) => moment.map_or(0, before),
        From::Moment(moment) | From::Between { moment, .. } => before(moment),
        From::Cursor(nanosecond) => nanosecond,
    }
}

/// One order may make many trades in one nanosecond. So the next page begins with the last nanosecond of this one again,
/// unless that fills a whole page.
pub(super) fn read_trades(asked: &Trades<'_>, answer: &Answer<'_>) -> Result<Page<From>, Refusal> {
    let (rows, last) = kraken::rows(answer, "trades")?;
    let full = rows.len() >= TRADES;
    let mut page = page(rows, |row| record(asked, row).map(Some));
    let last = raw::number(last).ok().filter(|_| full);
    page.next = last.map(|last| {
        let again = last.saturating_sub(1);
        From::Cursor(if again > since(asked.from) { again } else { last })
    });
    Ok(page)
}

fn record(asked: &Trades<'_>, row: &str) -> Result<Record, BadRecord> {
    let row: Vec<&RawValue> = serde_json::from_str(row).map_err(|_| BadRecord::Malformed)?;
    let [price, quantity, time, side, ..] = row[..] else { return Err(BadRecord::Malformed) };
    let side = match raw::word(Some(side)) {
        "b" => Some(Side::Buy),
        "s" => Some(Side::Sell),
        _ => None,
    };
    Ok(Record {
        market: asked.market.to_owned(),
        price: raw::price(Some(price))?,
        details: Details::Trade(Trade { quantity: raw::quantity(Some(quantity))?, side }),
        event: Event::Trade(raw::number(row.get(6).copied())?),
        time: Some(moment(raw::word(Some(time)))?),
    })
}

/// Seconds since 1970 with decimals. What is finer than a millisecond is cut off; through a float it would be rounded.
fn moment(seconds: &str) -> Result<Timestamp, BadRecord> {
    let (seconds, decimals) = seconds.split_once('.').unwrap_or((seconds, ""));
    if !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return Err(BadRecord::Time);
    }
    let millis: String = decimals.chars().chain("000".chars()).take(3).collect();
    format!("{seconds}{millis}").parse().map_err(|_| BadRecord::Time).and_then(raw::millis)
}

pub(super) fn klines(asked: &Klines<'_>) -> Request {
    let pair = kraken::rest_name(asked.market);
    let minutes = asked.interval.as_millis().unwrap_or(60_000) / 60_000;
    let since = (asked.start.as_millis() - 1) / 1_000;
    let path = format!("/0/public/OHLC?pair={pair}&interval={minutes}&since={since}");
    Request { path_and_query: path, weight: 1 }
}

/// All that is kept comes at once.
pub(super) fn read_klines(asked: &Klines<'_>, answer: &Answer<'_>) -> Result<Page<Timestamp>, Refusal> {
    let (rows, _) = kraken::rows(answer, "candles")?;
    let all = rows.len() >= CANDLES;
    let mut page = page(rows, |row| candle(asked, row).map(Some));
    page.begins_late = all && page.records.first().is_some_and(|first| first.time > Some(asked.start));
    Ok(page)
}

fn candle(asked: &Klines<'_>, row: &str) -> Result<Record, BadRecord> {
    let row: Vec<&RawValue> = serde_json::from_str(row).map_err(|_| BadRecord::Malformed)?;
    let [begin, open, high, low, close, _, volume, ..] = row[..] else { return Err(BadRecord::Malformed) };
    kline(asked, moment(begin.get())?, [open, high, low, close], volume)
}
