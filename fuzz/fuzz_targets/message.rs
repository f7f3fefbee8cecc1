//! A message of a topic, whoever wrote it: the reader does not panic, and what it took is written and read as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pricepipe_core::{PriceMessage, message::Position};

fuzz_target!(|payload: &[u8]| {
    let position = Position {
        topic_id: Some("AAAA"),
        partition: 0,
        offset: 7,
        timestamp: "2026-11-23T06:00:00Z".parse().ok(),
    };
    if let Ok(message) = PriceMessage::decode(Some(payload), position) {
        let again = PriceMessage::decode(Some(&message.encode()), position);
        assert_eq!(again, Ok(message));
    }
});
