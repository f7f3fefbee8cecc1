//! Streams: what to say on a connection, and what each frame says.

mod binance;
mod closer;
mod coinbase;
mod kraken;

use std::collections::HashMap;

use pricepipe_core::{
    Details, Exchange, KlineInterval, Timestamp, config::Stream, identity::Event, message::Quote,
};
use serde::de::IgnoredAny;

pub use self::closer::Closer;
use crate::{BadRecord, Record};

/// What is listened to on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The exchange.
    pub exchange: Exchange,
    /// What it brings.
    pub stream: Stream,
    /// The interval of klines; without it a minute, as at the exchanges themselves.
    pub interval: Option<KlineInterval>,
    /// True when candles are wanted that may still change, too.
    pub partial: bool,
}

/// What an exchange bears, by its documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most markets of one connection.
    pub markets_per_connection: usize,
    /// So many connections may be opened in `connect_millis`.
    pub connects: u32,
    /// The period of `connects`.
    pub connect_millis: u64,
    /// The least milliseconds between two messages that we send.
    pub message_millis: u64,
    /// The most markets that one message subscribes to.
    pub markets_per_message: usize,
    /// The exchange ends a connection after so many milliseconds, whatever happens; none where it does not.
    pub lifetime_millis: Option<u64>,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Observations were added to what was passed in; `rejected` of the frame could not be used.
    Data {
        /// What could not be used, and why.
        rejected: Vec<BadRecord>,
    },
    /// What was subscribed to: by the number of our request, or market by market.
    Subscribed {
        /// The number of our request, where the exchange repeats it.
        request: Option<u64>,
        /// The markets, where the exchange names them.
        markets: Vec<String>,
    },
    /// A subscription was refused.
    Refused {
        /// The number of our request, where the exchange repeats it.
        request: Option<u64>,
        /// The market, where it can be told.
        market: Option<String>,
        /// The exchange's words, one line.
        reason: String,
    },
    /// A sign of life; with the number of a market's last trade where the exchange tells it.
    Heartbeat {
        /// The market and the number of its last trade.
        last_trade: Option<(String, u64)>,
    },
    /// The exchange is about to end the connection: another one is to be opened at once.
    GoingAway,
    /// The exchange does not trade now, as in maintenance; in its own words.
    Status(String),
    /// A message of a type that is not known: left alone and counted.
    Unknown,
}

impl Topic {
    /// What the exchange bears.
    pub fn limits(&self) -> Limits {
        match self.exchange {
            Exchange::Binance => Limits {
                markets_per_connection: 1_024,
                connects: 300,
                connect_millis: 300_000,
                // Five a second are allowed; a burst could place nine within one.
                message_millis: 300,
                markets_per_message: 200,
                lifetime_millis: Some(24 * 60 * 60 * 1_000),
            },
            Exchange::Coinbase => Limits {
                markets_per_connection: 100,
                connects: 8,
                connect_millis: 1_000,
                message_millis: 20,
                markets_per_message: 100,
                lifetime_millis: None,
            },
            Exchange::Kraken => Limits {
                markets_per_connection: 200,
                connects: 150,
                connect_millis: 600_000,
                message_millis: 300,
                markets_per_message: 100,
                lifetime_millis: None,
            },
        }
    }

    /// True when the exchange takes a subscription to a market that it does not have, and stays silent about it. The others
    /// refuse it.
    pub fn accepts_unknown(&self) -> bool {
        match self.exchange {
            Exchange::Binance => true,
            Exchange::Coinbase | Exchange::Kraken => false,
        }
    }

    /// The path and query to open the connection at, behind scheme and host.
    pub fn path(&self) -> &'static str {
        match self.exchange {
            Exchange::Binance => "/stream",
            Exchange::Coinbase => "/",
            Exchange::Kraken => "/v2",
        }
    }

    /// The messages that subscribe to these markets, no more than [`Limits::markets_per_message`] each; the first has the
    /// number `request`, the others the next ones. Nothing for a stream that the exchange does not have.
    pub fn subscribe(&self, markets: &[&str], request: u64) -> Vec<String> {
        if !self.stream.is_offered_by(self.exchange) {
            return Vec::new();
        }
        let message = match self.exchange {
            Exchange::Binance => binance::subscribe,
            Exchange::Coinbase => coinbase::subscribe,
            Exchange::Kraken => kraken::subscribe,
        };
        let groups = markets.chunks(self.limits().markets_per_message);
        groups.zip(request..).map(|(group, request)| message(self, group, request)).collect()
    }

    /// The message that asks the exchange whether it is still there, where it wants one of its own for that; elsewhere a
    /// WebSocket's ping does it.
    pub fn ping(&self) -> Option<&'static str> {
        match self.exchange {
            Exchange::Kraken => Some(r#"{"method":"ping"}"#),
            Exchange::Binance | Exchange::Coinbase => None,
        }
    }

    /// Reads a frame. Its observations are added to `records`, in the order in which they stand in the frame. What a
    /// frame tells of a candle may need the next one to be understood: see [`Closer`].
    ///
    /// # Errors
    /// A frame that is not JSON, or not what any message of the exchange looks like.
    pub fn read(&self, frame: &str, records: &mut Vec<Record>) -> Result<Frame, BadRecord> {
        // The derived readers would take an array for the fields in order.
        if !frame.trim_ascii_start().starts_with('{') {
            return Err(BadRecord::Malformed);
        }
        match self.exchange {
            Exchange::Binance => binance::read(self, frame, records),
            Exchange::Coinbase => coinbase::read(self, frame, records),
            Exchange::Kraken => kraken::read(self, frame, records),
        }
    }

    /// The interval of its klines.
    pub fn kline_interval(&self) -> KlineInterval {
        self.interval.unwrap_or_default()
    }
}

/// A frame that is none of the known ones. A message is always an object; what is new in one is no error.
fn other(frame: &str) -> Result<Frame, BadRecord> {
    let message = serde_json::from_str::<HashMap<String, IgnoredAny>>(frame);
    message.map(|_| Frame::Unknown).map_err(|_| BadRecord::Malformed)
}

fn quote_record(
    market: String,
    quote: Quote,
    number: u64,
    time: Option<Timestamp>,
) -> Result<Record, BadRecord> {
    Ok(Record {
        market,
        price: quote.middle().ok_or(BadRecord::Price)?,
        details: Details::Quote(Box::new(quote)),
        event: Event::Quote(number),
        time,
    })
}

#[cfg(test)]
mod tests;
