//! A simulated exchange that speaks the real wire formats: for demos, tests and load.
//!
//! It serves the public interfaces of three exchanges over real HTTP and real WebSockets, all on one port: the same
//! shapes, error codes, limits and headers, so a client cannot tell the difference by what it reads.
//!
//! | exchange | requests | streams |
//! |---|---|---|
//! | Binance | `/api/v3/ping`, `time`, `exchangeInfo`, `ticker/price`, `trades`, `historicalTrades`, `aggTrades`, `klines` | `/ws`, `/ws/<stream>`, `/stream?streams=`: `@trade`, `@aggTrade`, `@bookTicker`, `@miniTicker`, `@kline_<interval>` |
//! | Coinbase | `/products`, `/products/<id>`, and its `/ticker`, `/trades`, `/candles`; `/time` | `/`: `matches`, `ticker`, `ticker_batch`, `heartbeat` |
//! | Kraken | `/0/public/Time`, `SystemStatus`, `AssetPairs`, `Ticker`, `Trades`, `OHLC` | `/v2`: `trade`, `ticker`, `ohlc` |
//!
//! A symbol is listed once, as `BTCUSD`. Coinbase calls it `BTC-USD`; Kraken calls it `BTC/USD` in streams, `XBTUSD` in
//! requests and `XXBTZUSD` in answers.
//!
//! What this crate decides:
//!
//! - **Prices** ([`SimConfig`], [`Pace`]): each symbol follows a seeded random walk, or a [`Recording`] of trades or
//!   klines, whose prices are served digit for digit. One seed gives the same prices on every machine.
//! - **Trades** ([`TradeFlow`], [`TapePlayback`]): each symbol has a tape on which trades happen, made up or recorded,
//!   whether somebody listens or not. Streams tell it as it happens, history tells it afterwards; a client that was
//!   cut off has missed what happened meanwhile.
//! - **Truth** ([`Ledger`], [`Running::trades`]): every price that was served is written down, with whether its answer
//!   went out as a whole, and every trade that happened can be read. What a pipeline stored is compared with that: no
//!   more, no less. [`RequestLog`] proves that nobody called before they were allowed to; [`StreamLedger`] counts what
//!   each connection was sent.
//! - **Trouble** ([`Faults`], [`Fault`], [`StreamFault`]): a script of what goes wrong, down to connections that are
//!   torn off amid a body. A [`Rule`] says what, for which requests or connections, and how long.
//! - **Limits** ([`Limits`], [`StreamLimits`]): weight is counted per clock minute; above the limit clients get 429,
//!   and those that go on get 418. All clients share one meter, as those behind one address do. A scripted 429 is only
//!   an answer: it bans nobody.
//!
//! # Example
//!
//! ```
//! use pricepipe_exchange_sim::{Fault, Rule, SimConfig, start};
//! use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let exchange = start(SimConfig::default()).await?;
//! exchange.faults().add(Rule::once(Fault::too_many_requests("2")));
//!
//! for expected in ["HTTP/1.1 429", "HTTP/1.1 200"] {
//!     let mut connection = TcpStream::connect(exchange.address()).await?;
//!     let request = "GET /api/v3/ticker/price?symbol=BTCUSDT HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\r\n";
//!     connection.write_all(request.as_bytes()).await?;
//!     let mut answer = String::new();
//!     connection.read_to_string(&mut answer).await?;
//!     assert!(answer.starts_with(expected), "{answer}");
//! }
//!
//! let served = exchange.ledger().delivered();
//! assert_eq!((served.len(), &*served[0].symbol), (1, "BTCUSDT"));
//! exchange.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # The same over HTTP
//!
//! | request | does |
//! |---|---|
//! | `POST /sim/faults` | adds a rule or an array of rules: `{"fault":{"kind":"status","status":429,"retryAfter":"2"},"lasts":{"requests":3}}`; `lasts` may be `{"millis":2000}` or `"untilCleared"`, `path` limits it to some paths |
//! | `GET /sim/faults` | the rules that are not over yet |
//! | `DELETE /sim/faults` | ends all faults |
//! | `GET /sim/ledger` | every price that was served, one JSON object a line; `?after=SEQ` for what came since |
//! | `GET /sim/requests` | every request that came in, one JSON object a line |
//! | `GET /sim/streams` | what each connection and each symbol was sent, in JSON |
//! | `GET /sim/trades?symbol=BTCUSDT` | the trades that happened, one JSON object a line; `&after=ID` for the later ones |
//! | `DELETE /sim/trades?symbol=BTCUSDT&count=3` | loses the next trades: neither streams nor history will tell them |
//!
//! A fault of streams is of the kind `stream` and says what it does:
//! `{"fault":{"kind":"stream","does":"cut","afterFrames":500,"close":1001},"lasts":"untilCleared","path":"/ws"}`.
//! Connections meet it instead of requests, those that are open already too; `{"requests":3}` stands for three of them.
//! An upgrade is a request, so that `status`, `delay` and `hang` refuse or hold up new connections.
//!
//! # Caveats
//!
//! An answer is delivered when its last byte was handed to the network. A client that vanishes at that moment may
//! still not have it, and one that reads a spoilt answer leniently may have a price that counts as undelivered.
//! The same is true of frames: those that the ledger calls sent may be lost when the connection is torn off.
//!
//! The made-up prices of requests and those of trades are two walks from one start, unless trades follow from the clock
//! ([`TradeFlow::goes_on`]): then, and where the tape is a recording, the price of a symbol is that of its last trade. There is no order book: the quote is one unit around the last trade, and each
//! trade is an aggregate of its own, with an id of its own. What a ticker says of the last day is what happened since
//! the exchange started, with the past that it was given. A tape that nobody looks at for so long that history would
//! have forgotten twice as many trades as it keeps passes over them.

mod binance;
mod candle;
mod coinbase;
mod config;
mod control;
mod digits;
mod drift;
mod error;
mod faults;
mod history;
mod interval;
mod kraken;
mod ledger;
mod majors;
mod market;
mod names;
mod path;
mod recording;
mod reply;
mod requests;
mod serve;
mod server;
mod stream;
mod tape;
mod times;
mod trade;
mod transfer;
mod walk;
mod weight;
mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use config::{
    AtEnd, Limits, Pace, Playback, RequestRate, SimConfig, Start, StreamLimits, TapePace, TapePlayback,
    TradeFlow,
};
pub use digits::{Digits, DigitsError};
pub use error::SimError;
pub use faults::{Fault, Faults, Lasts, Rule, StatusFault};
pub use ledger::{Ledger, Served};
pub use majors::{majors, synthetic_symbols};
pub use recording::{Recording, RecordingError};
pub use requests::{Request, RequestLog};
pub use server::{Running, start};
pub use stream::{OddFrame, StreamConnection, StreamCounts, StreamFault, StreamLedger};
pub use trade::{Side, Trade};

/// A lock whatever became of its last holder: a panic in one request must not end the others.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
