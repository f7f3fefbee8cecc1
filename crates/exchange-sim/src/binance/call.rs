//! What a request asks for: endpoint, symbols, weight. Pure.

use std::collections::HashSet;

use axum::{extract::Query, http::Uri};
use pricepipe_core::Symbol;

use super::{history::Page, refusal::Refusal};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Ping,
    Time,
    TickerPrice,
    ExchangeInfo,
    Trades,
    HistoricalTrades,
    AggTrades,
    Klines,
}

impl Endpoint {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/api/v3/ping" => Endpoint::Ping,
            "/api/v3/time" => Endpoint::Time,
            "/api/v3/ticker/price" => Endpoint::TickerPrice,
            "/api/v3/exchangeInfo" => Endpoint::ExchangeInfo,
            "/api/v3/trades" => Endpoint::Trades,
            "/api/v3/historicalTrades" => Endpoint::HistoricalTrades,
            "/api/v3/aggTrades" => Endpoint::AggTrades,
            "/api/v3/klines" | "/api/v3/uiKlines" => Endpoint::Klines,
            _ => return None,
        })
    }

    /// The parameters that it reads.
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Endpoint::Ping | Endpoint::Time => &[],
            Endpoint::TickerPrice | Endpoint::ExchangeInfo => &["symbol", "symbols", "symbolStatus"],
            Endpoint::Trades => &["symbol", "limit"],
            Endpoint::HistoricalTrades => &["symbol", "limit", "fromId"],
            Endpoint::AggTrades => &["symbol", "limit", "fromId", "startTime", "endTime"],
            Endpoint::Klines => &["symbol", "limit", "interval", "startTime", "endTime"],
        }
    }

    /// True for pages of the past of one symbol.
    fn is_history(self) -> bool {
        use Endpoint::*;
        matches!(self, Trades | HistoricalTrades | AggTrades | Klines)
    }
}

/// Which symbols an answer is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Selection {
    symbols: Symbols,
    /// Asks for symbols that do not trade, of which there are none.
    pub(super) halted_only: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Symbols {
    /// `symbol=`: the answer is an object.
    One([Symbol; 1]),
    /// `symbols=`: the answer is an array.
    Many(Vec<Symbol>),
    /// Neither: everything that is listed.
    All,
}

impl Selection {
    pub(super) fn is_single(&self) -> bool {
        matches!(self.symbols, Symbols::One(_))
    }

    /// The symbols that are named, or none for everything.
    pub(super) fn named(&self) -> Option<&[Symbol]> {
        match &self.symbols {
            Symbols::One(symbol) => Some(symbol),
            Symbols::Many(symbols) => Some(symbols),
            Symbols::All => None,
        }
    }
}

/// A request, read.
#[derive(Debug)]
pub(super) struct Call {
    /// None for a path that is none of ours.
    pub(super) endpoint: Option<Endpoint>,
    pub(super) selection: Result<Selection, Refusal>,
    /// What of the past is asked for; of no interest to other requests.
    pub(super) page: Result<Page, Refusal>,
    names_one_symbol: bool,
}

impl Call {
    pub(super) fn read(uri: &Uri) -> Self {
        let endpoint = Endpoint::of(uri.path());
        let parameters: Vec<(String, String)> =
            Query::try_from_uri(uri).map(|Query(parameters)| parameters).unwrap_or_default();
        let names_one_symbol = parameters.iter().any(|(name, _)| name == "symbol");
        let value = |name: &str| parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let page = Page::read(value);
        Call { endpoint, selection: select(endpoint, &parameters), page, names_one_symbol }
    }

    pub(super) fn weight(&self) -> u32 {
        match self.endpoint {
            Some(Endpoint::ExchangeInfo) => 20,
            Some(Endpoint::TickerPrice) if self.names_one_symbol => 2,
            Some(Endpoint::TickerPrice | Endpoint::AggTrades) => 4,
            Some(Endpoint::Trades | Endpoint::HistoricalTrades) => 25,
            Some(Endpoint::Klines) => 2,
            Some(Endpoint::Ping | Endpoint::Time) | None => 1,
        }
    }

    /// True when the answer would hold the symbol.
    pub(super) fn asks_for(&self, symbol: &Symbol) -> bool {
        let has_symbols = self.endpoint.is_some_and(|endpoint| !endpoint.parameters().is_empty());
        let selection = self.selection.as_ref().ok().filter(|_| has_symbols);
        selection.is_some_and(|selection| selection.named().is_none_or(|named| named.contains(symbol)))
    }
}

fn select(endpoint: Option<Endpoint>, parameters: &[(String, String)]) -> Result<Selection, Refusal> {
    let known = endpoint.map_or(&[][..], Endpoint::parameters);
    let names: HashSet<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() < parameters.len() {
        return Err(Refusal::duplicate_parameter());
    }
    let read = names.iter().filter(|name| known.contains(name)).count();
    if read < parameters.len() {
        return Err(Refusal::unread_parameters(read, parameters.len()));
    }
    let value = |name| parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let symbols = match (value("symbol"), value("symbols")) {
        (Some(_), Some(_)) => return Err(Refusal::bad_combination()),
        (Some(symbol), None) => Symbols::One([one_symbol(symbol)?]),
        (None, Some(symbols)) => Symbols::Many(many_symbols(symbols)?),
        (None, None) if endpoint.is_some_and(Endpoint::is_history) => {
            return Err(Refusal::missing_parameter("symbol"));
        }
        (None, None) => Symbols::All,
    };
    let halted_only = match value("symbolStatus") {
        None | Some("TRADING") => false,
        Some("HALT" | "BREAK") => true,
        Some(_) => return Err(Refusal::invalid_symbol_status()),
    };
    Ok(Selection { symbols, halted_only })
}

