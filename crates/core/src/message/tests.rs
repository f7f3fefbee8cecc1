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
        kind: Kind::Price,
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

proptest! {
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
