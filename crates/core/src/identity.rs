//! What makes two messages the same observation.
//!
//! The id is the `_id` of the stored document, so two messages with one id become one document: a retry, a
//! replay, or two producers that polled the same slot. It is made of what the exchange says about the event,
//! not of where the message lies in Kafka: offsets start again when a topic is created anew, and a producer's
//! second try gets a second offset.

use std::fmt;

use crate::{Exchange, KlineInterval, Symbol, Timestamp};

/// A polled price: one per exchange, symbol and clock-aligned slot.
pub fn poll(exchange: Exchange, symbol: &Symbol, slot: Timestamp) -> String {
    event(&key(exchange, symbol), Event::Poll(slot))
}

/// The Kafka key: it keeps one symbol of one exchange in order in one partition.
pub fn key(exchange: Exchange, symbol: &Symbol) -> String {
    format!("{exchange}:{}", exchange.market(symbol))
}

/// An observation of the symbol of this [`key`].
pub fn event(key: &str, event: Event) -> String {
    format!("{key}:{event}")
}

/// What an exchange says of an observation that no other one of the same symbol shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The slot of a poll.
    Poll(Timestamp),
    /// A ticker: the time or the number that the exchange gives it. It is another observation than a poll of the same
    /// moment.
    Ticker(u64),
    /// A trade: its number, which the exchange counts without a gap.
    Trade(u64),
    /// An aggregate trade: its number, counted apart from that of trades.
    AggTrade(u64),
    /// A quote: the number of the book's change.
    Quote(u64),
    /// A candle that does not change any more: its interval and when it begins.
    Kline(KlineInterval, Timestamp),
    /// A candle that may still change, in one of its states: interval, beginning, and what tells the states apart in their
    /// order: the moment in milliseconds since 1970, or how many trades it is made of.
    PartialKline(KlineInterval, Timestamp, u64),
}

impl Event {
    /// The number of a trade, of whichever kind: the next trade of the symbol has the next number.
    pub fn number(&self) -> Option<u64> {
        match self {
            Event::Trade(number) | Event::AggTrade(number) => Some(*number),
            _ => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Poll(slot) => write!(f, "price:{}", slot.as_millis()),
            Event::Ticker(number) => write!(f, "ticker:{number}"),
            Event::Trade(number) => write!(f, "trade:{number}"),
            Event::AggTrade(number) => write!(f, "aggTrade:{number}"),
            Event::Quote(number) => write!(f, "quote:{number}"),
            Event::Kline(interval, open) => write!(f, "kline:{interval}:{}", open.as_millis()),
            Event::PartialKline(interval, open, moment) => {
                write!(f, "kline:{interval}:{}:{moment}", open.as_millis())
            }
        }
    }
}

/// Reads the event of an id that was made by [`event`] for this [`key`]; `None` for what is none.
pub fn parse(key: &str, id: &str) -> Option<Event> {
    let rest = id.strip_prefix(key)?.strip_prefix(':')?;
    let (kind, rest) = rest.split_once(':')?;
    let moment = |text: &str| Timestamp::from_millis(text.parse().ok()?).ok();
    Some(match kind {
        "price" => Event::Poll(moment(rest)?),
        "ticker" => Event::Ticker(rest.parse().ok()?),
        "trade" => Event::Trade(rest.parse().ok()?),
        "aggTrade" => Event::AggTrade(rest.parse().ok()?),
        "quote" => Event::Quote(rest.parse().ok()?),
        "kline" => {
            let (interval, open) = rest.split_once(':')?;
            let interval = interval.parse().ok()?;
            match open.split_once(':') {
                None => Event::Kline(interval, moment(open)?),
                Some((open, at)) => Event::PartialKline(interval, moment(open)?, at.parse().ok()?),
            }
        }
        _ => return None,
    })
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
    fn every_event_is_read_as_it_is_written_and_one_market_has_one_identity() {
        let (neutral, own): (Symbol, Symbol) = ("BTC/USDT".parse().unwrap(), "BTCUSDT".parse().unwrap());
        let key = key(Exchange::Binance, &neutral);
        assert_eq!(key, super::key(Exchange::Binance, &own));
        let moment = "2026-11-23T06:00:00Z".parse().unwrap();
        let minute = "1m".parse().unwrap();
        for (event, id) in [
            (Event::Poll(moment), "price:1795413600000"),
            (Event::Ticker(7), "ticker:7"),
            (Event::Trade(12_345), "trade:12345"),
            (Event::AggTrade(12_345), "aggTrade:12345"),
            (Event::Quote(400_900_217), "quote:400900217"),
            (Event::Kline(minute, moment), "kline:1m:1795413600000"),
            (Event::PartialKline(minute, moment, 9), "kline:1m:1795413600000:9"),
        ] {
            let made = super::event(&key, event);
            assert_eq!(made, format!("binance:BTCUSDT:{id}"));
            assert_eq!(parse(&key, &made), Some(event));
        }
        for other in ["binance:BTCUSDTX:trade:1", "binance:BTCUSDT:trade:x", "binance:BTCUSDT", "kafka:a:1:2"]
        {
            assert_eq!(parse(&key, other), None, "{other}");
        }
    }

    #[test]
    fn a_position_is_unlike_any_observation() {
        assert_eq!(position("AAAA", 2, 40), "kafka:AAAA:2:40");
    }
}