fn one_symbol(text: &str) -> Result<Symbol, Refusal> {
    if text.is_empty() {
        return Err(Refusal::empty_parameter("symbol"));
    }
    own_form(text).ok_or_else(|| Refusal::illegal_characters("symbol"))
}

/// A symbol as Binance writes it, which has no slash.
fn own_form(text: &str) -> Option<Symbol> {
    text.parse().ok().filter(|symbol: &Symbol| symbol.pair().is_none())
}

/// A JSON array of strings without a single blank: the exchange checks the text before it reads it.
fn many_symbols(text: &str) -> Result<Vec<Symbol>, Refusal> {
    let illegal = || Refusal::illegal_characters("symbols");
    let items = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let items =
        items.ok_or_else(|| if text.is_empty() { Refusal::empty_parameter("symbols") } else { illegal() })?;
    if items.is_empty() {
        return Err(Refusal::empty_parameter("symbols"));
    }
    let quoted = |item: &str| item.strip_prefix('"')?.strip_suffix('"').and_then(own_form);
    let symbols: Option<Vec<Symbol>> = items.split(',').map(quoted).collect();
    let symbols = symbols.ok_or_else(illegal)?;
    if symbols.iter().collect::<HashSet<_>>().len() < symbols.len() {
        return Err(Refusal::duplicate_symbols());
    }
    Ok(symbols)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(path_and_query: &str) -> Call {
        Call::read(&format!("/api/v3{path_and_query}").parse().unwrap())
    }

    fn code(path_and_query: &str) -> i32 {
        call(path_and_query).selection.unwrap_err().code
    }

    #[test]
    fn symbols_are_read_however_they_are_encoded() {
        for query in [
            "symbols=%5B%22BTCUSDT%22,%22BNBUSDT%22%5D",
            "symbols=%5B%22BTCUSDT%22%2C%22BNBUSDT%22%5D",
            "symbols=[%22BTCUSDT%22,%22BNBUSDT%22]&symbolStatus=TRADING",
        ] {
            let selection = call(&format!("/ticker/price?{query}")).selection.unwrap();
            let named: Vec<_> = selection.named().unwrap().iter().map(Symbol::as_str).collect();
            assert_eq!((named, selection.is_single()), (vec!["BTCUSDT", "BNBUSDT"], false));
        }
        assert!(call("/ticker/price?symbol=BTCUSDT").selection.unwrap().is_single());
        assert_eq!(call("/ticker/price").selection.unwrap().named(), None);
    }

    #[test]
    fn a_faulty_query_gets_the_exchanges_own_code() {
        for (query, expected) in [
            ("/ticker/price?symbol=btcusdt", -1100),
            ("/ticker/price?symbol=BTC%2FUSDT", -1100),
            ("/ticker/price?symbol=%C3%84", -1100),
            ("/ticker/price?symbol=%FF", -1100),
            ("/ticker/price?symbols=%5B%22BTCUSDT%22,%20%22BNBUSDT%22%5D", -1100),
            ("/ticker/price?symbols=%5B%22BTCUSDT%22,+%22BNBUSDT%22%5D", -1100),
            ("/ticker/price?symbols=%5B%22BTCUSDT%22,%5D", -1100),
            ("/ticker/price?symbols=BTCUSDT", -1100),
            ("/ticker/price?symbols=%5B%22btcusdt%22%5D", -1100),
            ("/ticker/price?symbol=", -1105),
            ("/ticker/price?symbols=%5B%5D", -1105),
            ("/ticker/price?symbols=%5B%22BTCUSDT%22,%22BTCUSDT%22%5D", -1151),
            ("/ticker/price?symbol=A&symbols=%5B%22B%22%5D", -1128),
            ("/ticker/price?symbol=A&symbol=B", -1101),
            ("/ticker/price?ticker=A", -1104),
            ("/ping?symbol=A", -1104),
            ("/ticker/price?symbol=A&symbolStatus=OPEN", -1122),
            ("/aggTrades", -1102),
            ("/aggTrades?symbol=A&interval=1m", -1104),
            ("/klines?symbol=", -1105),
        ] {
            assert_eq!(code(query), expected, "{query}");
        }
    }

    #[test]
    fn each_call_has_its_weight() {
        for (query, weight) in [
            ("/ping", 1),
            ("/time", 1),
            ("/ticker/price?symbol=BTCUSDT", 2),
            ("/ticker/price?symbols=%5B%22BTCUSDT%22%5D", 4),
            ("/ticker/price", 4),
            ("/exchangeInfo?symbol=BTCUSDT", 20),
            ("/historicalTrades?symbol=BTCUSDT", 25),
            ("/aggTrades?symbol=BTCUSDT", 4),
            ("/klines?symbol=BTCUSDT&interval=1m", 2),
            ("/nothing", 1),
        ] {
            assert_eq!(call(query).weight(), weight, "{query}");
        }
    }

    #[test]
    fn only_a_call_for_prices_or_listings_asks_for_symbols() {
        let btc: Symbol = "BTCUSDT".parse().unwrap();
        assert!(call("/ticker/price").asks_for(&btc) && call("/exchangeInfo").asks_for(&btc));
        assert!(!call("/ping").asks_for(&btc) && !call("/ticker/price?symbol=ETHUSDT").asks_for(&btc));
    }
}
