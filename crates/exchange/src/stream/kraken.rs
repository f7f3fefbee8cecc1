//! Kraken's WebSocket API, version 2. Pure. Its numbers are JSON numbers, whose text is kept.

use pricepipe_core::{
    Details, KlineInterval, Timestamp,
    config::Stream,
    identity::Event,
    message::{Kline, Quote, Side, Trade},
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Frame, Topic, other, quote_record};
use crate::{
    BadRecord, Record,
    raw::{self, Raw},
};

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    channel: Raw<'a>,
    #[serde(borrow)]
    data: Raw<'a>,
    #[serde(borrow)]
    method: Raw<'a>,
    #[serde(borrow)]
    success: Raw<'a>,
    #[serde(borrow)]
    result: Raw<'a>,
    #[serde(borrow)]
    error: Raw<'a>,
    /// How it complains of what is no request of a method.
    #[serde(borrow, rename = "Error")]
    complaint: Raw<'a>,
    #[serde(borrow)]
    symbol: Raw<'a>,
    #[serde(borrow)]
    req_id: Raw<'a>,
}

/// The fields of every item that is understood.
#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    symbol: Raw<'a>,
    #[serde(borrow)]
    timestamp: Raw<'a>,
    #[serde(borrow)]
    side: Raw<'a>,
    #[serde(borrow)]
    price: Raw<'a>,
    #[serde(borrow)]
    qty: Raw<'a>,
    #[serde(borrow)]
    trade_id: Raw<'a>,
    #[serde(borrow)]
    last: Raw<'a>,
    #[serde(borrow)]
    bid: Raw<'a>,
    #[serde(borrow)]
    bid_qty: Raw<'a>,
    #[serde(borrow)]
    ask: Raw<'a>,
    #[serde(borrow)]
    ask_qty: Raw<'a>,
    #[serde(borrow)]
    interval: Raw<'a>,
    #[serde(borrow)]
    interval_begin: Raw<'a>,
    #[serde(borrow)]
    open: Raw<'a>,
    #[serde(borrow)]
    high: Raw<'a>,
    #[serde(borrow)]
    low: Raw<'a>,
    #[serde(borrow)]
    close: Raw<'a>,
    #[serde(borrow)]
    volume: Raw<'a>,
    #[serde(borrow)]
    trades: Raw<'a>,
    #[serde(borrow)]
    system: Raw<'a>,
}

/// With a snapshot each: what it brings was perhaps missed, and a quiet market shows that it is there.
pub(super) fn subscribe(topic: &Topic, markets: &[&str], request: u64) -> String {
    let mut params = json!({"channel": channel(topic), "symbol": markets, "snapshot": true});
    match topic.stream {
        Stream::MiniTicker => params["event_trigger"] = json!("trades"),
        Stream::BookTicker => params["event_trigger"] = json!("bbo"),
        Stream::Kline => params["interval"] = json!(minutes(topic)),
        Stream::Trade | Stream::AggTrade => {}
    }
    json!({"method": "subscribe", "params": params, "req_id": request}).to_string()
}

fn channel(topic: &Topic) -> &'static str {
    match topic.stream {
        Stream::Trade | Stream::AggTrade => "trade",
        Stream::MiniTicker | Stream::BookTicker => "ticker",
        Stream::Kline => "ohlc",
    }
}

fn minutes(topic: &Topic) -> i64 {
    topic.kline_interval().as_millis().map_or(1, |millis| millis / 60_000)
}

pub(super) fn read(topic: &Topic, frame: &str, records: &mut Vec<Record>) -> Result<Frame, BadRecord> {
    let Ok(message) = serde_json::from_str::<Message<'_>>(frame) else { return other(frame) };
    let (channel_name, method) = (message.channel.and_then(raw::text), message.method.and_then(raw::text));
    Ok(match (channel_name.as_deref(), method.as_deref()) {
        (Some("heartbeat"), _) | (_, Some("pong")) => Frame::Heartbeat { last_trade: None },
        (Some("status"), _) => message.status(),
        (Some(named), _) if named == channel(topic) => message.data(topic, records)?,
        (_, Some("subscribe")) if message.success.is_some_and(|success| success.get() == "true") => {
            message.subscribed()
        }
        (_, Some("subscribe")) => message.refusal(),
        (None, None) if message.error.is_some() || message.complaint.is_some() => message.refusal(),
        _ => Frame::Unknown,
    })
}

