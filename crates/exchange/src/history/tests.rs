use http::{HeaderMap, header::DATE};
use pricepipe_core::identity;
use proptest::prelude::*;

use super::*;

const BINANCE: Exchange = Exchange::Binance;
const COINBASE: Exchange = Exchange::Coinbase;
const KRAKEN: Exchange = Exchange::Kraken;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn millis(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).unwrap()
}

fn with_body<T>(body: &str, read: impl FnOnce(&Answer<'_>) -> T) -> T {
    let received = at("2026-11-23T06:00:00Z");
    read(&Answer { status: 200, headers: &HeaderMap::new(), body: body.as_bytes(), received })
}

fn trades(exchange: Exchange, from: From) -> Trades<'static> {
    let market = match exchange {
        Exchange::Binance => "BTCUSDT",
        Exchange::Coinbase => "BTC-USD",
        Exchange::Kraken => "BTC/USD",
    };
    Trades { exchange, aggregate: false, market, from }
}

fn minutes(exchange: Exchange, start: &str, end: &str) -> Klines<'static> {
    let market = trades(exchange, From::Cursor(0)).market;
    Klines { exchange, market, interval: "1m".parse().unwrap(), start: at(start), end: at(end) }
}

fn lines(records: &[Record]) -> Vec<String> {
    let line = |record: &Record| {
        let id = identity::event(&record.market, record.event);
        let details = serde_json::to_string(&record.details).unwrap();
        format!("{id} {} {} {details}", record.time.unwrap(), record.price)
    };
    records.iter().map(line).collect()
}

fn read(trades: Trades<'_>, body: &str) -> Page<From> {
    with_body(body, |answer| trades.read(answer)).unwrap()
}

#[test]
fn trades_are_asked_for_as_each_exchange_pages() {
    let moment = at("2024-01-01T00:00:00Z");
    let search = From::Between { moment, low: 1, high: 9_001 };
    for (exchange, from, path, weight) in [
        (BINANCE, From::Number(7, None), "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=7&limit=1000", 25),
        (
            BINANCE,
            From::Moment(moment),
            "/api/v3/aggTrades?symbol=BTCUSDT&startTime=1704067200000&limit=1",
            4,
        ),
        (COINBASE, From::Number(7, None), "/products/BTC-USD/trades?limit=1000&after=1007", 1),
        (COINBASE, From::Moment(moment), "/products/BTC-USD/trades?limit=1000", 1),
        (COINBASE, search, "/products/BTC-USD/trades?limit=1000&after=5501", 1),
        (
            KRAKEN,
            From::Number(7, Some(moment)),
            "/0/public/Trades?pair=XBTUSD&since=1704067199999999999&count=1000",
            1,
        ),
        (
            KRAKEN,
            From::Moment(moment),
            "/0/public/Trades?pair=XBTUSD&since=1704067199999999999&count=1000",
            1,
        ),
        (KRAKEN, From::Number(7, None), "/0/public/Trades?pair=XBTUSD&since=0&count=1000", 1),
    ] {
        let request = trades(exchange, from).request();
        assert_eq!((request.path_and_query.as_str(), request.weight), (path, weight));
    }
    let aggregate = |from| Trades { aggregate: true, ..trades(BINANCE, from) }.request();
    let request = aggregate(From::Number(7, None));
    assert_eq!(
        (request.path_and_query.as_str(), request.weight),
        ("/api/v3/aggTrades?symbol=BTCUSDT&fromId=7&limit=1000", 4)
    );
    assert_eq!(
        aggregate(From::Moment(moment)).path_and_query,
        "/api/v3/aggTrades?symbol=BTCUSDT&startTime=1704067200000&limit=1000"
    );
}

