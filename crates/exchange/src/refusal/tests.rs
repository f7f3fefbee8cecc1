use http::{HeaderMap, HeaderValue};

use super::*;

fn checked(
    exchange: Exchange,
    status: u16,
    body: &str,
    headers: &[(&'static str, &'static str)],
) -> Option<Refusal> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_static(value));
    }
    let received = "2026-11-23T06:00:00Z".parse().unwrap();
    check(exchange, &Answer { status, headers: &map, body: body.as_bytes(), received }).err()
}

fn limited(seconds: u64) -> Refusal {
    limited_by("HTTP 429", seconds)
}

fn limited_by(said: &str, seconds: u64) -> Refusal {
    Refusal::RateLimited { said: said.to_owned(), wait: Duration::from_secs(seconds) }
}

#[test]
fn every_refusal_of_binance_gets_its_own_treatment() {
    let unknown = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
    let illegal = r#"{"code":-1100,"msg":"Illegal characters found in parameter 'symbol'."}"#;
    let too_many = r#"{"code":-1003,"msg":"Too much request weight used."}"#;
    let busy = r#"{"code":-1008,"msg":"Server is busy."}"#;
    for (status, body, headers, refusal) in [
        (400, unknown, &[][..], Refusal::UnknownSymbol),
        (200, unknown, &[], Refusal::UnknownSymbol),
        (400, illegal, &[], Refusal::UnknownSymbol),
        (429, too_many, &[("retry-after", "2")], limited(2)),
        (429, "<html>", &[], limited(60)),
        (400, too_many, &[("retry-after", "7")], limited_by("Too much request weight used. (-1003)", 7)),
        (418, too_many, &[("retry-after", "120")], Refusal::Banned(Duration::from_secs(120))),
        (418, "", &[], Refusal::Banned(BAN)),
        (451, "{}", &[], Refusal::GeoBlocked),
        (403, "<html>WAF</html>", &[], Refusal::Forbidden),
        (502, "<html>", &[], Refusal::Unavailable("HTTP 502".into())),
        (400, busy, &[], Refusal::Unavailable("Server is busy. (-1008)".into())),
        (400, r#"{"code":-1102,"msg":"Empty\n"}"#, &[], Refusal::Refused("Empty (-1102)".into())),
        (404, "not here", &[], Refusal::UnexpectedStatus(404)),
        (302, "", &[("location", "http://169.254.169.254/")], Refusal::UnexpectedStatus(302)),
    ] {
        assert_eq!(checked(Exchange::Binance, status, body, headers), Some(refusal), "{status} {body}");
    }
    assert_eq!(checked(Exchange::Binance, 200, "[]", &[]), None);
}

#[test]
fn every_refusal_of_coinbase_gets_its_own_treatment() {
    for (status, body, refusal) in [
        (404, r#"{"message":"NotFound"}"#, Refusal::UnknownSymbol),
        (404, "<html>", Refusal::UnexpectedStatus(404)),
        (400, r#"{"message":"Invalid Price"}"#, Refusal::Refused("Invalid Price (HTTP 400)".into())),
        (429, r#"{"message":"Public rate limit exceeded"}"#, limited(1)),
        (403, "", Refusal::Forbidden),
        (451, "", Refusal::GeoBlocked),
        (500, r#"{"message":"Internal server error"}"#, Refusal::Unavailable("HTTP 500".into())),
        (301, "", Refusal::UnexpectedStatus(301)),
    ] {
        assert_eq!(checked(Exchange::Coinbase, status, body, &[]), Some(refusal), "{status} {body}");
    }
    assert_eq!(checked(Exchange::Coinbase, 200, "{}", &[]), None);
}

#[test]
fn every_refusal_of_kraken_gets_its_own_treatment_though_its_status_is_200() {
    for (status, error, refusal) in [
        (200, "EQuery:Unknown asset pair", Refusal::UnknownSymbol),
        (200, "EAPI:Rate limit exceeded", limited_by("EAPI:Rate limit exceeded", 5)),
        (200, "EGeneral:Too many requests", limited_by("EGeneral:Too many requests", 5)),
        (200, "EService:Unavailable", Refusal::Unavailable("EService:Unavailable".into())),
        (503, "EService:Busy", Refusal::Unavailable("EService:Busy".into())),
        (200, "EGeneral:Internal error", Refusal::Unavailable("EGeneral:Internal error".into())),
        (200, "EGeneral:Invalid arguments", Refusal::Refused("EGeneral:Invalid arguments".into())),
    ] {
        let body = format!(r#"{{"error":["WGeneral:Old","{error}"]}}"#);
        assert_eq!(checked(Exchange::Kraken, status, &body, &[]), Some(refusal), "{body}");
    }
    for (status, refusal) in [
        (429, limited(5)),
        (520, Refusal::Unavailable("HTTP 520".into())),
        (404, Refusal::UnexpectedStatus(404)),
        (403, Refusal::Forbidden),
    ] {
        assert_eq!(checked(Exchange::Kraken, status, "<html>", &[]), Some(refusal));
    }
    assert_eq!(checked(Exchange::Kraken, 200, r#"{"error":["WGeneral:Old"],"result":{}}"#, &[]), None);
}

#[test]
fn retry_after_is_read_in_every_form() {
    for (header, seconds) in [
        ("2", 2),
        (" 0 ", 0),
        ("Mon, 23 Nov 2026 06:00:30 GMT", 30),
        ("Mon, 23 Nov 2026 05:00:30 GMT", 0),
        ("soon", 60),
    ] {
        let refusal = checked(Exchange::Binance, 429, "", &[("retry-after", header)]);
        assert_eq!(refusal, Some(limited(seconds)), "{header:?}");
    }
    let dates = [("retry-after", "Mon, 23 Nov 2026 06:10:30 GMT"), ("date", "Mon, 23 Nov 2026 06:10:00 GMT")];
    let refusal = checked(Exchange::Binance, 429, "", &dates);
    assert_eq!(refusal, Some(limited(30)), "by the clock of who says so");
}
