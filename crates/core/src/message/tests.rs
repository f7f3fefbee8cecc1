use proptest::prelude::*;

use super::*;

const GOLDEN: &str = include_str!("../../golden/price-v1.json");

fn position() -> Position<'static> {
    Position {
        topic_id: Some("mZ1rXw"),
        partition: 2,
        offset: 41,
        timestamp: Some(Timestamp::from_millis(1_795_413_604_000).unwrap()),
    }
}

fn golden() -> PriceMessage {
    PriceMessage {
        symbol: "BTCUSDT".to_owned(),
        price: "67321.50".parse().unwrap(),
        exchange: Cow::Borrowed("binance"),
        details: Details::Price,
        time: "2026-11-23T06:00:03Z".parse().unwrap(),
        received: "2026-11-23T06:00:03.112Z".parse().unwrap(),
        id: "binance:BTCUSDT:price:1795413603000".to_owned(),
    }
}

fn decode(json: &str) -> Result<PriceMessage, BadMessage> {
    PriceMessage::decode(Some(json.as_bytes()), position())
}

#[test]
fn the_format_is_pinned_by_a_golden_file_both_ways() {
    assert_eq!(String::from_utf8(golden().encode()).unwrap(), GOLDEN.trim_end());
    assert_eq!(decode(GOLDEN.trim_end()).unwrap(), golden());
}

const OTHERS: &str = include_str!("../../golden/kinds-v1.jsonl");

fn others() -> [PriceMessage; 3] {
    let with = |price: &str, details, id: &str| PriceMessage {
        price: price.parse().unwrap(),
        details,
        id: id.to_owned(),
        ..golden()
    };
    let quantity = |text: &str| text.parse().unwrap();
    let price = |text: &str| text.parse().unwrap();
    let trade = Trade { quantity: quantity("23.00000000"), side: Some(Side::Sell) };
    let kline = Kline {
        interval: "1m".parse().unwrap(),
        open: price("67320.10"),
        high: price("67330.00"),
        low: price("67319.90"),
        close: price("67321.50"),
        volume: quantity("0.00"),
        closed: true,
    };
    let quote = Quote {
        bid: price("67321.49"),
        bid_quantity: quantity("1.50"),
        ask: price("67321.50"),
        ask_quantity: quantity("0"),
    };
    [
        with("67321.50", Details::Trade(trade), "binance:BTCUSDT:trade:12345"),
        with("67321.50", Details::Kline(Box::new(kline)), "binance:BTCUSDT:kline:1m:1795413603000"),
        with("67321.495", Details::Quote(Box::new(quote)), "binance:BTCUSDT:quote:400900217"),
    ]
}

#[test]
fn every_other_kind_is_pinned_by_a_golden_file_both_ways() {
    let written: Vec<String> = others().iter().map(|m| String::from_utf8(m.encode()).unwrap()).collect();
    assert_eq!(written, OTHERS.lines().collect::<Vec<_>>());
    for (line, message) in OTHERS.lines().zip(others()) {
        assert_eq!(decode(line).unwrap(), message);
    }
}

