//! Binance's market streams, combined or raw. Pure.
//!
//! A frame of a trade is read in one pass: every field is kept as its text where it lies, so a field of another type
//! than documented spoils nobody but itself. The names are pairs that differ by their case alone.

use pricepipe_core::{
    Details, KlineInterval,
    config::Stream,
    identity::Event,
    message::{Kline, Quote, Trade},
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Frame, Topic, other, quote_record};
use crate::{
    BadRecord, Record, binance,
    raw::{self, Raw},
};

#[derive(Deserialize)]
struct Message<'a> {
    /// The payload of a combined stream.
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(borrow, default, deserialize_with = "raw::present")]
    result: Raw<'a>,
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    code: Raw<'a>,
    #[serde(borrow)]
    msg: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
}

/// The fields of every payload that is understood.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, rename = "e")]
    event: Raw<'a>,
    #[serde(borrow, rename = "E")]
    event_time: Raw<'a>,
    #[serde(borrow, rename = "s")]
    market: Raw<'a>,
    #[serde(borrow, rename = "t")]
    trade: Raw<'a>,
    /// The number of an aggregate trade; a quote's ask.
    #[serde(borrow, rename = "a")]
    aggregate_or_ask: Raw<'a>,
    #[serde(borrow, rename = "p")]
    price: Raw<'a>,
    #[serde(borrow, rename = "q")]
    quantity: Raw<'a>,
    #[serde(borrow, rename = "T")]
    time: Raw<'a>,
    #[serde(borrow, rename = "m")]
    buyer_is_maker: Raw<'a>,
    #[serde(borrow, rename = "c")]
    last: Raw<'a>,
    #[serde(borrow, rename = "k")]
    candle: Raw<'a>,
    #[serde(borrow, rename = "u")]
    update: Raw<'a>,
    #[serde(borrow, rename = "b")]
    bid: Raw<'a>,
    #[serde(borrow, rename = "B")]
    bid_quantity: Raw<'a>,
    #[serde(borrow, rename = "A")]
    ask_quantity: Raw<'a>,
}

#[derive(Deserialize)]
struct Candle<'a> {
    #[serde(borrow, rename = "t")]
    begin: Raw<'a>,
    #[serde(borrow, rename = "i")]
    interval: Raw<'a>,
    #[serde(borrow, rename = "o")]
    open: Raw<'a>,
    #[serde(borrow, rename = "h")]
    high: Raw<'a>,
    #[serde(borrow, rename = "l")]
    low: Raw<'a>,
    #[serde(borrow, rename = "c")]
    close: Raw<'a>,
    #[serde(borrow, rename = "v")]
    volume: Raw<'a>,
    #[serde(borrow, rename = "x")]
    closed: Raw<'a>,
}

pub(super) fn subscribe(topic: &Topic, markets: &[&str], request: u64) -> String {
    let name = match topic.stream {
        Stream::Kline => format!("kline_{}", topic.kline_interval()),
        other => other.as_str().to_owned(),
    };
    let streams: Vec<String> =
        markets.iter().map(|market| format!("{}@{name}", market.to_lowercase())).collect();
    json!({"method": "SUBSCRIBE", "params": streams, "id": request}).to_string()
}

pub(super) fn read(topic: &Topic, frame: &str, records: &mut Vec<Record>) -> Result<Frame, BadRecord> {
    let Ok(message) = serde_json::from_str::<Message<'_>>(frame) else { return other(frame) };
    match message {
        Message { data: Some(data), .. } => Ok(data.read(topic, records)),
        Message { code: Some(_), .. } | Message { error: Some(_), .. } => Ok(message.refusal()),
        Message { id: Some(id), result: Some(result), .. } if result.get() == "null" => {
            Ok(Frame::Subscribed { request: raw::number(Some(id)).ok(), markets: Vec::new() })
        }
        // Not wrapped, as on a connection to one stream.
        _ => match serde_json::from_str::<Data<'_>>(frame) {
            Ok(data) => Ok(data.read(topic, records)),
            Err(_) => other(frame),
        },
    }
}

