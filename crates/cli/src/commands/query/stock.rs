//! What a question reads: which collections of a symbol, and which of its exchanges apart. Pure.

use std::collections::{BTreeMap, BTreeSet};

use pricepipe_core::{
    Exchange, KlineInterval, Pipeline,
    analytics::Interval,
    names::{CollectionName, Shelf},
    pipeline::PipelineSymbol,
};
use pricepipe_store::Market;

use super::args::{CommonArgs, Question};
use crate::rows::Cell;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
const WEEK_MILLIS: i64 = 7 * DAY_MILLIS;

/// What is stored of a symbol of an exchange in a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stock {
    pub(super) collection: CollectionName,
    pub(super) symbol: String,
    pub(super) exchange: Exchange,
    pub(super) shelf: Shelf,
    /// True when the collection holds the symbol of other exchanges too.
    shared: bool,
    /// True when nothing else of the symbol is wanted. Otherwise what others wrote under another name counts as well.
    alone: bool,
}

impl Stock {
    fn of(symbol: &PipelineSymbol, shelf: Shelf, exchange: Exchange, shared: bool, alone: bool) -> Self {
        Stock {
            collection: shelf.collection(&symbol.collection),
            symbol: symbol.symbol.to_string(),
            exchange,
            shelf,
            shared,
            alone: shared || alone,
        }
    }

    /// What a store is asked for.
    pub(super) fn market(&self) -> Market {
        let exchange = self.alone.then(|| self.exchange.as_str().to_owned());
        Market { symbol: self.symbol.clone(), exchange }
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        if self.shared { format!("{} {}", self.symbol, self.exchange) } else { self.symbol.clone() }
    }

    /// The cells that every row of it begins with: collection, symbol and exchange.
    pub(super) fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(&self.collection),
            Cell::Long(self.symbol.clone(), self.name()),
            Cell::text(self.exchange),
        ]
    }

    /// What is to be said of it when it is not prices.
    pub(super) fn remark(&self, question: &Question) -> Option<String> {
        match (self.shelf, question) {
            (Shelf::Prices, _) => None,
            (Shelf::Klines(interval), Question::Candles { .. }) => {
                Some(format!("made of the candles of {interval} that are stored; COUNT is how many"))
            }
            (Shelf::Klines(interval), _) => {
                Some(format!("no prices are stored: these are the closes of candles of {interval}"))
            }
            (Shelf::Quotes, _) => {
                Some("no prices are stored: these are the middles between bid and ask".to_owned())
            }
        }
    }
}

/// What a question reads, in the pipeline's order; or why it cannot be answered.
pub(super) fn stocks(pipeline: &Pipeline, question: &Question) -> Result<Vec<Stock>, String> {
    let common = question.common();
    let mut stocks = Vec::new();
    for symbol in pipeline.symbols.iter().filter(|s| super::is_wanted(s.symbol.as_str(), &common.symbols)) {
        let shelves = shelves(pipeline, symbol, common);
        match question {
            Question::Latest { .. } | Question::Count { .. } => stocks.extend(all(symbol, &shelves, common)),
            Question::Candles { interval, .. } => {
                for stock in prices(symbol, &shelves, common) {
                    stocks.push(candles(stock, symbol, &shelves, *interval)?);
                }
            }
            _ => stocks.extend(prices(symbol, &shelves, common)),
        }
    }
    Ok(stocks)
}

type Shelves = BTreeMap<Shelf, BTreeSet<Exchange>>;

/// What the pipeline's sources store of a symbol, or the candles that are asked for, whoever has stored them.
fn shelves(pipeline: &Pipeline, symbol: &PipelineSymbol, common: &CommonArgs) -> Shelves {
    let shelves = pipeline.shelves(&symbol.symbol);
    match common.stored_candles {
        Some(interval) => {
            [(Shelf::Klines(interval), shelves.into_values().flatten().collect())].into_iter().collect()
        }
        None => shelves,
    }
}

