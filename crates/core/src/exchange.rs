//! The exchanges that prices come from.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Symbol;

/// An exchange that a pipeline can read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exchange {
    /// Binance spot.
    Binance,
    /// Coinbase Exchange.
    Coinbase,
    /// Kraken spot.
    Kraken,
}

impl Exchange {
    /// Every exchange, in the order in which they are documented.
    pub const ALL: &'static [Exchange] = &[Exchange::Binance, Exchange::Coinbase, Exchange::Kraken];

    /// The name in messages, metrics and files.
    pub fn as_str(&self) -> &'static str {
        match self {
            Exchange::Binance => "binance",
            Exchange::Coinbase => "coinbase",
            Exchange::Kraken => "kraken",
        }
    }

    /// Where its REST interface is reached, in order of preference.
    ///
    /// Binance's market-data host comes first: it needs no key and is not blocked by region.
    pub fn default_endpoints(&self) -> &'static [&'static str] {
        match self {
            Exchange::Binance => &["https://data-api.binance.vision", "https://api.binance.com"],
            Exchange::Coinbase => &["https://api.exchange.coinbase.com"],
            Exchange::Kraken => &["https://api.kraken.com"],
        }
    }

    /// Where its market streams are reached, in order of preference: scheme and host; the path is the exchange's own.
    pub fn default_stream_endpoints(&self) -> &'static [&'static str] {
        match self {
            Exchange::Binance => &["wss://data-stream.binance.vision", "wss://stream.binance.com:9443"],
            Exchange::Coinbase => &["wss://ws-feed.exchange.coinbase.com"],
            Exchange::Kraken => &["wss://ws.kraken.com"],
        }
    }

    /// The request weight that the exchange allows in a minute to everybody behind one address. Where an exchange
    /// counts requests, each weighs 1.
    pub const fn request_weight_limit(&self) -> u32 {
        match self {
            Exchange::Binance => 6_000,
            // 10 requests a second.
            Exchange::Coinbase => 600,
            // 1 request a second is safe.
            Exchange::Kraken => 60,
        }
    }

    /// The request weight of a minute that a source is given unless it says otherwise: a fifth of what Binance allows,
    /// and no more than the exchange allows at all.
    pub fn usual_request_weight(&self) -> u32 {
        self.request_weight_limit().min(1_200)
    }

    /// The request weight of asking once for the last price of so many symbols.
    pub fn price_request_weight(&self, symbols: usize) -> u32 {
        match self {
            Exchange::Binance if symbols == 1 => 2,
            Exchange::Binance => 4,
            // One product a request.
            Exchange::Coinbase => u32::try_from(symbols).unwrap_or(u32::MAX),
            Exchange::Kraken => 1,
        }
    }

    /// The symbol as this exchange itself writes it: the neutral form `BTC/USDT` is `BTCUSDT` for Binance, `BTC-USDT`
    /// for Coinbase and itself for Kraken. What is in an exchange's own form already stays as it is.
    ///
    /// Identities and Kafka keys are made of it, so one market has one identity whichever form a pipeline uses.
    pub fn market<'a>(&self, symbol: &'a Symbol) -> Cow<'a, str> {
        match (self, symbol.pair()) {
            (_, None) | (Exchange::Kraken, Some(_)) => Cow::Borrowed(symbol.as_str()),
            (Exchange::Binance, Some((base, quote))) => Cow::Owned(format!("{base}{quote}")),
            (Exchange::Coinbase, Some((base, quote))) => Cow::Owned(format!("{base}-{quote}")),
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
#[error("unknown exchange; known: binance, coinbase, kraken")]
pub struct UnknownExchange;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neutral_symbol_is_written_as_each_exchange_writes_it() {
        let (neutral, own): (Symbol, Symbol) = ("BTC/USDT".parse().unwrap(), "BTCUSDT".parse().unwrap());
        let written =
            |symbol| Exchange::ALL.iter().map(|exchange| exchange.market(symbol)).collect::<Vec<_>>();
        assert_eq!(written(&neutral), ["BTCUSDT", "BTC-USDT", "BTC/USDT"]);
        assert_eq!(written(&own), ["BTCUSDT"; 3]);
    }

    #[test]
    fn the_known_exchanges_are_named_in_the_error() {
        for exchange in Exchange::ALL {
            assert_eq!(exchange.as_str().parse(), Ok(*exchange));
            assert!(UnknownExchange.to_string().contains(exchange.as_str()));
        }
    }
}
