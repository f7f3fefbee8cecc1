//! Coinbase Exchange's history: trades by their numbers, newest first; candles by time. Pure.
//!
//! `after=N` brings the newest trades below N. So whoever wants those from n on asks for what is below n + 1000. A moment is
//! looked for by halving: each step asks for a page in the middle.

use pricepipe_core::{Details, Exchange, Timestamp, identity::Event, message::Trade};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{From, Klines, Page, Trades, kline, page};
use crate::{
    Answer, BadRecord, Record, Refusal, Request, coinbase,
    raw::{self, Raw},
    refusal,
};

/// The most trades of a page.
const TRADES: u64 = 1_000;
/// The most candles of a page.
const CANDLES: i64 = 300;

pub(super) fn trades(asked: &Trades<'_>) -> Request {
    let after = match asked.from {
        // The newest trade shows how far the numbers go.
        From::Moment(_) => String::new(),
        From::Number(number, _) | From::Cursor(number) => format!("&after={}", number.saturating_add(TRADES)),
        From::Between { low, high, .. } => format!("&after={}", middle(low, high).saturating_add(TRADES)),
    };
    let path = format!("/products/{}/trades?limit={TRADES}{after}", asked.market);
    Request { path_and_query: path, weight: 1 }
}

/// Where the page of a step begins.
fn middle(low: u64, high: u64) -> u64 {
    low + high.saturating_sub(low) / 2
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    trade_id: Raw<'a>,
    #[serde(borrow)]
    price: Raw<'a>,
    #[serde(borrow)]
    size: Raw<'a>,
    #[serde(borrow)]
    side: Raw<'a>,
    #[serde(borrow)]
    time: Raw<'a>,
}

pub(super) fn read_trades(asked: &Trades<'_>, answer: &Answer<'_>) -> Result<Page<From>, Refusal> {
    let mut page = page(rows(answer, "trades")?, |row| record(asked, row).map(Some));
    let ends = page.records.first().zip(page.records.last());
    let ends = ends.and_then(|(first, last)| Some((End::of(first)?, End::of(last)?)));
    let (moment, next) = match (asked.from, ends) {
        (From::Number(number, _) | From::Cursor(number), Some((_, last))) => {
            // Nothing is newer than what was there before: the end.
            page.next = (last.number >= number).then(|| last.next());
            return Ok(page);
        }
        (From::Number(..) | From::Cursor(_), None) => return Ok(page),
        (From::Moment(moment), ends) => (moment, newest(moment, ends)),
        (From::Between { moment, low, high }, ends) => (moment, Some(step(moment, low, high, ends))),
    };
    // Those of a page that only shows the way come again in their turn.
    if !ends.is_some_and(|ends| holds(moment, ends)) {
        page.records.clear();
    }
    page.next = next;
    Ok(page)
}

/// The first or the last trade of a page.
#[derive(Clone, Copy)]
struct End {
    number: u64,
    time: Timestamp,
}

impl End {
    fn of(record: &Record) -> Option<End> {
        Some(End { number: record.event.number()?, time: record.time? })
    }

    /// From the trade behind it on.
    fn next(&self) -> From {
        From::Number(self.number.saturating_add(1), Some(self.time))
    }
}

/// Whether the moment lies within a page, so that the search is over.
fn holds(moment: Timestamp, (first, last): (End, End)) -> bool {
    first.time < moment && moment <= last.time
}

/// The search begins with the newest trades.
fn newest(moment: Timestamp, ends: Option<(End, End)>) -> Option<From> {
    let (first, last) = ends.filter(|(_, last)| moment <= last.time)?;
    Some(if holds(moment, (first, last)) { last.next() } else { search(moment, 1, first.number) })
}

/// One step of the search.
fn step(moment: Timestamp, low: u64, high: u64, ends: Option<(End, End)>) -> From {
    let middle = middle(low, high);
    match ends {
        Some(ends) if holds(moment, ends) => ends.1.next(),
        Some((first, _)) if first.time >= moment => search(moment, low, first.number.min(middle)),
        Some((_, last)) => search(moment, last.number.max(middle).saturating_add(1), high),
        // There are none so far down.
        None => search(moment, middle.saturating_add(TRADES), high),
    }
}

/// Goes on between these numbers, or from the first one where nothing lies between.
fn search(moment: Timestamp, low: u64, high: u64) -> From {
    if low < high { From::Between { moment, low, high } } else { From::Number(high, Some(moment)) }
}

fn record(asked: &Trades<'_>, row: &str) -> Result<Record, BadRecord> {
    let row: Row<'_> = serde_json::from_str(row).map_err(|_| BadRecord::Malformed)?;
    let side = coinbase::taker_side(row.side);
    Ok(Record {
        market: asked.market.to_owned(),
        price: raw::price(row.price)?,
        details: Details::Trade(Trade { quantity: raw::quantity(row.size)?, side }),
        event: Event::Trade(raw::number(row.trade_id)?),
        time: Some(raw::written_moment(row.time)?),
    })
}

/// How long a candle lasts, and when the first one of a page begins; in seconds.
fn window(asked: &Klines<'_>) -> (i64, i64) {
    let length = asked.interval.as_millis().unwrap_or(60_000);
    let first = (asked.start.as_millis() + length - 1) / length * length;
    (length / 1_000, first / 1_000)
}

/// Both ends of what is asked for are included.
pub(super) fn klines(asked: &Klines<'_>) -> Request {
    let (length, first) = window(asked);
    let last = ((asked.end.as_millis() - 1) / 1_000).clamp(first, first + (CANDLES - 1) * length);
    let written = |seconds: i64| Timestamp::from_millis(seconds * 1_000).unwrap_or(Timestamp::MAX);
    let query = format!("granularity={length}&start={}&end={}", written(first), written(last));
    Request { path_and_query: format!("/products/{}/candles?{query}", asked.market), weight: 1 }
}

/// A time without a trade has no candle, so what comes next is told by what was asked, not by what came.
pub(super) fn read_klines(asked: &Klines<'_>, answer: &Answer<'_>) -> Result<Page<Timestamp>, Refusal> {
    let mut page = page(rows(answer, "candles")?, |row| candle(asked, row).map(Some));
    let (length, first) = window(asked);
    page.next = Timestamp::from_millis((first + CANDLES * length) * 1_000).ok();
    Ok(page)
}

fn candle(asked: &Klines<'_>, row: &str) -> Result<Record, BadRecord> {
    let row: Vec<&RawValue> = serde_json::from_str(row).map_err(|_| BadRecord::Malformed)?;
    let [begin, low, high, open, close, volume, ..] = row[..] else { return Err(BadRecord::Malformed) };
    let seconds: i64 = begin.get().parse().map_err(|_| BadRecord::Time)?;
    let begin = raw::millis(seconds.checked_mul(1_000).ok_or(BadRecord::Time)?)?;
    kline(asked, begin, [open, high, low, close], volume)
}

fn rows<'a>(answer: &Answer<'a>, asked: &str) -> Result<Vec<&'a RawValue>, Refusal> {
    refusal::check(Exchange::Coinbase, answer)?;
    serde_json::from_slice(answer.body).map_err(|error| refusal::malformed(answer, asked, &error))
}
