//! Every price survives the way into BSON and back; no document makes the reader panic.

use ::mongodb::bson::{Bson, Document, RawDocumentBuf, doc, oid::ObjectId};
use pricepipe_core::message::Position;
use proptest::prelude::*;

use super::*;

fn message(price: &str) -> PriceMessage {
    PriceMessage {
        symbol: "BTCUSDT".to_owned(),
        price: price.parse().unwrap(),
        exchange: Cow::Borrowed("binance"),
        details: Details::Price,
        time: Timestamp::from_millis(1_795_413_603_000).unwrap(),
        received: Timestamp::from_millis(1_795_413_603_112).unwrap(),
        id: "binance:BTCUSDT:price:1795413603000".to_owned(),
    }
}

fn encode(message: &PriceMessage, price_type: PriceType) -> RawDocumentBuf {
    let mut bytes = Vec::new();
    append(&mut bytes, message, price_type);
    RawDocumentBuf::from_bytes(bytes).unwrap()
}

#[test]
fn the_document_is_the_documented_one_field_by_field_in_order() {
    let document = Document::try_from(encode(&message("67321.50"), PriceType::Decimal)).unwrap();
    let expected = doc! {
        "_id": "binance:BTCUSDT:price:1795413603000",
        "symbol": "BTCUSDT",
        "price": Bson::Decimal128("67321.50".parse().unwrap()),
        "exchange": "binance",
        "kind": "price",
        "time": ::mongodb::bson::DateTime::from_millis(1_795_413_603_000),
        "received": ::mongodb::bson::DateTime::from_millis(1_795_413_603_112),
    };
    assert_eq!(document, expected);
    assert!(document.keys().eq(expected.keys()));
}

#[test]
fn a_double_is_the_nearest_one() {
    let document = encode(&message("0.1000"), PriceType::Double);
    assert_eq!(document.get_f64("price").unwrap(), 0.1);
    assert_eq!(decode(&document).unwrap().price.to_string(), "0.1");
}

#[test]
fn the_estimate_of_a_documents_size_is_its_size() {
    for message in [message("67321.501")].into_iter().chain(others()) {
        for price_type in [PriceType::Decimal, PriceType::Double] {
            let size = encode(&message, price_type).as_bytes().len() as u64;
            let kind = message.kind();
            assert_eq!(pricepipe_core::document_bytes(&message, price_type), size, "{kind:?} {price_type:?}");
        }
    }
}

/// A trade, one without a side, a candle and a quote, with digits that are easily lost.
fn others() -> Vec<PriceMessage> {
    [
        r#"{"symbol":"BTCUSDT","price":67321.50,"quantity":23.00000000,"side":"sell","kind":"trade","id":"t"}"#,
        r#"{"symbol":"BTC/USD","price":67321.50,"quantity":0.00027625,"kind":"trade","id":"u"}"#,
        r#"{"symbol":"BTCUSDT","price":67321.50,"interval":"1M","open":67320.10,"high":67330.00,"low":67319.90,"close":67321.50,"volume":0.00,"closed":false,"kind":"kline","id":"k"}"#,
        r#"{"symbol":"BTCUSDT","price":67321.495,"bid":67321.49,"bidQuantity":1.50,"ask":67321.50,"askQuantity":0,"kind":"quote","id":"q"}"#,
    ]
    .map(|json| {
        let timestamp = Timestamp::from_millis(1_795_413_603_000).ok();
        let position = Position { topic_id: None, partition: 0, offset: 0, timestamp };
        PriceMessage::decode(Some(json.as_bytes()), position).unwrap()
    })
    .into()
}

#[test]
fn the_fields_of_a_kind_stand_between_price_and_exchange() {
    let decimal = |text: &str| Bson::Decimal128(text.parse().unwrap());
    let [sale, _, candle, quote] = &others()[..] else { panic!("four") };
    for (message, expected) in [
        (sale, doc! {"quantity": decimal("23.00000000"), "side": "sell"}),
        (
            candle,
            doc! {
                "interval": "1M", "open": decimal("67320.10"), "high": decimal("67330.00"),
                "low": decimal("67319.90"), "close": decimal("67321.50"), "volume": decimal("0.00"),
                "closed": false,
            },
        ),
        (
            quote,
            doc! {
                "bid": decimal("67321.49"), "bidQuantity": decimal("1.50"), "ask": decimal("67321.50"),
                "askQuantity": decimal("0"),
            },
        ),
    ] {
        let document = Document::try_from(encode(message, PriceType::Decimal)).unwrap();
        let own = document.iter().skip_while(|(key, _)| *key != "price").skip(1);
        let own: Document = own
            .take_while(|(key, _)| *key != "exchange")
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(own, expected);
        assert!(own.keys().eq(expected.keys()));
    }
}

#[test]
fn every_kind_is_read_as_it_was_written() {
    for message in others() {
        assert_eq!(decode(&encode(&message, PriceType::Decimal)).unwrap(), message);
        let double = decode(&encode(&message, PriceType::Double)).unwrap();
        assert_eq!((double.kind(), double.id), (message.kind(), message.id));
    }
    let double = encode(&others()[0], PriceType::Double);
    assert_eq!(double.get_f64("quantity").unwrap(), 23.0);
}

