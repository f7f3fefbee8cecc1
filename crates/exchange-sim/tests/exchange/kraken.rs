//! Kraken's interfaces over real HTTP and a real WebSocket.

use pricepipe_exchange_sim::{
    Fault, RequestRate, Rule, Running, SimConfig, StreamFault, StreamLimits, TapePlayback, TradeFlow, start,
};
use serde_json::{Value, json};

use crate::{
    client::get,
    socket::{Socket, recording, truth},
};

const FIRST: u64 = 500;

/// 2,500 trades of BTCUSD in the past, one a second, and other symbols that trade.
async fn running() -> Running {
    let tapes = vec![TapePlayback::past("BTCUSD".parse().unwrap(), recording(FIRST, 2_500))];
    let streams = StreamLimits { kraken_requests: RequestRate::UNLIMITED, ..StreamLimits::default() };
    let trades = TradeFlow::per_second(50.0);
    start(SimConfig { tapes, streams, trades, ..SimConfig::default() }).await.unwrap()
}

/// The body of an answer, whose status is always 200.
async fn json_of(exchange: &Running, path: &str) -> Value {
    let answer = get(exchange, &format!("/0/public/{path}")).await;
    assert_eq!(answer.status(), 200, "{}", answer.text);
    serde_json::from_str(answer.body()).unwrap()
}

#[tokio::test]
async fn pairs_go_by_many_names_and_are_answered_by_the_canonical_one() {
    let exchange = running().await;
    let pairs = json_of(&exchange, "AssetPairs").await;
    let bitcoin = &pairs["result"]["XXBTZUSD"];
    assert_eq!((&bitcoin["altname"], &bitcoin["wsname"]), (&"XBTUSD".into(), &"XBT/USD".into()));
    assert_eq!((&bitcoin["base"], &bitcoin["status"]), (&"XXBT".into(), &"online".into()));
    for name in ["XBTUSD", "XXBTZUSD", "BTC/USD", "XBT/USD"] {
        let ticker = json_of(&exchange, &format!("Ticker?pair={name}")).await;
        assert_eq!(
            (&ticker["error"], &ticker["result"]["XXBTZUSD"]["c"][0]),
            (&json!([]), &"0.00142499".into()),
            "{name}"
        );
    }
    let two = json_of(&exchange, "Ticker?pair=XBTUSDT,SOLUSD").await;
    assert_eq!(two["result"].as_object().unwrap().keys().collect::<Vec<_>>(), ["SOLUSD", "XBTUSDT"]);
    let served = exchange.ledger().delivered();
    assert_eq!(served.iter().map(|s| &*s.symbol).skip(4).collect::<Vec<_>>(), ["BTC/USDT", "SOL/USD"]);
    assert!(json_of(&exchange, "Ticker").await["result"].as_object().unwrap().len() > 60);
    assert!(json_of(&exchange, "Time").await["result"]["unixtime"].is_i64());
    assert_eq!(json_of(&exchange, "SystemStatus").await["result"]["status"], "online");
}

#[tokio::test]
async fn refusals_have_status_200() {
    let exchange = running().await;
    for (path, error) in [
        ("Ticker?pair=XBTUSD,NOSUCH", "EQuery:Unknown asset pair"),
        ("Trades", "EGeneral:Invalid arguments"),
        ("OHLC?pair=XBTUSD&interval=7", "EGeneral:Invalid arguments"),
        ("Nothing", "EGeneral:Unknown method"),
    ] {
        assert_eq!(json_of(&exchange, path).await, json!({ "error": [error] }), "{path}");
    }
    let exchange = start(SimConfig::default()).await.unwrap();
    let mut errors = Vec::new();
    for _ in 0..8 {
        errors.push(json_of(&exchange, "Time").await["error"].to_string());
    }
    assert_eq!((&*errors[0], &*errors[7]), ("[]", r#"["EAPI:Rate limit exceeded"]"#));
}

#[tokio::test]
async fn trades_are_found_page_by_page_by_their_nanosecond() {
    let exchange = running().await;
    let (mut found, mut since) = (Vec::new(), "1".to_owned());
    loop {
        let page = json_of(&exchange, &format!("Trades?pair=XBTUSD&since={since}")).await["result"].clone();
        let rows = page["XXBTZUSD"].as_array().unwrap().clone();
        since = page["last"].as_str().unwrap().to_owned();
        if rows.is_empty() {
            break;
        }
        assert!(rows[0][2].is_number() && rows[0][3].is_string());
        let text = |row: &Value, column: usize| row[column].as_str().unwrap().to_owned();
        found.extend(rows.iter().map(|row| (row[6].as_u64().unwrap(), text(row, 0), text(row, 1))));
    }
    assert_eq!(found, truth(&exchange, "BTCUSD"));
    let newest = json_of(&exchange, "Trades?pair=XBTUSD&count=2").await["result"]["XXBTZUSD"].clone();
    assert_eq!((&newest[0][6], &newest[1][6]), (&2_998.into(), &2_999.into()));
    assert_eq!(newest[1][2].to_string(), "1570754499.0");
}

#[tokio::test]
async fn candles_end_with_the_one_that_is_forming() {
    let exchange = running().await;
    let result = json_of(&exchange, "OHLC?pair=XBTUSD&interval=5").await["result"].clone();
    let rows = result["XXBTZUSD"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0][0], &rows[0][7]), (9, &1_570_752_000.into(), &300.into()));
    assert_eq!((&rows[0][1], &rows[0][4]), (&"0.00140000".into(), &"0.00140299".into()));
    assert_eq!(result["last"], rows[7][0]);
    let since = json_of(&exchange, "OHLC?pair=XBTUSD&interval=5&since=1570753800").await["result"].clone();
    assert_eq!(since["XXBTZUSD"].as_array().unwrap().len(), 2);
    let many = json_of(&exchange, "OHLC?pair=XBTUSD&interval=1").await["result"]["XXBTZUSD"].clone();
    assert_eq!(many.as_array().unwrap().len(), 42);
}

