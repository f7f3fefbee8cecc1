//! The text of Binance's streams. Pure; written by hand, because there are very many of them.

use std::fmt::Write;

use crate::{
    candle::Candle,
    digits::Digits,
    interval::Interval,
    tape::{Day, Tape},
    trade::{Side, Trade},
};

/// Whether times are in microseconds instead of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Micros(pub(super) bool);

impl Micros {
    pub(super) fn of(self, millis: i64) -> i64 {
        if self.0 { millis * 1_000 } else { millis }
    }

    fn of_trade(self, trade: &Trade) -> i64 {
        if self.0 { trade.time_micros() } else { trade.time_millis() }
    }
}

/// A stream and its payload, wrapped when the connection wants that. `E` of a payload is `event`.
pub(super) struct Pen<'a> {
    /// The name of the stream, on a connection that has them combined.
    pub(super) wrap: Option<&'a str>,
    pub(super) symbol: &'a str,
    pub(super) event: i64,
    pub(super) micros: Micros,
}

impl Pen<'_> {
    fn write(&self, payload: impl FnOnce(&mut String) -> std::fmt::Result) -> String {
        let mut text = String::with_capacity(256);
        let written = match self.wrap {
            None => payload(&mut text),
            Some(stream) => write!(text, r#"{{"stream":"{stream}","data":"#)
                .and_then(|()| payload(&mut text))
                .and_then(|()| text.write_char('}')),
        };
        debug_assert!(written.is_ok(), "a String takes everything");
        text
    }

    pub(super) fn trade(&self, trade: &Trade) -> String {
        let Pen { symbol, event, .. } = self;
        let (time, maker) = (self.micros.of_trade(trade), trade.side == Side::Sell);
        let Trade { id, price, quantity, .. } = trade;
        self.write(|out| {
            write!(
                out,
                r#"{{"e":"trade","E":{event},"s":"{symbol}","t":{id},"p":"{price}","q":"{quantity}","T":{time},"m":{maker},"M":true}}"#
            )
        })
    }

    pub(super) fn agg_trade(&self, tape: &Tape, trade: &Trade) -> String {
        let Pen { symbol, event, .. } = self;
        let (time, maker) = (self.micros.of_trade(trade), trade.side == Side::Sell);
        let (aggregate, Trade { id, price, quantity, .. }) = (tape.aggregate_id(trade), trade);
        self.write(|out| {
            write!(
                out,
                r#"{{"e":"aggTrade","E":{event},"s":"{symbol}","a":{aggregate},"p":"{price}","q":"{quantity}","f":{id},"l":{id},"T":{time},"m":{maker},"M":true}}"#
            )
        })
    }

    /// The best bid and offer after a trade: it was made at one of the two.
    pub(super) fn book_ticker(&self, tape: &Tape, trade: &Trade) -> String {
        let (symbol, update) = (self.symbol, 2 * tape.aggregate_id(trade));
        let (bid, ask) = trade.quote();
        let quantity = trade.quantity;
        self.write(|out| {
            write!(
                out,
                r#"{{"u":{update},"s":"{symbol}","b":"{bid}","B":"{quantity}","a":"{ask}","A":"{quantity}"}}"#
            )
        })
    }

    pub(super) fn mini_ticker(&self, last: Digits, day: &Day) -> String {
        let Pen { symbol, event, .. } = self;
        let Day { open, high, low, volume, quote_volume, .. } = day;
        self.write(|out| {
            write!(
                out,
                r#"{{"e":"24hrMiniTicker","E":{event},"s":"{symbol}","c":"{last}","o":"{open}","h":"{high}","l":"{low}","v":"{volume}","q":"{quote_volume}"}}"#
            )
        })
    }

    pub(super) fn kline(&self, name: &str, interval: Interval, candle: &Candle, closed: bool) -> String {
        let Pen { symbol, event, .. } = self;
        let begin = self.micros.of(candle.open_millis);
        let end = self.micros.of(interval.after(candle.open_millis)) - 1;
        let (first, last) = candle.ids.map_or((-1, -1), |(first, last)| (first as i64, last as i64));
        let Candle {
            open,
            close,
            high,
            low,
            volume,
            trades,
            quote_volume,
            taker_volume,
            taker_quote_volume,
            ..
        } = candle;
        self.write(|out| {
            write!(
                out,
                r#"{{"e":"kline","E":{event},"s":"{symbol}","k":{{"t":{begin},"T":{end},"s":"{symbol}","i":"{name}","f":{first},"L":{last},"o":"{open}","c":"{close}","h":"{high}","l":"{low}","v":"{volume}","n":{trades},"x":{closed},"q":"{quote_volume}","V":"{taker_volume}","Q":"{taker_quote_volume}","B":"0"}}}}"#
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_is_written_as_the_exchange_does() {
        let trade = Trade {
            id: 12345,
            time_nanos: 1_672_515_782_136_000_001,
            price: "0.001".parse().unwrap(),
            quantity: "100".parse().unwrap(),
            side: Side::Sell,
        };
        let mut pen = Pen { wrap: None, symbol: "BNBBTC", event: 1_672_515_782_137, micros: Micros(false) };
        assert_eq!(
            pen.trade(&trade),
            r#"{"e":"trade","E":1672515782137,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}"#
        );
        pen.wrap = Some("bnbbtc@trade");
        let wrapped = pen.trade(&trade);
        assert!(
            wrapped.starts_with(r#"{"stream":"bnbbtc@trade","data":{"e":"trade""#) && wrapped.ends_with("}}")
        );
        let candle = Candle::of(1_672_515_780_000, &trade);
        let kline: serde_json::Value =
            serde_json::from_str(&pen.kline("1m", Interval::Millis(60_000), &candle, true)).unwrap();
        assert_eq!(
            (&kline["data"]["k"]["T"], &kline["data"]["k"]["x"]),
            (&1_672_515_839_999i64.into(), &true.into())
        );
        assert_eq!(
            (&kline["data"]["k"]["q"], &kline["data"]["k"]["V"]),
            (&"0.10000000".into(), &"0.00000000".into())
        );
    }
}
