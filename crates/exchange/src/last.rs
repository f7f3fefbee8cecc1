//! The last price of many markets, and what else is asked of every exchange: whether it answers, and how much of its
//! weight is used. Pure.

mod binance;
mod coinbase;
mod kraken;

use http::{HeaderMap, header::DATE};
use pricepipe_core::{Exchange, Price, PriceError, Timestamp};

use crate::{
    Answer, Refusal, Request,
    raw::{self, Raw},
    refusal::{self, http_date},
};

/// The last prices of markets, in one request: no more of them than [`group_size`] says, and at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices<'a> {
    /// The exchange.
    pub exchange: Exchange,
    /// The markets as streams call them.
    pub markets: &'a [&'a str],
}

/// What was answered. Markets are told by their places in what was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastPrices {
    /// The prices in the order in which they came, with the time of each where the exchange tells one.
    pub found: Vec<(usize, Price, Option<Timestamp>)>,
    /// What was sent and cannot be used, and why.
    pub rejected: Vec<(usize, PriceError)>,
    /// What was asked for and not sent.
    pub missing: Vec<usize>,
}

/// How many of these markets may be asked for in one request.
pub fn group_size(exchange: Exchange, markets: &[&str]) -> usize {
    match exchange {
        Exchange::Binance => binance::group_size(markets),
        Exchange::Coinbase => 1,
        Exchange::Kraken => kraken::GROUP,
    }
}

impl Prices<'_> {
    /// What to ask.
    pub fn request(&self) -> Request {
        let path_and_query = match self.exchange {
            Exchange::Binance => binance::path(self.markets),
            Exchange::Coinbase => coinbase::path(self.markets),
            Exchange::Kraken => kraken::path(self.markets),
        };
        Request { path_and_query, weight: self.exchange.price_request_weight(self.markets.len()) }
    }

    /// Reads the answer. A price that cannot be used is rejected alone; what was not asked for, or came already, is left
    /// out.
    ///
    /// # Errors
    /// An answer that holds no prices.
    pub fn read(&self, answer: &Answer<'_>) -> Result<LastPrices, Refusal> {
        refusal::check(self.exchange, answer)?;
        match self.exchange {
            Exchange::Binance => binance::read(self.markets, answer),
            Exchange::Coinbase => coinbase::read(self.markets, answer),
            Exchange::Kraken => kraken::read(self.markets, answer),
        }
    }
}

impl LastPrices {
    /// Nothing has come yet.
    fn none_of(markets: &[&str]) -> Self {
        LastPrices { missing: (0..markets.len()).collect(), ..LastPrices::default() }
    }

    /// The price of a market has come.
    fn came(&mut self, is_it: impl Fn(usize) -> bool, price: Raw<'_>, time: Option<Timestamp>) {
        let Some(index) = self.missing.iter().position(|place| is_it(*place)) else { return };
        let place = self.missing.remove(index);
        match raw::word(price).parse() {
            Ok(price) => self.found.push((place, price, time)),
            Err(error) => self.rejected.push((place, error)),
        }
    }
}

/// The cheapest request, to see whether the host answers.
pub fn ping(exchange: Exchange) -> Request {
    let path = match exchange {
        Exchange::Binance => "/api/v3/ping",
        Exchange::Coinbase => "/time",
        Exchange::Kraken => "/0/public/Time",
    };
    Request { path_and_query: path.to_owned(), weight: 1 }
}

/// Reads the answer to [`ping`].
///
/// # Errors
/// An answer that the exchange does not give.
pub fn read_ping(exchange: Exchange, answer: &Answer<'_>) -> Result<(), Refusal> {
    refusal::check(exchange, answer)?;
    let read = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(answer.body);
    read.map(|_| ()).map_err(|error| refusal::malformed(answer, "an answer to a ping", &error))
}

/// The weight that everybody behind our address has used in a minute, as an exchange reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedWeight {
    /// The weight.
    pub weight: u64,
    /// The exchange's own time, which says what minute it speaks of.
    pub time: Option<Timestamp>,
}

/// The used weight, if the answer tells: Binance alone counts for us.
pub fn used_weight(exchange: Exchange, headers: &HeaderMap) -> Option<UsedWeight> {
    if exchange != Exchange::Binance {
        return None;
    }
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let weight = text("x-mbx-used-weight-1m").or_else(|| text("x-mbx-used-weight"))?.trim().parse().ok()?;
    Some(UsedWeight { weight, time: text(DATE.as_str()).and_then(http_date) })
}

#[cfg(test)]
mod tests;
