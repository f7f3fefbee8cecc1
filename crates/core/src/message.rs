//! A price on the wire: one JSON object per Kafka message.
//!
//! `symbol` and `price` come first and the price is a JSON number with the exchange's own digits, so that a
//! reader of the plain form `{"symbol":…,"price":…}` can read it too. The plain form is also accepted: what it
//! leaves out is taken from the Kafka record.

mod details;
mod pinned;
mod read;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use self::read::{Read, number, text};
pub use self::{
    details::{Details, Field, Kind, Kline, Quote, Side, Source, Trade},
    pinned::pinned,
};
use crate::{Price, PriceError, Timestamp, TimestampError, identity};

/// The exchange of a message that names none.
pub const UNKNOWN_EXCHANGE: &str = "unknown";

/// One observation of a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceMessage {
    /// The symbol in the exchange's own form; 1 to 64 characters, none of them a control character.
    pub symbol: String,
    /// The exact price.
    pub price: Price,
    /// The exchange it came from, or [`UNKNOWN_EXCHANGE`].
    pub exchange: Cow<'static, str>,
    /// What kind of observation it is, and what it tells beside the price.
    pub details: Details,
    /// When it was so: the exchange's time, the slot of a poll, or the beginning of a candle.
    pub time: Timestamp,
    /// When we learned of it.
    pub received: Timestamp,
    /// Its identity, see [`identity`].
    pub id: String,
}

/// Where a message lies in Kafka: what a message of the plain form takes its identity and time from.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// The UUID of the topic, when it is known.
    pub topic_id: Option<&'a str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The record's own timestamp.
    pub timestamp: Option<Timestamp>,
}

/// Why a message cannot be stored. [`BadMessage::reason`] is the closed set of labels and headers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMessage {
    /// A record without a value (a tombstone).
    #[error("the message has no value")]
    NoValue,
    /// Not one JSON object in UTF-8.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// No `symbol`.
    #[error("symbol is missing")]
    NoSymbol,
    /// A `symbol` that is no short text.
    #[error("symbol is not a text of 1 to 64 printable characters")]
    InvalidSymbol,
    /// No `price`.
    #[error("price is missing")]
    NoPrice,
    /// A `price` that is not positive, finite and exactly representable.
    #[error("price is {0}")]
    InvalidPrice(PriceError),
    /// An `exchange` that is no short text.
    #[error("exchange is not a text of 1 to 32 printable characters")]
    InvalidExchange,
    /// A `kind` that this version does not know.
    #[error("kind is not one of: price, trade, kline, quote")]
    UnknownKind,
    /// A field that a message of its kind has is missing or cannot be used.
    #[error("{0} is missing, or is none that a message of this kind can have")]
    InvalidDetail(&'static str),
    /// A `time` or `received` that is no usable moment.
    #[error("{field} is {problem}")]
    InvalidTime {
        /// Which of the two.
        field: &'static str,
        /// What is wrong with it.
        problem: TimestampError,
    },
    /// An `id` that is no short text.
    #[error("id is not a text of 1 to 200 printable characters")]
    InvalidId,
    /// A message without an id, and no topic UUID to make one from.
    #[error("id is missing, and the broker does not tell the topic's UUID")]
    NoIdentity,
}

impl BadMessage {
    /// Every reason, as it stands in headers and metrics.
    pub const REASONS: &'static [&'static str] = &[
        "no_value",
        "not_json",
        "no_symbol",
        "invalid_symbol",
        "no_price",
        "invalid_price",
        "invalid_exchange",
        "unknown_kind",
        "invalid_detail",
        "invalid_time",
        "invalid_id",
        "no_identity",
    ];

    /// The reason as a short label.
    pub fn reason(&self) -> &'static str {
        match self {
            BadMessage::NoValue => "no_value",
            BadMessage::NotJson(_) => "not_json",
            BadMessage::NoSymbol => "no_symbol",
            BadMessage::InvalidSymbol => "invalid_symbol",
            BadMessage::NoPrice => "no_price",
            BadMessage::InvalidPrice(_) => "invalid_price",
            BadMessage::InvalidExchange => "invalid_exchange",
            BadMessage::UnknownKind => "unknown_kind",
            BadMessage::InvalidDetail(_) => "invalid_detail",
            BadMessage::InvalidTime { .. } => "invalid_time",
            BadMessage::InvalidId => "invalid_id",
            BadMessage::NoIdentity => "no_identity",
        }
    }
}

