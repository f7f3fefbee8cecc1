use http::HeaderMap;

use super::*;

fn read(exchange: Exchange, body: &str) -> Result<Vec<Listing>, Refusal> {
    let received = "2026-11-23T06:00:00Z".parse().unwrap();
    read_listings(
        exchange,
        &Answer { status: 200, headers: &HeaderMap::new(), body: body.as_bytes(), received },
    )
}

fn listing(symbol: &str, market: &str, aliases: &[&str], trading: bool) -> Listing {
    let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
    Listing { symbol: symbol.to_owned(), market: market.to_owned(), aliases, trading }
}

#[test]
fn markets_of_binance_are_listed_whatever_is_new_about_them() {
    let body = r#"{"timezone":"UTC","serverTime":1565246363776,"symbols":[
        {"symbol":"ETHBTC","status":"TRADING","baseAsset":"ETH","quoteAsset":"BTC","permissionSets":[["SPOT"]]},
        {"symbol":"BNBBTC","status":"CANCEL_ONLY","baseAsset":"BNB","quoteAsset":"BTC"},
        {"symbol":7},"ETHBTC"],"sors":[]}"#;
    let expected = [listing("BNB/BTC", "BNBBTC", &[], false), listing("ETH/BTC", "ETHBTC", &[], true)];
    assert_eq!(read(Exchange::Binance, body).unwrap(), expected);
}

#[test]
fn products_of_coinbase_are_listed() {
    let body = r#"[{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","status":"online","trading_disabled":false},
        {"id":"ETH-USD","base_currency":"ETH","quote_currency":"USD","status":"online","trading_disabled":true},
        {"id":"OLD-USD","base_currency":"OLD","quote_currency":"USD","status":"delisted"},{}]"#;
    let expected = [
        listing("BTC/USD", "BTC-USD", &[], true),
        listing("ETH/USD", "ETH-USD", &[], false),
        listing("OLD/USD", "OLD-USD", &[], false),
    ];
    assert_eq!(read(Exchange::Coinbase, body).unwrap(), expected);
}

#[test]
fn pairs_of_kraken_are_listed_by_the_names_of_today_with_the_others_beside() {
    let body = r#"{"error":[],"result":{
        "XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","quote":"ZUSD","status":"online"},
        "XXDGXXBT":{"altname":"XDGXBT","wsname":"XDG/XBT","status":"cancel_only"},
        "SOLUSD":{"altname":"SOLUSD","wsname":"SOL/USD","status":"online"},
        "XXBTZUSD.d":{"altname":"XBTUSD.d"}}}"#;
    let expected = [
        listing("BTC/USD", "BTC/USD", &["XBT/USD", "XBTUSD", "XXBTZUSD"], true),
        listing("DOGE/BTC", "DOGE/BTC", &["XDG/XBT", "XDGXBT", "XXDGXXBT"], false),
        listing("SOL/USD", "SOL/USD", &["SOLUSD"], true),
    ];
    assert_eq!(read(Exchange::Kraken, body).unwrap(), expected);
}

#[test]
fn what_is_no_list_is_refused() {
    for exchange in Exchange::ALL {
        assert!(listings(*exchange).path_and_query.starts_with('/'));
        for body in ["", "<html>", "7", "null"] {
            assert!(matches!(read(*exchange, body), Err(Refusal::Malformed(_))), "{exchange} {body}");
        }
    }
}

#[test]
fn a_symbol_that_is_not_there_is_answered_with_those_most_like_it() {
    let known = ["BTC/USDT", "BTC/USDC", "BTC/EUR", "ETH/USDT", "BTCST/USDT", "DOGE/USDT", "XRP/ETH"];
    let mut listings: Vec<Listing> =
        known.iter().map(|symbol| listing(symbol, &symbol.replace('/', ""), &[], true)).collect();
    listings.push(listing("BTC/USD", "BTC/USD", &["XBTUSD", "XXBTZUSD"], true));
    listings.push(listing("BTC/USDX", "BTCUSDX", &[], false));
    let near = |symbol: &str| -> Vec<&str> {
        let found = near_matches(&symbol.parse().unwrap(), &listings, 4);
        found.into_iter().map(|listing| listing.symbol.as_str()).collect()
    };
    assert_eq!(near("BTCUDST")[0], "BTC/USDT", "two letters swapped");
    assert_eq!(near("XBT/USD")[0], "BTC/USD", "by another name");
    assert_eq!(near("BTCUSD")[0], "BTC/USD", "the other form");
    assert_eq!(near("DOGE/EUR"), ["DOGE/USDT"], "the same base");
    assert_eq!(near("BTC/USDY"), ["BTC/USD", "BTC/USDC", "BTC/USDT", "BTC/USDX"], "what rests comes last");
    assert_eq!(near("BTC-GBP").len(), 4);
    assert!(near("QQQQQ").is_empty());
}