/// Everything that is stored of a symbol.
fn all(symbol: &PipelineSymbol, shelves: &Shelves, common: &CommonArgs) -> Vec<Stock> {
    let of = |(shelf, exchanges): (&Shelf, &BTreeSet<Exchange>)| {
        let wanted = exchanges.iter().filter(|exchange| common.wants(**exchange));
        let stock = |exchange: &Exchange| {
            Stock::of(symbol, *shelf, *exchange, exchanges.len() > 1, common.exchange.is_some())
        };
        wanted.map(stock).collect::<Vec<_>>()
    };
    shelves.iter().flat_map(of).collect()
}

/// Of each exchange what is nearest to a series of prices: prices and trades, else the shortest candles, else quotes.
fn prices(symbol: &PipelineSymbol, shelves: &Shelves, common: &CommonArgs) -> Vec<Stock> {
    let mut found: Vec<Stock> = Vec::new();
    for stock in all(symbol, shelves, common) {
        if !found.iter().any(|known| known.exchange == stock.exchange) {
            found.push(stock);
        }
    }
    found
}

/// Candles are made of prices; where there are none, of the longest stored candles that they can be made up of.
fn candles(
    stock: Stock,
    symbol: &PipelineSymbol,
    shelves: &Shelves,
    wanted: Interval,
) -> Result<Stock, String> {
    if !matches!(stock.shelf, Shelf::Klines(_)) {
        return Ok(stock);
    }
    let stored: Vec<KlineInterval> = shelves
        .iter()
        .filter(|(_, exchanges)| exchanges.contains(&stock.exchange))
        .filter_map(|(shelf, _)| if let Shelf::Klines(interval) = shelf { Some(*interval) } else { None })
        .collect();
    let Some(longest) = stored.iter().rev().find(|stored| makes_up(**stored, wanted)) else {
        let names: Vec<&str> = stored.iter().map(KlineInterval::as_str).collect();
        return Err(format!(
            "--interval {wanted}: {} is stored in candles of {}; ask for that or for a multiple of it",
            stock.name(),
            names.join(", ")
        ));
    };
    let shelf = Shelf::Klines(*longest);
    let shared = shelves.get(&shelf).is_some_and(|exchanges| exchanges.len() > 1);
    Ok(Stock::of(symbol, shelf, stock.exchange, shared, stock.alone))
}

