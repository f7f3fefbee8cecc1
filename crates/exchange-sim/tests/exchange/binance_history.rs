//! Binance's history over real HTTP: pages of trades, aggregates and candles.

use pricepipe_exchange_sim::{Fault, Rule, Running, SimConfig, TapePlayback, start};
use serde_json::Value;

use crate::{
    client::get,
    socket::{recording, truth},
};

const FIRST: u64 = 13_519_807;

/// 2,500 trades of XRPETH, all in the past.
async fn running() -> Running {
    let tapes = vec![TapePlayback::past("XRPETH".parse().unwrap(), recording(FIRST, 2_500))];
    start(SimConfig { tapes, ..SimConfig::default() }).await.unwrap()
}

async fn page(exchange: &Running, path: &str) -> Vec<Value> {
    let answer = get(exchange, &format!("/api/v3/{path}")).await;
    assert_eq!(answer.status(), 200, "{}", answer.text);
    serde_json::from_str(answer.body()).unwrap()
}

fn ids(rows: &[Value], field: &str) -> Vec<u64> {
    rows.iter().map(|row| row[field].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn all_trades_are_found_page_by_page() {
    let exchange = running().await;
    let mut found = Vec::new();
    let mut next = FIRST;
    loop {
        let rows = page(&exchange, &format!("historicalTrades?symbol=XRPETH&fromId={next}&limit=1000")).await;
        let Some(last) = rows.last() else { break };
        next = last["id"].as_u64().unwrap() + 1;
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        found.extend(
            rows.iter().map(|row| (row["id"].as_u64().unwrap(), text(row, "price"), text(row, "qty"))),
        );
    }
    assert_eq!(found, truth(&exchange, "XRPETH"));
    assert_eq!(found.len(), 2_500);
    let newest = page(&exchange, "trades?symbol=XRPETH").await;
    assert_eq!(ids(&newest, "id"), (FIRST + 2_000..FIRST + 2_500).collect::<Vec<_>>());
}

#[tokio::test]
async fn aggregates_are_found_by_id_and_by_time() {
    let exchange = running().await;
    let newest = page(&exchange, "aggTrades?symbol=XRPETH&limit=2").await;
    let last = newest[1]["a"].as_u64().unwrap();
    assert_eq!(
        (newest[1]["f"].as_u64(), newest[1]["l"].as_u64()),
        (Some(FIRST + 2_499), Some(FIRST + 2_499))
    );
    let from = page(&exchange, &format!("aggTrades?symbol=XRPETH&fromId={}&limit=3", last - 9)).await;
    assert_eq!(ids(&from, "a"), [last - 9, last - 8, last - 7]);
    assert_eq!(
        page(&exchange, &format!("aggTrades?symbol=XRPETH&fromId={}", last + 1)).await,
        [] as [Value; 0]
    );
    let (start, end) = (1_570_752_010_000u64, 1_570_752_012_000u64);
    let timed = page(&exchange, &format!("aggTrades?symbol=XRPETH&startTime={start}&endTime={end}")).await;
    assert_eq!(ids(&timed, "T"), [start, start + 1_000, end]);
    let timed = page(&exchange, &format!("aggTrades?symbol=XRPETH&startTime={start}&limit=2")).await;
    assert_eq!(ids(&timed, "T"), [start, start + 1_000]);
}

#[tokio::test]
async fn candles_are_the_oldest_first_from_their_start_time() {
    let exchange = running().await;
    let begin = 1_570_752_000_000u64;
    let rows = page(&exchange, &format!("klines?symbol=XRPETH&interval=1m&startTime={begin}&limit=2")).await;
    assert_eq!(rows.iter().map(|row| row[0].as_u64().unwrap()).collect::<Vec<_>>(), [begin, begin + 60_000]);
    assert_eq!(
        (&rows[0][1], &rows[0][4], &rows[0][8]),
        (&"0.00140000".into(), &"0.00140059".into(), &60.into())
    );
    // 1.5 + 2.5 + … + 60.5
    assert_eq!((&rows[0][5], &rows[0][6]), (&"1860.00000000".into(), &(begin + 59_999).into()));
    let newest = page(&exchange, "klines?symbol=XRPETH&interval=1m&limit=1").await;
    assert_eq!(newest[0][0].as_u64().unwrap(), begin + 41 * 60_000);
}

#[tokio::test]
async fn a_faulty_page_gets_a_code() {
    let exchange = running().await;
    for (path, code) in [
        ("historicalTrades", -1102),
        ("klines?symbol=XRPETH", -1102),
        ("klines?symbol=XRPETH&interval=7m", -1120),
        ("aggTrades?symbol=NOSUCH", -1121),
        ("aggTrades?symbol=XRPETH&fromId=x", -1100),
        ("aggTrades?symbol=XRPETH&fromId=1&startTime=1", -1128),
    ] {
        let answer = get(&exchange, &format!("/api/v3/{path}")).await;
        let body: Value = serde_json::from_str(answer.body()).unwrap();
        assert_eq!((answer.status(), &body["code"]), (400, &code.into()), "{path}");
    }
    let weight = get(&exchange, "/api/v3/historicalTrades?symbol=XRPETH").await;
    assert!(weight.header("x-mbx-used-weight-1m").unwrap().parse::<u32>().unwrap() >= 25);
}

#[tokio::test]
async fn pages_can_have_holes_or_stand_on_their_head() {
    let exchange = running().await;
    exchange.faults().add(Rule::once(Fault::Reordered).on_path("/api/v3/aggTrades"));
    let turned = page(&exchange, "aggTrades?symbol=XRPETH&limit=5").await;
    assert_eq!(ids(&turned, "l")[0], FIRST + 2_499);
    exchange.faults().add(Rule::once(Fault::HistoryGaps { percent: 40 }));
    let holes = page(&exchange, "historicalTrades?symbol=XRPETH&limit=1000").await;
    assert!((450..750).contains(&holes.len()), "{}", holes.len());
    exchange.faults().add(Rule::once(Fault::too_many_requests("1")).on_path("/api/v3/aggTrades"));
    assert_eq!(get(&exchange, "/api/v3/aggTrades?symbol=XRPETH").await.status(), 429);
}
