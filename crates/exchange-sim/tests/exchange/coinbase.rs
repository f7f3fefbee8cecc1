//! Coinbase's interfaces over real HTTP and a real WebSocket.

use std::time::Duration;

use pricepipe_exchange_sim::{
    Fault, RequestRate, Rule, Running, SimConfig, StreamFault, StreamLimits, TapePlayback, TradeFlow, start,
};
use serde_json::{Value, json};

use crate::{
    client::{Answer, get},
    socket::{Socket, recording, truth},
};

const FIRST: u64 = 500;

/// 250 trades of BTCUSD in the past, one a second, and other symbols that trade.
async fn running() -> Running {
    let tapes = vec![TapePlayback::past("BTCUSD".parse().unwrap(), recording(FIRST, 250))];
    start(SimConfig { tapes, trades: TradeFlow::per_second(50.0), ..SimConfig::default() }).await.unwrap()
}

async fn json_of(exchange: &Running, path: &str) -> (Answer, Value) {
    let answer = get(exchange, path).await;
    let body = serde_json::from_str(answer.body()).unwrap();
    (answer, body)
}

#[tokio::test]
async fn products_have_the_exchanges_own_names_and_prices() {
    let exchange = running().await;
    let (_, products) = json_of(&exchange, "/products").await;
    let bitcoin = products.as_array().unwrap().iter().find(|product| product["id"] == "BTC-USD").unwrap();
    assert_eq!((&bitcoin["base_currency"], &bitcoin["status"]), (&"BTC".into(), &"online".into()));
    assert!(products.as_array().unwrap().len() > 60);
    let (_, ticker) = json_of(&exchange, "/products/ETH-USD/ticker").await;
    assert!(ticker["price"].is_string() && ticker["trade_id"].is_u64(), "{ticker}");
    let served = exchange.ledger().delivered();
    assert_eq!((&*served[0].symbol, &*served[0].price), ("ETH-USD", ticker["price"].as_str().unwrap()));
    let (_, recorded) = json_of(&exchange, "/products/BTC-USD/ticker").await;
    assert_eq!((&recorded["price"], &recorded["trade_id"]), (&"0.00140249".into(), &749.into()));
    for path in ["/products/NO-SUCH/ticker", "/products/BTCUSD/ticker", "/products/BTC-USD/nothing"] {
        let (answer, body) = json_of(&exchange, path).await;
        assert_eq!((answer.status(), body), (404, json!({ "message": "NotFound" })), "{path}");
    }
}