#[test]
fn trades_are_read_digit_for_digit_and_the_oldest_first() {
    let page = read(
        trades(BINANCE, From::Number(28457, None)),
        r#"[{"id":28457,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012","time":1499865549590,"isBuyerMaker":true,"isBestMatch":true}]"#,
    );
    assert_eq!(
        lines(&page.records),
        [r#"BTCUSDT:trade:28457 2017-07-12T13:19:09.59Z 4.00000100 {"quantity":12.00000000,"side":"sell"}"#]
    );
    assert_eq!(page.next, None, "a page that is not full is the last");
    let page = read(
        Trades { aggregate: true, ..trades(BINANCE, From::Number(26129, None)) },
        r#"[{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true,"M":true}]"#,
    );
    assert_eq!(
        lines(&page.records),
        [
            r#"BTCUSDT:aggTrade:26129 2017-06-30T03:35:09.153Z 0.01633102 {"quantity":4.70443515,"side":"sell"}"#
        ]
    );
    let page = read(
        trades(COINBASE, From::Number(73, None)),
        r#"[{"time":"2014-11-07T22:19:28.578544Z","trade_id":74,"price":"10.00000000","size":"0.01000000","side":"buy"},{"time":"2014-11-07T01:08:43.642366Z","trade_id":73,"price":"100.00000000","size":"0.01000000","side":"sell"},{"time":"2014-11-07T01:08:43Z","trade_id":72,"price":"1","size":"1","side":"sell"}]"#,
    );
    assert_eq!(
        lines(&page.records),
        [
            r#"BTC-USD:trade:73 2014-11-07T01:08:43.642Z 100.00000000 {"quantity":0.01000000,"side":"buy"}"#,
            r#"BTC-USD:trade:74 2014-11-07T22:19:28.578Z 10.00000000 {"quantity":0.01000000,"side":"sell"}"#
        ]
    );
    assert_eq!(page.next, Some(From::Number(75, Some(at("2014-11-07T22:19:28.578Z")))));
    let page = read(
        trades(KRAKEN, From::Moment(at("2018-08-17T20:00:00Z"))),
        r#"{"error":[],"result":{"XXBTZUSD":[["5541.20000","0.15850568",1534614057.321597,"s","l","",61044952],["5541.2","1",1534614057,"b","m","",61044953],["5541.2","1",1534614057.0009,"b","m",""]],"last":"1534614057321597000"}}"#,
    );
    assert_eq!(
        lines(&page.records),
        [
            r#"BTC/USD:trade:61044952 2018-08-18T17:40:57.321Z 5541.20000 {"quantity":0.15850568,"side":"sell"}"#,
            r#"BTC/USD:trade:61044953 2018-08-18T17:40:57Z 5541.2 {"quantity":1,"side":"buy"}"#
        ]
    );
    assert_eq!((page.rejected, page.next), (vec![BadRecord::Number], None));
}

#[test]
fn an_answer_that_is_no_page_is_refused() {
    for exchange in Exchange::ALL {
        for body in ["", "<html>", "7", "null", "{", r#"{"error":[]}"#] {
            let page = with_body(body, |answer| trades(*exchange, From::Number(1, None)).read(answer));
            assert!(matches!(page, Err(Refusal::Malformed(_))), "{exchange} {body:?}: {page:?}");
        }
    }
    let page = with_body(r#"[{"a":1}]"#, |answer| trades(BINANCE, From::Moment(millis(1))).read(answer));
    assert!(matches!(page, Err(Refusal::Malformed(_))), "{page:?}");
    let unknown = r#"{"error":["EQuery:Unknown asset pair"]}"#;
    let page = with_body(unknown, |answer| trades(KRAKEN, From::Cursor(1)).read(answer));
    assert_eq!(page, Err(Refusal::UnknownSymbol));
}

/// What an exchange answers that has these trades, numbers and nanoseconds, the oldest first.
fn served(path: &str, held: &[(u64, u64)]) -> String {
    let parameter = |name: &str| -> Option<u64> {
        let query = path.split_once('?')?.1;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    let limit = parameter("limit").or(parameter("count")).unwrap() as usize;
    let rows = |chosen: Vec<&(u64, u64)>, row: &dyn Fn(u64, u64) -> String| -> String {
        chosen.into_iter().map(|(number, time)| row(*number, *time)).collect::<Vec<_>>().join(",")
    };
    if path.starts_with("/products/") {
        let before = parameter("after").unwrap_or(u64::MAX);
        let chosen = held.iter().rev().filter(|(number, _)| *number < before).take(limit).collect();
        let row = |number: u64, time: u64| {
            let time = millis((time / 1_000_000) as i64);
            format!(r#"{{"time":"{time}","trade_id":{number},"price":"1","size":"1","side":"buy"}}"#)
        };
        return format!("[{}]", rows(chosen, &row));
    }
    if path.starts_with("/0/") {
        let since = parameter("since").unwrap();
        let chosen: Vec<&(u64, u64)> = held.iter().filter(|(_, time)| *time > since).take(limit).collect();
        let last = chosen.last().map_or(since, |(_, time)| *time);
        let row = |number: u64, time: u64| {
            format!(r#"["1","1",{}.{:09},"b","l","",{number}]"#, time / 1_000_000_000, time % 1_000_000_000)
        };
        return format!(r#"{{"error":[],"result":{{"X":[{}],"last":"{last}"}}}}"#, rows(chosen, &row));
    }
    let (first, since) = (parameter("fromId").unwrap_or(0), parameter("startTime").unwrap_or(0));
    let asked = held.iter().filter(|(number, time)| *number >= first && time / 1_000_000 >= since);
    let row = |number: u64, time: u64| {
        let time = time / 1_000_000;
        if path.contains("aggTrades") {
            return format!(
                r#"{{"a":{number},"p":"1","q":"1","f":{number},"l":{number},"T":{time},"m":true}}"#
            );
        }
        format!(r#"{{"id":{number},"price":"1","qty":"1","time":{time},"isBuyerMaker":true}}"#)
    };
    format!("[{}]", rows(asked.take(limit).collect(), &row))
}

/// The numbers that page after page brings, each once.
fn numbers(exchange: Exchange, mut from: From, held: &[(u64, u64)]) -> Vec<u64> {
    let (mut numbers, mut pages): (Vec<u64>, u32) = (Vec::new(), 0);
    loop {
        let asked = trades(exchange, from);
        let page = read(asked, &served(&asked.request().path_and_query, held));
        for number in page.records.iter().filter_map(|record| record.event.number()) {
            if numbers.last().is_none_or(|last| number > *last) {
                numbers.push(number);
            }
        }
        pages += 1;
        assert!(pages < 100, "it ends: {from:?}");
        match page.next {
            Some(next) => from = next,
            None => return numbers,
        }
    }
}

/// Trades from 2024 on, some of them at the same moment; `steps` are the nanoseconds between them.
fn held(first: u64, steps: impl IntoIterator<Item = u64>) -> Vec<(u64, u64)> {
    let mut time = 1_704_067_200_000_000_000;
    let step = |(index, step): (usize, u64)| {
        time += step;
        (first + index as u64, time)
    };
    steps.into_iter().enumerate().map(step).collect()
}

#[test]
fn a_nanosecond_with_more_trades_than_a_page_does_not_stop_it() {
    // 1,500 in one nanosecond, 10 on each side. Those that do not fit into a page cannot be had: Kraken pages by time.
    let held = held(1, (0..10).chain([5]).chain([0; 1_499]).chain([1; 10]));
    let numbers = numbers(KRAKEN, From::Number(1, Some(millis(1_704_067_200_000))), &held);
    assert_eq!((numbers.first(), numbers.last()), (Some(&1), Some(&1_520)));
    // 900 of them: the second page begins with them again.
    let held = self::held(1, (0..500).map(|_| 1).chain([0; 900]).chain([1; 700]));
    let all: Vec<u64> = (1..=2_100).collect();
    assert_eq!(self::numbers(KRAKEN, From::Number(1, Some(millis(1_704_067_200_000))), &held), all);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn page_after_page_brings_every_trade_once_by_number_and_by_moment(
        first in 1u64..5_000,
        count in 0u64..3_000,
        seconds in 1u64..100,
        wanted in 0u64..3_500,
    ) {
        // A thousand in two milliseconds, then some seconds.
        let held = held(first, (0..count).map(|n| if n % 1_000 == 0 { seconds * 1_000_000_000 } else { 2_000 }));
        let wanted = first.saturating_sub(10).max(1) + wanted;
        let known = held.iter().rev().find(|(number, _)| *number <= wanted).or(held.first());
        let moment = millis(known.map_or(1_704_067_200_000, |(_, time)| (time / 1_000_000) as i64));
        for exchange in Exchange::ALL {
            let later: Vec<u64> = held.iter().map(|(number, _)| *number).filter(|n| *n >= wanted).collect();
            let by_number = numbers(*exchange, From::Number(wanted, Some(moment)), &held);
            let by_number: Vec<u64> = by_number.into_iter().filter(|number| *number >= wanted).collect();
            prop_assert_eq!(by_number, later, "{} by number", exchange);
            let since = held.iter().filter(|(_, time)| time / 1_000_000 >= moment.as_millis() as u64);
            let since: Vec<u64> = since.map(|(number, _)| *number).collect();
            prop_assert_eq!(numbers(*exchange, From::Moment(moment), &held), since, "{} by moment", exchange);
        }
    }

    #[test]
    fn no_answer_makes_it_panic_or_ask_the_same_for_ever(
        exchange in proptest::sample::select(Exchange::ALL),
        from in prop_oneof![
            any::<u64>().prop_map(|number| From::Number(number, None)),
            any::<u64>().prop_map(From::Cursor),
            (1i64..2_000_000_000_000).prop_map(|moment| From::Moment(millis(moment))),
            (any::<u64>(), any::<u64>(), 1i64..2_000_000_000_000)
                .prop_map(|(low, high, moment)| From::Between { moment: millis(moment), low, high }),
        ],
        body in prop_oneof![
            "\\PC*",
            any::<u64>().prop_map(|n| served("/products/x/trades?limit=9", &[(n, 1_704_067_200_000_000_000)])),
            any::<u64>().prop_map(|n| served("/api/v3/x?limit=9", &[(n, n % 2_000_000_000_000_000_000)])),
            any::<u64>().prop_map(|n| served("/0/public/x?since=0&count=9", &[(n, n % 2_000_000_000_000_000_000)])),
        ],
    ) {
        let asked = trades(exchange, from);
        let _ = asked.request();
        if let Ok(page) = with_body(&body, |answer| asked.read(answer)) {
            prop_assert_ne!(page.next, Some(from));
        }
        let (start, end) = ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z");
        let _ = with_body(&body, |answer| minutes(exchange, start, end).read(at(end), answer));
    }
}

const START: &str = "2018-11-05T16:00:00Z";

#[test]
fn candles_are_asked_for_as_each_exchange_pages() {
    for (exchange, path, weight) in [
        (
            BINANCE,
            "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1541433600000&endTime=1541469599999&limit=1000",
            2,
        ),
        (
            COINBASE,
            "/products/BTC-USD/candles?granularity=60&start=2018-11-05T16:00:00Z&end=2018-11-05T20:59:00Z",
            1,
        ),
        (KRAKEN, "/0/public/OHLC?pair=XBTUSD&interval=1&since=1541433599", 1),
    ] {
        let request = minutes(exchange, START, "2018-11-06T02:00:00Z").request();
        assert_eq!((request.path_and_query.as_str(), request.weight), (path, weight));
    }
    let odd = minutes(COINBASE, "2018-11-05T16:00:00.001Z", "2018-11-05T16:02:00Z").request();
    assert!(odd.path_and_query.ends_with("&start=2018-11-05T16:01:00Z&end=2018-11-05T16:01:59Z"), "{odd:?}");
}

/// Five candles from `START` on, as each exchange writes them.
fn five(exchange: Exchange) -> String {
    let seconds = |n: i64| at(START).as_millis() / 1_000 + n * 60;
    let row = |n: i64| match exchange {
        Exchange::Binance => format!(
            r#"[{}000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",{}999,"2434.19055334",308,"1756.87402397","28.46694368","0"]"#,
            seconds(n),
            seconds(n + 1) - 1
        ),
        Exchange::Coinbase => {
            format!("[{},0.01575800,0.80000000,0.01634790,0.01577100,148976.11427815]", seconds(n))
        }
        Exchange::Kraken => format!(
            r#"[{},"0.01634790","0.80000000","0.01575800","0.01577100","0.02","148976.11427815",23]"#,
            seconds(n)
        ),
    };
    let mut rows: Vec<String> = (0..5).map(row).collect();
    if exchange == COINBASE {
        rows.reverse();
    }
    let rows = rows.join(",");
    match exchange {
        Exchange::Kraken => format!(r#"{{"error":[],"result":{{"XXBTZUSD":[{rows}],"last":1}}}}"#),
        _ => format!("[{rows}]"),
    }
}

#[test]
fn candles_are_read_digit_for_digit_the_oldest_first_and_none_that_may_still_change() {
    for exchange in Exchange::ALL {
        let asked = minutes(*exchange, "2018-11-05T16:01:00Z", "2018-11-05T16:10:00Z");
        let now = at("2018-11-05T16:04:00Z");
        let page = with_body(&five(*exchange), |answer| asked.read(now, answer)).unwrap();
        let fields = r#"{"interval":"1m","open":0.01634790,"high":0.80000000,"low":0.01575800,"close":0.01577100,"volume":148976.11427815,"closed":true}"#;
        let expected = [1, 2, 3].map(|n| {
            let begin = at(START).as_millis() + n * 60_000;
            format!("{}:kline:1m:{begin} 2018-11-05T16:0{n}:00Z 0.01577100 {fields}", asked.market)
        });
        assert_eq!(lines(&page.records), expected, "{exchange}");
        assert_eq!((page.rejected.len(), page.next, page.begins_late), (0, None, false), "{exchange}");
        let narrow = minutes(*exchange, "2018-11-05T16:01:00Z", "2018-11-05T16:02:00Z");
        let page =
            with_body(&five(*exchange), |answer| narrow.read(at("2020-01-01T00:00:00Z"), answer)).unwrap();
        assert_eq!(lines(&page.records), expected[..1], "{exchange}");
    }
}

#[test]
fn the_page_after_a_page_begins_behind_it() {
    let now = at("2020-01-01T00:00:00Z");
    let rows: Vec<String> = (0..1_000)
        .map(|n| {
            let begin = at(START).as_millis() + n * 60_000;
            format!(r#"[{begin},"1","1","1","1","1",{}]"#, begin + 59_999)
        })
        .collect();
    let body = format!("[{}]", rows.join(","));
    let next = |exchange, body: &str| {
        let asked = minutes(exchange, START, "2018-11-07T16:00:00Z");
        with_body(body, |answer| asked.read(now, answer)).unwrap().next
    };
    assert_eq!(next(BINANCE, &body), Some(at("2018-11-06T08:39:00.001Z")));
    assert_eq!(
        next(COINBASE, "[]"),
        Some(at("2018-11-05T21:00:00Z")),
        "hours without a trade are not the end"
    );
}

#[test]
fn kraken_tells_when_it_has_forgotten_the_beginning() {
    let rows = |first: i64| {
        let row = |n: i64| {
            format!(r#"[{},"1","1","1","1","1","1",1]"#, at(START).as_millis() / 1_000 + (first + n) * 60)
        };
        let rows: Vec<String> = (0..720).map(row).collect();
        format!(r#"{{"error":[],"result":{{"X":[{}],"last":1}}}}"#, rows.join(","))
    };
    let asked = minutes(KRAKEN, START, "2018-11-07T16:00:00Z");
    for (first, late) in [(0, false), (7, true)] {
        let page = with_body(&rows(first), |answer| asked.read(at("2020-01-01T00:00:00Z"), answer)).unwrap();
        assert_eq!((page.records.len(), page.begins_late), (720, late));
    }
}

#[test]
fn a_month_ends_when_it_says_so() {
    let asked = Klines {
        interval: "1M".parse().unwrap(),
        ..minutes(BINANCE, "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z")
    };
    let body = r#"[[1704067200000,"1","1","1","1","1",1706745599999],[1706745600000,"1","1","1","1","1",1709251199999]]"#;
    let page = with_body(body, |answer| asked.read(at("2024-02-15T00:00:00Z"), answer)).unwrap();
    assert_eq!(page.records.len(), 1, "February is not over");
}

#[test]
fn whether_a_candle_is_over_is_a_question_of_the_exchanges_clock() {
    let row = |begin: i64| format!(r#"[{begin},"1","1","1","1","1",{}]"#, begin + 59_999);
    let body = format!("[{},{}]", row(1_704_067_200_000), row(1_704_067_260_000));
    let asked = minutes(BINANCE, "2024-01-01T00:00:00Z", "2024-01-01T00:10:00Z");
    for (clock, over) in [
        (None, 1),
        (Some("Mon, 01 Jan 2024 00:00:59 GMT"), 0),
        (Some("Mon, 01 Jan 2024 00:02:00 GMT"), 2),
        (Some("soon"), 1),
    ] {
        let headers = clock.map(|clock| (DATE, clock.parse().unwrap())).into_iter().collect();
        let ours = at("2024-01-01T00:01:30Z");
        let answer = Answer { status: 200, headers: &headers, body: body.as_bytes(), received: ours };
        assert_eq!(asked.read(ours, &answer).unwrap().records.len(), over, "{clock:?}");
    }
}
