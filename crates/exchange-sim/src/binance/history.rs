//! Binance's history: trades, aggregates and candles, a page at a time. Pure.

use serde_json::{Value, json};

use super::refusal::Refusal;
use crate::{
    candle::Candle,
    digits::Sum,
    history::{Span, candles},
    interval::Interval,
    tape::{Moment, Tape},
    trade::{Side, Trade},
};

const DEFAULT_LIMIT: usize = 500;
const LARGEST_LIMIT: usize = 1_000;

/// What of the past is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) from_id: Option<u64>,
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) limit: usize,
    pub(super) interval: Option<Interval>,
}

impl Page {
    /// Reads the parameters that pages have, by their names.
    pub(super) fn read<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Result<Page, Refusal> {
        let limit: Option<usize> = number("limit", value("limit"))?;
        let interval = match value("interval") {
            None => None,
            Some(text) => Some(Interval::from_binance(text).ok_or_else(Refusal::invalid_interval)?),
        };
        Ok(Page {
            from_id: number("fromId", value("fromId"))?,
            start: number("startTime", value("startTime"))?,
            end: number("endTime", value("endTime"))?,
            limit: limit.unwrap_or(DEFAULT_LIMIT).clamp(1, LARGEST_LIMIT),
            interval,
        })
    }

    /// `trades` and `historicalTrades`.
    pub(super) fn trades(&self, tape: &Tape) -> Vec<Value> {
        self.of_ids(tape, self.from_id).map(trade_row).collect()
    }

    /// `aggTrades`, by the id of an aggregate or by time.
    pub(super) fn aggregates(&self, tape: &Tape) -> Result<Vec<Value>, Refusal> {
        let row = |trade| aggregate_row(tape, trade);
        let (start, end) = match (self.from_id, self.start, self.end) {
            (None, None, None) => return Ok(self.of_ids(tape, None).map(row).collect()),
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => return Err(Refusal::bad_combination()),
            (Some(id), None, None) => {
                return Ok(self.of_ids(tape, Some(tape.trade_id(id))).map(row).collect());
            }
            (None, start, end) => (start, end),
        };
        let begin = start.map_or(0, |start| tape.position(|trade| trade.time_millis() < start));
        let end = end.map_or(tape.trades().len(), |end| tape.position(|trade| trade.time_millis() <= end));
        let begin = if start.is_none() { end.saturating_sub(self.limit) } else { begin };
        let found = tape.trades().range(begin.min(end)..end);
        Ok(found.take(self.limit).map(row).collect())
    }

    /// `klines`.
    pub(super) fn klines(&self, tape: &Tape, now: Moment) -> Result<Vec<Value>, Refusal> {
        let interval = self.interval.ok_or_else(|| Refusal::missing_parameter("interval"))?;
        let span = Span { from: self.start, to: self.end, most: self.limit };
        Ok(candles(tape, interval, span, now).iter().map(|candle| kline_row(candle, interval)).collect())
    }

    /// From an id on, or the newest ones.
    fn of_ids<'t>(&self, tape: &'t Tape, from: Option<u64>) -> impl Iterator<Item = &'t Trade> + use<'t> {
        let newest = tape.trades().len().saturating_sub(self.limit);
        let begin = from.map_or(newest, |from| tape.position(|trade| trade.id < from));
        tape.trades().range(begin..).take(self.limit)
    }
}

fn number<N: std::str::FromStr>(name: &str, value: Option<&str>) -> Result<Option<N>, Refusal> {
    match value {
        None => Ok(None),
        Some("") => Err(Refusal::empty_parameter(name)),
        Some(text) => text.parse().map(Some).map_err(|_| Refusal::illegal_number(name)),
    }
}

fn trade_row(trade: &Trade) -> Value {
    json!({
        "id": trade.id,
        "price": trade.price,
        "qty": trade.quantity,
        "quoteQty": Sum::product(trade.price, trade.quantity).to_string(),
        "time": trade.time_millis(),
        "isBuyerMaker": trade.side == Side::Sell,
        "isBestMatch": true,
    })
}

fn aggregate_row(tape: &Tape, trade: &Trade) -> Value {
    json!({
        "a": tape.aggregate_id(trade),
        "p": trade.price,
        "q": trade.quantity,
        "f": trade.id,
        "l": trade.id,
        "T": trade.time_millis(),
        "m": trade.side == Side::Sell,
        "M": true,
    })
}

fn kline_row(candle: &Candle, interval: Interval) -> Value {
    json!([
        candle.open_millis,
        candle.open,
        candle.high,
        candle.low,
        candle.close,
        candle.volume.to_string(),
        interval.after(candle.open_millis) - 1,
        candle.quote_volume.to_string(),
        candle.trades,
        candle.taker_volume.to_string(),
        candle.taker_quote_volume.to_string(),
        "0",
    ])
}
