//! Which symbols an exchange has.

mod binance;
mod coinbase;
mod kraken;

use pricepipe_core::{Exchange, Symbol};

use crate::{Answer, Refusal, Request, refusal};

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

impl Listing {
    /// Every name of it, the neutral one first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [&self.symbol, &self.market].into_iter().chain(&self.aliases).map(String::as_str)
    }
}

/// Asks for every market.
pub fn listings(exchange: Exchange) -> Request {
    let (path, weight) = match exchange {
        Exchange::Binance => ("/api/v3/exchangeInfo", 20),
        Exchange::Coinbase => ("/products", 1),
        Exchange::Kraken => ("/0/public/AssetPairs", 1),
    };
    Request { path_and_query: path.to_owned(), weight }
}

/// Reads the answer to [`listings`], in order of their symbols. What is no market is left out.
///
/// # Errors
/// An answer that is no list.
pub fn read_listings(exchange: Exchange, answer: &Answer<'_>) -> Result<Vec<Listing>, Refusal> {
    refusal::check(exchange, answer)?;
    let mut listings = match exchange {
        Exchange::Binance => binance::read(answer),
        Exchange::Coinbase => coinbase::read(answer),
        Exchange::Kraken => kraken::read(answer),
    }?;
    listings.sort();
    Ok(listings)
}

/// The listings whose names are most like a symbol that the exchange does not have, the likeliest first: those that a slip
/// of the finger away, that begin with it, or that have its base asset.
pub fn near_matches<'a>(symbol: &Symbol, listings: &'a [Listing], most: usize) -> Vec<&'a Listing> {
    let wanted = letters(symbol.as_str());
    let base = symbol.base_asset().map(|base| base.to_ascii_uppercase());
    // A third of the letters may differ.
    let limit = (wanted.len() / 3).max(1);
    let mut near: Vec<(usize, bool, &Listing)> = listings
        .iter()
        .filter_map(|listing| {
            let names: Vec<String> = listing.names().map(letters).collect();
            let distances = names.iter().map(|name| strsim::damerau_levenshtein(&wanted, name));
            let distance = distances.min().unwrap_or(usize::MAX);
            let begins = wanted.len() >= 3 && names.iter().any(|name| name.starts_with(&wanted));
            let same_base = listing.symbol.split('/').next() == base.as_deref();
            (distance <= limit || begins || same_base).then_some((distance, !listing.trading, listing))
        })
        .collect();
    near.sort();
    near.into_iter().take(most).map(|(_, _, listing)| listing).collect()
}

/// A name without what separates base and quote.
fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).collect()
}

#[cfg(test)]
mod tests;
