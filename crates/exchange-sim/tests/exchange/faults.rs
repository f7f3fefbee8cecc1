//! Scripted faults as a client sees them, byte by byte, and what the ledger says of each.

use std::time::{Duration, Instant};

use crate::client::{Answer, get, get_prices, post, send};
use pricepipe_core::Symbol;
use pricepipe_exchange_sim::{Fault, Rule, Running, SimConfig, start};

const SYMBOLS: &[&str] = &["BTCUSDT", "ETHUSDT"];

async fn running() -> Running {
    start(SimConfig::default()).await.unwrap()
}

/// The answer to one request that meets the fault, and how many of its prices were delivered and how many not.
async fn meet(exchange: &Running, fault: Fault) -> (Answer, usize, usize) {
    let before = exchange.ledger().total();
    exchange.faults().add(Rule::once(fault));
    let answer = get_prices(exchange, SYMBOLS).await;
    let entries = exchange.ledger().entries_after(before);
    let delivered = entries.iter().filter(|served| served.delivered).count();
    (answer, delivered, entries.len() - delivered)
}

fn btc() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

#[tokio::test]
async fn a_scripted_status_serves_no_price_and_then_all_is_well() {
    let exchange = running().await;
    for (fault, status, content_type, body) in [
        (Fault::too_many_requests("2"), 429, "application/json", "Too much request weight used"),
        (Fault::banned("120"), 418, "application/json", "IP banned until"),
        (Fault::status(451), 451, "application/json", "restricted location"),
        (Fault::status(403), 403, "text/html", "<h1>403 Forbidden</h1>"),
        (Fault::status(502), 502, "text/html", "<h1>502 Bad Gateway</h1>"),
        (Fault::status(503), 503, "application/json", r#""code":-1008"#),
        (Fault::status_with_body(500, "<html>down</html>"), 500, "text/html", "<html>down</html>"),
        (Fault::status_with_body(200, "{\"code\":0}"), 200, "application/json", "{\"code\":0}"),
    ] {
        let (answer, delivered, spoilt) = meet(&exchange, fault).await;
        assert_eq!((answer.status(), delivered, spoilt), (status, 0, 0));
        assert!(answer.header("content-type").unwrap().starts_with(content_type), "{}", answer.text);
        assert!(answer.body().contains(body), "{}", answer.text);
        assert!(answer.header("x-mbx-used-weight-1m").is_some());
        let retry_after = match status {
            429 => Some("2"),
            418 => Some("120"),
            _ => None,
        };
        assert_eq!(answer.header("retry-after"), retry_after);
    }
    assert_eq!(get_prices(&exchange, SYMBOLS).await.prices().len(), 2);
}

#[tokio::test]
async fn a_slow_answer_arrives_late_and_is_delivered() {
    let exchange = running().await;
    let (answer, delivered, _) = meet(&exchange, Fault::Delay { millis: 150 }).await;
    assert!(answer.first_byte >= Duration::from_millis(150) && answer.is_whole() && delivered == 2);

    let (answer, delivered, _) = meet(&exchange, Fault::SlowHeaders { byte_millis: 2 }).await;
    let head_takes = Duration::from_millis(2 * answer.head().len() as u64);
    assert!(answer.last_byte >= head_takes && answer.is_whole() && delivered == 2, "{answer:?}");

    let (answer, delivered, _) = meet(&exchange, Fault::SlowBody { byte_millis: 5 }).await;
    let body_takes = Duration::from_millis(5 * (answer.body().len() as u64 - 1));
    assert!(answer.last_byte - answer.first_byte >= body_takes && answer.is_whole() && delivered == 2);
}

#[tokio::test]
async fn a_torn_connection_delivers_nothing() {
    let exchange = running().await;
    let (answer, delivered, spoilt) = meet(&exchange, Fault::Reset { after_bytes: None }).await;
    assert_eq!(answer.ended.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!((delivered, spoilt), (0, 2));

    let (answer, delivered, spoilt) = meet(&exchange, Fault::Truncate { after_bytes: Some(7) }).await;
    assert!(answer.ended.is_ok() && !answer.is_whole() && answer.body().len() == 7, "{answer:?}");
    assert_eq!((delivered, spoilt), (0, 2));
}

#[tokio::test]
async fn a_body_that_no_client_can_use_delivers_nothing() {
    let exchange = running().await;
    let (answer, ..) = meet(&exchange, Fault::MalformedJson).await;
    assert!(answer.is_whole() && serde_json::from_str::<serde_json::Value>(answer.body()).is_err());
    let (answer, ..) = meet(&exchange, Fault::WrongShape).await;
    assert!(answer.body().starts_with(r#"{"symbol":"BTCUSDT""#), "{}", answer.text);
    let (answer, ..) = meet(&exchange, Fault::WrongContentType).await;
    assert!(answer.header("content-type").unwrap().starts_with("text/html") && answer.prices().len() == 2);
    let (answer, ..) = meet(&exchange, Fault::PriceAsNumber).await;
    assert!(answer.body().contains(r#""BTCUSDT","price":6"#), "{}", answer.text);
    let (answer, ..) = meet(&exchange, Fault::Oversized { bytes: 3_000_000 }).await;
    assert!(answer.is_whole() && answer.body().len() == 3_000_000);
    assert_eq!((exchange.ledger().delivered().len(), exchange.ledger().total()), (0, 10));
}

#[tokio::test]
async fn a_bad_price_of_one_symbol_leaves_the_others_delivered() {
    let exchange = running().await;
    for text in ["NaN", "1e400", "-1", "0", "", "\u{661}\""] {
        let (answer, delivered, spoilt) =
            meet(&exchange, Fault::PriceText { symbol: btc(), text: text.to_owned() }).await;
        assert_eq!(answer.prices()[0], ("BTCUSDT".to_owned(), text.to_owned()));
        assert_eq!((delivered, spoilt), (1, 1), "{text:?}");
    }
    let good = Fault::PriceText { symbol: btc(), text: "12345.670".to_owned() };
    assert_eq!(meet(&exchange, good).await.1, 2);
}

#[tokio::test]
async fn a_symbol_can_go_missing_or_unknown() {
    let exchange = running().await;
    let (answer, delivered, spoilt) = meet(&exchange, Fault::MissingSymbol { symbol: btc() }).await;
    assert_eq!((answer.prices()[0].0.as_str(), delivered, spoilt), ("ETHUSDT", 1, 0));

    exchange.faults().add(Rule::until_cleared(Fault::UnknownSymbol { symbol: btc() }));
    let refused = get_prices(&exchange, SYMBOLS).await;
    assert_eq!((refused.status(), refused.body()), (400, r#"{"code":-1121,"msg":"Invalid symbol."}"#));
    assert_eq!(get_prices(&exchange, &["ETHUSDT"]).await.prices().len(), 1);
    let all = get(&exchange, "/api/v3/ticker/price").await.prices();
    assert!(all.iter().all(|(symbol, _)| symbol != "BTCUSDT") && all.len() > 50);
}

#[tokio::test]
async fn details_of_an_answer_can_be_changed() {
    let exchange = running().await;
    let (answer, delivered, _) = meet(&exchange, Fault::UsedWeight { value: "5900".to_owned() }).await;
    assert_eq!((answer.header("x-mbx-used-weight"), delivered), (Some("5900"), 2));
    let (answer, delivered, _) = meet(&exchange, Fault::Reordered).await;
    assert_eq!((answer.prices()[0].0.as_str(), delivered), ("ETHUSDT", 2));
    let (answer, delivered, _) = meet(&exchange, Fault::ExtraField).await;
    assert!(answer.body().contains("lastUpdateId") && delivered == 2);
}

#[tokio::test]
async fn a_hanging_request_is_never_answered_and_does_not_hold_up_the_others_or_the_stop() {
    let exchange = running().await;
    exchange.faults().add(Rule::once(Fault::Hang));
    let address = exchange.address();
    let hanging =
        tokio::spawn(
            async move { send(address, "GET /api/v3/ticker/price HTTP/1.1\r\nhost: sim\r\n\r\n").await },
        );
    while exchange.requests().total() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(get_prices(&exchange, SYMBOLS).await.prices().len(), 2);
    assert!(!hanging.is_finished());
    assert_eq!(exchange.requests().entries()[0].status, None);
    assert_eq!(exchange.ledger().total(), 2);
    let started = Instant::now();
    exchange.stop().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(hanging.await.unwrap().text, "");
}

#[tokio::test]
async fn a_client_that_gives_up_has_nothing_delivered() {
    let exchange = running().await;
    exchange.faults().add(Rule::once(Fault::SlowBody { byte_millis: 20 }));
    let impatient = tokio::time::timeout(Duration::from_millis(200), get_prices(&exchange, SYMBOLS)).await;
    assert!(impatient.is_err());
    let entries = exchange.ledger().entries();
    assert!(entries.len() == 2 && entries.iter().all(|served| !served.delivered), "{entries:?}");
}

#[tokio::test]
async fn an_answer_after_a_slow_one_on_the_same_connection_is_fast() {
    let exchange = running().await;
    exchange.faults().add(Rule::once(Fault::SlowBody { byte_millis: 3 }));
    let slow = "GET /api/v3/ping HTTP/1.1\r\nhost: sim\r\n\r\n";
    let fast = "GET /sim/requests HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\r\n";
    let answer = send(exchange.address(), &format!("{slow}{fast}")).await;
    assert!(answer.text.matches("HTTP/1.1 200 OK").count() == 2, "{}", answer.text);
    assert!(answer.last_byte < Duration::from_millis(200), "{answer:?}");
}

#[tokio::test]
async fn faults_are_set_listed_and_cleared_over_http() {
    let exchange = running().await;
    let rules = r#"[{"fault":{"kind":"status","status":503},"lasts":{"requests":2}},{"fault":{"kind":"hang"},"lasts":"untilCleared","path":"/api/v3/time"}]"#;
    let added = post(&exchange, "/sim/faults", rules).await;
    assert_eq!((added.status(), added.body()), (200, rules));
    assert_eq!(get_prices(&exchange, SYMBOLS).await.status(), 503);
    assert_eq!(get_prices(&exchange, SYMBOLS).await.status(), 503);
    assert_eq!(get_prices(&exchange, SYMBOLS).await.status(), 200);
    let left = get(&exchange, "/sim/faults").await;
    assert_eq!(left.body(), r#"[{"fault":{"kind":"hang"},"lasts":"untilCleared","path":"/api/v3/time"}]"#);
    let clear = "DELETE /sim/faults HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\r\n";
    assert_eq!(send(exchange.address(), clear).await.status(), 204);
    assert_eq!(get(&exchange, "/api/v3/time").await.status(), 200);

    let refused = post(&exchange, "/sim/faults", r#"{"fault":{"kind":"status","status":42}}"#).await;
    assert_eq!((refused.status(), refused.body()), (400, "fault.status is 42; use 200 to 599\n"));
    let requests = get(&exchange, "/sim/requests").await;
    assert_eq!(requests.body().lines().count(), 4);
    assert!(requests.body().lines().next().unwrap().contains(r#""status":503"#), "{}", requests.body());
}

#[tokio::test]
async fn the_request_log_proves_who_came_too_early() {
    let exchange = running().await;
    exchange.faults().add(Rule::lasting(Duration::from_millis(300), Fault::too_many_requests("1")));
    assert_eq!(get_prices(&exchange, SYMBOLS).await.status(), 429);
    assert_eq!(get_prices(&exchange, SYMBOLS).await.status(), 429);
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert_eq!(get_prices(&exchange, SYMBOLS).await.status(), 200);
    let requests = exchange.requests().entries();
    let after_first = |n: usize| requests[n].arrived.duration_since(requests[0].arrived);
    assert!(after_first(1) < Duration::from_millis(300) && after_first(2) >= Duration::from_millis(350));
}
