//! What an observation tells beside its price, by its kind: the fields of a trade, a kline and a quote. Pure.

use std::str::FromStr;

use serde::{Deserialize, Serialize, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{BadMessage, read::Read};
use crate::{KlineInterval, Price, Quantity};

/// What kind of observation a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The price at a moment: polled, or a ticker's.
    #[default]
    Price,
    /// A trade; the price is the trade's.
    Trade,
    /// A candle; the price is its close.
    Kline,
    /// The best offers; the price is the middle between bid and ask.
    Quote,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Kind] = &[Kind::Price, Kind::Trade, Kind::Kline, Kind::Quote];

    /// The name in messages and documents.
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Price => "price",
            Kind::Trade => "trade",
            Kind::Kline => "kline",
            Kind::Quote => "quote",
        }
    }

    /// Reads the name in messages and documents.
    pub fn from_name(name: &str) -> Option<Self> {
        Kind::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

/// A kind with the fields of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Details {
    /// Nothing beside the price.
    #[default]
    Price,
    /// A trade.
    Trade(Trade),
    /// A candle.
    Kline(Box<Kline>),
    /// The best offers.
    Quote(Box<Quote>),
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// How much of the base asset.
    pub quantity: Quantity,
    /// Which side took the offer, where the exchange tells.
    pub side: Option<Side>,
}

/// The side that took the offer of the other: the taker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The taker bought.
    Buy,
    /// The taker sold.
    Sell,
}

impl Side {
    /// The name in messages and documents.
    pub fn as_str(&self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }

    /// Reads the name in messages and documents.
    pub fn from_name(name: &str) -> Option<Self> {
        [Side::Buy, Side::Sell].into_iter().find(|side| side.as_str() == name)
    }
}

/// A candle. It begins at the message's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kline {
    /// How long it lasts.
    pub interval: KlineInterval,
    /// The first price.
    pub open: Price,
    /// The highest price.
    pub high: Price,
    /// The lowest price.
    pub low: Price,
    /// The last price.
    pub close: Price,
    /// How much of the base asset was traded.
    pub volume: Quantity,
    /// False while the candle may still change.
    pub closed: bool,
}

/// The best offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The highest price that is bid.
    pub bid: Price,
    /// How much is bid at it.
    pub bid_quantity: Quantity,
    /// The lowest price that is asked.
    pub ask: Price,
    /// How much is asked at it.
    pub ask_quantity: Quantity,
}

impl Quote {
    /// The middle between bid and ask, exact; none where it has more digits than can be kept.
    pub fn middle(&self) -> Option<Price> {
        let sum = self.bid.as_decimal().checked_add(self.ask.as_decimal())?;
        let half = sum.checked_mul(rust_decimal::Decimal::new(5, 1))?;
        (half.checked_add(half)? == sum).then(|| half.normalize().try_into().ok()).flatten()
    }
}

impl Details {
    /// The kind.
    pub fn kind(&self) -> Kind {
        match self {
            Details::Price => Kind::Price,
            Details::Trade(_) => Kind::Trade,
            Details::Kline(_) => Kind::Kline,
            Details::Quote(_) => Kind::Quote,
        }
    }

    /// Calls `each` for every field of the kind's own, in the order in which they are written. Numbers are given with
    /// the digits of the exchange.
    pub fn fields<E>(&self, mut each: impl FnMut(&'static str, Field) -> Result<(), E>) -> Result<(), E> {
        match self {
            Details::Price => Ok(()),
            Details::Trade(trade) => {
                each("quantity", Field::Number(trade.quantity.as_decimal()))?;
                trade.side.map_or(Ok(()), |side| each("side", Field::Text(side.as_str())))
            }
            Details::Kline(kline) => {
                each("interval", Field::Text(kline.interval.as_str()))?;
                for (name, price) in
                    [("open", kline.open), ("high", kline.high), ("low", kline.low), ("close", kline.close)]
                {
                    each(name, Field::Number(price.as_decimal()))?;
                }
                each("volume", Field::Number(kline.volume.as_decimal()))?;
                each("closed", Field::Flag(kline.closed))
            }
            Details::Quote(quote) => {
                each("bid", Field::Number(quote.bid.as_decimal()))?;
                each("bidQuantity", Field::Number(quote.bid_quantity.as_decimal()))?;
                each("ask", Field::Number(quote.ask.as_decimal()))?;
                each("askQuantity", Field::Number(quote.ask_quantity.as_decimal()))
            }
        }
    }

    /// Reads what [`Details::fields`] gives; fields of other kinds are left alone.
    pub fn read<S: Source>(kind: Kind, from: &S) -> Result<Self, S::Error> {
        Ok(match kind {
            Kind::Price => Details::Price,
            Kind::Trade => Details::Trade(Trade {
                quantity: from.number("quantity")?,
                side: from.text("side", Side::from_name)?,
            }),
            Kind::Kline => {
                let interval = from.text("interval", |name| name.parse().ok())?;
                Details::Kline(Box::new(Kline {
                    interval: interval.ok_or_else(|| from.missing("interval"))?,
                    open: from.number("open")?,
                    high: from.number("high")?,
                    low: from.number("low")?,
                    close: from.number("close")?,
                    volume: from.number("volume")?,
                    closed: from.flag("closed")?.unwrap_or(true),
                }))
            }
            Kind::Quote => Details::Quote(Box::new(Quote {
                bid: from.number("bid")?,
                bid_quantity: from.number("bidQuantity")?,
                ask: from.number("ask")?,
                ask_quantity: from.number("askQuantity")?,
            })),
        })
    }

    /// The fields of the kind's own as a JSON object; none where it has none.
    pub fn to_json(&self) -> Option<String> {
        // No field is one that JSON cannot hold.
        (self.kind() != Kind::Price).then(|| serde_json::to_string(self).unwrap_or_default())
    }

    /// Reads what [`Details::to_json`] gives.
    pub fn from_json(kind: Kind, json: Option<&str>) -> Result<Self, BadMessage> {
        let read: Read<'_> = serde_json::from_str(json.unwrap_or("{}"))
            .map_err(|error| BadMessage::NotJson(error.to_string()))?;
        Details::read(kind, &read)
    }
}

/// Where the fields of a kind's own are read from.
pub trait Source {
    /// Why a field cannot be read.
    type Error;

    /// A number, in whichever form it lies there.
    fn number<T: FromStr>(&self, name: &'static str) -> Result<T, Self::Error>;

    /// What a text stands for; none where there is no such field.
    fn text<T>(
        &self,
        name: &'static str,
        meaning: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Self::Error>;

    /// True or false; none where there is no such field.
    fn flag(&self, name: &'static str) -> Result<Option<bool>, Self::Error>;

    /// A field that every observation of its kind has is missing.
    fn missing(&self, name: &'static str) -> Self::Error;
}

/// The value of a field of [`Details`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// An exact number.
    Number(rust_decimal::Decimal),
    /// A text of a known set.
    Text(&'static str),
    /// True or false.
    Flag(bool),
}

/// Written between the price and the exchange.
impl Serialize for Details {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.fields(|name, field| match field {
            Field::Number(number) => {
                let raw = RawValue::from_string(number.to_string()).map_err(serde::ser::Error::custom)?;
                map.serialize_entry(name, &raw)
            }
            Field::Text(text) => map.serialize_entry(name, text),
            Field::Flag(flag) => map.serialize_entry(name, &flag),
        })?;
        map.end()
    }
}
