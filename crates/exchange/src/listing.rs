//! Which symbols an exchange has.

use pricepipe_core::{Exchange, Symbol};

use crate::{Answer, Refusal, Request};

/// A market of an exchange.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listing {
    /// The symbol in the neutral form, `BTC/USD`.
    pub symbol: String,
    /// The market as the exchange writes it in its streams, such as `BTCUSDT`, `BTC-USD`, `BTC/USD`.
    pub market: String,
    /// Other names that the exchange has for it, such as Kraken's `XBTUSD` and `XXBTZUSD`.
    pub aliases: Vec<String>,
    /// True when it can be traded now.
    pub trading: bool,
}

/// Asks for every market.
pub fn listings(_exchange: Exchange) -> Request {
    Request { path_and_query: String::new(), weight: 1 }
}

/// Reads the answer to [`listings`].
///
/// # Errors
/// An answer that is no list.
pub fn read_listings(_exchange: Exchange, _answer: &Answer<'_>) -> Result<Vec<Listing>, Refusal> {
    Ok(Vec::new())
}

/// The listings whose names are most like a symbol that the exchange does not have, the likeliest first.
pub fn near_matches<'a>(_symbol: &Symbol, _listings: &'a [Listing], _most: usize) -> Vec<&'a Listing> {
    Vec::new()
}