#[test]
fn what_others_wrote_of_a_kind_may_lack_what_a_message_may_lack_and_no_more() {
    let [sale, _, candle, quote] = &others()[..] else { panic!("four") };
    let read = |message: &PriceMessage, key: &str, value: Option<Bson>| {
        let mut document = Document::try_from(encode(message, PriceType::Decimal)).unwrap();
        document.remove(key);
        document.extend(value.map(|value| (key.to_owned(), value)));
        decode(&RawDocumentBuf::try_from(&document).unwrap()).map(|message| message.details)
    };
    for without in [None, Some(Bson::Null)] {
        let Ok(Details::Trade(trade)) = read(sale, "side", without.clone()) else { panic!("a trade") };
        assert_eq!(trade.side, None);
        let Ok(Details::Kline(kline)) = read(candle, "closed", without.clone()) else { panic!("a candle") };
        assert!(kline.closed);
        for (message, key) in
            [(sale, "quantity"), (candle, "interval"), (candle, "low"), (quote, "askQuantity")]
        {
            assert_eq!(read(message, key, without.clone()), Err(DecodeError::Field(key)));
        }
    }
    assert_eq!(read(sale, "side", Some("both".into())), Err(DecodeError::Field("side")));
    assert_eq!(read(candle, "closed", Some(1.into())), Err(DecodeError::Field("closed")));
    let negative = DecodeError::Number { field: "quantity", value: "-1".to_owned() };
    assert_eq!(read(sale, "quantity", Some((-1).into())), Err(negative));
    let Ok(Details::Trade(trade)) = read(sale, "quantity", Some(Bson::Int64(7))) else { panic!("a trade") };
    assert_eq!(trade.quantity.to_string(), "7");
}

#[test]
fn decimals_are_the_same_as_the_drivers_own() {
    for text in ["67321.50", "0.00141342", "1", "100", "0.1000", "79228162514264337593543950335"] {
        let ours = Decimal128::from_bytes(decimal128(text.parse::<Price>().unwrap().as_decimal()));
        assert_eq!(ours, text.parse::<Decimal128>().unwrap(), "{text}");
    }
}

#[test]
fn a_document_of_others_is_read_as_far_as_it_goes() {
    let time = ::mongodb::bson::DateTime::from_millis(1_795_413_603_000);
    let plain = doc! {"_id": "a", "symbol": "BTCUSDT", "price": 67321.5, "time": time};
    let read = |document: &Document| decode(&RawDocumentBuf::try_from(document).unwrap());
    let out_of_range = |value: &str| DecodeError::Number { field: "price", value: value.to_owned() };
    let message = read(&plain).unwrap();
    assert_eq!((message.exchange.as_ref(), message.details), (UNKNOWN_EXCHANGE, Details::Price));
    assert_eq!((message.received, message.price.to_string()), (message.time, "67321.5".to_owned()));
    for (key, value, error) in [
        ("_id", Bson::ObjectId(ObjectId::new()), DecodeError::Field("_id")),
        ("symbol", Bson::Null, DecodeError::Field("symbol")),
        ("price", Bson::String("1".to_owned()), DecodeError::Field("price")),
        ("price", Bson::Double(f64::NAN), out_of_range("NaN")),
        ("price", Bson::Decimal128("NaN".parse().unwrap()), out_of_range("NaN")),
        ("price", Bson::Decimal128("-1.5".parse().unwrap()), out_of_range("-15e-1")),
        ("price", Bson::Int32(0), out_of_range("0")),
        ("exchange", Bson::Int32(0), DecodeError::Field("exchange")),
        ("kind", Bson::String("guess".to_owned()), DecodeError::Field("kind")),
        ("time", Bson::Int64(1_795_413_603_000), DecodeError::Field("time")),
        ("time", Bson::DateTime(::mongodb::bson::DateTime::MAX), DecodeError::Time),
        ("received", Bson::String("now".to_owned()), DecodeError::Field("received")),
    ] {
        let mut document = plain.clone();
        document.insert(key, value);
        assert_eq!(read(&document), Err(error), "{document}");
    }
    for key in ["_id", "symbol", "price", "time"] {
        let mut document = plain.clone();
        document.remove(key);
        assert_eq!(read(&document), Err(DecodeError::Field(key)));
    }
}

#[test]
fn decimals_with_a_positive_exponent_are_written_out() {
    let mut document = Document::try_from(encode(&message("1"), PriceType::Decimal)).unwrap();
    document.insert("price", Bson::Decimal128("1.50E+3".parse().unwrap()));
    let read = decode(&RawDocumentBuf::try_from(&document).unwrap()).unwrap();
    assert_eq!(read.price.to_string(), "1500");
}

proptest! {
    #[test]
    fn any_price_round_trips_digit_for_digit(mantissa in 1u128..1 << 96, scale in 0usize..=28) {
        let digits = format!("{mantissa:0>width$}", width = scale + 1);
        let (whole, decimals) = digits.split_at(digits.len() - scale);
        let text = if scale == 0 { whole.to_owned() } else { format!("{whole}.{decimals}") };
        let sent = message(&text);
        let read = decode(&encode(&sent, PriceType::Decimal)).unwrap();
        prop_assert_eq!(read.price.to_string(), text);
        prop_assert_eq!(read, sent);
    }

    #[test]
    fn any_text_round_trips(id in "\\PC{1,200}", symbol in "\\PC{1,64}", exchange in "\\PC{1,32}") {
        let sent = PriceMessage { id, symbol, exchange: Cow::Owned(exchange), ..message("1.50") };
        prop_assert_eq!(decode(&encode(&sent, PriceType::Decimal)).unwrap(), sent);
    }

    #[test]
    fn no_decimal_makes_it_panic(bytes in any::<[u8; 16]>()) {
        let mut document = Document::try_from(encode(&message("1"), PriceType::Decimal)).unwrap();
        document.insert("price", Bson::Decimal128(Decimal128::from_bytes(bytes)));
        let _ = decode(&RawDocumentBuf::try_from(&document).unwrap());
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in prop::collection::vec(any::<u8>(), 5..200)) {
        let length = bytes.len() as i32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        *bytes.last_mut().unwrap() = 0;
        let _ = decode(&RawDocumentBuf::from_bytes(bytes).unwrap());
    }
}
