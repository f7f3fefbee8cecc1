//! A market symbol, as an exchange writes it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The quote assets that a symbol may end with, the longest first so that `BTCFDUSD` is not read as `BTCFD`+`USD`.
const QUOTES: &[&str] = &[
    "FDUSD", "USDT", "USDC", "TUSD", "BUSD", "USDP", "USDE", "EURI", "AEUR", "BIDR", "IDRT", "DAI", "USD",
    "EUR", "GBP", "TRY", "BRL", "AUD", "JPY", "MXN", "ZAR", "PLN", "ARS", "COP", "CZK", "RON", "UAH", "NGN",
    "RUB", "BTC", "ETH", "BNB", "TRX", "XRP", "DOGE", "SOL",
];

/// A market symbol in the exchange's own form, such as `BTCUSDT`: 1 to 20 of `A–Z 0–9 . _ -`; or in the neutral form
/// `BTC/USDT`, which every exchange's own form follows from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(String);

/// Why a text is not a symbol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SymbolError {
    /// Outside the alphabet or the length.
    #[error("not a symbol: use 1 to 20 of A-Z, 0-9, '.', '_' and '-', as in BTCUSDT, or BTC/USDT")]
    Malformed,
}

impl Symbol {
    /// The symbol as the exchange writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Base and quote asset of a symbol in the neutral form.
    pub fn pair(&self) -> Option<(&str, &str)> {
        self.0.split_once('/')
    }

    /// The base asset in lower case (`btc` of `BTCUSDT`), when the symbol ends with a known quote asset.
    pub fn base_asset(&self) -> Option<String> {
        if let Some((base, _)) =
            self.0.split_once(['/', '-', '_']).filter(|(base, quote)| !base.is_empty() && !quote.is_empty())
        {
            return Some(base.to_ascii_lowercase());
        }
        let base =
            QUOTES.iter().find_map(|quote| self.0.strip_suffix(quote).filter(|base| !base.is_empty()))?;
        Some(base.to_ascii_lowercase())
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let letter = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let legal = match text.split_once('/') {
            Some((base, quote)) => {
                !base.is_empty() && !quote.is_empty() && base.bytes().chain(quote.bytes()).all(letter)
            }
            None => text.bytes().all(|b| letter(b) || matches!(b, b'.' | b'_' | b'-')),
        };
        if (1..=20).contains(&text.len()) && legal {
            Ok(Symbol(text.to_owned()))
        } else {
            Err(SymbolError::Malformed)
        }
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;

    fn try_from(text: String) -> Result<Self, SymbolError> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> String {
        symbol.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn base_asset_is_what_stands_before_the_quote_asset() {
        for (symbol, base) in [
            ("BTCUSDT", Some("btc")),
            ("ETHBTC", Some("eth")),
            ("BTCFDUSD", Some("btc")),
            ("XRPETH", Some("xrp")),
            ("1000SATSUSDT", Some("1000sats")),
            ("BTC-USD", Some("btc")),
            ("BTC/USD", Some("btc")),
            ("USDCUSDT", Some("usdc")),
            ("BTC", None),
            ("USDT", None),
            ("FOOBAR", None),
        ] {
            assert_eq!(symbol.parse::<Symbol>().unwrap().base_asset().as_deref(), base, "{symbol}");
        }
    }

    #[test]
    fn refuses_what_an_exchange_would_refuse() {
        for text in [
            "",
            "btcusdt",
            "BTC USDT",
            "/USDT",
            "BTC/",
            "BTC/USD/T",
            "/",
            "$where",
            "../BTC",
            "BTC\0",
            "ÄÖÜ",
            "A23456789012345678901",
        ] {
            assert!(text.parse::<Symbol>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_is_kept_as_written(text in "[A-Z0-9._-]{1,20}") {
            prop_assert_eq!(text.parse::<Symbol>().unwrap().to_string(), text);
        }
    }
}
