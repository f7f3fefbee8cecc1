//! Binance's REST interface over real HTTP: shapes, codes, weights, prices, ledger.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::client::{get, get_prices, prices_path, send};
use pricepipe_exchange_sim::{
    Limits, Pace, Playback, Recording, Running, SimConfig, SimError, start, synthetic_symbols,
};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpStream};

async fn running(config: SimConfig) -> Running {
    start(config).await.unwrap()
}

/// `symbol=price` of every delivered entry.
fn delivered(exchange: &Running) -> Vec<(String, String)> {
    let delivered = exchange.ledger().delivered();
    delivered.iter().map(|served| (served.symbol.to_string(), served.price.to_string())).collect()
}

#[tokio::test]
async fn answers_have_the_exchanges_own_shapes() {
    let exchange = running(SimConfig::default()).await;
    let ping = get(&exchange, "/api/v3/ping").await;
    assert_eq!((ping.status(), ping.body()), (200, "{}"));
    assert_eq!(ping.header("content-type"), Some("application/json;charset=UTF-8"));

    let time: serde_json::Value = serde_json::from_str(get(&exchange, "/api/v3/time").await.body()).unwrap();
    assert!(time["serverTime"].as_i64().unwrap() > 1_700_000_000_000);

    let one = get(&exchange, "/api/v3/ticker/price?symbol=BTCUSDT").await;
    let ticker: serde_json::Value = serde_json::from_str(one.body()).unwrap();
    assert_eq!(ticker["symbol"], "BTCUSDT");
    assert!(ticker["price"].as_str().unwrap().split_once('.').unwrap().1.len() == 2, "{}", one.body());

    let several = get_prices(&exchange, &["ETHUSDT", "BTCUSDT"]).await.prices();
    assert_eq!(several.iter().map(|(symbol, _)| symbol.as_str()).collect::<Vec<_>>(), ["ETHUSDT", "BTCUSDT"]);
    let all = get(&exchange, "/api/v3/ticker/price").await.prices();
    assert_eq!(all.len(), SimConfig::default().symbols.len());

    let info = get(&exchange, "/api/v3/exchangeInfo?symbol=ETHBTC").await;
    let info: serde_json::Value = serde_json::from_str(info.body()).unwrap();
    assert_eq!(info["rateLimits"][0]["limit"], 6_000);
    assert_eq!(
        (&info["symbols"][0]["baseAsset"], info["symbols"].as_array().unwrap().len()),
        (&"ETH".into(), 1)
    );
}

#[tokio::test]
async fn a_faulty_request_gets_a_code_and_no_price() {
    let exchange = running(SimConfig::default()).await;
    for (path, status, body) in [
        ("/api/v3/ticker/price?symbol=NOSUCH", 400, r#"{"code":-1121,"msg":"Invalid symbol."}"#),
        (&prices_path(&["BTCUSDT", "NOSUCH"]), 400, r#"{"code":-1121,"msg":"Invalid symbol."}"#),
        (
            "/api/v3/ticker/price?symbol=btcusdt",
            400,
            r#"{"code":-1100,"msg":"Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'."}"#,
        ),
        (
            "/api/v3/ticker/price?symbol=BTCUSDT&symbolStatus=HALT",
            400,
            r#"{"code":-1220,"msg":"The symbol's status does not match the requested symbolStatus."}"#,
        ),
        ("/api/v3/ticker/price?symbolStatus=BREAK", 200, "[]"),
    ] {
        let answer = get(&exchange, path).await;
        assert_eq!((answer.status(), answer.body()), (status, body), "{path}");
    }
    assert_eq!(get(&exchange, "/api/v3/nothing").await.status(), 404);
    assert_eq!(exchange.ledger().total(), 0);
    let statuses: Vec<_> = exchange.requests().entries().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [Some(400), Some(400), Some(400), Some(400), Some(200), Some(404)]);
}

#[tokio::test]
async fn the_ledger_holds_exactly_what_clients_got() {
    let exchange = running(SimConfig::default()).await;
    let mut got = Vec::new();
    for _ in 0..20 {
        got.extend(get_prices(&exchange, &["BTCUSDT", "SHIBUSDT"]).await.prices());
    }
    assert_eq!(delivered(&exchange), got);
    let lines = get(&exchange, "/sim/ledger?after=38").await;
    let lines: Vec<serde_json::Value> =
        lines.body().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["price"], &lines[1]["delivered"]), (&got[39].1.clone().into(), &true.into()));
}

