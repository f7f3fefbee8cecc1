//! The rows of a run: one for each market, whichever sources bring it. Pure.

use pricepipe_consumer::{MarketStored, Snapshot as Consumed};
use pricepipe_core::{Exchange, Pipeline, Symbol, Timestamp};
use pricepipe_producer::ObservedSymbol;

use crate::live::{Row, age};

/// A symbol of an exchange.
type Market<'a> = (Exchange, &'a Symbol);

/// Every market of a pipeline, waiting for its first price.
pub(super) fn waiting(pipeline: &Pipeline) -> Vec<Row> {
    let of = |symbol| {
        let serving = pipeline.sources.iter().filter(move |source| source.serves(symbol));
        serving.map(move |source| (source.exchange, symbol))
    };
    let markets = distinct(pipeline.symbols.iter().map(|s| &s.symbol).flat_map(of));
    markets.iter().map(|market| Row::waiting(name(*market, &markets))).collect()
}

/// What the workers have done, for each market.
pub(super) fn rows(seen: &[ObservedSymbol], consumed: &Consumed, now: Timestamp) -> Vec<Row> {
    let markets = distinct(seen.iter().map(|seen| (seen.exchange, &seen.symbol)));
    markets.iter().map(|market| row(*market, &markets, seen, consumed, now)).collect()
}

fn row(
    market: Market<'_>,
    markets: &[Market<'_>],
    seen: &[ObservedSymbol],
    consumed: &Consumed,
    now: Timestamp,
) -> Row {
    let parts = || seen.iter().filter(|seen| (seen.exchange, &seen.symbol) == market);
    let latest = parts().max_by_key(|seen| seen.received);
    let received = latest.and_then(|seen| seen.received);
    let MarketStored { stored, duplicates } = consumed.market(market.1.as_str(), market.0.as_str());
    Row {
        symbol: name(market, markets),
        price: latest.and_then(|seen| seen.last),
        first: parts().find_map(|seen| seen.first),
        received,
        age: received.map(|received| age(received, now)),
        messages: Some(parts().map(|seen| seen.produced).sum()),
        stored: Some(stored),
        duplicates: Some(duplicates),
        lag: latest.and_then(|seen| consumed.lag.get(seen.topic.as_str()).copied()),
    }
}

fn distinct<'a>(markets: impl Iterator<Item = Market<'a>>) -> Vec<Market<'a>> {
    let mut distinct: Vec<Market<'_>> = Vec::new();
    for market in markets {
        if !distinct.contains(&market) {
            distinct.push(market);
        }
    }
    distinct
}

/// The symbol, and its exchange where there are several.
fn name((exchange, symbol): Market<'_>, markets: &[Market<'_>]) -> String {
    match markets.iter().any(|(other, _)| *other != exchange) {
        true => format!("{symbol} {exchange}"),
        false => symbol.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn seen(exchange: Exchange, symbol: &str, price: &str, second: u32, produced: u64) -> ObservedSymbol {
        ObservedSymbol {
            exchange,
            symbol: symbol.parse().unwrap(),
            topic: "btc".parse().unwrap(),
            first: price.parse().ok(),
            last: price.parse().ok(),
            received: format!("2026-11-23T06:00:0{second}Z").parse().ok(),
            produced,
        }
    }

    fn told(seen: &[ObservedSymbol]) -> Vec<(String, String, Option<u64>, Option<u64>)> {
        let now = "2026-11-23T06:00:10Z".parse().unwrap();
        let mut consumed = Consumed::default();
        let kraken = BTreeMap::from([("kraken".into(), MarketStored { stored: 2, duplicates: 1 })]);
        consumed.symbols.insert("BTC/USD".to_owned(), kraken);
        let rows = rows(seen, &consumed, now).into_iter();
        rows.map(|row| (row.symbol.clone(), row.price_text(), row.messages, row.stored)).collect()
    }

    #[test]
    fn what_two_sources_bring_of_a_market_is_one_row() {
        let history = seen(Exchange::Binance, "BTCUSDT", "1.5", 3, 7);
        let live = seen(Exchange::Binance, "BTCUSDT", "2.5", 4, 2);
        let expected = ("BTCUSDT".to_owned(), "2.5".to_owned(), Some(9), Some(0));
        assert_eq!(told(&[history.clone(), live.clone()]), std::slice::from_ref(&expected));
        assert_eq!(told(&[live, history]), [expected]);
    }

    #[test]
    fn exchanges_of_one_symbol_are_told_apart_each_with_what_is_stored_of_it() {
        let rows = told(&[
            seen(Exchange::Coinbase, "BTC/USD", "1", 1, 1),
            seen(Exchange::Kraken, "BTC/USD", "2", 1, 2),
            seen(Exchange::Binance, "BTC/USDT", "3", 1, 3),
        ]);
        let names: Vec<_> = rows.iter().map(|row| (row.0.as_str(), row.3)).collect();
        let expected =
            [("BTC/USD coinbase", Some(0)), ("BTC/USD kraken", Some(2)), ("BTC/USDT binance", Some(0))];
        assert_eq!(names, expected);
    }

    #[test]
    fn every_market_waits_under_the_name_that_it_will_have() {
        let text = include_str!("../../../../examples/three-exchanges.yaml");
        let pipeline = pricepipe_api::parse(text).unwrap().remove(0).1;
        let names: Vec<String> = waiting(&pipeline).into_iter().map(|row| row.symbol).collect();
        assert_eq!(names, ["BTC/USD coinbase", "BTC/USD kraken", "BTC/USDT binance"]);
    }
}
