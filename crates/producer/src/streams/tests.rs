//! What the unit tests of streams share.

use pricepipe_core::{Details, Exchange, config::Stream, identity::Event};
use pricepipe_exchange::{Record, stream::Topic};

/// Trades of Binance.
pub(super) fn topic() -> Topic {
    Topic { exchange: Exchange::Binance, stream: Stream::Trade, interval: None, partial: false }
}

/// A trade with this number.
pub(super) fn record(number: u64) -> Record {
    Record {
        market: "BTCUSDT".to_owned(),
        price: "1.50".parse().unwrap(),
        details: Details::Price,
        event: Event::Trade(number),
        time: None,
    }
}
