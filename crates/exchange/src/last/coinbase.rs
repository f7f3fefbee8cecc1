//! Coinbase Exchange's last price: one product a request. Pure.

use serde::Deserialize;

use super::LastPrices;
use crate::{
    Answer, Refusal,
    raw::{self, Raw},
    refusal,
};

pub(super) fn path(markets: &[&str]) -> String {
    format!("/products/{}/ticker", markets.first().unwrap_or(&""))
}

#[derive(Deserialize)]
struct Ticker<'a> {
    #[serde(borrow)]
    price: Raw<'a>,
    #[serde(borrow)]
    time: Raw<'a>,
}

/// The answer does not say which product it is of, so it is of the one that was asked for.
pub(super) fn read(markets: &[&str], answer: &Answer<'_>) -> Result<LastPrices, Refusal> {
    let ticker: Ticker<'_> =
        serde_json::from_slice(answer.body).map_err(|error| refusal::malformed(answer, "a price", &error))?;
    let mut prices = LastPrices::none_of(markets);
    if ticker.price.is_some() {
        prices.came(|place| place == 0, ticker.price, raw::written_moment(ticker.time).ok());
    }
    Ok(prices)
}