impl Message<'_> {
    /// A refusal, whose code and words stand at the top or in `error`.
    fn refusal(&self) -> Frame {
        #[derive(Deserialize)]
        struct Fault<'a> {
            #[serde(borrow)]
            code: Raw<'a>,
            #[serde(borrow)]
            msg: Raw<'a>,
        }
        let nested = self.error.and_then(|error| serde_json::from_str::<Fault<'_>>(error.get()).ok());
        let (code, msg) = nested.map_or((self.code, self.msg), |fault| (fault.code, fault.msg));
        let words = msg.and_then(raw::text).unwrap_or_default();
        Frame::Refused {
            request: raw::number(self.id).ok(),
            market: None,
            reason: raw::one_line(&format!("{words} ({})", raw::word(code))),
        }
    }
}

impl Data<'_> {
    fn read(&self, topic: &Topic, records: &mut Vec<Record>) -> Frame {
        let record = match (topic.stream, self.event.map(RawValue::get)) {
            (Stream::Trade, Some(r#""trade""#)) => self.trade(self.trade, Event::Trade).map(Some),
            (Stream::AggTrade, Some(r#""aggTrade""#)) => {
                self.trade(self.aggregate_or_ask, Event::AggTrade).map(Some)
            }
            (Stream::MiniTicker, Some(r#""24hrMiniTicker""#)) => self.ticker().map(Some),
            (Stream::Kline, Some(r#""kline""#)) => self.kline(topic.partial),
            // The one payload that does not say what it is.
            (Stream::BookTicker, None | Some(r#""bookTicker""#)) if self.update.is_some() => {
                self.quote().map(Some)
            }
            (_, Some(r#""serverShutdown""#)) => return Frame::GoingAway,
            _ => return Frame::Unknown,
        };
        match record {
            Ok(record) => {
                records.extend(record);
                Frame::Data { rejected: Vec::new() }
            }
            Err(bad) => Frame::Data { rejected: vec![bad] },
        }
    }

    fn trade(&self, number: Raw<'_>, event: fn(u64) -> Event) -> Result<Record, BadRecord> {
        let side = binance::taker_side(self.buyer_is_maker);
        Ok(Record {
            market: raw::market(self.market)?,
            price: raw::price(self.price)?,
            details: Details::Trade(Trade { quantity: raw::quantity(self.quantity)?, side }),
            event: event(raw::number(number)?),
            time: Some(raw::moment(self.time)?),
        })
    }

    fn ticker(&self) -> Result<Record, BadRecord> {
        let time = raw::moment(self.event_time)?;
        Ok(Record {
            market: raw::market(self.market)?,
            price: raw::price(self.last)?,
            details: Details::Price,
            event: Event::Ticker(time.as_millis().unsigned_abs()),
            time: Some(time),
        })
    }

    fn quote(&self) -> Result<Record, BadRecord> {
        let quote = Quote {
            bid: raw::price(self.bid)?,
            bid_quantity: raw::quantity(self.bid_quantity)?,
            ask: raw::price(self.aggregate_or_ask)?,
            ask_quantity: raw::quantity(self.ask_quantity)?,
        };
        quote_record(raw::market(self.market)?, quote, raw::number(self.update)?, None)
    }

    /// A candle, unless it may still change and only final ones are wanted.
    fn kline(&self, partial: bool) -> Result<Option<Record>, BadRecord> {
        let candle = self.candle.ok_or(BadRecord::Malformed)?.get();
        let candle: Candle<'_> = serde_json::from_str(candle).map_err(|_| BadRecord::Malformed)?;
        let closed = match candle.closed.map(RawValue::get) {
            Some("true") => true,
            Some("false") => false,
            _ => return Err(BadRecord::Malformed),
        };
        if !closed && !partial {
            return Ok(None);
        }
        let interval: KlineInterval = raw::word(candle.interval).parse().map_err(|_| BadRecord::Malformed)?;
        let begin = raw::moment(candle.begin)?;
        let event = if closed {
            Event::Kline(interval, begin)
        } else {
            Event::PartialKline(interval, begin, raw::moment(self.event_time)?.as_millis().unsigned_abs())
        };
        let close = raw::price(candle.close)?;
        let kline = Kline {
            interval,
            open: raw::price(candle.open)?,
            high: raw::price(candle.high)?,
            low: raw::price(candle.low)?,
            close,
            volume: raw::quantity(candle.volume)?,
            closed,
        };
        Ok(Some(Record {
            market: raw::market(self.market)?,
            price: close,
            details: Details::Kline(Box::new(kline)),
            event,
            time: Some(begin),
        }))
    }
}
