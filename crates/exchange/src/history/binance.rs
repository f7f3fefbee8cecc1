//! Binance's history: trades and aggregate trades by their numbers, candles by time. Pure.

use pricepipe_core::{Details, Exchange, Timestamp, identity::Event, message::Trade};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{From, Klines, Page, Trades, kline, page};
use crate::{
    Answer, BadRecord, Record, Refusal, Request, binance,
    raw::{self, Raw},
    refusal,
};

/// The most rows of a page.
const LIMIT: usize = 1_000;

/// Trades have no index by time, but aggregate trades do, and tell the number of their first trade: one of them is asked
/// for to find it.
pub(super) fn trades(asked: &Trades<'_>) -> Request {
    let market = asked.market;
    let (path, weight) = match (asked.aggregate, asked.from) {
        (_, From::Moment(moment)) | (_, From::Between { moment, .. }) => {
            let limit = if asked.aggregate { LIMIT } else { 1 };
            (format!("aggTrades?symbol={market}&startTime={}&limit={limit}", moment.as_millis()), 4)
        }
        (true, From::Number(number, _) | From::Cursor(number)) => {
            (format!("aggTrades?symbol={market}&fromId={number}&limit={LIMIT}"), 4)
        }
        (false, From::Number(number, _) | From::Cursor(number)) => {
            (format!("historicalTrades?symbol={market}&fromId={number}&limit={LIMIT}"), 25)
        }
    };
    Request { path_and_query: format!("/api/v3/{path}"), weight }
}

/// A trade or an aggregate trade: which of them, its fields tell.
#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    price: Raw<'a>,
    #[serde(borrow)]
    qty: Raw<'a>,
    #[serde(borrow)]
    time: Raw<'a>,
    #[serde(borrow, rename = "isBuyerMaker")]
    buyer_is_maker: Raw<'a>,
    #[serde(borrow, rename = "a")]
    aggregate: Raw<'a>,
    #[serde(borrow, rename = "p")]
    aggregate_price: Raw<'a>,
    #[serde(borrow, rename = "q")]
    aggregate_quantity: Raw<'a>,
    #[serde(borrow, rename = "T")]
    aggregate_time: Raw<'a>,
    #[serde(borrow, rename = "m")]
    aggregate_buyer_is_maker: Raw<'a>,
    #[serde(borrow, rename = "f")]
    first_trade: Raw<'a>,
}

pub(super) fn read_trades(asked: &Trades<'_>, answer: &Answer<'_>) -> Result<Page<From>, Refusal> {
    let rows = rows(answer, "trades")?;
    if let (false, From::Moment(_) | From::Between { .. }) = (asked.aggregate, asked.from) {
        let first = rows.first().and_then(|row| serde_json::from_str::<Row<'_>>(row.get()).ok());
        let number = first.map(|row| (raw::number(row.first_trade), raw::moment(row.aggregate_time).ok()));
        let next = match number {
            None => None,
            Some((Ok(number), time)) => Some(From::Number(number, time)),
            Some((Err(_), _)) => return Err(Refusal::Malformed("an aggregate trade without `f`".to_owned())),
        };
        return Ok(Page { next, ..Page::default() });
    }
    let full = rows.len() >= LIMIT;
    let mut page = page(rows, |row| record(asked, row).map(Some));
    page.next = page.records.last().filter(|_| full).and_then(|last| {
        let next = last.event.number()?.checked_add(1)?;
        Some(From::Number(next, last.time))
    });
    Ok(page)
}

fn record(asked: &Trades<'_>, row: &str) -> Result<Record, BadRecord> {
    let row: Row<'_> = serde_json::from_str(row).map_err(|_| BadRecord::Malformed)?;
    let (price, quantity, time, buyer_is_maker) = if asked.aggregate {
        (row.aggregate_price, row.aggregate_quantity, row.aggregate_time, row.aggregate_buyer_is_maker)
    } else {
        (row.price, row.qty, row.time, row.buyer_is_maker)
    };
    let event = if asked.aggregate {
        Event::AggTrade(raw::number(row.aggregate)?)
    } else {
        Event::Trade(raw::number(row.id)?)
    };
    let side = binance::taker_side(buyer_is_maker);
    Ok(Record {
        market: asked.market.to_owned(),
        price: raw::price(price)?,
        details: Details::Trade(Trade { quantity: raw::quantity(quantity)?, side }),
        event,
        time: Some(raw::moment(time)?),
    })
}

pub(super) fn klines(asked: &Klines<'_>) -> Request {
    let Klines { market, interval, start, end, .. } = asked;
    let (start, end) = (start.as_millis(), end.as_millis() - 1);
    let query = format!("symbol={market}&interval={interval}&startTime={start}&endTime={end}&limit={LIMIT}");
    Request { path_and_query: format!("/api/v3/klines?{query}"), weight: 2 }
}

/// A candle says itself when it ends, which a month needs.
pub(super) fn read_klines(
    asked: &Klines<'_>,
    now: Timestamp,
    answer: &Answer<'_>,
) -> Result<Page<Timestamp>, Refusal> {
    let rows = rows(answer, "candles")?;
    let full = rows.len() >= LIMIT;
    let mut page = page(rows, |row| candle(asked, now, row));
    let last = page.records.last().and_then(|record| record.time).filter(|_| full);
    page.next = last.and_then(|last| Timestamp::from_millis(last.as_millis() + 1).ok());
    Ok(page)
}

fn candle(asked: &Klines<'_>, now: Timestamp, row: &str) -> Result<Option<Record>, BadRecord> {
    let row: Vec<&RawValue> = serde_json::from_str(row).map_err(|_| BadRecord::Malformed)?;
    let [begin, open, high, low, close, volume, end, ..] = row[..] else { return Err(BadRecord::Malformed) };
    if raw::moment(Some(end))? >= now {
        return Ok(None);
    }
    kline(asked, raw::moment(Some(begin))?, [open, high, low, close], volume).map(Some)
}

fn rows<'a>(answer: &Answer<'a>, asked: &str) -> Result<Vec<&'a RawValue>, Refusal> {
    refusal::check(Exchange::Binance, answer)?;
    serde_json::from_slice(answer.body).map_err(|error| refusal::malformed(answer, asked, &error))
}
