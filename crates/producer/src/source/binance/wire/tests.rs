use std::time::Duration;

use reqwest::header::HeaderValue;

use super::*;

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn reply(status: u16, body: &str, headers: &[(&'static str, &'static str)]) -> Reply {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_static(value));
    }
    let received = "2026-11-23T06:00:00Z".parse().unwrap();
    Reply { status, headers: map, body: body.as_bytes().to_vec(), received }
}

fn read(body: &str, asked: &[&str]) -> Result<Poll, SourceError> {
    read_prices(&reply(200, body, &[]), &symbols(asked))
}

fn texts(poll: &Poll) -> Vec<(String, String)> {
    poll.quotes.iter().map(|q| (q.symbol.to_string(), q.price.to_string())).collect()
}

#[test]
fn many_symbols_are_one_encoded_array_and_one_symbol_costs_half() {
    let request = prices(&symbols(&["BTCUSDT", "BNBUSDT"]));
    assert_eq!(
        (request.path_and_query.as_str(), request.weight),
        ("/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22,%22BNBUSDT%22%5D", 4)
    );
    let request = prices(&symbols(&["BTCUSDT"]));
    assert_eq!((request.path_and_query.as_str(), request.weight), ("/api/v3/ticker/price?symbol=BTCUSDT", 2));
}

#[test]
fn the_largest_request_stays_below_8_kb() {
    for (length, group) in [(7, 500), (8, 500), (20, 296)] {
        let symbols: Vec<Symbol> = (0..1_000).map(|n| format!("{n:0>length$}").parse().unwrap()).collect();
        assert_eq!(group_size(&symbols), group);
        assert!(prices(&symbols[..group]).path_and_query.len() < 8_192);
    }
}

