//! What makes two messages the same observation.
//!
//! The id is the `_id` of the stored document, so two messages with one id become one document: a retry, a
//! replay, or two producers that polled the same slot. It is made of what the exchange says about the event,
//! not of where the message lies in Kafka: offsets start again when a topic is created anew, and a producer's
//! second try gets a second offset.

use crate::{Exchange, Symbol, Timestamp};

/// A polled price: one per exchange, symbol and clock-aligned slot.
pub fn poll(exchange: Exchange, symbol: &Symbol, slot: Timestamp) -> String {
    format!("{exchange}:{symbol}:price:{}", slot.as_millis())
}

/// The Kafka key: it keeps one symbol of one exchange in order in one partition.
pub fn key(exchange: Exchange, symbol: &Symbol) -> String {
    format!("{exchange}:{symbol}")
}

/// How the id of a message begins that is named by where it lies.
pub const POSITION: &str = "kafka:";

/// A message that brought no id of its own: named by where it lies.
///
/// `topic_id` is the topic's UUID, which a topic created anew under the same name does not share.
pub fn position(topic_id: &str, partition: i32, offset: i64) -> String {
    format!("{POSITION}{topic_id}:{partition}:{offset}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Slots;

    #[test]
    fn two_producers_that_poll_the_same_slot_make_the_same_id() {
        let slots = Slots::every(Duration::from_secs(3));
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let ids: Vec<String> = ["2026-11-23T06:00:03.001Z", "2026-11-23T06:00:05.999Z"]
            .map(|now| poll(Exchange::Binance, &symbol, slots.current(now.parse().unwrap())))
            .into();
        assert_eq!(ids, ["binance:BTCUSDT:price:1795413603000"; 2]);
    }

    #[test]
    fn a_position_is_unlike_any_observation() {
        assert_eq!(position("AAAA", 2, 40), "kafka:AAAA:2:40");
    }
}