/// Whether whole candles of one length make one of the other. Those of several days begin when their exchange likes.
fn makes_up(stored: KlineInterval, wanted: Interval) -> bool {
    let Some(stored) = stored.as_millis() else { return false };
    let regular = stored <= DAY_MILLIS || stored == WEEK_MILLIS;
    stored == wanted.as_millis() || (regular && wanted.as_millis() % stored == 0)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    const MIXED: &str = "
apiVersion: pricepipe.dev/v1alpha1
kind: PricePipeline
metadata: {name: mixed}
spec:
  symbols: [{symbol: BTC/USD}, {symbol: ETH/USD}]
  sources:
  - {name: a, exchange: binance, symbols: [BTC/USD], websocket: {stream: trade}}
  - {name: b, exchange: binance, websocket: {stream: kline, interval: 1m}}
  - {name: c, exchange: kraken, websocket: {stream: kline, interval: 5m}}
  - {name: d, exchange: coinbase, websocket: {stream: bookTicker}}
  - {name: e, exchange: kraken, symbols: [BTC/USD], websocket: {stream: trade}}
  - {name: f, exchange: binance, websocket: {stream: kline, interval: 5m}}
";

    fn read(arguments: &str) -> Result<Vec<(String, String, Option<String>)>, String> {
        let words = format!("pricepipe query {arguments} -f x.yaml");
        let Command::Query(args) = Cli::parse_from(words.split(' ')).command else { panic!("not a query") };
        let pipeline = pricepipe_api::parse(MIXED).unwrap().remove(0).1;
        let stocks = stocks(&pipeline, &args.question)?;
        let told = |stock: &Stock| (stock.collection.to_string(), stock.name(), stock.market().exchange);
        Ok(stocks.iter().map(told).collect())
    }

    fn row(collection: &str, name: &str, exchange: Option<&str>) -> (String, String, Option<String>) {
        (collection.to_owned(), name.to_owned(), exchange.map(str::to_owned))
    }

    #[test]
    fn the_latest_are_told_of_all_collections_and_exchanges() {
        let expected = [
            row("eth_klines_1m", "ETH/USD", None),
            row("eth_klines_5m", "ETH/USD binance", Some("binance")),
            row("eth_klines_5m", "ETH/USD kraken", Some("kraken")),
            row("eth_quotes", "ETH/USD", None),
        ];
        assert_eq!(read("latest -s ETH/USD").unwrap(), expected);
        assert_eq!(read("count").unwrap().len(), 6 + 4);
        let kraken = read("latest --exchange kraken").unwrap();
        assert!(
            kraken.len() == 3 && kraken.iter().all(|row| row.2.as_deref() == Some("kraken")),
            "{kraken:?}"
        );
    }

    #[test]
    fn a_series_is_of_what_is_nearest_to_prices() {
        let expected = [
            row("btc", "BTC/USD binance", Some("binance")),
            row("btc", "BTC/USD kraken", Some("kraken")),
            row("btc_quotes", "BTC/USD", None),
            row("eth_klines_1m", "ETH/USD", None),
            row("eth_klines_5m", "ETH/USD kraken", Some("kraken")),
            row("eth_quotes", "ETH/USD", None),
        ];
        assert_eq!(read("jumps").unwrap(), expected);
        assert_eq!(
            read("stats --exchange coinbase -s BTC/USD").unwrap(),
            [row("btc_quotes", "BTC/USD", Some("coinbase"))]
        );
    }

    #[test]
    fn candles_are_made_of_the_longest_that_fit() {
        let of = |interval: &str, exchange: &str| {
            read(&format!("candles -s ETH/USD -i {interval} --exchange {exchange}"))
        };
        assert_eq!(of("3m", "binance").unwrap()[0].0, "eth_klines_1m");
        assert_eq!(of("1h", "binance").unwrap()[0].0, "eth_klines_5m");
        assert_eq!(of("1w", "kraken").unwrap()[0].0, "eth_klines_5m");
        let refused = of("90s", "binance").unwrap_err();
        assert_eq!(
            refused,
            "--interval 90s: ETH/USD is stored in candles of 1m, 5m; ask for that or for a multiple of it"
        );
        // Of prices any are made.
        assert_eq!(read("candles -s BTC/USD -i 90s --exchange kraken").unwrap()[0].0, "btc");
    }

    #[test]
    fn candles_that_no_source_stores_are_read_where_they_are_asked_for() {
        let expected = [
            row("btc_klines_1h", "BTC/USD binance", Some("binance")),
            row("btc_klines_1h", "BTC/USD coinbase", Some("coinbase")),
            row("btc_klines_1h", "BTC/USD kraken", Some("kraken")),
        ];
        assert_eq!(read("count -s BTC/USD --stored-candles 1h").unwrap(), expected);
        assert_eq!(read("jumps -s BTC/USD --stored-candles 1h").unwrap(), expected);
        assert_eq!(read("candles -s BTC/USD -i 2h --stored-candles 1h").unwrap(), expected);
        let refused = read("candles -s BTC/USD -i 90m --stored-candles 1h").unwrap_err();
        assert!(refused.starts_with("--interval 90m: BTC/USD"), "{refused}");
    }

    #[test]
    fn candles_of_several_days_make_up_no_others() {
        let fits = |stored: &str, wanted: &str| makes_up(stored.parse().unwrap(), wanted.parse().unwrap());
        assert!(fits("1d", "1w") && fits("1w", "2w") && fits("3d", "3d") && fits("12h", "1d"));
        assert!(!fits("3d", "6d") && !fits("1M", "30d") && !fits("1h", "90m"));
    }
}
