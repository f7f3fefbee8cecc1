//! Binance's `exchangeInfo`. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Listing;
use crate::{Answer, Refusal, refusal};

#[derive(Deserialize)]
struct ExchangeInfo<'a> {
    #[serde(borrow)]
    symbols: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Market {
    symbol: String,
    /// Left as a text: it gets new values.
    status: String,
    base_asset: String,
    quote_asset: String,
}

pub(super) fn read(answer: &Answer<'_>) -> Result<Vec<Listing>, Refusal> {
    let info: ExchangeInfo<'_> = serde_json::from_slice(answer.body)
        .map_err(|error| refusal::malformed(answer, "a list of markets", &error))?;
    let markets = info.symbols.iter().filter_map(|market| serde_json::from_str::<Market>(market.get()).ok());
    Ok(markets
        .map(|market| Listing {
            symbol: format!("{}/{}", market.base_asset, market.quote_asset),
            market: market.symbol,
            aliases: Vec::new(),
            trading: market.status == "TRADING",
        })
        .collect())
}