impl Message<'_> {
    /// Each item by itself: a bad one spoils no other.
    fn data(&self, topic: &Topic, records: &mut Vec<Record>) -> Result<Frame, BadRecord> {
        let mut rejected = Vec::new();
        for item in self.items().ok_or(BadRecord::Malformed)? {
            let item = serde_json::from_str::<Item<'_>>(item.get()).map_err(|_| BadRecord::Malformed);
            match item.and_then(|item| item.record(topic.stream)) {
                Ok(record) => records.push(record),
                Err(bad) => rejected.push(bad),
            }
        }
        Ok(Frame::Data { rejected })
    }

    fn items(&self) -> Option<Vec<&RawValue>> {
        serde_json::from_str(self.data?.get()).ok()
    }

    /// It says `online` when we connect, and anything else when it does not trade.
    fn status(&self) -> Frame {
        let items = self.items().unwrap_or_default();
        let read = items.first().and_then(|item| serde_json::from_str::<Item<'_>>(item.get()).ok());
        match read.and_then(|item| item.system).and_then(raw::text) {
            Some(system) if system != "online" => Frame::Status(raw::one_line(&system)),
            _ => Frame::Heartbeat { last_trade: None },
        }
    }

    /// It acknowledges market by market.
    fn subscribed(&self) -> Frame {
        #[derive(Deserialize)]
        struct Subscription<'a> {
            #[serde(borrow)]
            symbol: Raw<'a>,
        }
        let result =
            self.result.and_then(|result| serde_json::from_str::<Subscription<'_>>(result.get()).ok());
        let market = result.and_then(|subscription| raw::market(subscription.symbol).ok());
        Frame::Subscribed { request: raw::number(self.req_id).ok(), markets: market.into_iter().collect() }
    }

    /// Where no field names the market, the words do: `Currency pair not supported FOO/BAR`.
    fn refusal(&self) -> Frame {
        let words = self.error.or(self.complaint).and_then(raw::text).unwrap_or_default();
        let named = || words.split_whitespace().find(|word| word.contains('/')).map(str::to_owned);
        Frame::Refused {
            request: raw::number(self.req_id).ok(),
            market: raw::market(self.symbol).ok().or_else(named),
            reason: raw::one_line(&words),
        }
    }
}

impl Item<'_> {
    fn record(&self, stream: Stream) -> Result<Record, BadRecord> {
        match stream {
            Stream::Trade | Stream::AggTrade => self.trade(),
            Stream::MiniTicker => self.ticker(),
            Stream::BookTicker => self.quote(),
            Stream::Kline => self.kline(),
        }
    }

    fn trade(&self) -> Result<Record, BadRecord> {
        let side = self.side.and_then(raw::text).and_then(|side| Side::from_name(&side));
        Ok(Record {
            market: raw::market(self.symbol)?,
            price: raw::price(self.price)?,
            details: Details::Trade(Trade { quantity: raw::quantity(self.qty)?, side }),
            event: Event::Trade(raw::number(self.trade_id)?),
            time: Some(raw::written_moment(self.timestamp)?),
        })
    }

    fn ticker(&self) -> Result<Record, BadRecord> {
        let (number, time) = self.stamp()?;
        Ok(Record {
            market: raw::market(self.symbol)?,
            price: raw::price(self.last)?,
            details: Details::Price,
            event: Event::Ticker(number),
            time: Some(time),
        })
    }

    fn quote(&self) -> Result<Record, BadRecord> {
        let quote = Quote {
            bid: raw::price(self.bid)?,
            bid_quantity: raw::quantity(self.bid_qty)?,
            ask: raw::price(self.ask)?,
            ask_quantity: raw::quantity(self.ask_qty)?,
        };
        let (number, time) = self.stamp()?;
        quote_record(raw::market(self.symbol)?, quote, number, Some(time))
    }

    /// A ticker has no number: its moment, told to the microsecond, stands in.
    fn stamp(&self) -> Result<(u64, Timestamp), BadRecord> {
        let text = self.timestamp.ok_or(BadRecord::Number)?;
        let time = raw::written_moment(Some(text))?;
        let micros: jiff::Timestamp = raw::word(Some(text)).parse().map_err(|_| BadRecord::Time)?;
        Ok((micros.as_microsecond().unsigned_abs(), time))
    }

    /// A candle as it is by now: nothing here says that it is over. How many trades it is made of tells one state of it
    /// from another, and it is the same on every connection.
    fn kline(&self) -> Result<Record, BadRecord> {
        let minutes: i64 = raw::word(self.interval).parse().map_err(|_| BadRecord::Malformed)?;
        let interval = minutes.checked_mul(60_000).and_then(KlineInterval::from_millis);
        let interval = interval.ok_or(BadRecord::Malformed)?;
        let begin = raw::written_moment(self.interval_begin)?;
        let close = raw::price(self.close)?;
        let kline = Kline {
            interval,
            open: raw::price(self.open)?,
            high: raw::price(self.high)?,
            low: raw::price(self.low)?,
            close,
            volume: raw::quantity(self.volume)?,
            closed: false,
        };
        Ok(Record {
            market: raw::market(self.symbol)?,
            price: close,
            details: Details::Kline(Box::new(kline)),
            event: Event::PartialKline(interval, begin, raw::number(self.trades)?),
            time: Some(begin),
        })
    }
}
