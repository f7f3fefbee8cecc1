//! Binance's streams over a real WebSocket: subscriptions, shapes, pings, limits.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use futures::SinkExt;
use pricepipe_exchange_sim::{
    Recording, Running, SimConfig, StreamLimits, TapePace, TapePlayback, TradeFlow, start,
};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::get,
    socket::{Socket, recording, truth},
};

async fn running(config: SimConfig) -> Running {
    start(config).await.unwrap()
}

async fn with_limits(streams: StreamLimits) -> Running {
    running(SimConfig { streams, ..SimConfig::default() }).await
}

/// A recording as the trades of XRPETH.
async fn playing(pace: TapePace, count: u64) -> Running {
    let tapes = vec![TapePlayback::new("XRPETH".parse().unwrap(), recording(13_519_807, count), pace)];
    running(SimConfig { tapes, ..SimConfig::default() }).await
}

/// Id, price and quantity of a trade frame.
fn row(frame: &Value) -> (u64, String, String) {
    let text = |field: &str| frame[field].as_str().unwrap().to_owned();
    (frame["t"].as_u64().unwrap(), text("p"), text("q"))
}

#[tokio::test]
async fn a_recording_is_told_trade_by_trade_digit_for_digit() {
    let exchange = playing(TapePace::AsRead, 500).await;
    let mut socket = Socket::open(&exchange, "/ws/xrpeth@trade").await;
    let mut told = Vec::new();
    while told.len() < 500 {
        told.push(row(&socket.json().await));
    }
    assert_eq!(told, truth(&exchange, "XRPETH"));
    assert_eq!(told[0], (13_519_807, "0.00140000".to_owned(), "1.50000000".to_owned()));
    assert!(socket.is_silent(100).await, "it has ended");
    assert_eq!(exchange.streams().symbols()["XRPETH"].sent, 500);
    let price = get(&exchange, "/api/v3/ticker/price?symbol=XRPETH").await;
    assert_eq!(price.body(), r#"{"symbol":"XRPETH","price":"0.00140499"}"#);
}

#[tokio::test]
async fn recorded_trades_and_candles_of_the_exchange_are_told_digit_for_digit() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let (trades, klines) =
        (data.join("binance-xrpeth-trades.csv"), data.join("binance-ethbtc-klines-5m.csv"));
    if !trades.exists() || !klines.exists() {
        eprintln!("skipped: {} is absent", data.display());
        return;
    }
    let read = |path| Recording::from_file(path).unwrap();
    let play = |symbol: &str, path| TapePlayback::new(symbol.parse().unwrap(), read(path), TapePace::AsRead);
    let tapes = vec![play("XRPETH", &trades), play("ETHBTC", &klines)];
    let exchange = running(SimConfig { tapes, ..SimConfig::default() }).await;
    let mut socket = Socket::open(&exchange, "/stream?streams=xrpeth@trade/ethbtc@kline_5m").await;
    let (mut told, mut candles) = (Vec::new(), Vec::new());
    while told.len() < 12_477 || candles.len() < 2_880 {
        let data = socket.json().await["data"].clone();
        let field = |name: &str| data[name].as_str().unwrap().to_owned();
        match data["e"].as_str() {
            Some("trade") => {
                let side = if data["m"] == true { "sell" } else { "buy" };
                told.push(format!("{},{},{},{},{side}", data["t"], data["T"], field("p"), field("q")));
            }
            _ if data["k"]["x"] == true => {
                let field = |name: &str| data["k"][name].as_str().unwrap().to_owned();
                let row = ["o", "h", "l", "c", "v"].map(field).join(",");
                candles.push(format!("{},{row}", data["k"]["t"]));
            }
            _ => {}
        }
    }
    for (path, told) in [(trades, told), (klines, candles)] {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.lines().skip(1).eq(told.iter().map(String::as_str)));
    }
}

