//! How many trades one client can be told in a second.

use std::time::{Duration, Instant};

use futures::StreamExt;
use pricepipe_exchange_sim::{SimConfig, TradeFlow, start, synthetic_symbols};
use tokio_tungstenite::tungstenite::Message;

use crate::socket::Socket;

/// What an unoptimised build must reach is a tenth of the real bar.
const PER_SECOND: f64 = if cfg!(debug_assertions) { 5_000.0 } else { 50_000.0 };
const SYMBOLS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_client_is_told_every_trade_of_a_fast_market() {
    let symbols = synthetic_symbols(SYMBOLS);
    let streams: Vec<_> = symbols.iter().map(|s| format!("{}@trade", s.as_str().to_lowercase())).collect();
    let trades = TradeFlow { past: 0, history: 20_000, ..TradeFlow::per_second(PER_SECOND / SYMBOLS as f64) };
    let exchange = start(SimConfig { symbols, trades, ..SimConfig::default() }).await.unwrap();
    let mut socket = Socket::open(&exchange, &format!("/stream?streams={}", streams.join("/"))).await;
    let (started, mut told) = (Instant::now(), 0u64);
    while started.elapsed() < Duration::from_secs(3) {
        if let Some(Ok(Message::Text(_))) = socket.0.next().await {
            told += 1;
        }
    }
    let expected = PER_SECOND * started.elapsed().as_secs_f64();
    assert!(told as f64 > 0.9 * expected && (told as f64) < 1.1 * expected, "{told} of {expected}");
    assert_eq!(exchange.streams().open_now(), 1);
}
