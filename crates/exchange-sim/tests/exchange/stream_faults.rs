//! Faults of streams as a client sees them, and what the ledger says of each.

use std::time::Duration;

use futures::SinkExt;
use pricepipe_exchange_sim::{
    Fault, OddFrame, Rule, Running, SimConfig, StreamFault, TapePace, TapePlayback, start,
};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{get, post, send},
    socket::{Socket, recording},
};

const FIRST: u64 = 13_519_807;
const STREAM: &str = "/ws/xrpeth@trade";

/// Recorded trades of XRPETH, told as fast as they are read.
async fn running() -> Running {
    playing(TapePace::AsRead).await
}

async fn playing(pace: TapePace) -> Running {
    let tapes = vec![TapePlayback::new("XRPETH".parse().unwrap(), recording(FIRST, 4_000), pace)];
    start(SimConfig { tapes, ..SimConfig::default() }).await.unwrap()
}

fn always(exchange: &Running, fault: StreamFault) {
    exchange.faults().add(Rule::until_cleared(Fault::Stream(fault)));
}

fn ids(texts: &[String]) -> Vec<u64> {
    let id = |text: &String| serde_json::from_str::<serde_json::Value>(text).ok()?["t"].as_u64();
    texts.iter().filter_map(id).collect()
}

#[tokio::test]
async fn every_connection_is_cut_after_its_frames_and_the_next_one_goes_on() {
    let exchange = running().await;
    always(&exchange, StreamFault::Cut { after_frames: 10, close: Some(1001) });
    for _ in 0..3 {
        let (texts, code) = Socket::open(&exchange, STREAM).await.until_the_end().await;
        assert_eq!((texts.len(), code), (10, 1001));
    }
    exchange.faults().clear();
    always(&exchange, StreamFault::cut_after(5));
    let (texts, code) = Socket::open(&exchange, STREAM).await.until_the_end().await;
    assert!(texts.len() <= 5 && code == 1006, "{texts:?} {code}");
    let connections = exchange.streams().connections();
    assert_eq!(connections.iter().map(|c| c.counts.sent).collect::<Vec<_>>(), [10, 10, 10, 5]);
    assert!(connections[3].ended.as_deref() == Some("torn off"), "{:?}", connections[3]);
}

#[tokio::test]
async fn frames_are_dropped_doubled_and_reordered_and_the_ledger_knows() {
    let exchange = running().await;
    always(&exchange, StreamFault::Drop { percent: 5 });
    always(&exchange, StreamFault::Duplicate { percent: 10 });
    always(&exchange, StreamFault::Reorder { percent: 10 });
    always(&exchange, StreamFault::Cut { after_frames: 2_000, close: Some(1008) });
    let (texts, _) = Socket::open(&exchange, STREAM).await.until_the_end().await;
    let ids = ids(&texts);
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    let counts = exchange.streams().symbols()["XRPETH"];
    assert_eq!((ids.len(), counts.sent), (2_000, 2_000));
    assert!(counts.duplicated > 100 && counts.dropped > 40 && counts.reordered > 100, "{counts:?}");
    assert!(distinct.len() as u64 >= 2_000 - counts.duplicated, "{counts:?}");
    assert!(ids.windows(2).any(|pair| pair[1] < pair[0]));
    let truth = exchange.trades(&"XRPETH".parse().unwrap());
    assert!(truth.iter().filter(|trade| !distinct.contains(&trade.id)).count() > 40);
}

#[tokio::test]
async fn a_half_open_connection_says_nothing_more_and_stays() {
    let exchange = running().await;
    always(&exchange, StreamFault::HalfOpen { after_frames: 3 });
    let mut socket = Socket::open(&exchange, STREAM).await;
    for _ in 0..3 {
        socket.json().await;
    }
    socket.0.send(Message::Ping("are you there".into())).await.unwrap();
    assert!(socket.is_silent(300).await);
    assert_eq!(exchange.streams().open_now(), 1);
    let stopping = tokio::time::timeout(Duration::from_secs(1), exchange.stop()).await;
    assert!(stopping.is_ok());
}

#[tokio::test]
async fn requests_are_lost_or_refused() {
    let exchange = running().await;
    let subscribe = r#"{"method":"SUBSCRIBE","params":["xrpeth@trade"],"id":1}"#;
    exchange.faults().add(Rule::once(Fault::Stream(StreamFault::NoAck)));
    let mut socket = Socket::open(&exchange, "/ws").await;
    socket.say(subscribe).await;
    assert!(socket.is_silent(150).await);
    drop(socket);
    exchange.faults().clear();
    // A connection that is still open would meet the next fault.
    while exchange.streams().open_now() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    exchange.faults().add(Rule::once(Fault::Stream(StreamFault::ErrorAck)));
    let mut socket = Socket::open(&exchange, "/ws").await;
    socket.say(subscribe).await;
    let refused = socket.json().await;
    assert_eq!((&refused["code"], &refused["id"]), (&2.into(), &1.into()));
    assert!(socket.is_silent(150).await);
    exchange.faults().add(Rule::once(Fault::status(503)).on_path("/ws"));
    assert_eq!(Socket::try_open(&exchange, STREAM).await.err(), Some(503));
    let mut socket = Socket::open(&exchange, "/ws").await;
    socket.say(subscribe).await;
    assert_eq!(socket.json().await["id"], 1);
}

