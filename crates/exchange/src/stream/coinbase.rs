//! Coinbase Exchange's WebSocket feed. Pure.

use std::borrow::Cow;

use pricepipe_core::{
    Details,
    config::Stream,
    identity::Event,
    message::{Quote, Trade},
};
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use super::{Frame, Topic, other, quote_record};
use crate::{
    BadRecord, Record, coinbase,
    raw::{self, Raw},
};

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, rename = "type")]
    kind: Raw<'a>,
    #[serde(borrow)]
    product_id: Raw<'a>,
    #[serde(borrow)]
    sequence: Raw<'a>,
    #[serde(borrow)]
    time: Raw<'a>,
    #[serde(borrow)]
    price: Raw<'a>,
    #[serde(borrow)]
    trade_id: Raw<'a>,
    #[serde(borrow)]
    size: Raw<'a>,
    #[serde(borrow)]
    side: Raw<'a>,
    #[serde(borrow)]
    best_bid: Raw<'a>,
    #[serde(borrow)]
    best_bid_size: Raw<'a>,
    #[serde(borrow)]
    best_ask: Raw<'a>,
    #[serde(borrow)]
    best_ask_size: Raw<'a>,
    #[serde(borrow)]
    last_trade_id: Raw<'a>,
    #[serde(borrow)]
    channels: Raw<'a>,
    #[serde(borrow)]
    message: Raw<'a>,
    #[serde(borrow)]
    reason: Raw<'a>,
}

/// The channel of a stream.
fn channel(topic: &Topic) -> &'static str {
    match topic.stream {
        Stream::MiniTicker | Stream::BookTicker => "ticker",
        Stream::Trade | Stream::AggTrade | Stream::Kline => "matches",
    }
}

/// With each channel its heartbeat, which tells the number of the last trade. Requests have no numbers here.
pub(super) fn subscribe(topic: &Topic, markets: &[&str], _request: u64) -> String {
    json!({"type": "subscribe", "product_ids": markets, "channels": [channel(topic), "heartbeat"]})
        .to_string()
}

pub(super) fn read(topic: &Topic, frame: &str, records: &mut Vec<Record>) -> Result<Frame, BadRecord> {
    let Ok(message) = serde_json::from_str::<Message<'_>>(frame) else { return other(frame) };
    let record = match (message.kind.and_then(raw::text).as_deref(), topic.stream) {
        (Some("match" | "last_match"), Stream::Trade) => message.trade(),
        (Some("ticker"), Stream::MiniTicker) => message.ticker(),
        (Some("ticker"), Stream::BookTicker) => message.quote(),
        (Some("heartbeat"), _) => return Ok(Frame::Heartbeat { last_trade: message.last_trade() }),
        (Some("subscriptions"), _) => {
            return Ok(Frame::Subscribed { request: None, markets: message.subscribed(channel(topic)) });
        }
        (Some("error"), _) => return Ok(message.refusal()),
        _ => return Ok(Frame::Unknown),
    };
    Ok(match record {
        Ok(record) => {
            records.push(record);
            Frame::Data { rejected: Vec::new() }
        }
        Err(bad) => Frame::Data { rejected: vec![bad] },
    })
}

impl Message<'_> {
    fn trade(&self) -> Result<Record, BadRecord> {
        let side = coinbase::taker_side(self.side);
        Ok(Record {
            market: raw::market(self.product_id)?,
            price: raw::price(self.price)?,
            details: Details::Trade(Trade { quantity: raw::quantity(self.size)?, side }),
            event: Event::Trade(raw::number(self.trade_id)?),
            time: Some(raw::written_moment(self.time)?),
        })
    }

    fn ticker(&self) -> Result<Record, BadRecord> {
        Ok(Record {
            market: raw::market(self.product_id)?,
            price: raw::price(self.price)?,
            details: Details::Price,
            event: Event::Ticker(raw::number(self.sequence)?),
            time: Some(raw::written_moment(self.time)?),
        })
    }

    fn quote(&self) -> Result<Record, BadRecord> {
        let quote = Quote {
            bid: raw::price(self.best_bid)?,
            bid_quantity: raw::quantity(self.best_bid_size)?,
            ask: raw::price(self.best_ask)?,
            ask_quantity: raw::quantity(self.best_ask_size)?,
        };
        let time = raw::written_moment(self.time)?;
        quote_record(raw::market(self.product_id)?, quote, raw::number(self.sequence)?, Some(time))
    }

    /// A market that was never traded has the number 0, which is no trade's.
    fn last_trade(&self) -> Option<(String, u64)> {
        let number = raw::number(self.last_trade_id).ok().filter(|number| *number > 0)?;
        Some((raw::market(self.product_id).ok()?, number))
    }

    /// Every market that the connection is subscribed to by now, not only those of the last request.
    fn subscribed(&self, channel: &str) -> Vec<String> {
        #[derive(Deserialize)]
        struct Channel<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
            #[serde(default)]
            product_ids: Vec<String>,
        }
        let channels = self.channels.map_or("[]", RawValue::get);
        let channels: Vec<&RawValue> = serde_json::from_str(channels).unwrap_or_default();
        let read = channels.into_iter().filter_map(|one| serde_json::from_str::<Channel<'_>>(one.get()).ok());
        read.filter(|one| one.name == channel).flat_map(|one| one.product_ids).collect()
    }

    /// The reason names the market: `FOO-USD is not a valid product`.
    fn refusal(&self) -> Frame {
        let said = |field: Raw<'_>| field.and_then(raw::text).map(Cow::into_owned);
        let (message, reason) = (said(self.message).unwrap_or_default(), said(self.reason));
        let market = reason.iter().flat_map(|reason| reason.split_whitespace()).find(|word| {
            let word = word.as_bytes();
            word.contains(&b'-') && word.iter().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'-'))
        });
        Frame::Refused {
            request: None,
            market: market.map(str::to_owned),
            reason: raw::one_line(
                &reason.as_ref().map_or(message.clone(), |reason| format!("{message}: {reason}")),
            ),
        }
    }
}
