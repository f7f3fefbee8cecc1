//! Binance's last prices: a JSON array of names in the query. Pure.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::LastPrices;
use crate::{Answer, Refusal, raw::Raw, refusal};

/// The most symbols of one request, and the longest path and query: every proxy passes it.
const LARGEST_GROUP: usize = 500;
const LONGEST_QUERY: usize = 8_000;

pub(super) fn group_size(markets: &[&str]) -> usize {
    let longest = markets.iter().map(|market| market.len()).max().unwrap_or(0);
    (LONGEST_QUERY / (longest + "%22%22,".len())).clamp(1, LARGEST_GROUP)
}

/// A single symbol is asked for in the form that costs half.
pub(super) fn path(markets: &[&str]) -> String {
    if let [market] = markets {
        return format!("/api/v3/ticker/price?symbol={market}");
    }
    // A symbol's alphabet needs no encoding; the brackets and quotes of the JSON array do.
    let names: Vec<String> = markets.iter().map(|market| format!("%22{market}%22")).collect();
    format!("/api/v3/ticker/price?symbols=%5B{}%5D", names.join(","))
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    #[serde(borrow)]
    price: Raw<'a>,
}

pub(super) fn read(markets: &[&str], answer: &Answer<'_>) -> Result<LastPrices, Refusal> {
    let items: Result<Vec<&RawValue>, _> = match answer.body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(answer.body).map(|item| vec![item]),
        _ => serde_json::from_slice(answer.body),
    };
    let mut prices = LastPrices::none_of(markets);
    for item in items.map_err(|error| refusal::malformed(answer, "prices", &error))? {
        let Ok(item) = serde_json::from_str::<Item<'_>>(item.get()) else { continue };
        prices.came(|place| markets[place] == item.symbol, item.price, None);
    }
    Ok(prices)
}
