use http::HeaderValue;

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
}

fn answer<'a>(status: u16, headers: &'a HeaderMap, body: &'a str) -> Answer<'a> {
    Answer { status, headers, body: body.as_bytes(), received: "2026-11-23T06:00:00Z".parse().unwrap() }
}

fn read(exchange: Exchange, markets: &[&str], body: &str) -> Result<LastPrices, Refusal> {
    Prices { exchange, markets }.read(&answer(200, &HeaderMap::new(), body))
}

/// Places and prices.
fn texts(prices: &LastPrices) -> Vec<(usize, String)> {
    prices.found.iter().map(|(place, price, _)| (*place, price.to_string())).collect()
}

fn found(prices: &[(usize, &str)]) -> Vec<(usize, String)> {
    prices.iter().map(|(place, price)| (*place, (*price).to_owned())).collect()
}

const BINANCE: Exchange = Exchange::Binance;

#[test]
fn each_exchange_is_asked_in_its_own_way() {
    for (exchange, markets, path, weight) in [
        (
            BINANCE,
            &["BTCUSDT", "BNBUSDT"][..],
            "/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22BNBUSDT%22%5D",
            4,
        ),
        (BINANCE, &["BTCUSDT"], "/api/v3/ticker/price?symbol=BTCUSDT", 2),
        (Exchange::Coinbase, &["BTC-USD"], "/products/BTC-USD/ticker", 1),
        (Exchange::Kraken, &["BTC/USD", "ETH/USD"], "/0/public/Ticker?pair=XBTUSD,ETHUSD", 1),
    ] {
        let request = Prices { exchange, markets }.request();
        assert_eq!((request.path_and_query.as_str(), request.weight), (path, weight));
    }
}

#[test]
fn the_largest_request_stays_below_8_kb() {
    for (length, group) in [(7, 500), (8, 500), (20, 296)] {
        let markets: Vec<String> = (0..1_000).map(|n| format!("{n:0>length$}")).collect();
        let markets: Vec<&str> = markets.iter().map(String::as_str).collect();
        assert_eq!(group_size(BINANCE, &markets), group);
        let request = Prices { exchange: BINANCE, markets: &markets[..group] }.request();
        assert!(request.path_and_query.len() < 8_192);
    }
    assert_eq!([Exchange::Coinbase, Exchange::Kraken].map(|exchange| group_size(exchange, &["A"])), [1, 100]);
}

