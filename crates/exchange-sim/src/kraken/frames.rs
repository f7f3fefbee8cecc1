//! The text of Kraken's streams, with numbers that are numbers. Pure.

use crate::{candle::Candle, digits::Sum, tape::Tape, times, trade::Trade};

/// Trades of one symbol, in one message.
pub(super) fn trades(kind: &str, symbol: &str, trades: &[&Trade]) -> String {
    let rows: Vec<String> = trades.iter().map(|trade| trade_row(symbol, trade)).collect();
    format!(r#"{{"channel":"trade","type":"{kind}","data":[{}]}}"#, rows.join(","))
}

fn trade_row(symbol: &str, trade: &Trade) -> String {
    let Trade { id, price, quantity, .. } = trade;
    let (side, time) = (trade.side.as_str(), times::to_micros(trade.time_nanos));
    format!(
        r#"{{"symbol":"{symbol}","side":"{side}","price":{price},"qty":{quantity},"ord_type":"limit","trade_id":{id},"timestamp":"{time}"}}"#
    )
}

/// The ticker after the newest trade.
pub(super) fn ticker(kind: &str, symbol: &str, tape: &Tape) -> Option<String> {
    let (trade, day) = (tape.last()?, tape.day()?);
    let ((bid, ask), last, quantity) = (trade.quote(), trade.price, trade.quantity);
    let (low, high, volume) = (day.low, day.high, day.volume);
    let (change, percent) = (last.minus(day.open), last.percent_above(day.open));
    let average = average(day.quote_volume, volume, &last.to_string());
    let time = times::to_micros(trade.time_nanos);
    Some(format!(
        r#"{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{symbol}","bid":{bid},"bid_qty":{quantity},"ask":{ask},"ask_qty":{quantity},"last":{last},"volume":{volume},"vwap":{average},"low":{low},"high":{high},"change":{change},"change_pct":{percent},"timestamp":"{time}"}}]}}"#
    ))
}

/// Candles of one symbol, in one message.
pub(super) fn candles(kind: &str, symbol: &str, minutes: i64, candles: &[Candle], now_millis: i64) -> String {
    let rows: Vec<String> = candles.iter().map(|candle| candle_row(symbol, minutes, candle)).collect();
    let time = times::to_nanos_text(now_millis);
    format!(r#"{{"channel":"ohlc","type":"{kind}","timestamp":"{time}","data":[{}]}}"#, rows.join(","))
}

fn candle_row(symbol: &str, minutes: i64, candle: &Candle) -> String {
    let Candle { open, high, low, close, volume, trades, .. } = candle;
    let average = average(candle.quote_volume, *volume, &close.to_string());
    let begin = times::to_nanos_text(candle.open_millis);
    let end = times::to_micros((candle.open_millis + minutes * 60_000) * 1_000_000);
    format!(
        r#"{{"symbol":"{symbol}","open":{open},"high":{high},"low":{low},"close":{close},"trades":{trades},"volume":{volume},"vwap":{average},"interval_begin":"{begin}","interval":{minutes},"timestamp":"{end}"}}"#
    )
}

/// The average price, or this one when nothing was traded.
fn average(quote_volume: Sum, volume: Sum, otherwise: &str) -> String {
    quote_volume.over(volume).map_or_else(|| otherwise.to_owned(), |average| average.to_string())
}