#[tokio::test]
async fn trades_go_by_while_nobody_listens_and_history_has_them() {
    let exchange = playing(TapePace::PerSecond(1_000.0), 2_000).await;
    let mut socket = Socket::open(&exchange, "/ws/xrpeth@trade").await;
    let before = row(&socket.json().await).0;
    drop(socket);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut socket = Socket::open(&exchange, "/ws/xrpeth@trade").await;
    let after = row(&socket.json().await).0;
    assert!(after > before + 200, "{before} to {after}");
    let path = format!("/api/v3/historicalTrades?symbol=XRPETH&fromId={}&limit=50", before + 1);
    let page: Vec<Value> = serde_json::from_str(get(&exchange, &path).await.body()).unwrap();
    let ids: Vec<u64> = page.iter().map(|trade| trade["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (before + 1..before + 51).collect::<Vec<_>>());
}

#[tokio::test]
async fn subscriptions_come_and_go_by_message() {
    let exchange = running(SimConfig { trades: TradeFlow::per_second(200.0), ..SimConfig::default() }).await;
    let mut socket = Socket::open(&exchange, "/stream").await;
    assert!(socket.is_silent(50).await);
    socket.say(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","nosuch@trade"],"id":7}"#).await;
    assert_eq!(socket.text().await, r#"{"result":null,"id":7}"#);
    let frame = socket.json().await;
    assert_eq!((&frame["stream"], &frame["data"]["s"]), (&"btcusdt@trade".into(), &"BTCUSDT".into()));
    socket.say(r#"{"method":"LIST_SUBSCRIPTIONS","id":8}"#).await;
    let list = socket.wait_for(|frame| frame["id"] == 8).await;
    assert_eq!(list["result"], serde_json::json!(["btcusdt@trade", "nosuch@trade"]));
    socket.say(r#"{"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":9}"#).await;
    socket.wait_for(|frame| frame["id"] == 9).await;
    assert!(socket.is_silent(100).await);
    socket.say("nonsense").await;
    assert_eq!(socket.json().await["code"], 3);
    assert_eq!(exchange.streams().connections()[0].requests, 4);
}

#[tokio::test]
async fn each_kind_of_stream_has_its_own_shape() {
    let exchange = running(SimConfig { trades: TradeFlow::per_second(20.0), ..SimConfig::default() }).await;
    let streams = "btcusdt@aggTrade/btcusdt@trade/btcusdt@bookTicker/btcusdt@miniTicker/btcusdt@kline_1s";
    let mut socket = Socket::open(&exchange, &format!("/stream?streams={streams}")).await;
    let mut data = async |stream: &str| socket.wait_for(|f| f["stream"] == stream).await["data"].clone();
    let aggregate = data("btcusdt@aggTrade").await;
    assert_eq!((&aggregate["e"], &aggregate["f"]), (&"aggTrade".into(), &aggregate["l"]));
    assert_ne!(aggregate["a"], aggregate["f"]);
    let path = format!("/api/v3/aggTrades?symbol=BTCUSDT&fromId={}&limit=1", aggregate["a"]);
    let page: Value = serde_json::from_str(get(&exchange, &path).await.body()).unwrap();
    assert_eq!((&page[0]["f"], &page[0]["p"]), (&aggregate["f"], &aggregate["p"]));
    let quote = data("btcusdt@bookTicker").await;
    assert!(quote["e"].is_null() && quote["u"].is_u64() && quote["b"] != quote["a"]);
    let mini = data("btcusdt@miniTicker").await;
    assert_eq!((&mini["e"], mini["c"].is_string()), (&"24hrMiniTicker".into(), true));
    let is_kline = |frame: &Value| frame["stream"] == "btcusdt@kline_1s";
    let forming = socket.wait_for(|f| is_kline(f) && f["data"]["k"]["x"] == false).await;
    let open = forming["data"]["k"]["t"].as_i64().unwrap();
    let first = socket.wait_for(|f| is_kline(f) && f["data"]["k"]["x"] == true).await["data"]["k"].clone();
    let second = socket.wait_for(|f| is_kline(f) && f["data"]["k"]["x"] == true).await["data"]["k"].clone();
    let time = |kline: &Value| kline["t"].as_i64().unwrap();
    assert!(time(&first) >= open && time(&second) == time(&first) + 1_000, "{first} {second}");
    let path = format!("/api/v3/klines?symbol=BTCUSDT&interval=1s&limit=1&startTime={}", second["t"]);
    let page: Value = serde_json::from_str(get(&exchange, &path).await.body()).unwrap();
    for (column, field) in ["t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q"].iter().enumerate() {
        assert_eq!(page[0][column], second[*field], "{field}");
    }
}

#[tokio::test]
async fn a_stream_that_is_subscribed_to_later_tells_true_candles() {
    let exchange =
        running(SimConfig { trades: TradeFlow::per_second(2_000.0), ..SimConfig::default() }).await;
    let mut socket = Socket::open(&exchange, "/ws/btcusdt@trade").await;
    socket.json().await;
    socket.say(r#"{"method":"SUBSCRIBE","params":["btcusdt@kline_1s"],"id":1}"#).await;
    let closed = socket.wait_for(|frame| frame["k"]["x"] == true).await["k"].clone();
    let path = format!("/api/v3/klines?symbol=BTCUSDT&interval=1s&limit=1&startTime={}", closed["t"]);
    let page: Value = serde_json::from_str(get(&exchange, &path).await.body()).unwrap();
    assert_eq!((&page[0][5], &page[0][8]), (&closed["v"], &closed["n"]));
}

#[tokio::test]
async fn times_are_in_microseconds_when_asked_for() {
    let exchange = running(SimConfig { trades: TradeFlow::per_second(100.0), ..SimConfig::default() }).await;
    let mut socket = Socket::open(&exchange, "/ws/btcusdt@trade?timeUnit=MICROSECOND").await;
    let trade = socket.json().await;
    let known = exchange.trades(&"BTCUSDT".parse().unwrap());
    let same = known.iter().find(|known| trade["t"] == known.id).unwrap();
    assert_eq!(trade["T"].as_i64().unwrap(), same.time_nanos / 1_000);
}

#[tokio::test]
async fn recorded_candles_are_told_first_open_and_then_closed() {
    let text =
        "open_time_ms,open,high,low,close,volume\n300000,1.0,3.0,0.5,2.0,10.5\n600000,2.0,2.5,1.5,2.40,1\n";
    let recorded = Recording::from_reader("klines", text.as_bytes()).unwrap();
    let tapes = vec![TapePlayback::new("ETHBTC".parse().unwrap(), recorded, TapePace::PerSecond(100.0))];
    let exchange = running(SimConfig { tapes, ..SimConfig::default() }).await;
    let mut socket = Socket::open(&exchange, "/ws/ethbtc@kline_5m").await;
    let mut told = Vec::new();
    for _ in 0..4 {
        let kline = socket.json().await["k"].clone();
        told.push((kline["t"].as_i64().unwrap(), kline["x"].as_bool().unwrap(), kline["c"].to_string()));
    }
    let expected = [
        (300_000, false, "\"1.0\""),
        (300_000, true, "\"2.0\""),
        (600_000, false, "\"2.0\""),
        (600_000, true, "\"2.40\""),
    ];
    assert_eq!(told, expected.map(|(t, x, c)| (t, x, c.to_owned())));
}

#[tokio::test]
async fn only_a_pong_with_the_pings_payload_keeps_a_connection_alive() {
    let (ping_every, pong_within) = (Duration::from_millis(60), Duration::from_millis(300));
    let exchange = with_limits(StreamLimits {
        ping_every,
        pong_within,
        messages_per_second: 100,
        ..StreamLimits::default()
    })
    .await;
    // The client's library answers every ping while it reads.
    let mut polite = Socket::open(&exchange, "/ws").await;
    let reading = tokio::time::timeout(Duration::from_millis(900), polite.until_the_end()).await;
    assert!(reading.is_err(), "it lives on");
    let known = exchange.streams().connections()[0].clone();
    assert!(known.pings >= 5 && known.pongs >= 4, "{known:?}");

    let mut mute = Socket::open(&exchange, "/ws").await;
    for _ in 0..8 {
        mute.0.send(Message::Pong("".into())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert_eq!(mute.until_the_end().await.1, 1008);
}

#[tokio::test]
async fn limits_are_kept() {
    let exchange = with_limits(StreamLimits {
        streams_per_connection: 3,
        connects_per_5_minutes: 4,
        lifetime: Duration::from_millis(300),
        ..StreamLimits::default()
    })
    .await;
    let mut greedy = Socket::open(&exchange, "/stream?streams=a@trade/b@trade/c@trade/d@trade").await;
    assert_eq!(greedy.until_the_end().await.1, 1008);
    let mut hasty = Socket::open(&exchange, "/ws").await;
    for id in 0..6 {
        hasty.say(&format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#)).await;
    }
    let (answers, code) = hasty.until_the_end().await;
    assert!(answers.len() <= 5 && code == 1008, "{answers:?} {code}");
    let opened = Instant::now();
    let mut old = Socket::open(&exchange, "/ws").await;
    assert_eq!(old.until_the_end().await.1, 1001);
    assert!(opened.elapsed() >= Duration::from_millis(300));
    Socket::open(&exchange, "/ws").await;
    assert_eq!(Socket::try_open(&exchange, "/ws").await.err(), Some(429));
}

#[tokio::test]
async fn stopping_ends_streams_at_once() {
    let exchange = running(SimConfig::default()).await;
    let mut socket = Socket::open(&exchange, "/ws/btcusdt@trade").await;
    socket.json().await;
    let started = Instant::now();
    exchange.stop().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(socket.until_the_end().await.1, 1006);
}