#[tokio::test]
async fn channels_tell_trades_tickers_and_candles_in_numbers() {
    let exchange = running().await;
    let mut socket = Socket::open(&exchange, "/v2").await;
    assert_eq!(socket.json().await["data"][0]["system"], "online");
    socket.say(r#"{"method":"subscribe","params":{"channel":"trade","symbol":["ETH/USD","FOO/BAR"],"snapshot":true},"req_id":1}"#).await;
    let ack = socket.json().await;
    assert_eq!(
        (&ack["success"], &ack["result"]["symbol"], &ack["req_id"]),
        (&true.into(), &"ETH/USD".into(), &1.into())
    );
    let snapshot = socket.json().await;
    assert_eq!((&snapshot["type"], snapshot["data"].as_array().unwrap().len()), (&"snapshot".into(), 50));
    assert_eq!(socket.json().await["symbol"], "FOO/BAR");
    let mut ids: Vec<u64> = Vec::new();
    let mut collect = |frame: &Value| {
        let rows = frame["data"].as_array().unwrap();
        ids.extend(rows.iter().map(|row| row["trade_id"].as_u64().unwrap()));
        ids.len()
    };
    collect(&snapshot);
    let update = socket.text().await;
    let digits = update.split_once(r#""price":"#).unwrap().1.split(',').next().unwrap();
    assert!(digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.'), "{update}");
    collect(&serde_json::from_str(&update).unwrap());
    while collect(&socket.json().await) < 80 {}
    assert!(ids.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ids:?}");
    socket
        .say(r#"{"method":"unsubscribe","params":{"channel":"trade","symbol":["ETH/USD"]},"req_id":2}"#)
        .await;
    socket.wait_for(|frame| frame["req_id"] == 2).await;
    for (channel, field) in [("ticker", "last"), ("ohlc", "close")] {
        let request =
            format!(r#"{{"method":"subscribe","params":{{"channel":"{channel}","symbol":["ETH/USD"]}}}}"#);
        socket.say(&request).await;
        let snapshot = socket.wait_for(|f| f["channel"] == channel && f["type"] == "snapshot").await;
        let update = socket.wait_for(|f| f["channel"] == channel && f["type"] == "update").await;
        assert!(snapshot["data"][0][field].is_number() && update["data"][0][field].is_number(), "{update}");
    }
    socket.say(r#"{"method":"ping","req_id":9}"#).await;
    assert_eq!(socket.wait_for(|frame| frame["req_id"] == 9).await["method"], "pong");
}

#[tokio::test]
async fn an_unknown_pair_is_refused_and_silence_has_a_heartbeat() {
    let exchange = running().await;
    let mut socket = Socket::open(&exchange, "/v2").await;
    socket.json().await;
    socket.say(r#"{"method":"subscribe","params":{"channel":"trade","symbol":["FOO/BAR","BTC/USD"]}}"#).await;
    let refused = socket.json().await;
    assert_eq!(
        (&refused["success"], &refused["error"]),
        (&false.into(), &"Currency pair not supported FOO/BAR".into())
    );
    assert_eq!(socket.json().await["success"], true);
    // The recording of BTCUSD has ended: nothing trades.
    assert_eq!(socket.json().await, json!({ "channel": "heartbeat" }));
}

#[tokio::test]
async fn faults_are_met() {
    let exchange = running().await;
    exchange
        .faults()
        .add(Rule::once(Fault::PriceText { symbol: "ETHUSD".parse().unwrap(), text: "3.50".into() }));
    exchange.faults().add(Rule::once(Fault::PriceAsNumber));
    let numeric = get(&exchange, "/0/public/Ticker?pair=ETHUSD").await;
    assert!(numeric.body().contains(r#""c":[3.50,"#), "{}", numeric.body());
    exchange.faults().add(Rule::once(Fault::status_with_body(502, "<html>")).on_path("/0/public"));
    assert_eq!(get(&exchange, "/0/public/Time").await.status(), 502);
    exchange
        .faults()
        .add(Rule::until_cleared(Fault::Stream(StreamFault::Cut { after_frames: 3, close: Some(1001) })));
    exchange
        .faults()
        .add(Rule::once(Fault::Stream(StreamFault::Shutdown { after_frames: 1, cut_after_millis: 60_000 })));
    let mut socket = Socket::open(&exchange, "/v2").await;
    socket.say(r#"{"method":"subscribe","params":{"channel":"trade","symbol":["ETH/USD"]}}"#).await;
    let (texts, code) = socket.until_the_end().await;
    assert_eq!(code, 1001);
    assert!(texts.iter().any(|text| text.contains("maintenance")), "{texts:?}");
    assert_eq!(exchange.streams().connections()[0].exchange, "kraken");
}
