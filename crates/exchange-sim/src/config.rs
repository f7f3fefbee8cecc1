//! What a simulated exchange is told: symbols, price paths, limits. Plain data, with defaults fit for tests.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use pricepipe_core::Symbol;

use crate::{majors, recording::Recording};

mod streams;

pub use streams::{RequestRate, Start, StreamLimits, TapePace, TapePlayback, TradeFlow};

/// Entries of the ledger and of the request log that a demo keeps.
const DEMO_HISTORY: usize = 100_000;
/// Trades of each symbol that history keeps in a demo.
const DEMO_TRADES: usize = 20_000;
/// Those of them that are there at the start: what whoever comes back within three quarters of an hour has missed.
const DEMO_PAST: usize = 5_400;

/// A simulated exchange. `SimConfig::default()` is a complete one: about seventy well-known symbols on a free port.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Where it listens; port 0 takes any free one.
    pub address: SocketAddr,
    /// The symbols that it lists. Each follows a random walk, unless a playback names it.
    pub symbols: Vec<Symbol>,
    /// Lists any well-formed symbol as soon as somebody asks for it.
    pub any_symbol: bool,
    /// How far the exchange's clock is ahead of this machine's, in milliseconds; below 0 it is behind.
    pub clock_ahead_millis: i64,
    /// The seed of the random walks: one seed, one sequence of prices per symbol.
    pub seed: u64,
    /// How the random walks go forward; one step is one second of their own time.
    pub pace: Pace,
    /// Recordings that are played as the price of a symbol. Their symbols need not be listed.
    pub playbacks: Vec<Playback>,
    /// How trades go by that nobody has recorded, for streams and history.
    pub trades: TradeFlow,
    /// Recordings that are played as the trades, or the candles, of a symbol. Their symbols need not be listed.
    pub tapes: Vec<TapePlayback>,
    /// How much a client may ask for.
    pub limits: Limits,
    /// What streams keep to, and how often Coinbase and Kraken may be asked.
    pub streams: StreamLimits,
    /// The most entries that the ledger keeps; `None` keeps all.
    pub ledger_capacity: Option<usize>,
    /// The most entries that the request log keeps; `None` keeps all.
    pub request_capacity: Option<usize>,
}

impl SimConfig {
    /// The default with bounded histories, so that memory stays flat however long it runs, and with a market that goes on
    /// while nobody runs it.
    pub fn for_demo() -> Self {
        SimConfig {
            ledger_capacity: Some(DEMO_HISTORY),
            request_capacity: Some(DEMO_HISTORY),
            trades: TradeFlow {
                past: DEMO_PAST,
                history: DEMO_TRADES,
                goes_on: true,
                ..TradeFlow::default()
            },
            ..SimConfig::default()
        }
    }
}

impl Default for SimConfig {
    fn default() -> Self {
        SimConfig {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            symbols: majors::majors(),
            any_symbol: false,
            clock_ahead_millis: 0,
            seed: 1,
            pace: Pace::PerRequest,
            playbacks: Vec::new(),
            trades: TradeFlow::default(),
            tapes: Vec::new(),
            limits: Limits::default(),
            streams: StreamLimits::default(),
            ledger_capacity: None,
            request_capacity: None,
        }
    }
}

/// What moves a price path forward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Each served price takes the next row: every row is served exactly once, in order, as fast as clients ask.
    PerRequest,
    /// The next row comes after this much real time, asked for or not.
    Tick(Duration),
    /// The path's own times, this many times faster than real time.
    Speed(f64),
}

/// What a recording does after its last row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// Its last price stands.
    #[default]
    Hold,
    /// It starts over.
    StartOver,
}

/// A recording played as the price of a symbol.
#[derive(Clone, Debug)]
pub struct Playback {
    /// The symbol whose price it is.
    pub symbol: Symbol,
    /// What is played.
    pub recording: Recording,
    /// How fast.
    pub pace: Pace,
    /// What comes after the last row.
    pub at_end: AtEnd,
}

impl Playback {
    /// One row per served price, then the last price for ever.
    pub fn per_request(symbol: Symbol, recording: Recording) -> Self {
        Playback { symbol, recording, pace: Pace::PerRequest, at_end: AtEnd::Hold }
    }
}

/// How much a client may ask for. All clients share one meter, as clients behind one address do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request weight in a clock minute; above it the answer is 429.
    pub weight_per_minute: u32,
    /// How long a client is banned (418) that goes on after a 429. Each further ban is twice as long, up to 3 days.
    pub first_ban: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { weight_per_minute: 6_000, first_ban: Duration::from_secs(120) }
    }
}
