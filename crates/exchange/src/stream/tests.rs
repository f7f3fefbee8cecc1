use pricepipe_core::{Kind, identity};
use proptest::prelude::*;

use super::*;

fn topic(exchange: Exchange, stream: Stream) -> Topic {
    Topic { exchange, stream, interval: None, partial: true }
}

/// What a frame brings, and what it says.
fn read(topic: Topic, frame: &str) -> (Vec<Record>, Frame) {
    let mut records = Vec::new();
    let said = topic.read(frame, &mut records).unwrap_or_else(|bad| panic!("{frame}: {bad}"));
    (records, said)
}

/// The one record of a frame, written as it is stored: identity, time, price, fields of its kind.
fn record(topic: Topic, frame: &str) -> String {
    let (records, said) = read(topic, frame);
    assert_eq!(said, Frame::Data { rejected: Vec::new() }, "{frame}");
    assert_eq!(records.len(), 1, "{frame}: {records:?}");
    line(&records[0])
}

fn line(record: &Record) -> String {
    let id = identity::event(&record.market, record.event);
    let time = record.time.map_or("-".to_owned(), |time| time.to_string());
    let details = serde_json::to_string(&record.details).unwrap();
    format!("{id} {time} {} {details}", record.price)
}

fn rejected(topic: Topic, frame: &str) -> Vec<BadRecord> {
    let (records, said) = read(topic, frame);
    assert!(records.is_empty(), "{frame}: {records:?}");
    match said {
        Frame::Data { rejected } => rejected,
        other => panic!("{frame}: {other:?}"),
    }
}

const BINANCE: Exchange = Exchange::Binance;
const COINBASE: Exchange = Exchange::Coinbase;
const KRAKEN: Exchange = Exchange::Kraken;

const TRADE: &str = r#"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}"#;
const AGGREGATE: &str = r#"{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":1672515782136,"m":false,"M":true}"#;
const CANDLE: &str = r#"{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}"#;
const TICKER: &str = r#"{"e":"24hrMiniTicker","E":1672515782136,"s":"BNBBTC","c":"0.0025","o":"0.0010","h":"0.0025","l":"0.0010","v":"10000","q":"18"}"#;
const BOOK: &str = r#"{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}"#;
const MATCH: &str = r#"{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"ac928c66","taker_order_id":"132fb6ae","time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}"#;
const COINBASE_TICKER: &str = r#"{"type":"ticker","sequence":37475248783,"product_id":"ETH-USD","price":"1285.22","open_24h":"1310.79","volume_24h":"245532.79269678","low_24h":"1280.52","high_24h":"1313.8","volume_30d":"9788783.60117027","best_bid":"1285.04","best_bid_size":"0.46688654","best_ask":"1285.27","best_ask_size":"1.56637040","side":"buy","time":"2022-10-19T23:28:22.061769Z","trade_id":370843401,"last_size":"11.4396987"}"#;
const KRAKEN_TICKER: &str = r#"{"channel":"ticker","type":"snapshot","data":[{"symbol":"BTC/USD","bid":105944.20,"bid_qty":2.5,"ask":105944.30,"ask_qty":3.2,"last":105899.40,"volume":163.28908096,"vwap":105904.39279,"low":104711.00,"high":106613.10,"change":250.00,"change_pct":0.24,"timestamp":"2022-12-25T09:30:59.123456Z"}]}"#;
const KRAKEN_TRADE: &str = r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.00027625,"ord_type":"limit","trade_id":10218208,"timestamp":"2023-10-06T17:35:55.440295Z"}]}"#;
const KRAKEN_CANDLE: &str = r#"{"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USD","interval":1,"interval_begin":"2023-10-04T16:25:00.000000000Z","open":106038.2,"high":106044.3,"low":106038.1,"close":106040.1,"volume":30927.68066226,"vwap":106039.6,"trades":12}]}"#;

