//! What the tape of trades and the streams are told. Plain data, with defaults fit for tests.

use std::{ops::RangeInclusive, time::Duration};

use pricepipe_core::Symbol;

use crate::recording::Recording;

/// How the trades of symbols go by that follow a random walk. They go by whether somebody listens or not.
#[derive(Clone, Debug, PartialEq)]
pub struct TradeFlow {
    /// Trades a second of each symbol; 0 for none.
    pub per_second: f64,
    /// Trades that history holds of each symbol when the exchange starts.
    pub past: usize,
    /// The most trades that history keeps of each symbol, so that memory stays flat.
    pub history: usize,
    /// When they begin.
    pub start: Start,
    /// True when numbers, times and prices follow from the seed and the clock alone: an exchange that is started again, at
    /// the same pace, goes on where time is. False when they begin anew, so that a test knows them beforehand.
    pub goes_on: bool,
}

impl TradeFlow {
    /// So many trades a second of each symbol.
    pub fn per_second(per_second: f64) -> Self {
        TradeFlow { per_second, ..TradeFlow::default() }
    }
}

impl Default for TradeFlow {
    fn default() -> Self {
        TradeFlow { per_second: 2.0, past: 1_000, history: 200_000, start: Start::AtOnce, goes_on: false }
    }
}

/// When a tape begins to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the exchange.
    #[default]
    AtOnce,
    /// When the first stream of the symbol is subscribed to; from then on it runs whether somebody listens or not.
    AtFirstSubscriber,
}

/// A recording played as the trades of a symbol, or as its candles when it holds klines.
///
/// Ids, times and digits are those of the recording.
#[derive(Clone, Debug)]
pub struct TapePlayback {
    /// The symbol.
    pub symbol: Symbol,
    /// What is played.
    pub recording: Recording,
    /// How fast.
    pub pace: TapePace,
    /// When.
    pub start: Start,
    /// Rows that have already gone by when the exchange starts: history holds them, and no stream tells them.
    pub past: usize,
    /// Ids of trades that neither a stream nor history ever tells: gaps that nobody can fill.
    pub lost: Vec<RangeInclusive<u64>>,
}

impl TapePlayback {
    /// Played at this pace from the first subscription on.
    pub fn new(symbol: Symbol, recording: Recording, pace: TapePace) -> Self {
        TapePlayback { symbol, recording, pace, start: Start::AtFirstSubscriber, past: 0, lost: Vec::new() }
    }

    /// Nothing but history: all of it has already gone by.
    pub fn past(symbol: Symbol, recording: Recording) -> Self {
        let past = recording.len();
        TapePlayback { past, ..TapePlayback::new(symbol, recording, TapePace::PerSecond(1.0)) }
    }
}

/// What moves a recording of trades forward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TapePace {
    /// As fast as the fastest subscriber reads; it stands still while there is none.
    AsRead,
    /// So many rows a second, whether somebody listens or not.
    PerSecond(f64),
    /// The recording's own times, so many times faster than real time.
    Speed(f64),
}

/// What streams keep to, and how often Coinbase and Kraken may be asked. All clients share one meter.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamLimits {
    /// Time between two pings of the server (Binance).
    pub ping_every: Duration,
    /// A connection ends when no pong with the ping's payload came for so long (Binance).
    pub pong_within: Duration,
    /// How long a connection lives (Binance).
    pub lifetime: Duration,
    /// Streams of one connection (Binance).
    pub streams_per_connection: usize,
    /// New connections in 5 minutes; more are answered with 429 (Binance).
    pub connects_per_5_minutes: usize,
    /// Messages of a client in a second, pings and pongs among them; more end the connection (Binance).
    pub messages_per_second: usize,
    /// A connection ends that has not subscribed within this time (Coinbase).
    pub subscribe_within: Duration,
    /// Requests to Coinbase's REST interface.
    pub coinbase_requests: RequestRate,
    /// Requests to Kraken's REST interface.
    pub kraken_requests: RequestRate,
    /// Connections that the ledger of streams keeps.
    pub ledger_capacity: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        StreamLimits {
            ping_every: Duration::from_secs(20),
            pong_within: Duration::from_secs(60),
            lifetime: Duration::from_secs(24 * 3_600),
            streams_per_connection: 1_024,
            connects_per_5_minutes: 300,
            messages_per_second: 5,
            subscribe_within: Duration::from_secs(5),
            coinbase_requests: RequestRate { per_second: 10.0, burst: 15 },
            kraken_requests: RequestRate { per_second: 1.0, burst: 5 },
            ledger_capacity: 10_000,
        }
    }
}

/// A token bucket: so many requests at once, and so many a second from then on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RequestRate {
    /// Requests a second in the long run.
    pub per_second: f64,
    /// Requests at once.
    pub burst: u32,
}

impl RequestRate {
    /// No limit.
    pub const UNLIMITED: RequestRate = RequestRate { per_second: f64::INFINITY, burst: u32::MAX };
}
