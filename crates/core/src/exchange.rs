//! The exchanges that prices come from.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An exchange that a pipeline can read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exchange {
    /// Binance spot.
    Binance,
}

impl Exchange {
    /// Every exchange, in the order in which they are documented.
    pub const ALL: &'static [Exchange] = &[Exchange::Binance];

    /// The name in messages, metrics and files.
    pub fn as_str(&self) -> &'static str {
        match self {
            Exchange::Binance => "binance",
        }
    }

    /// Where its REST interface is reached, in order of preference.
    ///
    /// The market-data host comes first: it needs no key and is not blocked by region.
    pub fn default_endpoints(&self) -> &'static [&'static str] {
        match self {
            Exchange::Binance => &["https://data-api.binance.vision", "https://api.binance.com"],
        }
    }

    /// The request weight that the exchange allows in a minute to everybody behind one address.
    pub const fn request_weight_limit(&self) -> u32 {
        match self {
            Exchange::Binance => 6_000,
        }
    }

    /// The request weight that one batched price request costs, whatever the number of symbols (two or more).
    pub fn price_request_weight(&self) -> u32 {
        match self {
            Exchange::Binance => 4,
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Exchange {
    type Err = UnknownExchange;

    fn from_str(text: &str) -> Result<Self, UnknownExchange> {
        Exchange::ALL.iter().copied().find(|e| e.as_str() == text).ok_or(UnknownExchange)
    }
}

/// The text names no exchange that a pipeline can read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown exchange; known: binance")]
pub struct UnknownExchange;
