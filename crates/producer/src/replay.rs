//! Replay: an exchange's history through the same path as its prices.
//!
//! - `course`: where a market's history is being read, page by page, and what of a page is new. Pure.
//! - `resume`: how far an earlier replay came, read back from Kafka.
//! - `progress`: tells in Kafka how far the markets are.
//! - `market`: one market's replay: asks, waits where the pace says so, and offers what it has read to the sink.

pub(crate) mod course;
pub(crate) mod market;
pub(crate) mod progress;
pub(crate) mod resume;