#[tokio::test]
async fn one_seed_gives_one_sequence_of_prices() {
    let mut sequences = Vec::new();
    for seed in [1, 1, 2] {
        let exchange = running(SimConfig { seed, ..SimConfig::default() }).await;
        for _ in 0..5 {
            get_prices(&exchange, &["BTCUSDT", "ETHUSDT"]).await;
        }
        sequences.push(delivered(&exchange));
    }
    assert_eq!(sequences[0], sequences[1]);
    assert_ne!(sequences[0], sequences[2]);
}

#[tokio::test]
async fn used_weight_is_in_every_answer_and_the_limit_leads_to_429_and_then_418() {
    let limits = Limits { weight_per_minute: 26, first_ban: Duration::from_secs(120) };
    let exchange = running(SimConfig { limits, ..SimConfig::default() }).await;
    leave_room_in_the_clock_minute().await;
    for (path, used) in [
        ("/api/v3/exchangeInfo", "20"),
        ("/api/v3/ticker/price?symbol=BTCUSDT", "22"),
        ("/api/v3/ticker/price", "26"),
    ] {
        let answer = get(&exchange, path).await;
        assert_eq!(answer.header("x-mbx-used-weight"), Some(used), "{path}");
        assert_eq!(answer.header("x-mbx-used-weight-1m"), Some(used), "{path}");
    }
    let limited = get(&exchange, "/api/v3/ping").await;
    assert_eq!(limited.status(), 429);
    assert!((1..=60).contains(&limited.header("retry-after").unwrap().parse().unwrap()));
    assert!(limited.body().contains(r#""code":-1003"#) && limited.body().contains("26 request weight"));
    let banned = get(&exchange, "/api/v3/ping").await;
    assert_eq!((banned.status(), banned.header("retry-after")), (418, Some("120")));
    assert!(banned.body().contains("IP banned until 1"), "{}", banned.body());
}

/// The count starts over with each clock minute, which must not happen amid the requests.
async fn leave_room_in_the_clock_minute() {
    let left_secs = 60 - SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() % 60;
    if left_secs < 5 {
        tokio::time::sleep(Duration::from_secs(left_secs)).await;
    }
}

#[tokio::test]
async fn a_recording_is_served_row_by_row_and_then_holds() {
    let text = "id,time_ms,price,quantity,side\n1,5,0.00141342,1,buy\n2,5,0.00141300,1,buy\n";
    let recording = Recording::from_reader("test", text.as_bytes()).unwrap();
    let symbol: pricepipe_core::Symbol = "XRPETH".parse().unwrap();
    let playbacks = vec![Playback::per_request(symbol.clone(), recording)];
    let exchange = running(SimConfig { playbacks, ..SimConfig::default() }).await;
    let mut prices = Vec::new();
    for left in [2, 1, 0, 0] {
        assert_eq!(exchange.remaining(&symbol), Some(left));
        prices.extend(get_prices(&exchange, &["XRPETH"]).await.prices());
    }
    let prices: Vec<_> = prices.into_iter().map(|(_, price)| price).collect();
    assert_eq!(prices, ["0.00141342", "0.00141300", "0.00141300", "0.00141300"]);
}

#[tokio::test]
async fn recorded_trades_and_klines_are_served_digit_for_digit() {
    for (file, column) in [("binance-xrpeth-trades.csv", 2), ("binance-ethbtc-klines-5m.csv", 4)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(file);
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("skipped: {} is not there", path.display());
            continue;
        };
        let expected: Vec<&str> =
            text.lines().skip(1).map(|line| line.split(',').nth(column).unwrap()).collect();
        let recording = Recording::from_file(&path).unwrap();
        assert_eq!(recording.len(), expected.len());
        let playbacks = vec![Playback::per_request("RECORDED".parse().unwrap(), recording)];
        let limits = Limits { weight_per_minute: u32::MAX, ..Limits::default() };
        let exchange = running(SimConfig { playbacks, limits, ..SimConfig::default() }).await;
        poll_on_one_connection(&exchange, expected.len()).await;
        let served = delivered(&exchange);
        assert!(served.iter().map(|(_, price)| price).eq(expected.iter()), "{file}");
    }
}

/// Asks for RECORDED so many times, keeping the connection alive.
async fn poll_on_one_connection(exchange: &Running, times: usize) {
    let mut connection = TcpStream::connect(exchange.address()).await.unwrap();
    let mut buffer = vec![0; 4_096];
    for _ in 0..times {
        let request = b"GET /api/v3/ticker/price?symbol=RECORDED HTTP/1.1\r\nhost: sim\r\n\r\n";
        connection.write_all(request).await.unwrap();
        let mut read = 0;
        while !buffer[..read].ends_with(b"}") {
            read += connection.read(&mut buffer[read..]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn five_hundred_symbols_come_in_one_answer_many_times_a_second() {
    let symbols = synthetic_symbols(500);
    let limits = Limits { weight_per_minute: u32::MAX, ..Limits::default() };
    let exchange = running(SimConfig { symbols, limits, ..SimConfig::default() }).await;
    let started = std::time::Instant::now();
    for _ in 0..50 {
        assert_eq!(get(&exchange, "/api/v3/ticker/price").await.prices().len(), 500);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(exchange.ledger().delivered().len(), 25_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_clients_share_one_recording_without_a_gap_or_a_double() {
    let rows: String = (1..=4_000).map(|n| format!("{n},5,{n}.50,1,buy\n")).collect();
    let text = format!("id,time_ms,price,quantity,side\n{rows}");
    let recording = Recording::from_reader("test", text.as_bytes()).unwrap();
    let playbacks = vec![Playback::per_request("RECORDED".parse().unwrap(), recording)];
    let limits = Limits { weight_per_minute: u32::MAX, ..Limits::default() };
    let exchange = Arc::new(running(SimConfig { playbacks, limits, ..SimConfig::default() }).await);
    let poll = |exchange: Arc<Running>| async move { poll_on_one_connection(&exchange, 500).await };
    let clients: Vec<_> = (0..8).map(|_| tokio::spawn(poll(exchange.clone()))).collect();
    for client in clients {
        client.await.unwrap();
    }
    let expected: Vec<String> = (1..=4_000).map(|n| format!("{n}.50")).collect();
    let served: Vec<String> = delivered(&exchange).into_iter().map(|(_, price)| price).collect();
    assert_eq!(served, expected);
}

#[tokio::test]
async fn a_walk_by_the_clock_stands_still_between_ticks() {
    let pace = Pace::Tick(Duration::from_secs(3_600));
    let exchange = running(SimConfig { pace, ..SimConfig::default() }).await;
    let first = get_prices(&exchange, &["BTCUSDT"]).await.prices();
    assert_eq!(get_prices(&exchange, &["BTCUSDT"]).await.prices(), first);
    assert_eq!(first[0].1, "67000.00");
}

#[tokio::test]
async fn a_taken_address_is_refused_with_the_remedy() {
    let exchange = running(SimConfig::default()).await;
    let address = exchange.address();
    let error = start(SimConfig { address, ..SimConfig::default() }).await.unwrap_err();
    assert!(matches!(error, SimError::Listen { .. }));
    let expected = format!("cannot listen on {address}; choose another address, or port 0 for any free port");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn stopping_and_dropping_free_the_address() {
    let exchange = running(SimConfig::default()).await;
    let address = exchange.address();
    exchange.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
    let exchange = running(SimConfig { address, ..SimConfig::default() }).await;
    assert_eq!(send(address, "GET /api/v3/ping HTTP/1.0\r\n\r\n").await.status(), 200);
    drop(exchange);
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), gone).await.expect("the address to be free");
}
