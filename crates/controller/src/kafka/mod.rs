//! What the controller does with Kafka: topics are created, kept as a pipeline wants them, and deleted; lag and gaps are
//! read.
//!
//! - [`Clients`]: one client for each Kafka cluster and user, however many pipelines share it.
//! - [`ensure`]: topics as a pipeline wants them; [`delete`]: those that it created.
//! - [`lag`]: how far a group is behind. [`gaps`]: which holes there are in what was received, and how far
//!   replays are.
//! - [`ownership`]: which pipeline a topic belongs to. Pure.
//!
//! What is decided here:
//!
//! - **A topic is deleted only when it is certain whose it is.** Its UUID must be the one that was seen when the pipeline
//!   had created it. That it is about to be created is written down before, so that a process that ends in between
//!   leaves no topic behind that nobody owns.
//! - **A topic that was there before is used, and never loses messages to the pipeline**: its retention is not shortened.
//!   Everything else that the spec lists is set, and partitions are added, as for any other topic.
//! - **Configuration is set entry by entry**, so that what the spec does not list stays as somebody else has set it.

mod admin;
mod clients;
mod delete;
mod error;
mod gaps;
mod handles;
mod lag;
pub(crate) mod ownership;
mod plan;
#[cfg(test)]
mod tests;
mod topics;

pub(crate) use admin::KafkaAdmin;
pub(crate) use clients::Clients;
pub(crate) use delete::{Deleted, delete};
pub(crate) use error::KafkaError;
pub(crate) use gaps::{Gaps, gaps};
pub(crate) use lag::lag;
pub(crate) use topics::{Ensured, Health, Partitions, ensure};
