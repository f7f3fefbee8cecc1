//! The JSON of Binance's answers, and the scripted ways of getting it wrong. Pure.

use std::sync::Arc;

use pricepipe_core::Symbol;
use serde::Serialize;
use serde_json::{json, value::RawValue};

use crate::faults::{Effects, Fault};

/// The answer to `ticker/price`.
pub(super) struct Tickers {
    /// Symbols and prices in the order in which they were asked for.
    pub(super) tickers: Vec<(Arc<str>, Arc<str>)>,
    /// One object instead of an array.
    pub(super) single: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ticker<'a> {
    symbol: &'a str,
    price: PriceForm<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_id: Option<u64>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum PriceForm<'a> {
    Text(&'a str),
    Number(Box<RawValue>),
}

impl Tickers {
    pub(super) fn write(&self, effects: &Effects) -> String {
        let as_number = effects.turn == Some(Fault::PriceAsNumber);
        let extra = effects.details.contains(&Fault::ExtraField).then_some(1);
        let mut tickers: Vec<Ticker<'_>> = self
            .tickers
            .iter()
            .map(|(symbol, price)| Ticker {
                symbol,
                price: PriceForm::of(price, as_number),
                last_update_id: extra,
            })
            .collect();
        if effects.details.contains(&Fault::Reordered) {
            tickers.reverse();
        }
        let wrong_shape = effects.turn == Some(Fault::WrongShape);
        shape(&tickers, self.single != wrong_shape)
    }
}

impl<'a> PriceForm<'a> {
    /// A text that is no JSON number stays a string.
    fn of(price: &'a str, as_number: bool) -> Self {
        let number = as_number.then(|| RawValue::from_string(price.to_owned()).ok()).flatten();
        number.map_or(PriceForm::Text(price), PriceForm::Number)
    }
}

fn shape(tickers: &[Ticker<'_>], single: bool) -> String {
    let text = match (single, tickers.first()) {
        (true, Some(ticker)) => serde_json::to_string(ticker),
        (true, None) => return "{}".to_owned(),
        (false, _) => serde_json::to_string(tickers),
    };
    // Strings and numbers only: nothing in it can fail to be written.
    text.unwrap_or_default()
}

pub(super) fn time(now_millis: i64) -> String {
    json!({ "serverTime": now_millis }).to_string()
}

/// The answer to `exchangeInfo`.
pub(super) struct InfoBody<'a> {
    pub(super) symbols: Vec<&'a Symbol>,
    pub(super) weight_per_minute: u32,
    pub(super) now_millis: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SymbolInfo<'a> {
    symbol: &'a str,
    status: &'static str,
    base_asset: String,
    base_asset_precision: u8,
    quote_asset: &'a str,
    quote_precision: u8,
    quote_asset_precision: u8,
    order_types: [&'static str; 2],
    is_spot_trading_allowed: bool,
    filters: [(); 0],
    permissions: [(); 0],
    permission_sets: [[&'static str; 1]; 1],
}

impl InfoBody<'_> {
    pub(super) fn write(&self) -> String {
        let symbols: Vec<SymbolInfo<'_>> = self.symbols.iter().map(|symbol| SymbolInfo::of(symbol)).collect();
        json!({
            "timezone": "UTC",
            "serverTime": self.now_millis,
            "rateLimits": [{
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": self.weight_per_minute,
            }],
            "exchangeFilters": [],
            "symbols": symbols,
        })
        .to_string()
    }
}

impl<'a> SymbolInfo<'a> {
    fn of(symbol: &'a Symbol) -> Self {
        let base = symbol.base_asset().unwrap_or_else(|| symbol.to_string()).to_ascii_uppercase();
        let quote = symbol.as_str().get(base.len()..).unwrap_or_default().trim_start_matches(['-', '_']);
        SymbolInfo {
            symbol: symbol.as_str(),
            status: "TRADING",
            base_asset: base,
            base_asset_precision: 8,
            quote_asset: quote,
            quote_precision: 8,
            quote_asset_precision: 8,
            order_types: ["LIMIT", "MARKET"],
            is_spot_trading_allowed: true,
            filters: [],
            permissions: [],
            permission_sets: [["SPOT"]],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(prices: &[(&str, &str)], single: bool, turn: Option<Fault>, details: Vec<Fault>) -> String {
        let tickers = prices.iter().map(|(symbol, price)| (Arc::from(*symbol), Arc::from(*price))).collect();
        Tickers { tickers, single }.write(&Effects { turn, details })
    }

    #[test]
    fn one_symbol_is_an_object_and_several_are_an_array() {
        let one = write(&[("LTCBTC", "4.00000200")], true, None, vec![]);
        assert_eq!(one, r#"{"symbol":"LTCBTC","price":"4.00000200"}"#);
        let two = write(&[("LTCBTC", "4.00000200"), ("ETHBTC", "0.07946600")], false, None, vec![]);
        assert_eq!(
            two,
            r#"[{"symbol":"LTCBTC","price":"4.00000200"},{"symbol":"ETHBTC","price":"0.07946600"}]"#
        );
        assert_eq!(write(&[], false, None, vec![]), "[]");
    }

    #[test]
    fn scripted_mistakes_change_the_form_and_keep_the_digits() {
        let prices = [("A", "1.50"), ("B", "NaN")];
        assert_eq!(
            write(&prices, false, Some(Fault::PriceAsNumber), vec![]),
            r#"[{"symbol":"A","price":1.50},{"symbol":"B","price":"NaN"}]"#
        );
        assert_eq!(
            write(&prices, false, Some(Fault::WrongShape), vec![]),
            r#"{"symbol":"A","price":"1.50"}"#
        );
        assert_eq!(
            write(&prices, false, None, vec![Fault::Reordered, Fault::ExtraField]),
            r#"[{"symbol":"B","price":"NaN","lastUpdateId":1},{"symbol":"A","price":"1.50","lastUpdateId":1}]"#
        );
        let quotes = write(&[("A", "\"")], true, None, vec![]);
        assert_eq!(quotes, r#"{"symbol":"A","price":"\""}"#);
    }

    #[test]
    fn a_listing_names_both_assets() {
        for (symbol, base, quote) in [
            ("ETHBTC", "ETH", "BTC"),
            ("1000SATSUSDT", "1000SATS", "USDT"),
            ("BTC-USD", "BTC", "USD"),
            ("FOO", "FOO", ""),
        ] {
            let symbol: Symbol = symbol.parse().unwrap();
            let info = SymbolInfo::of(&symbol);
            assert_eq!((info.base_asset.as_str(), info.quote_asset), (base, quote));
        }
    }
}