/// A good frame of every stream that there is.
const FRAMES: &[(Exchange, Stream, &str)] = &[
    (BINANCE, Stream::Trade, TRADE),
    (BINANCE, Stream::AggTrade, AGGREGATE),
    (BINANCE, Stream::Kline, CANDLE),
    (BINANCE, Stream::MiniTicker, TICKER),
    (BINANCE, Stream::BookTicker, BOOK),
    (COINBASE, Stream::Trade, MATCH),
    (COINBASE, Stream::MiniTicker, COINBASE_TICKER),
    (COINBASE, Stream::BookTicker, COINBASE_TICKER),
    (KRAKEN, Stream::Trade, KRAKEN_TRADE),
    (KRAKEN, Stream::MiniTicker, KRAKEN_TICKER),
    (KRAKEN, Stream::BookTicker, KRAKEN_TICKER),
    (KRAKEN, Stream::Kline, KRAKEN_CANDLE),
];

#[test]
fn binance_frames_are_read_digit_for_digit() {
    for (stream, frame, expected) in [
        (
            Stream::Trade,
            TRADE,
            r#"BNBBTC:trade:12345 2022-12-31T19:43:02.136Z 0.001 {"quantity":100,"side":"sell"}"#,
        ),
        (
            Stream::AggTrade,
            AGGREGATE,
            r#"BNBBTC:aggTrade:12345 2022-12-31T19:43:02.136Z 0.001 {"quantity":100,"side":"buy"}"#,
        ),
        (
            Stream::Kline,
            CANDLE,
            r#"BNBBTC:kline:1m:1672515780000:1672515782136 2022-12-31T19:43:00Z 0.0020 {"interval":"1m","open":0.0010,"high":0.0025,"low":0.0015,"close":0.0020,"volume":1000,"closed":false}"#,
        ),
        (Stream::MiniTicker, TICKER, "BNBBTC:ticker:1672515782136 2022-12-31T19:43:02.136Z 0.0025 {}"),
        (
            Stream::BookTicker,
            BOOK,
            r#"BNBUSDT:quote:400900217 - 25.35855 {"bid":25.35190000,"bidQuantity":31.21000000,"ask":25.36520000,"askQuantity":40.66000000}"#,
        ),
    ] {
        let topic = topic(BINANCE, stream);
        assert_eq!(record(topic, frame), expected);
        assert_eq!(record(topic, &format!(r#"{{"stream":"x@y","data":{frame}}}"#)), expected, "combined");
    }
}

#[test]
fn a_candle_of_binance_is_final_once_it_says_so() {
    let final_only = Topic { partial: false, ..topic(BINANCE, Stream::Kline) };
    assert_eq!(read(final_only, CANDLE), (Vec::new(), Frame::Data { rejected: Vec::new() }));
    let closed = CANDLE.replace(r#""x":false"#, r#""x":true"#);
    for topic in [final_only, topic(BINANCE, Stream::Kline)] {
        let line = record(topic, &closed);
        assert!(line.starts_with("BNBBTC:kline:1m:1672515780000 "), "{line}");
        assert!(line.ends_with(r#""closed":true}"#), "{line}");
    }
}

#[test]
fn times_in_microseconds_are_understood_and_impossible_ones_refused() {
    let trade = topic(BINANCE, Stream::Trade);
    let at = |time: &str| TRADE.replace(r#""T":1672515782136"#, &format!(r#""T":{time}"#));
    assert!(record(trade, &at("1672515782136999")).contains(" 2022-12-31T19:43:02.136Z "));
    for time in ["0", "-31536000000", "2177452800000", "1672515782136999999", r#""soon""#, "null"] {
        assert_eq!(rejected(trade, &at(time)), [BadRecord::Time], "{time}");
    }
    for (exchange, frame, time) in [
        (COINBASE, MATCH, "2014-11-07T08:19:27.028459Z"),
        (KRAKEN, KRAKEN_TRADE, "2023-10-06T17:35:55.440295Z"),
    ] {
        for bad in ["1969-12-31T23:59:59Z", "2039-01-01T00:00:00Z", "yesterday"] {
            let frame = frame.replace(time, bad);
            assert_eq!(rejected(topic(exchange, Stream::Trade), &frame), [BadRecord::Time], "{frame}");
        }
    }
}

#[test]
fn coinbase_frames_are_read_with_the_takers_side() {
    let trades = topic(COINBASE, Stream::Trade);
    let expected = r#"BTC-USD:trade:10 2014-11-07T08:19:27.028Z 400.23 {"quantity":5.23512,"side":"buy"}"#;
    assert_eq!(record(trades, MATCH), expected);
    assert_eq!(record(trades, &MATCH.replace(r#""match""#, r#""last_match""#)), expected);
    assert_eq!(record(trades, &MATCH.replace(":10,", r#":"10","#)), expected, "a number as a text");
    assert_eq!(
        record(topic(COINBASE, Stream::MiniTicker), COINBASE_TICKER),
        "ETH-USD:ticker:37475248783 2022-10-19T23:28:22.061Z 1285.22 {}"
    );
    assert_eq!(
        record(topic(COINBASE, Stream::BookTicker), COINBASE_TICKER),
        r#"ETH-USD:quote:37475248783 2022-10-19T23:28:22.061Z 1285.155 {"bid":1285.04,"bidQuantity":0.46688654,"ask":1285.27,"askQuantity":1.56637040}"#
    );
}

#[test]
fn coinbase_tells_the_last_trade_the_subscriptions_and_what_it_refuses() {
    let trades = topic(COINBASE, Stream::Trade);
    let says = |frame: &str| read(trades, frame).1;
    let heartbeat = r#"{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"2014-11-07T08:19:28.464459Z"}"#;
    assert_eq!(says(heartbeat), Frame::Heartbeat { last_trade: Some(("BTC-USD".to_owned(), 20)) });
    assert_eq!(says(&heartbeat.replace(":20,", ":0,")), Frame::Heartbeat { last_trade: None });
    assert_eq!(
        says(
            r#"{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD","ETH-USD"]},{"name":"heartbeat","product_ids":["BTC-USD"]},7]}"#
        ),
        Frame::Subscribed { request: None, markets: vec!["BTC-USD".to_owned(), "ETH-USD".to_owned()] }
    );
    assert_eq!(
        says(r#"{"type":"error","message":"Failed to subscribe","reason":"FOO-USD is not a valid product"}"#),
        Frame::Refused {
            request: None,
            market: Some("FOO-USD".to_owned()),
            reason: "Failed to subscribe: FOO-USD is not a valid product".to_owned()
        }
    );
    assert_eq!(
        says("{\"type\":\"error\",\"message\":\"Slow\\ndown\"}"),
        Frame::Refused { request: None, market: None, reason: "Slowdown".to_owned() }
    );
}

#[test]
fn kraken_numbers_keep_their_text_and_a_ticker_is_told_by_its_microsecond() {
    for (stream, frame, expected) in [
        (
            Stream::Trade,
            KRAKEN_TRADE,
            r#"BTC/USD:trade:10218208 2023-10-06T17:35:55.44Z 105944.20 {"quantity":0.00027625,"side":"buy"}"#,
        ),
        (
            Stream::MiniTicker,
            KRAKEN_TICKER,
            "BTC/USD:ticker:1671960659123456 2022-12-25T09:30:59.123Z 105899.40 {}",
        ),
        (
            Stream::BookTicker,
            KRAKEN_TICKER,
            r#"BTC/USD:quote:1671960659123456 2022-12-25T09:30:59.123Z 105944.25 {"bid":105944.20,"bidQuantity":2.5,"ask":105944.30,"askQuantity":3.2}"#,
        ),
        (
            Stream::Kline,
            KRAKEN_CANDLE,
            r#"BTC/USD:kline:1m:1696436700000:12 2023-10-04T16:25:00Z 106040.1 {"interval":"1m","open":106038.2,"high":106044.3,"low":106038.1,"close":106040.1,"volume":30927.68066226,"closed":false}"#,
        ),
    ] {
        assert_eq!(record(topic(KRAKEN, stream), frame), expected);
    }
    let tiny = KRAKEN_TRADE.replace("0.00027625", "2.7625e-4");
    assert!(record(topic(KRAKEN, Stream::Trade), &tiny).contains(r#""quantity":0.00027625"#));
    let untimed = KRAKEN_TICKER.replace(r#","timestamp":"2022-12-25T09:30:59.123456Z""#, "");
    assert_eq!(rejected(topic(KRAKEN, Stream::MiniTicker), &untimed), [BadRecord::Number]);
}

#[test]
fn a_bad_item_spoils_no_other_of_its_frame() {
    let good = |number: u64| {
        format!(
            r#"{{"symbol":"BTC/USD","side":"sell","price":1.50,"qty":2,"trade_id":{number},"timestamp":"2023-10-06T17:35:55Z"}}"#
        )
    };
    let price = good(2).replace("1.50", "-1.50");
    let items = [good(1), price, good(3).replace(":3,", ":null,"), "7".to_owned(), good(5)];
    let frame = format!(r#"{{"channel":"trade","type":"snapshot","data":[{}]}}"#, items.join(","));
    let (records, said) = read(topic(KRAKEN, Stream::Trade), &frame);
    assert_eq!(records.iter().filter_map(|record| record.event.number()).collect::<Vec<_>>(), [1, 5]);
    let rejected = vec![BadRecord::Price, BadRecord::Number, BadRecord::Malformed];
    assert_eq!(said, Frame::Data { rejected });
}

#[test]
fn kraken_tells_acknowledgements_refusals_and_that_it_does_not_trade() {
    let says = |frame: &str| read(topic(KRAKEN, Stream::MiniTicker), frame).1;
    let status = r#"{"channel":"status","type":"update","data":[{"version":"2.0.0","system":"online","api_version":"v2","connection_id":13834774380200032777}]}"#;
    let alive = Frame::Heartbeat { last_trade: None };
    assert_eq!(says(status), alive);
    assert_eq!(says(&status.replace("online", "maintenance")), Frame::Status("maintenance".to_owned()));
    assert_eq!(says(r#"{"channel":"heartbeat"}"#), alive);
    assert_eq!(says(r#"{"method":"pong","req_id":101,"time_in":"x"}"#), alive);
    assert_eq!(
        says(
            r#"{"method":"subscribe","result":{"channel":"ticker","symbol":"BTC/USD","snapshot":true},"success":true,"time_in":"2023-09-25T09:04:31.742599Z","time_out":"2023-09-25T09:04:31.742648Z","req_id":1}"#
        ),
        Frame::Subscribed { request: Some(1), markets: vec!["BTC/USD".to_owned()] }
    );
    let refused = r#"{"method":"subscribe","success":false,"error":"Currency pair not supported FOO/BAR","symbol":"FOO/BAR","time_in":"x","time_out":"x","req_id":7}"#;
    let expected = Frame::Refused {
        request: Some(7),
        market: Some("FOO/BAR".to_owned()),
        reason: "Currency pair not supported FOO/BAR".to_owned(),
    };
    assert_eq!(says(refused), expected);
    assert_eq!(says(&refused.replace(r#""symbol":"FOO/BAR","#, "")), expected, "told by the words alone");
    assert_eq!(
        says(r#"{"Error":"Exceeded msg rate"}"#),
        Frame::Refused { request: None, market: None, reason: "Exceeded msg rate".to_owned() }
    );
}

#[test]
fn binance_tells_acknowledgements_refusals_and_that_it_goes() {
    let says = |frame: &str| read(topic(BINANCE, Stream::Trade), frame).1;
    assert_eq!(
        says(r#"{"result":null,"id":1}"#),
        Frame::Subscribed { request: Some(1), markets: Vec::new() }
    );
    let invalid =
        |request| Frame::Refused { request, market: None, reason: "Invalid request: x (2)".to_owned() };
    assert_eq!(says(r#"{"code":2,"msg":"Invalid request: x","id":9}"#), invalid(Some(9)));
    assert_eq!(says(r#"{"code":2,"msg":"Invalid request: x"}"#), invalid(None));
    assert_eq!(says(r#"{"error":{"code":2,"msg":"Invalid request: x"},"id":9}"#), invalid(Some(9)));
    let shutdown = r#"{"e":"serverShutdown","E":1770123456789}"#;
    assert_eq!(says(shutdown), Frame::GoingAway);
    assert_eq!(says(&format!(r#"{{"stream":"!serverShutdown","data":{shutdown}}}"#)), Frame::GoingAway);
}

#[test]
fn what_is_new_is_left_alone_and_what_is_no_message_is_malformed() {
    for (exchange, stream, frame) in [
        (BINANCE, Stream::Trade, r#"{"e":"avgPrice","E":1,"s":"BTCUSDT","i":"5m","w":"1","T":1}"#),
        (BINANCE, Stream::Trade, r#"{"stream":"!x@arr","data":[{"e":"24hrMiniTicker"}]}"#),
        (BINANCE, Stream::Trade, r#"{"stream":"x","data":{"e":{"deep":1}}}"#),
        (BINANCE, Stream::Trade, r#"{"result":["btcusdt@aggTrade"],"id":3}"#),
        (BINANCE, Stream::Trade, BOOK),
        (BINANCE, Stream::BookTicker, r#"{"s":"BNBUSDT"}"#),
        (BINANCE, Stream::Trade, "{}"),
        (COINBASE, Stream::Trade, r#"{"type":"status","products":[]}"#),
        (COINBASE, Stream::Trade, COINBASE_TICKER),
        (COINBASE, Stream::Trade, "{}"),
        (KRAKEN, Stream::Trade, r#"{"channel":"book","data":[{}]}"#),
        (KRAKEN, Stream::Trade, r#"{"method":"unsubscribe","success":true}"#),
        (KRAKEN, Stream::Trade, r#"{"channel":7}"#),
        (KRAKEN, Stream::Trade, "{}"),
    ] {
        assert_eq!(read(topic(exchange, stream), frame), (Vec::new(), Frame::Unknown), "{exchange} {frame}");
    }
    for exchange in Exchange::ALL {
        let trades = topic(*exchange, Stream::Trade);
        for frame in ["", "7", "[]", "null", "<html>", "{", r#"{"e":"trade""#, r#"{"type":"match"}x"#] {
            assert_eq!(trades.read(frame, &mut Vec::new()), Err(BadRecord::Malformed), "{exchange} {frame}");
        }
    }
}

#[test]
fn new_fields_and_values_are_ignored() {
    let frame = TRADE.replace(r#""M":true"#, r#""M":null,"zz":{"p":[1,2]},"P":"9","S":"9""#);
    assert_eq!(record(topic(BINANCE, Stream::Trade), &frame), record(topic(BINANCE, Stream::Trade), TRADE));
    let sideways = MATCH.replace(r#""sell""#, r#""sideways""#);
    assert!(record(topic(COINBASE, Stream::Trade), &sideways).ends_with(r#"{"quantity":5.23512}"#));
}

#[test]
fn what_cannot_be_used_is_refused_for_what_is_wrong_with_it() {
    for (exchange, frame, price, quantity) in [
        (BINANCE, TRADE, r#""p":"0.001""#, r#""q":"100""#),
        (COINBASE, MATCH, r#""price":"400.23""#, r#""size":"5.23512""#),
        (KRAKEN, KRAKEN_TRADE, r#""price":105944.20"#, r#""qty":0.00027625"#),
    ] {
        let trades = topic(exchange, Stream::Trade);
        let with = |field: &str, value: &str| {
            let name = field.split(':').next().unwrap();
            frame.replace(field, &format!("{name}:{value}"))
        };
        let many = format!("\"{}\"", "7".repeat(40));
        for value in [r#""NaN""#, r#""""#, r#""-1""#, "-1", r#""1e400""#, "1e400", &many, "null", "[]"] {
            assert_eq!(rejected(trades, &with(price, value)), [BadRecord::Price], "{exchange} {value}");
            assert_eq!(rejected(trades, &with(quantity, value)), [BadRecord::Quantity], "{exchange} {value}");
        }
    }
    let nameless = TRADE.replace(r#""s":"BNBBTC","#, "");
    assert_eq!(rejected(topic(BINANCE, Stream::Trade), &nameless), [BadRecord::Malformed]);
    let one_sided = BOOK.replace("25.35190000", "0.00000000");
    assert_eq!(rejected(topic(BINANCE, Stream::BookTicker), &one_sided), [BadRecord::Price]);
}

#[test]
fn subscriptions_are_written_as_each_exchange_wants_them() {
    let messages = |exchange, stream, markets: &[&str]| topic(exchange, stream).subscribe(markets, 5);
    assert_eq!(
        messages(BINANCE, Stream::Kline, &["BTCUSDT", "ETHBTC"]),
        [r#"{"id":5,"method":"SUBSCRIBE","params":["btcusdt@kline_1m","ethbtc@kline_1m"]}"#]
    );
    assert_eq!(
        messages(COINBASE, Stream::Trade, &["BTC-USD"]),
        [r#"{"channels":["matches","heartbeat"],"product_ids":["BTC-USD"],"type":"subscribe"}"#]
    );
    assert_eq!(
        messages(KRAKEN, Stream::BookTicker, &["BTC/USD"]),
        [
            r#"{"method":"subscribe","params":{"channel":"ticker","event_trigger":"bbo","snapshot":true,"symbol":["BTC/USD"]},"req_id":5}"#
        ]
    );
    let hour = Topic { interval: "1h".parse().ok(), ..topic(KRAKEN, Stream::Kline) };
    assert_eq!(
        hour.subscribe(&["BTC/USD"], 5),
        [
            r#"{"method":"subscribe","params":{"channel":"ohlc","interval":60,"snapshot":true,"symbol":["BTC/USD"]},"req_id":5}"#
        ]
    );
    assert!(messages(COINBASE, Stream::Kline, &["BTC-USD"]).is_empty(), "no such stream");
    let many: Vec<String> = (0..1_024).map(|n| format!("S{n}USDT")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let written = messages(BINANCE, Stream::Trade, &many);
    assert_eq!(written.len(), 6, "no more than 200 streams each");
    assert!(written[5].starts_with(r#"{"id":10,"#) && written[5].ends_with(r#""s1023usdt@trade"]}"#));
}

#[test]
fn a_candle_of_kraken_is_final_when_the_next_one_begins() {
    let item = |minute: u32, close: &str, trades: u32| {
        format!(
            r#"{{"symbol":"BTC/USD","interval":1,"interval_begin":"2023-10-04T16:{minute}:00.000000000Z","open":1,"high":2,"low":1,"close":{close},"volume":3,"trades":{trades}}}"#
        )
    };
    let settled = |topic: Topic, frames: &[&[String]]| {
        let (mut closer, mut lines) = (Closer::default(), Vec::new());
        for items in frames {
            let frame = format!(r#"{{"channel":"ohlc","data":[{}]}}"#, items.join(","));
            let (mut records, _) = read(topic, &frame);
            closer.settle(&topic, &mut records);
            lines.push(
                records.iter().map(|record| (record.event.to_string(), record.price.to_string())).collect(),
            );
        }
        lines
    };
    let lines: Vec<Vec<(String, String)>> = settled(
        Topic { partial: false, ..topic(KRAKEN, Stream::Kline) },
        &[
            &[item(25, "1.1", 3), item(26, "1.2", 4)],
            &[item(26, "1.3", 5)],
            // Late and repeated: nothing changes.
            &[item(25, "1.1", 3), item(26, "1.2", 4)],
            &[item(27, "1.4", 1)],
        ],
    );
    let closed = |minute: u64, close: &str| {
        (format!("kline:1m:{}", 1_696_435_200_000 + minute * 60_000), close.to_owned())
    };
    assert_eq!(lines, [vec![closed(25, "1.1")], vec![], vec![], vec![closed(26, "1.3")]]);
    let with_partial: Vec<Vec<(String, String)>> =
        settled(topic(KRAKEN, Stream::Kline), &[&[item(25, "1.1", 3)], &[item(26, "1.2", 4)]]);
    let events: Vec<&str> = with_partial.iter().flatten().map(|(event, _)| event.as_str()).collect();
    assert_eq!(
        events,
        ["kline:1m:1696436700000:3", "kline:1m:1696436700000", "kline:1m:1696436760000:4"],
        "the final one comes before the next"
    );
}

#[test]
fn a_candle_of_binance_is_not_closed_by_anybody_else() {
    let topic = topic(BINANCE, Stream::Kline);
    let (mut first, _) = read(topic, CANDLE);
    let (mut second, _) = read(topic, &CANDLE.replace("1672515780000", "1672515840000"));
    let mut closer = Closer::default();
    closer.settle(&topic, &mut first);
    closer.settle(&topic, &mut second);
    assert_eq!((first.len(), second.len()), (1, 1));
}

#[test]
fn every_offered_stream_has_its_kind() {
    for (exchange, stream, frame) in FRAMES {
        let kind = match stream {
            Stream::Trade | Stream::AggTrade => Kind::Trade,
            Stream::MiniTicker => Kind::Price,
            Stream::BookTicker => Kind::Quote,
            Stream::Kline => Kind::Kline,
        };
        assert_eq!(read(topic(*exchange, *stream), frame).0[0].details.kind(), kind);
    }
    let tested = |exchange, stream| FRAMES.iter().any(|(e, s, _)| (*e, *s) == (exchange, stream));
    for exchange in Exchange::ALL {
        for stream in Stream::ALL.iter().filter(|stream| stream.is_offered_by(*exchange)) {
            assert!(tested(*exchange, *stream), "{exchange} {stream:?}");
        }
    }
}

fn any_topic() -> impl Strategy<Value = Topic> {
    let exchange = proptest::sample::select(Exchange::ALL);
    let stream = proptest::sample::select(Stream::ALL);
    (exchange, stream, any::<bool>()).prop_map(|(exchange, stream, partial)| Topic {
        exchange,
        stream,
        interval: None,
        partial,
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(topic in any_topic(), text in "\\PC*") {
        let _ = topic.read(&text, &mut Vec::new());
    }

    #[test]
    fn a_damaged_frame_brings_what_it_says_or_nothing(
        frame in proptest::sample::select(FRAMES),
        at in any::<proptest::sample::Index>(),
        length in 0usize..8,
        instead in "[\\PC]{0,4}",
    ) {
        let (exchange, stream, text) = frame;
        let boundary = |mut index: usize| { while !text.is_char_boundary(index) { index += 1 } index };
        let start = boundary(at.index(text.len()));
        let end = boundary((start + length).min(text.len()));
        let damaged = format!("{}{instead}{}", &text[..start], &text[end..]);
        let mut records = Vec::new();
        let mut closer = Closer::default();
        let topic = topic(exchange, stream);
        let said = topic.read(&damaged, &mut records);
        closer.settle(&topic, &mut records);
        let brought = matches!(said, Ok(Frame::Data { .. }));
        prop_assert!(records.is_empty() || brought);
    }
}