#[tokio::test]
async fn odd_frames_come_between_and_the_data_goes_on() {
    let exchange = running().await;
    let odd = [
        OddFrame::Binary,
        OddFrame::Malformed,
        OddFrame::UnknownType,
        OddFrame::Oversized { bytes: 10_000_000 },
        OddFrame::Text { text: "[]".to_owned() },
    ];
    for (frame, after_frames) in odd.into_iter().zip(1..) {
        exchange.faults().add(Rule::once(Fault::Stream(StreamFault::Insert { frame, after_frames })));
    }
    exchange.faults().add(Rule::once(Fault::Stream(StreamFault::ExtraField)));
    exchange.faults().add(Rule::once(Fault::Stream(StreamFault::Flood { times: 2 })));
    let mut socket = Socket::open(&exchange, STREAM).await;
    let (mut ids, mut odd) = (Vec::new(), Vec::new());
    while ids.len() < 8 {
        match socket.frame().await.unwrap().unwrap() {
            Message::Text(text) => match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(trade) if trade["e"] == "trade" => {
                    assert!(trade["aFieldOfTheFuture"].is_object());
                    ids.push(trade["t"].as_u64().unwrap() - FIRST);
                }
                Ok(other) => {
                    odd.push(if text.len() > 9_999_999 { "large".into() } else { other["e"].to_string() })
                }
                Err(_) => odd.push("malformed".to_owned()),
            },
            Message::Binary(_) => odd.push("binary".to_owned()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ids, [0, 0, 1, 1, 2, 2, 3, 3]);
    assert_eq!(odd, ["binary", "malformed", "\"somethingNew\"", "large", "null"]);
}

#[tokio::test]
async fn a_server_that_goes_says_so_first() {
    let exchange = playing(TapePace::PerSecond(200.0)).await;
    always(&exchange, StreamFault::Shutdown { after_frames: 2, cut_after_millis: 200 });
    for (target, wrapped) in [(STREAM, false), ("/stream?streams=xrpeth@trade", true)] {
        let (texts, code) = Socket::open(&exchange, target).await.until_the_end().await;
        let notice: serde_json::Value = serde_json::from_str(&texts[2]).unwrap();
        let event = if wrapped { &notice["data"]["e"] } else { &notice["e"] };
        assert_eq!((event, code), (&"serverShutdown".into(), 1001));
        assert!(texts.len() > 3 && (notice["stream"] == "!serverShutdown") == wrapped, "{notice}");
    }
}

#[tokio::test]
async fn a_fault_reaches_connections_that_are_already_open_and_can_be_cleared() {
    let exchange = playing(TapePace::PerSecond(200.0)).await;
    let mut socket = Socket::open(&exchange, STREAM).await;
    socket.json().await;
    let rule = r#"{"fault":{"kind":"stream","does":"drop","percent":100},"lasts":"untilCleared"}"#;
    assert_eq!(post(&exchange, "/sim/faults", rule).await.status(), 200);
    while !socket.is_silent(100).await {}
    let clear = "DELETE /sim/faults HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\r\n";
    send(exchange.address(), clear).await;
    socket.json().await;
    let streams: serde_json::Value =
        serde_json::from_str(get(&exchange, "/sim/streams").await.body()).unwrap();
    assert_eq!(streams["connections"][0]["exchange"], "binance");
    assert!(streams["symbols"]["XRPETH"]["dropped"].as_u64().unwrap() > 10, "{streams}");
    let refused = post(&exchange, "/sim/faults", &rule.replace("100", "101")).await;
    assert_eq!((refused.status(), refused.body()), (400, "fault.percent is 101; use 0 to 100\n"));
}

#[tokio::test]
async fn lost_trades_are_nowhere() {
    let symbol = "XRPETH".parse().unwrap();
    let lost = FIRST + 10..=FIRST + 12;
    let playback = TapePlayback::new(symbol, recording(FIRST, 50), TapePace::AsRead);
    let tapes = vec![TapePlayback { lost: vec![lost.clone()], ..playback }];
    let exchange = start(SimConfig { tapes, ..SimConfig::default() }).await.unwrap();
    always(&exchange, StreamFault::Cut { after_frames: 47, close: Some(1001) });
    let (texts, _) = Socket::open(&exchange, STREAM).await.until_the_end().await;
    let told = ids(&texts);
    assert_eq!(told, (FIRST..FIRST + 50).filter(|id| !lost.contains(id)).collect::<Vec<_>>());
    let page =
        get(&exchange, &format!("/api/v3/historicalTrades?symbol=XRPETH&fromId={}&limit=1", FIRST + 10))
            .await;
    assert!(page.body().contains(&format!("\"id\":{}", FIRST + 13)), "{}", page.body());
    assert_eq!(exchange.trade_ids(&"XRPETH".parse().unwrap()), Some((FIRST, FIRST + 49)));
}
