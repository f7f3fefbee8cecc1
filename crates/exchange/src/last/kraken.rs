//! Kraken's last prices: names with commas between, and an answer under other names. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::LastPrices;
use crate::{Answer, Refusal, kraken, raw::Raw};

/// The most markets of one request.
pub(super) const GROUP: usize = 100;

pub(super) fn path(markets: &[&str]) -> String {
    let names: Vec<String> = markets.iter().map(|market| kraken::rest_name(market)).collect();
    format!("/0/public/Ticker?pair={}", names.join(","))
}

#[derive(Deserialize)]
struct Ticker<'a> {
    /// The last trade: price and volume.
    #[serde(borrow, default)]
    c: Vec<&'a RawValue>,
}

/// `XBTUSD` is answered as `XXBTZUSD`. Where the name of an answer cannot be told, it is of the one market that was asked
/// for, if it was one.
pub(super) fn read(markets: &[&str], answer: &Answer<'_>) -> Result<LastPrices, Refusal> {
    let result = kraken::result(answer, "prices")?;
    let alone = markets.len() == 1 && result.len() == 1;
    let mut prices = LastPrices::none_of(markets);
    for (name, ticker) in result {
        let price: Raw<'_> = serde_json::from_str::<Ticker<'_>>(ticker.get())
            .ok()
            .and_then(|ticker| ticker.c.first().copied());
        let is_it = |place: usize| {
            let market = markets[place];
            alone
                || market == name
                || kraken::rest_name(market) == name
                || kraken::stream_name(&name) == market
        };
        prices.came(is_it, price, None);
    }
    Ok(prices)
}