#[test]
fn prices_keep_their_digits_in_any_order_and_either_form() {
    let body = r#"[{"symbol":"ETHBTC","price":"0.07946600","x":1},{"symbol":"LTCBTC","price":"4.00000200"}]"#;
    let prices = read(BINANCE, &["LTCBTC", "ETHBTC"], body).unwrap();
    assert_eq!(texts(&prices), found(&[(1, "0.07946600"), (0, "4.00000200")]));
    for body in [r#"{"symbol":"LTCBTC","price":"4.00000200"}"#, r#"[{"symbol":"LTCBTC","price":4.00000200}]"#]
    {
        assert_eq!(texts(&read(BINANCE, &["LTCBTC"], body).unwrap()), found(&[(0, "4.00000200")]));
    }
}

#[test]
fn a_bad_price_is_rejected_alone_with_its_reason() {
    for (price, error) in [
        (r#""NaN""#, PriceError::NotANumber),
        (r#""""#, PriceError::NotANumber),
        (r#""1e400""#, PriceError::TooPrecise),
        (r#""-1""#, PriceError::NotPositive),
        (r#""0.00000000""#, PriceError::NotPositive),
        ("null", PriceError::NotANumber),
        ("[1]", PriceError::NotANumber),
        (r#""1234567890123456789012345678901234567890""#, PriceError::TooPrecise),
    ] {
        let body = format!(r#"[{{"symbol":"A","price":{price}}},{{"symbol":"B","price":"2.50"}}]"#);
        let prices = read(BINANCE, &["A", "B"], &body).unwrap();
        assert_eq!(prices.rejected, [(0, error)], "{price}");
        assert_eq!(texts(&prices), found(&[(1, "2.50")]), "{price}");
        let body = format!(
            r#"{{"error":[],"result":{{"A/B":{{"c":[{price},"1"]}},"XXBTZUSD":{{"c":["2.50","1"]}}}}}}"#
        );
        let prices = read(Exchange::Kraken, &["A/B", "BTC/USD"], &body).unwrap();
        assert_eq!(
            (prices.rejected.clone(), texts(&prices)),
            (vec![(0, error)], found(&[(1, "2.50")])),
            "{price}"
        );
    }
}

#[test]
fn what_was_asked_for_and_not_sent_is_missing_and_what_was_not_asked_for_is_left_alone() {
    let body = r#"[{"symbol":"A","price":"1"},{"symbol":"币安","price":"2"},{"symbol":7,"price":"3"},
                   {"symbol":"A","price":"9"},{"price":"4"},"B"]"#;
    let prices = read(BINANCE, &["A", "B", "C"], body).unwrap();
    assert_eq!(texts(&prices), found(&[(0, "1")]));
    assert_eq!(prices.missing, [1, 2]);
}

#[test]
fn coinbase_tells_one_price_with_its_time() {
    let body = r#"{"ask":"73369.19","bid":"73360.34","volume":"1207.50668151","trade_id":18502105,"price":"73367.8","size":"0.00730812","time":"2024-03-13T11:10:41.270099Z","rfq_volume":"7.669923"}"#;
    let prices = read(Exchange::Coinbase, &["BTC-USD"], body).unwrap();
    let time = "2024-03-13T11:10:41.270Z".parse().ok();
    assert_eq!(prices.found, [(0, "73367.8".parse().unwrap(), time)]);
    assert_eq!(read(Exchange::Coinbase, &["BTC-USD"], "{}").unwrap().missing, [0]);
}

#[test]
fn kraken_answers_under_other_names_than_it_was_asked() {
    let body = r#"{"error":[],"result":{"XETHXXBT":{"c":["0.05000","1"]},"XBTUSDT":{"a":["105944.30000","1","1.000"],"b":["105944.20000","1","1.000"],"c":["105899.40000","0.00009443"],"v":["0.78648221","163.28908096"],"t":[35,3276],"o":"106021.60000"}}}"#;
    let prices = read(Exchange::Kraken, &["BTC/USDT", "SOL/USD", "ETH/BTC"], body).unwrap();
    assert_eq!(texts(&prices), found(&[(0, "105899.40000"), (2, "0.05000")]));
    assert_eq!(prices.missing, [1]);
    let strange = r#"{"error":[],"result":{"QQQQ1":{"c":["2","1"]}}}"#;
    assert_eq!(texts(&read(Exchange::Kraken, &["Q/E"], strange).unwrap()), found(&[(0, "2")]));
    assert_eq!(read(Exchange::Kraken, &["Q/E", "R/E"], strange).unwrap().missing, [0, 1], "whose is it?");
    let unknown = r#"{"error":["EQuery:Unknown asset pair"]}"#;
    assert_eq!(read(Exchange::Kraken, &["Q/E"], unknown), Err(Refusal::UnknownSymbol));
}

#[test]
fn a_web_page_instead_of_prices_is_called_one() {
    let said = |body: &str| read(BINANCE, &["A"], body).unwrap_err().to_string();
    let page = said("\n<!DOCTYPE html><html><body>Please sign in</body></html>");
    assert!(page.starts_with("it answers with a web page instead of prices"), "{page}");
    assert_eq!(said(""), "it answers with nothing");
    assert!(said("[{").starts_with("it answers with something else than prices (EOF"), "{}", said("[{"));
}

#[test]
fn what_is_not_an_answer_is_malformed() {
    for exchange in Exchange::ALL {
        for body in ["", "<html>502</html>", r#"[{"symbol":"A","price":"1"}"#, "null", "7", "\u{1f}\u{8b}"] {
            let read = read(*exchange, &["A"], body);
            assert!(matches!(read, Err(Refusal::Malformed(_))), "{exchange} {body:?}: {read:?}");
        }
    }
}

#[test]
fn the_used_weight_is_read_with_the_exchanges_own_time() {
    let date = ("date", "Mon, 23 Nov 2026 06:00:59 GMT");
    for (pairs, used) in [
        (vec![("x-mbx-used-weight-1m", "1190"), ("x-mbx-used-weight", "3"), date], Some(1_190)),
        (vec![("x-mbx-used-weight", "12"), date], Some(12)),
        (vec![("x-mbx-used-weight", "many")], None),
        (vec![], None),
    ] {
        assert_eq!(used_weight(BINANCE, &headers(&pairs)).map(|used| used.weight), used);
    }
    let told = headers(&[("x-mbx-used-weight", "1"), date]);
    assert_eq!(used_weight(BINANCE, &told).unwrap().time, "2026-11-23T06:00:59Z".parse().ok());
    assert_eq!(used_weight(Exchange::Kraken, &told), None);
}

#[test]
fn a_ping_that_answers_html_is_no_success() {
    let none = HeaderMap::new();
    for (exchange, body) in [
        (BINANCE, "{}"),
        (Exchange::Coinbase, r#"{"iso":"2015-01-07T23:47:25.201Z","epoch":1420674445.201}"#),
        (Exchange::Kraken, r#"{"error":[],"result":{"unixtime":1762820224,"rfc1123":"x"}}"#),
    ] {
        assert!(ping(exchange).path_and_query.starts_with('/'));
        assert_eq!(read_ping(exchange, &answer(200, &none, body)), Ok(()));
        assert!(read_ping(exchange, &answer(200, &none, "<html>")).is_err());
        assert!(read_ping(exchange, &answer(503, &none, body)).is_err());
    }
}