#[tokio::test]
async fn trades_come_newest_first_page_by_page() {
    let exchange = running().await;
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let (answer, rows) = json_of(&exchange, &format!("/products/BTC-USD/trades?limit=100{after}")).await;
        let rows = rows.as_array().unwrap().clone();
        let Some((first, last)) = rows.first().zip(rows.last()) else { break };
        assert_eq!(answer.header("cb-before"), Some(first["trade_id"].to_string().as_str()));
        after = format!("&after={}", answer.header("cb-after").unwrap());
        assert!(after.ends_with(&last["trade_id"].to_string()));
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        found.extend(
            rows.iter().map(|row| (row["trade_id"].as_u64().unwrap(), text(row, "price"), text(row, "size"))),
        );
    }
    found.reverse();
    assert_eq!(found, truth(&exchange, "BTCUSD"));
    let (_, newer) = json_of(&exchange, "/products/BTC-USD/trades?before=747").await;
    let ids: Vec<_> = newer.as_array().unwrap().iter().map(|row| row["trade_id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [749, 748]);
    // The taker of the first one bought, so its maker sold.
    let (_, oldest) = json_of(&exchange, "/products/BTC-USD/trades?after=501").await;
    assert_eq!(
        (&oldest[0]["side"], &oldest[0]["time"]),
        (&"sell".into(), &"2019-10-11T00:00:00.000000Z".into())
    );
}

#[tokio::test]
async fn candles_are_numbers_the_newest_first_and_at_most_300() {
    let exchange = running().await;
    let path = "/products/BTC-USD/candles?granularity=60&start=2019-10-11T00:00:00Z&end=2019-10-11T00:02:00Z";
    let answer = get(&exchange, path).await;
    let first = "[1570752000,0.00140000,0.00140059,0.00140000,0.00140059,1860.00000000]]";
    assert!(
        answer.body().starts_with("[[1570752120,") && answer.body().ends_with(first),
        "{}",
        answer.body()
    );
    for path in [
        "/products/BTC-USD/candles?granularity=61",
        "/products/BTC-USD/candles?granularity=60&start=0&end=100000",
        "/products/BTC-USD/candles?granularity=60&start=then&end=now",
    ] {
        assert_eq!(get(&exchange, path).await.status(), 400, "{path}");
    }
}

#[tokio::test]
async fn too_many_requests_are_refused_and_faults_are_met() {
    let streams = StreamLimits {
        coinbase_requests: RequestRate { per_second: 0.001, burst: 2 },
        ..StreamLimits::default()
    };
    let exchange = start(SimConfig { streams, ..SimConfig::default() }).await.unwrap();
    let statuses = [
        get(&exchange, "/products/BTC-USD/ticker").await.status(),
        get(&exchange, "/products/BTC-USD/ticker").await.status(),
        get(&exchange, "/products/BTC-USD/ticker").await.status(),
    ];
    assert_eq!(statuses, [200, 200, 429]);
    let exchange = running().await;
    exchange.faults().add(Rule::once(Fault::status(503)).on_path("/products"));
    let (answer, body) = json_of(&exchange, "/products/BTC-USD/ticker").await;
    assert_eq!((answer.status(), body), (503, json!({ "message": "Service unavailable" })));
    exchange
        .faults()
        .add(Rule::once(Fault::PriceText { symbol: "ETHUSD".parse().unwrap(), text: "NaN".into() }));
    assert_eq!(json_of(&exchange, "/products/ETH-USD/ticker").await.1["price"], "NaN");
    exchange
        .faults()
        .add(Rule::once(Fault::PriceText { symbol: "ETHUSD".parse().unwrap(), text: "3.50".into() }));
    exchange.faults().add(Rule::once(Fault::PriceAsNumber));
    let numeric = get(&exchange, "/products/ETH-USD/ticker").await;
    assert!(numeric.body().contains(r#""price":3.50,"#), "{}", numeric.body());
}

#[tokio::test]
async fn channels_tell_matches_tickers_and_heartbeats() {
    let exchange = running().await;
    let mut socket = Socket::open(&exchange, "/").await;
    socket
        .say(r#"{"type":"subscribe","product_ids":["ETH-USD"],"channels":["matches","ticker",{"name":"heartbeat"}]}"#)
        .await;
    let ack = socket.json().await;
    assert_eq!((&ack["type"], ack["channels"].as_array().unwrap().len()), (&"subscriptions".into(), 3));
    let last = socket.json().await;
    assert_eq!(last["type"], "last_match");
    let mut ids = vec![last["trade_id"].as_u64().unwrap()];
    let mut sequences = vec![last["sequence"].as_u64().unwrap()];
    let (mut heartbeat, mut ticker) = (Value::Null, Value::Null);
    while heartbeat.is_null() || ids.len() < 20 {
        let frame = socket.json().await;
        sequences.push(frame["sequence"].as_u64().unwrap());
        match frame["type"].as_str() {
            Some("match") => ids.push(frame["trade_id"].as_u64().unwrap()),
            Some("ticker") => ticker = frame,
            Some("heartbeat") => heartbeat = frame,
            other => panic!("{other:?}"),
        }
    }
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
    assert!(sequences.windows(2).all(|pair| pair[1] >= pair[0]), "{sequences:?}");
    let told = ids.last().unwrap().abs_diff(heartbeat["last_trade_id"].as_u64().unwrap());
    assert!(told <= 20 && heartbeat["product_id"] == "ETH-USD", "{heartbeat}");
    assert!(ticker["best_bid"].is_string() && ticker["time"].as_str().unwrap().ends_with('Z'), "{ticker}");
    socket
        .say(
            r#"{"type":"unsubscribe","product_ids":["ETH-USD"],"channels":["matches","ticker","heartbeat"]}"#,
        )
        .await;
    let rest = socket.wait_for(|frame| frame["type"] == "subscriptions").await;
    assert_eq!(rest["channels"], json!([]));
    socket.say(r#"{"type":"subscribe","product_ids":["FOO-USD"],"channels":["matches"]}"#).await;
    let error = socket.wait_for(|frame| frame["type"] == "error").await;
    assert_eq!(error["reason"], "FOO-USD is not a valid product");
}

#[tokio::test]
async fn who_does_not_subscribe_in_time_is_sent_away_and_faults_are_met() {
    let streams = StreamLimits { subscribe_within: Duration::from_millis(200), ..StreamLimits::default() };
    let exchange = start(SimConfig { streams, ..SimConfig::default() }).await.unwrap();
    assert_eq!(Socket::open(&exchange, "/").await.until_the_end().await.1, 1008);
    exchange.faults().add(Rule::once(Fault::Stream(StreamFault::ErrorAck)).on_path("/"));
    let mut socket = Socket::open(&exchange, "/").await;
    socket.say(r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["matches"]}"#).await;
    assert_eq!(socket.json().await["type"], "error");
}