/// The message's fields in wire order.
#[derive(Serialize)]
struct Written<'a> {
    symbol: &'a str,
    price: &'a RawValue,
    #[serde(flatten)]
    details: &'a Details,
    exchange: &'a str,
    kind: Kind,
    time: Timestamp,
    received: Timestamp,
    id: &'a str,
}

impl PriceMessage {
    /// What kind of observation it is.
    pub fn kind(&self) -> Kind {
        self.details.kind()
    }

    /// The message as JSON.
    pub fn encode(&self) -> Vec<u8> {
        let price =
            RawValue::from_string(self.price.to_string()).unwrap_or_else(|_| RawValue::NULL.to_owned());
        let written = Written {
            symbol: &self.symbol,
            price: &price,
            details: &self.details,
            exchange: &self.exchange,
            kind: self.kind(),
            time: self.time,
            received: self.received,
            id: &self.id,
        };
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// Reads a message, full or plain. No bytes make it panic.
    pub fn decode(payload: Option<&[u8]>, position: Position<'_>) -> Result<Self, BadMessage> {
        let payload = payload.filter(|bytes| !bytes.is_empty()).ok_or(BadMessage::NoValue)?;
        // The derived reader would take an array for the fields in order.
        if payload.trim_ascii_start().first() != Some(&b'{') {
            return Err(BadMessage::NotJson("it does not begin with '{'".to_owned()));
        }
        let not_json = |problem: String| BadMessage::NotJson(problem);
        // Once for all of it is quicker than for each field.
        let json = std::str::from_utf8(payload).map_err(|error| not_json(error.to_string()))?;
        let read: Read<'_> = serde_json::from_str(json).map_err(|error| not_json(error.to_string()))?;
        let symbol = text(read.symbol.ok_or(BadMessage::NoSymbol)?, 64).ok_or(BadMessage::InvalidSymbol)?;
        let price =
            number(read.price.ok_or(BadMessage::NoPrice)?).parse().map_err(BadMessage::InvalidPrice)?;
        let exchange = match read.exchange {
            None => Cow::Borrowed(UNKNOWN_EXCHANGE),
            Some(raw) => exchange(text(raw, 32).ok_or(BadMessage::InvalidExchange)?),
        };
        let kind = match read.kind {
            None => Kind::Price,
            Some(raw) => {
                text(raw, 32).and_then(|name| Kind::from_name(&name)).ok_or(BadMessage::UnknownKind)?
            }
        };
        let details = Details::read(kind, &read)?;
        let time = moment("time", read.time, position.timestamp)?;
        let received = moment("received", read.received, position.timestamp)?;
        let id = match read.id {
            Some(raw) => text(raw, 200).ok_or(BadMessage::InvalidId)?.into_owned(),
            None => {
                let topic_id = position.topic_id.ok_or(BadMessage::NoIdentity)?;
                identity::position(topic_id, position.partition, position.offset)
            }
        };
        Ok(PriceMessage { symbol: symbol.into_owned(), price, exchange, details, time, received, id })
    }
}

/// Known names are not copied.
fn exchange(name: Cow<'_, str>) -> Cow<'static, str> {
    match name.parse::<crate::Exchange>() {
        Ok(known) => Cow::Borrowed(known.as_str()),
        Err(_) => Cow::Owned(name.into_owned()),
    }
}

fn moment(
    field: &'static str,
    raw: Option<&RawValue>,
    fallback: Option<Timestamp>,
) -> Result<Timestamp, BadMessage> {
    let invalid = |problem| BadMessage::InvalidTime { field, problem };
    match raw {
        Some(raw) => text(raw, 40).ok_or(invalid(TimestampError::NotATime))?.parse().map_err(invalid),
        None => fallback.ok_or(invalid(TimestampError::NotATime)),
    }
}

#[cfg(test)]
mod tests;
