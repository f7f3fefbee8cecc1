use proptest::prelude::*;
use reqwest::header::HeaderMap;

use super::*;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_millis(1_795_413_600_000 + minutes * 60_000).unwrap()
}

fn minutes() -> KlineInterval {
    "1m".parse().unwrap()
}

fn minute(record: &Record) -> i64 {
    (record.time.unwrap().as_millis() - at(0).as_millis()) / 60_000
}

fn klines(range: Range<i64>, position: Option<i64>) -> Course {
    let position = position.map(|minute| (Event::Kline(minutes(), at(minute)), at(minute)));
    Course::new(
        Exchange::Binance,
        "BTCUSDT".to_owned(),
        Some(minutes()),
        at(range.start)..at(range.end),
        position,
    )
}

fn trades(range: Range<i64>, position: Option<(u64, i64)>) -> Course {
    let position = position.map(|(number, minute)| (Event::Trade(number), at(minute)));
    let range = at(range.start)..at(range.end);
    Course::new(Exchange::Binance, "BTCUSDT".to_owned(), None, range, position)
}

/// Lets Binance answer: it has a candle for every minute, and gives a thousand at once.
fn candles(course: &Course, now: i64) -> Option<Answered> {
    let Some(Next::Klines(start)) = course.next else { return None };
    let first = (start.as_millis() - at(0).as_millis() + 59_999).div_euclid(60_000);
    let rows: Vec<String> = (first..now)
        .take(1_000)
        .map(|n| {
            let open = at(n).as_millis();
            format!(r#"[{open},"1.10","1.30","1.00","1.2{n}","5",{},"0",1,"0","0","0"]"#, open + 59_999)
        })
        .collect();
    let body = format!("[{}]", rows.join(","));
    let (headers, received) = (HeaderMap::new(), at(now));
    let answer = Answer { status: 200, headers: &headers, body: body.as_bytes(), received };
    Some(course.read(&answer).unwrap())
}

/// The minutes of all candles that a course gives.
fn all(mut course: Course, now: i64) -> (Vec<i64>, Course) {
    let mut minutes = Vec::new();
    let mut requests = Vec::new();
    while let Some(request) = course.request() {
        assert!(!requests.contains(&request), "asked twice: {request:?}");
        requests.push(request);
        let answered = candles(&course, now).unwrap();
        minutes.extend(course.advance(answered).iter().map(minute));
    }
    (minutes, course)
}

#[test]
fn every_candle_comes_once_and_no_page_is_asked_for_twice() {
    let (minutes, course) = all(klines(0..2_500, None), 9_999);
    assert!(minutes.into_iter().eq(0..2_500));
    assert_eq!(course.reached(), at(2_500));
}

#[test]
fn an_earlier_replay_is_gone_on_with_behind_its_last_candle() {
    let mut course = klines(0..2_500, Some(1_499));
    let asked = course.request().unwrap().path_and_query;
    assert!(asked.contains(&format!("startTime={}", at(1_500).as_millis())), "{asked}");
    assert_eq!(course.fraction(course.reached()), 1_499.0 / 2_500.0);
    let answered = candles(&course, 9_999).unwrap();
    assert_eq!(course.advance(answered).len(), 1_000);
    let complete = klines(0..2_500, Some(2_499));
    assert_eq!((complete.request(), complete.reached()), (None, at(2_500)), "nothing is left to ask for");
    assert_eq!(klines(0..0, None).request(), None, "nothing was asked for");
}

#[test]
fn a_history_that_ends_now_ends_with_the_last_candle_that_is_over() {
    let (minutes, course) = all(klines(0..100, None), 70);
    assert!(minutes.into_iter().eq(0..70));
    assert_eq!(course.request(), None);
}

fn record(number: u64, minute: i64) -> Record {
    let quantity = "1".parse().unwrap();
    Record {
        market: "BTCUSDT".to_owned(),
        price: "1.50".parse().unwrap(),
        details: pricepipe_core::Details::Trade(pricepipe_core::message::Trade { quantity, side: None }),
        event: Event::Trade(number),
        time: Some(at(minute)),
    }
}

fn page(records: &[(u64, i64)], next: Option<u64>) -> Answered {
    let records = records.iter().map(|(number, minute)| record(*number, *minute)).collect();
    let next = next.map(|number| Next::Trades(From::Number(number, None)));
    Answered { records, next, rejected: Vec::new(), begins_late: false }
}

fn numbers(records: &[Record]) -> Vec<u64> {
    records.iter().filter_map(|record| record.event.number()).collect()
}

#[test]
fn trades_are_read_up_to_the_first_one_that_is_too_late() {
    let mut course = trades(0..10, None);
    assert_eq!(course.next, Some(Next::Trades(From::Moment(at(0)))));
    assert_eq!(numbers(&course.advance(page(&[(7, 1), (8, 4)], Some(9)))), [7, 8]);
    assert_eq!(course.fraction(course.reached()), 0.4);
    assert_eq!(
        numbers(&course.advance(page(&[(8, 4), (9, 5), (10, 9)], Some(11)))),
        [9, 10],
        "8 came before"
    );
    assert_eq!(numbers(&course.advance(page(&[(11, 9), (12, 10), (13, 11)], Some(14)))), [11]);
    assert_eq!((course.request(), course.reached()), (None, at(10)));
}

#[test]
fn trades_that_are_in_kafka_are_not_asked_for_again() {
    let mut course = trades(0..10, Some((8, 4)));
    assert_eq!(course.next, Some(Next::Trades(From::Number(9, Some(at(4))))));
    assert_eq!(numbers(&course.advance(page(&[(8, 4), (9, 4)], None))), [9]);
    assert_eq!(trades(0..10, Some((99, 10))).request(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Stopped anywhere and gone on with, each time from behind the last candle that was sent: every candle comes once.
    #[test]
    fn wherever_it_is_interrupted_every_candle_comes_once(
        count in 0i64..6_000, stops in proptest::collection::vec((1usize..4, 0usize..1_100), 0..6)
    ) {
        let (mut given, mut position) = (Vec::new(), None);
        for (pages, lost) in stops {
            let mut course = klines(0..count, position);
            let mut sent = Vec::new();
            for _ in 0..pages {
                let Some(answered) = candles(&course, 9_999) else { break };
                sent.extend(course.advance(answered).iter().map(minute));
            }
            // What had been read and was not sent when it was interrupted.
            sent.truncate(sent.len().saturating_sub(lost));
            position = sent.last().copied().or(position);
            given.extend(sent);
        }
        given.extend(all(klines(0..count, position), 9_999).0);
        prop_assert!(given.into_iter().eq(0..count));
    }
}
