//! Kafka → store: reads price messages in a consumer group and stores each exactly once.
//!
//! What this crate decides:
//!
//! - **When an offset is committed**: when everything below it is durable, a duplicate, or a dead letter. One
//!   watermark per partition ([`pricepipe_core::Watermark`]) holds commits back over whatever is still under way.
//! - **What an outage does**: it holds batches. The store or the dead-letter topic is tried for ever; meanwhile the
//!   partitions are paused and the client is polled, so the group keeps its member; memory is bounded.
//! - **What a bad message does**: it goes to the dead-letter topic, as it came, with its origin and the reason.
//! - **What a rebalance does**: stop, drain, commit, forget. A later tenure of a partition ignores what is still
//!   reported of an earlier one.
//! - **What a stalled client does**: it is closed, with a deadline, and replaced.
//!
//! One thread polls Kafka and decodes; a few asynchronous writers do the rest. [`run`] is the way in.

mod assignment;
mod batch;
mod client;
mod commit;
mod context;
mod dead_letter;
mod error;
mod events;
mod intake;
pub mod letter;
mod observations;
mod progress;
mod promise;
mod rebalance;
mod repetition;
mod routes;
mod run;
mod sink;
mod statistics;
mod topic_watch;
mod watchdog;
mod writer;

pub use error::ConsumerError;
pub use observations::{CollectionStored, MarketStored, Observations, Snapshot};
pub use run::{Stop, Summary, run};
pub use sink::position;
