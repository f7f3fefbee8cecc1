//! What an observation tells beside its price, by its kind: the fields of a trade, a kline and a quote. Pure.

use serde::{Deserialize, Serialize, ser::SerializeMap};
use serde_json::value::RawValue;

use super::{BadMessage, text};
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

/// The fields of all kinds as they lie in a payload.
#[derive(Default, Deserialize)]
pub(super) struct ReadDetails<'a> {
    #[serde(borrow, default)]
    quantity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    side: Option<&'a RawValue>,
    #[serde(borrow, default)]
    interval: Option<&'a RawValue>,
    #[serde(borrow, default)]
    open: Option<&'a RawValue>,
    #[serde(borrow, default)]
    high: Option<&'a RawValue>,
    #[serde(borrow, default)]
    low: Option<&'a RawValue>,
    #[serde(borrow, default)]
    close: Option<&'a RawValue>,
    #[serde(borrow, default)]
    volume: Option<&'a RawValue>,
    #[serde(borrow, default)]
    closed: Option<&'a RawValue>,
    #[serde(borrow, default)]
    bid: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "bidQuantity")]
    bid_quantity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ask: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "askQuantity")]
    ask_quantity: Option<&'a RawValue>,
}

impl ReadDetails<'_> {
    /// The fields of a kind; those of others are left alone.
    pub(super) fn of(&self, kind: Kind) -> Result<Details, BadMessage> {
        Ok(match kind {
            Kind::Price => Details::Price,
            Kind::Trade => Details::Trade(Trade {
                quantity: number("quantity", self.quantity)?,
                side: match self.side {
                    None => None,
                    Some(raw) => Some(
                        text(raw, 8)
                            .and_then(|name| Side::from_name(&name))
                            .ok_or(BadMessage::InvalidDetail("side"))?,
                    ),
                },
            }),
            Kind::Kline => Details::Kline(Box::new(Kline {
                interval: self
                    .interval
                    .and_then(|raw| text(raw, 8)?.parse().ok())
                    .ok_or(BadMessage::InvalidDetail("interval"))?,
                open: number("open", self.open)?,
                high: number("high", self.high)?,
                low: number("low", self.low)?,
                close: number("close", self.close)?,
                volume: number("volume", self.volume)?,
                closed: match self.closed.map(RawValue::get) {
                    None | Some("true") => true,
                    Some("false") => false,
                    Some(_) => return Err(BadMessage::InvalidDetail("closed")),
                },
            })),
            Kind::Quote => Details::Quote(Box::new(Quote {
                bid: number("bid", self.bid)?,
                bid_quantity: number("bidQuantity", self.bid_quantity)?,
                ask: number("ask", self.ask)?,
                ask_quantity: number("askQuantity", self.ask_quantity)?,
            })),
        })
    }
}

/// A JSON number, or a string that holds one.
fn number<T: std::str::FromStr>(field: &'static str, raw: Option<&RawValue>) -> Result<T, BadMessage> {
    let raw = raw.ok_or(BadMessage::InvalidDetail(field))?;
    let unquoted = text(raw, 64);
    unquoted.as_deref().unwrap_or(raw.get()).parse().map_err(|_| BadMessage::InvalidDetail(field))
}