#[test]
fn the_fields_of_a_kind_are_json_of_their_own_with_every_digit() {
    assert_eq!(Details::Price.to_json(), None);
    assert_eq!(Details::from_json(Kind::Price, None), Ok(Details::Price));
    let trade = others()[0].details.to_json();
    assert_eq!(trade.as_deref(), Some(r#"{"quantity":23.00000000,"side":"sell"}"#));
    for message in others() {
        let json = message.details.to_json();
        assert_eq!(Details::from_json(message.kind(), json.as_deref()), Ok(message.details));
    }
    assert_eq!(Details::from_json(Kind::Trade, None), Err(BadMessage::InvalidDetail("quantity")));
}

#[test]
fn the_middle_of_a_quote_is_exact_or_none() {
    let quote = |bid: &str, ask: &str| {
        let one = "1".parse().unwrap();
        Quote { bid: bid.parse().unwrap(), bid_quantity: one, ask: ask.parse().unwrap(), ask_quantity: one }
    };
    let middle = |bid, ask| quote(bid, ask).middle().map(|price| price.to_string());
    assert_eq!(middle("67321.49", "67321.50").as_deref(), Some("67321.495"));
    assert_eq!(middle("13.76640000", "13.79520000").as_deref(), Some("13.7808"));
    assert_eq!(middle("10", "30").as_deref(), Some("20"));
    let largest = "79228162514264337593543950335";
    assert_eq!(middle(largest, largest), None);
}

#[test]
fn the_plain_form_takes_its_identity_and_time_from_where_it_lies() {
    let message = decode(r#"{"symbol":"BTCUSDT","price":67321.50}"#).unwrap();
    assert_eq!(message.id, "kafka:mZ1rXw:2:41");
    assert_eq!(
        (message.time, message.received),
        (position().timestamp.unwrap(), position().timestamp.unwrap())
    );
    assert_eq!((message.price.to_string(), &*message.exchange), ("67321.50".to_owned(), UNKNOWN_EXCHANGE));
}

#[test]
fn a_price_may_be_a_string_and_unknown_fields_are_left_alone() {
    let message =
        decode(r#"{"venue":[1,{"a":null}],"price":"0.00141342","symbol":"XRPETH","id":"a"}"#).unwrap();
    assert_eq!(message.price.to_string(), "0.00141342");
}

#[test]
fn escapes_are_read_as_what_they_stand_for() {
    assert_eq!(decode(r#"{"symbol":"\u0042TC","price":1}"#).unwrap().symbol, "BTC");
}

#[test]
fn bad_messages_are_told_apart() {
    for (json, reason) in [
        ("nonsense", "not_json"),
        ("[1,2]", "not_json"),
        ("{\"symbol\":\"A\",\"price\":1} trailing", "not_json"),
        ("{\"symbol\":\"A\",\"symbol\":\"B\",\"price\":1}", "not_json"),
        (r#"{"price":1}"#, "no_symbol"),
        (r#"{"symbol":null,"price":1}"#, "no_symbol"),
        (r#"{"symbol":"","price":1}"#, "invalid_symbol"),
        (r#"{"symbol":{"$gt":""},"price":1}"#, "invalid_symbol"),
        ("{\"symbol\":\"A\\u0000\",\"price\":1}", "invalid_symbol"),
        (r#"{"symbol":"A"}"#, "no_price"),
        (r#"{"symbol":"A","price":true}"#, "invalid_price"),
        (r#"{"symbol":"A","price":{"$gt":""}}"#, "invalid_price"),
        (r#"{"symbol":"A","price":"NaN"}"#, "invalid_price"),
        (r#"{"symbol":"A","price":""}"#, "invalid_price"),
        (r#"{"symbol":"A","price":0}"#, "invalid_price"),
        (r#"{"symbol":"A","price":-1}"#, "invalid_price"),
        (r#"{"symbol":"A","price":1e400}"#, "invalid_price"),
        (r#"{"symbol":"A","price":1,"exchange":7}"#, "invalid_exchange"),
        (r#"{"symbol":"A","price":1,"kind":"rumour"}"#, "unknown_kind"),
        (r#"{"symbol":"A","price":1,"kind":"trade"}"#, "invalid_detail"),
        (r#"{"symbol":"A","price":1,"kind":"trade","quantity":-1}"#, "invalid_detail"),
        (r#"{"symbol":"A","price":1,"kind":"trade","quantity":1,"side":"both"}"#, "invalid_detail"),
        (r#"{"symbol":"A","price":1,"kind":"kline","interval":"7m"}"#, "invalid_detail"),
        (r#"{"symbol":"A","price":1,"kind":"quote","bid":1,"ask":2,"bidQuantity":1}"#, "invalid_detail"),
        (r#"{"symbol":"A","price":1,"time":"noon"}"#, "invalid_time"),
        (r#"{"symbol":"A","price":1,"time":1795413603000}"#, "invalid_time"),
        (r#"{"symbol":"A","price":1,"received":"1969-12-31T23:59:59Z"}"#, "invalid_time"),
        (r#"{"symbol":"A","price":1,"id":""}"#, "invalid_id"),
        (r#"{"symbol":"A","price":1,"id":7}"#, "invalid_id"),
    ] {
        let error = decode(json).unwrap_err();
        assert_eq!(error.reason(), reason, "{json}: {error}");
        assert!(BadMessage::REASONS.contains(&reason));
    }
    assert_eq!(PriceMessage::decode(None, position()), Err(BadMessage::NoValue));
    let unknown_topic = Position { topic_id: None, ..position() };
    let plain = PriceMessage::decode(Some(br#"{"symbol":"A","price":1}"#), unknown_topic);
    assert_eq!(plain, Err(BadMessage::NoIdentity));
}

/// Somewhere else than [`position`].
fn elsewhere() -> Position<'static> {
    Position { topic_id: Some("other"), partition: 0, offset: 7, timestamp: Timestamp::from_millis(7).ok() }
}

fn pinned_text(json: &str, position: Position<'_>) -> Result<String, BadMessage> {
    pinned(json.as_bytes(), position).map(|bytes| String::from_utf8(bytes.into_owned()).unwrap())
}

#[test]
fn a_message_that_is_pinned_says_itself_what_it_took_from_where_it_lay() {
    let plain = r#"{"symbol":"BTCUSDT","price":67321.50, "note":{"a":1.0}}"#;
    let expected = r#"{"symbol":"BTCUSDT","price":67321.50,"note":{"a":1.0},"id":"kafka:mZ1rXw:2:41","time":"2026-11-23T06:00:04Z","received":"2026-11-23T06:00:04Z"}"#;
    assert_eq!(pinned_text(plain, position()).unwrap(), expected);
    assert_eq!(pinned_text(expected, elsewhere()).unwrap(), expected, "the second time nothing is added");
    let full = " ".to_owned() + GOLDEN.trim_end();
    assert_eq!(pinned_text(&full, position()).unwrap(), full, "byte for byte");
    let rumour = pinned_text(r#"{"kind":"rumour"}"#, position()).unwrap();
    assert!(rumour.contains(r#""id":"kafka:mZ1rXw:2:41""#), "{rumour}");
}

#[test]
fn what_can_have_no_id_is_not_pinned() {
    for bad in ["", "[1]", "7", "{", "{} {}"] {
        assert!(matches!(pinned_text(bad, position()), Err(BadMessage::NotJson(_))), "{bad}");
    }
    let unknown_topic = Position { topic_id: None, ..position() };
    assert_eq!(pinned_text(r#"{"symbol":"A","price":1}"#, unknown_topic), Err(BadMessage::NoIdentity));
    assert!(pinned_text(r#"{"symbol":"A","price":1,"id":"mine"}"#, unknown_topic).is_ok());
}

/// A field that is absent, null, or there.
fn field(name: &'static str, value: &'static str) -> impl Strategy<Value = String> {
    let forms = [String::new(), format!("\"{name}\":null,"), format!("\"{name}\":{value},")];
    prop::sample::select(forms.to_vec())
}

proptest! {
    #[test]
    fn a_message_that_is_pinned_is_the_same_observation_wherever_it_lies(
        id in field("id", "\"own\""),
        time in field("time", "\"2026-11-23T06:00:03.5Z\""),
        received in field("received", "\"2026-11-23T06:00:03.112Z\""),
        exchange in field("exchange", "\"bin\\u0061nce\""),
    ) {
        let json = format!("{{{id}{exchange}{time}\"symbol\":\"BTCUSDT\",{received}\"price\":\"0.10\"}}");
        let pinned = pinned_text(&json, position()).unwrap();
        let sent = PriceMessage::decode(Some(pinned.as_bytes()), elsewhere());
        prop_assert_eq!(sent, decode(&json), "{}", pinned);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = PriceMessage::decode(Some(&bytes), position());
    }

    /// Damage to a good message: the decoder sees almost-JSON far more often than with random bytes.
    #[test]
    fn no_damage_makes_the_decoder_panic(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let mut bytes = GOLDEN.trim_end().as_bytes().to_vec();
        let index = at.index(bytes.len());
        bytes[index] = byte;
        bytes.truncate(cut.index(bytes.len() + 1));
        let _ = PriceMessage::decode(Some(&bytes), position());
    }

    #[test]
    fn every_price_that_an_exchange_can_send_survives_the_message(whole in 0u32.., decimals in "[0-9]{1,8}") {
        let text = format!("{whole}.{decimals}");
        prop_assume!(text.bytes().any(|b| b.is_ascii_digit() && b != b'0'));
        let message = PriceMessage { price: text.parse().unwrap(), ..golden() };
        let decoded = PriceMessage::decode(Some(&message.encode()), position()).unwrap();
        prop_assert_eq!(decoded.price.to_string(), text);
        prop_assert_eq!(decoded, message);
    }
}
