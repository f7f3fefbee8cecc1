//! The exchange's own clock, and trades that are told at moments that cannot be.

use pricepipe_core::Timestamp;
use pricepipe_exchange_sim::{Running, SimConfig, TradeFlow, start};
use serde_json::Value;

use crate::{client::get, socket::Socket};

const BTC: &str = "BTCUSDT";
/// How exactly two clocks are compared, in milliseconds: the test may have to wait for its turn.
const ABOUT: i64 = 20_000;

async fn running(clock_ahead_millis: i64) -> Running {
    let trades = TradeFlow { past: 10, ..TradeFlow::per_second(20.0) };
    start(SimConfig { trades, clock_ahead_millis, ..SimConfig::default() }).await.unwrap()
}

async fn json(exchange: &Running, path: &str) -> Value {
    serde_json::from_str(get(exchange, path).await.body()).unwrap()
}

fn is_about(millis: i64, expected: i64) -> bool {
    (millis - expected).abs() < ABOUT
}

#[tokio::test]
async fn streams_history_and_headers_go_by_the_exchanges_clock() {
    for ahead in [600_000, -600_000] {
        let exchange = running(ahead).await;
        let expected = jiff::Timestamp::now().as_millisecond() + ahead;
        let date = get(&exchange, "/api/v3/ping").await.header("date").unwrap().to_owned();
        let date = jiff::fmt::rfc2822::parse(&date).unwrap().timestamp().as_millisecond();
        let newest = json(&exchange, "/products/BTC-USDT/trades?limit=1").await;
        let newest: Timestamp = newest[0]["time"].as_str().unwrap().parse().unwrap();
        let mut socket = Socket::open(&exchange, "/ws/btcusdt@trade").await;
        let streamed = socket.wait_for(|frame| frame["e"] == "trade").await;
        for millis in
            [date, newest.as_millis(), streamed["T"].as_i64().unwrap(), streamed["E"].as_i64().unwrap()]
        {
            assert!(is_about(millis, expected), "{millis} and {expected}");
        }
    }
}

#[tokio::test]
async fn a_mistimed_trade_is_told_so_by_streams_and_by_the_history_of_each_exchange() {
    let exchange = running(0).await;
    let mut socket = Socket::open(&exchange, "/ws/btcusdt@trade").await;
    let moments = [0, -31_536_000_000, 2_177_452_800_000_i64];
    exchange.mistime_trades(&BTC.parse().unwrap(), moments.map(|millis| millis * 1_000_000));
    for millis in moments {
        assert!(socket.wait_for(|frame| frame["e"] == "trade").await["T"] == millis);
    }
    let trades = exchange.trades(&BTC.parse().unwrap());
    let odd = trades.iter().find(|trade| trade.time_nanos == 0).unwrap().id;
    let binance = json(&exchange, &format!("/api/v3/historicalTrades?symbol={BTC}&fromId={odd}")).await;
    assert_eq!((&binance[0]["id"], &binance[0]["time"]), (&odd.into(), &0.into()));
    let coinbase = json(&exchange, &format!("/products/BTC-USDT/trades?after={}", odd + 2)).await;
    assert_eq!(coinbase[0]["time"], "1969-01-01T00:00:00.000000Z");
    assert_eq!(coinbase[1]["time"], "1970-01-01T00:00:00.000000Z");
    // Kraken's history goes by the time: what has a wrong one may not be told, and hides nothing.
    let before = trades.iter().find(|trade| trade.id == odd - 3).unwrap().time_nanos;
    let kraken = json(&exchange, &format!("/0/public/Trades?pair=XBTUSDT&since={before}")).await;
    let told = kraken["result"]["XBTUSDT"].as_array().unwrap();
    let numbers: Vec<u64> = told.iter().map(|row| row[6].as_u64().unwrap()).take(3).collect();
    assert_eq!(numbers, [odd - 2, odd - 1, odd + 2]);
    assert!(told[2][2].to_string().starts_with("2177452800.0"), "{}", told[2]);
}
