//! One observation as an exchange tells it, in one form for all exchanges.

use pricepipe_core::{Details, Price, Timestamp, identity::Event};

/// An observation of a market.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The market as the exchange writes it on this interface, such as `BTCUSDT`, `BTC-USD`, `BTC/USD`.
    pub market: String,
    /// The price.
    pub price: Price,
    /// What it tells beside the price.
    pub details: Details,
    /// What tells it from every other observation of the market.
    pub event: Event,
    /// When it happened, by the exchange's clock; none where it does not tell. A candle's is when it begins.
    pub time: Option<Timestamp>,
}

/// Why something that an exchange sent cannot be used. It is counted by [`BadRecord::reason`] and left out; what came
/// with it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRecord {
    /// Not JSON, or JSON of another shape than documented.
    #[error("it is malformed")]
    Malformed,
    /// A price that is none: not a number, not positive, or with more digits than can be kept.
    #[error("its price cannot be used")]
    Price,
    /// A quantity that is none.
    #[error("its quantity cannot be used")]
    Quantity,
    /// A time outside of 1970 to 2037, or none where there must be one.
    #[error("its time cannot be used")]
    Time,
    /// Its number, which tells it from others, is missing or none.
    #[error("it has no number")]
    Number,
}

impl BadRecord {
    /// Every reason, as it stands in metrics.
    pub const REASONS: &'static [&'static str] =
        &["malformed", "invalid_price", "invalid_quantity", "invalid_time", "invalid_number"];

    /// The reason as a label.
    pub fn reason(&self) -> &'static str {
        match self {
            BadRecord::Malformed => "malformed",
            BadRecord::Price => "invalid_price",
            BadRecord::Quantity => "invalid_quantity",
            BadRecord::Time => "invalid_time",
            BadRecord::Number => "invalid_number",
        }
    }
}
