//! What a price pipeline is: symbols, prices, messages, identity, and the configuration of its workers.
//!
//! Everything here is pure: no I/O, no clock, no runtime. Time and randomness are arguments, so each rule
//! can be tested by calling it. What this crate decides:
//!
//! - **Exactness** ([`Price`]): a price is the decimal text that the exchange sent. It is never a float.
//! - **Identity** ([`identity`]): what makes two messages the same observation. Every promise about
//!   duplicates rests on it.
//! - **Format** ([`message`]): what a message looks like on the wire, and what is bad data.
//! - **Progress** ([`Watermark`]): which offset may be committed, given what is durably stored.
//! - **Patience** ([`Backoff`], [`Breaker`]): how long to wait for something that is away.
//! - **Figures** ([`analytics`]): what can be said of a series of prices, without rounding on the way.
//! - **Shape** ([`Pipeline`], [`config`]): the validated pipeline, and what each worker is told of it.

pub mod analytics;
mod backoff;
mod breaker;
pub mod config;
pub mod environment;
mod estimate;
mod exchange;
mod gap;
pub mod identity;
mod kline;
pub mod message;
pub mod names;
pub mod pipeline;
mod price;
mod quantity;
pub mod replay;
mod secret;
mod slot;
mod symbol;
mod timestamp;
mod watermark;

pub use backoff::Backoff;
pub use breaker::{Breaker, BreakerState};
pub use estimate::{Estimate, document_bytes};
pub use exchange::{Exchange, UnknownExchange};
pub use gap::{Gap, GapOutcome, GapsMessage, Noticed};
pub use kline::{KlineInterval, KlineIntervalError};
pub use message::{Details, Kind, PriceMessage};
pub use pipeline::Pipeline;
pub use price::{Price, PriceError};
pub use quantity::{Quantity, QuantityError};
pub use replay::{ReplayProgress, ReplayState};
pub use secret::Secret;
pub use slot::Slots;
pub use symbol::{Symbol, SymbolError};
pub use timestamp::{Timestamp, TimestampError};
pub use watermark::{SpanId, Watermark};