#[test]
fn prices_keep_their_digits_in_any_order_and_either_form() {
    let body = r#"[{"symbol":"ETHBTC","price":"0.07946600","x":1},{"symbol":"LTCBTC","price":"4.00000200"}]"#;
    let poll = read(body, &["LTCBTC", "ETHBTC"]).unwrap();
    assert_eq!(
        texts(&poll),
        [("ETHBTC".into(), "0.07946600".into()), ("LTCBTC".into(), "4.00000200".into())]
    );
    let poll = read(r#"{"symbol":"LTCBTC","price":"4.00000200"}"#, &["LTCBTC"]).unwrap();
    assert_eq!(texts(&poll), [("LTCBTC".into(), "4.00000200".into())]);
    let poll = read(r#"[{"symbol":"LTCBTC","price":4.00000200}]"#, &["LTCBTC"]).unwrap();
    assert_eq!(texts(&poll), [("LTCBTC".into(), "4.00000200".into())]);
}

#[test]
fn a_bad_price_is_rejected_alone_with_its_reason() {
    for (price, rejection) in [
        (r#""NaN""#, Rejection::NotANumber),
        (r#""""#, Rejection::NotANumber),
        (r#""1e400""#, Rejection::TooPrecise),
        (r#""-1""#, Rejection::NotPositive),
        (r#""0.00000000""#, Rejection::NotPositive),
        ("null", Rejection::NotANumber),
        ("[1]", Rejection::NotANumber),
        (r#""1234567890123456789012345678901234567890""#, Rejection::TooPrecise),
    ] {
        let body = format!(r#"[{{"symbol":"A","price":{price}}},{{"symbol":"B","price":"2.50"}}]"#);
        let poll = read(&body, &["A", "B"]).unwrap();
        assert_eq!(poll.rejected, [("A".parse().unwrap(), rejection)], "{price}");
        assert_eq!(texts(&poll), [("B".into(), "2.50".into())], "{price}");
    }
}

#[test]
fn what_was_asked_for_and_not_sent_is_missing_and_what_was_not_asked_for_is_left_alone() {
    let body = r#"[{"symbol":"A","price":"1"},{"symbol":"币安","price":"2"},{"symbol":7,"price":"3"},
                   {"symbol":"A","price":"9"},{"price":"4"},"B"]"#;
    let poll = read(body, &["A", "B", "C"]).unwrap();
    assert_eq!(texts(&poll), [("A".into(), "1".into())]);
    assert_eq!(poll.missing, symbols(&["B", "C"]));
}

#[test]
fn a_web_page_instead_of_prices_is_called_one() {
    let said = |body: &str| read(body, &["A"]).unwrap_err().to_string();
    let page = said("\n<!DOCTYPE html><html><body>Please sign in</body></html>");
    assert!(page.starts_with("it answers with a web page instead of prices"), "{page}");
    assert_eq!(said(""), "it answers with nothing");
    assert!(said("[{").starts_with("it answers with something else than prices (EOF"), "{}", said("[{"));
}

#[test]
fn what_is_not_an_answer_is_malformed() {
    for body in ["", "<html>502</html>", r#"[{"symbol":"A","price":"1"}"#, "null", "7", "\u{1f}\u{8b}"] {
        assert!(matches!(read(body, &["A"]), Err(SourceError::Malformed(_))), "{body:?}");
    }
}

#[test]
fn every_refusal_gets_its_own_treatment() {
    let unknown = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
    let illegal = r#"{"code":-1100,"msg":"Illegal characters found in parameter 'symbol'."}"#;
    let too_many = r#"{"code":-1003,"msg":"Too much request weight used."}"#;
    let busy = r#"{"code":-1008,"msg":"Server is busy."}"#;
    let limited = |limit, seconds| SourceError::Limited(limit, Duration::from_secs(seconds));
    for (status, body, headers, error) in [
        (400, unknown, &[][..], SourceError::UnknownSymbol),
        (200, unknown, &[], SourceError::UnknownSymbol),
        (400, illegal, &[], SourceError::UnknownSymbol),
        (429, too_many, &[("retry-after", "2")], limited(Limit::Rate, 2)),
        (429, "<html>", &[], limited(Limit::Rate, 60)),
        (400, too_many, &[("retry-after", "7")], limited(Limit::Rate, 7)),
        (418, too_many, &[("retry-after", "120")], limited(Limit::Ban, 120)),
        (451, "{}", &[], SourceError::GeoBlocked),
        (403, "<html>WAF</html>", &[], SourceError::Forbidden),
        (502, "<html>", &[], SourceError::Unavailable("HTTP 502".into())),
        (400, busy, &[], SourceError::Unavailable("Server is busy. (-1008)".into())),
        (400, r#"{"code":-1102,"msg":"Empty\n"}"#, &[], SourceError::Refused("Empty (-1102)".into())),
        (404, "not here", &[], SourceError::UnexpectedStatus(404)),
        (302, "", &[("location", "http://169.254.169.254/")], SourceError::UnexpectedStatus(302)),
    ] {
        assert_eq!(
            read_prices(&reply(status, body, headers), &symbols(&["A"])),
            Err(error),
            "{status} {body}"
        );
    }
}

#[test]
fn the_used_weight_is_read_with_the_exchanges_own_time() {
    let date = ("date", "Mon, 23 Nov 2026 06:00:59 GMT");
    for (headers, used) in [
        (vec![("x-mbx-used-weight-1m", "1190"), ("x-mbx-used-weight", "3"), date], Some(1_190)),
        (vec![("x-mbx-used-weight", "12"), date], Some(12)),
        (vec![("x-mbx-used-weight", "many")], None),
        (vec![], None),
    ] {
        assert_eq!(used_weight(&reply(200, "", &headers).headers).map(|used| used.weight), used);
    }
    let used = used_weight(&reply(200, "", &[("x-mbx-used-weight", "1"), date]).headers).unwrap();
    assert_eq!(used.time, Some("2026-11-23T06:00:59Z".parse().unwrap()));
}

#[test]
fn a_ping_that_answers_html_is_no_success() {
    assert_eq!(read_ping(&reply(200, "{}", &[])), Ok(()));
    assert!(read_ping(&reply(200, "<html>", &[])).is_err());
    assert!(read_ping(&reply(503, "{}", &[])).is_err());
}
