//! The symbols listed by default, and symbols made up for load tests. Pure data.

use pricepipe_core::Symbol;

/// A plausible price for each well-known symbol. Its decimals are the symbol's decimals.
const STARTING_PRICES: &[(&str, &str)] = &[
    ("BTCUSDT", "67000.00"),
    ("ETHUSDT", "3450.00"),
    ("SOLUSDT", "152.40"),
    ("BNBUSDT", "585.10"),
    ("XRPUSDT", "0.5240"),
    ("DOGEUSDT", "0.12350"),
    ("ADAUSDT", "0.4480"),
    ("TRXUSDT", "0.1210"),
    ("AVAXUSDT", "28.45"),
    ("LINKUSDT", "14.32"),
    ("DOTUSDT", "6.214"),
    ("LTCUSDT", "83.15"),
    ("BCHUSDT", "392.40"),
    ("UNIUSDT", "9.120"),
    ("ATOMUSDT", "6.785"),
    ("XLMUSDT", "0.0948"),
    ("ETCUSDT", "24.18"),
    ("FILUSDT", "4.412"),
    ("APTUSDT", "7.12"),
    ("NEARUSDT", "5.310"),
    ("ICPUSDT", "8.954"),
    ("HBARUSDT", "0.07810"),
    ("VETUSDT", "0.02540"),
    ("ARBUSDT", "0.8210"),
    ("OPUSDT", "1.842"),
    ("SUIUSDT", "0.9035"),
    ("INJUSDT", "23.61"),
    ("AAVEUSDT", "94.30"),
    ("MKRUSDT", "2405.00"),
    ("GRTUSDT", "0.2160"),
    ("ALGOUSDT", "0.1415"),
    ("EGLDUSDT", "33.20"),
    ("SANDUSDT", "0.3290"),
    ("MANAUSDT", "0.3410"),
    ("AXSUSDT", "6.08"),
    ("THETAUSDT", "1.612"),
    ("XTZUSDT", "0.7920"),
    ("FLOWUSDT", "0.6350"),
    ("CHZUSDT", "0.07450"),
    ("CRVUSDT", "0.2935"),
    ("LDOUSDT", "1.921"),
    ("SNXUSDT", "1.874"),
    ("COMPUSDT", "50.12"),
    ("RUNEUSDT", "4.215"),
    ("STXUSDT", "1.702"),
    ("IMXUSDT", "1.468"),
    ("SEIUSDT", "0.3480"),
    ("TIAUSDT", "6.402"),
    ("ORDIUSDT", "37.85"),
    ("WLDUSDT", "2.514"),
    ("SHIBUSDT", "0.00001745"),
    ("PEPEUSDT", "0.00001130"),
    ("BONKUSDT", "0.00002312"),
    ("FLOKIUSDT", "0.00017250"),
    ("1000SATSUSDT", "0.00022610"),
    ("BTCUSDC", "67010.00"),
    ("ETHUSDC", "3450.50"),
    ("SOLUSDC", "152.42"),
    ("ETHBTC", "0.05149"),
    ("BNBBTC", "0.008731"),
    ("SOLBTC", "0.0022740"),
    ("XRPBTC", "0.00000782"),
    ("LTCBTC", "0.001241"),
    ("XRPETH", "0.00015190"),
    ("BTCUSD", "67005.00"),
    ("ETHUSD", "3450.20"),
    ("SOLUSD", "152.41"),
    ("XRPUSD", "0.5241"),
    ("DOGEUSD", "0.12352"),
    ("ADAUSD", "0.4481"),
    ("LTCUSD", "83.16"),
    ("BTCEUR", "62050.00"),
    ("ETHEUR", "3195.00"),
    ("SOLEUR", "141.20"),
    ("XRPEUR", "0.4853"),
];

/// The well-known symbols that are listed by default.
pub fn majors() -> Vec<Symbol> {
    STARTING_PRICES.iter().filter_map(|(symbol, _)| symbol.parse().ok()).collect()
}

/// So many made-up symbols (`SIM0001USDT`, …), for load tests.
pub fn synthetic_symbols(count: usize) -> Vec<Symbol> {
    (1..=count).filter_map(|n| format!("SIM{n:04}USDT").parse().ok()).collect()
}

/// The starting price of a well-known symbol.
pub(crate) fn starting_price(symbol: &Symbol) -> Option<&'static str> {
    STARTING_PRICES.iter().find(|(name, _)| *name == symbol.as_str()).map(|(_, price)| *price)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use pricepipe_core::Price;

    use super::*;

    #[test]
    fn every_major_is_a_symbol_with_a_price_and_listed_once() {
        let names: HashSet<_> = STARTING_PRICES.iter().map(|(symbol, _)| symbol).collect();
        assert_eq!(names.len(), STARTING_PRICES.len());
        assert_eq!(majors().len(), STARTING_PRICES.len());
        assert!(STARTING_PRICES.iter().all(|(_, price)| price.parse::<Price>().is_ok()));
    }

    #[test]
    fn synthetic_symbols_are_distinct_and_as_many_as_asked() {
        let symbols = synthetic_symbols(12_000);
        assert_eq!(symbols.iter().collect::<HashSet<_>>().len(), 12_000);
        assert_eq!(symbols[0].as_str(), "SIM0001USDT");
    }
}
