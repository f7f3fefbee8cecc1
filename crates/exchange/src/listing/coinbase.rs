//! Coinbase Exchange's products. Pure.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Listing;
use crate::{Answer, Refusal, refusal};

#[derive(Deserialize)]
struct Product {
    id: String,
    base_currency: String,
    quote_currency: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    trading_disabled: bool,
}

pub(super) fn read(answer: &Answer<'_>) -> Result<Vec<Listing>, Refusal> {
    let products: Vec<&RawValue> = serde_json::from_slice(answer.body)
        .map_err(|error| refusal::malformed(answer, "a list of markets", &error))?;
    let products = products.iter().filter_map(|product| serde_json::from_str::<Product>(product.get()).ok());
    Ok(products
        .map(|product| Listing {
            symbol: format!("{}/{}", product.base_currency, product.quote_currency),
            trading: product.status == "online" && !product.trading_disabled,
            market: product.id,
            aliases: Vec::new(),
        })
        .collect())
}
