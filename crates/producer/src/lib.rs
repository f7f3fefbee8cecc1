//! Exchange to Kafka: polls prices on clock-aligned slots, or replays history, and produces each as a message.
//!
//! What this crate decides:
//!
//! - **When to ask** (`schedule`): at the beginning of each slot, never twice for one slot, never catching up. A slot
//!   that brings no price is counted with its reason.
//! - **How much to ask** (`budget`, `penalty`): within a weight budget, at an even pace; after 429 or 418 not before
//!   the exchange allows it, at no host of it.
//! - **Whom to ask** (`endpoints`): the first host that is well; each has its own breaker.
//! - **What to ask for** (`roster`): every symbol in one request; symbols that the exchange does not know are found
//!   and left out while the others go on.
//! - **What of history is left** (`replay`): page after page, from behind what an earlier replay has left in Kafka.
//! - **What streams bring is complete** (`streams`): in order, each observation once, and what was missed is asked of
//!   history.
//! - **What is accepted is delivered** (`sink`): an accepted message is kept until Kafka acknowledges it, and sent
//!   again with the same id if it comes back.
//!
//! [`run`] is the whole of it. The binary `pricepipe-producer` calls it with a configuration file, `pricepipe run`
//! with a value.

mod announcer;
mod budget;
mod endpoints;
mod error;
mod events;
mod feeds;
mod http;
mod ledger;
mod listings;
mod observations;
mod penalty;
mod poller;
mod replay;
mod roster;
mod route;
mod run;
mod schedule;
mod sink;
mod source;
mod streams;
mod tail;
mod teller;
mod unknown;

pub use error::ProducerError;
pub use listings::listings;
pub use observations::{
    Observations, Observed, ObservedGaps, ObservedReplay, ObservedSymbol, ReplayEnd, ReplayedMarket, Summary,
};
pub use pricepipe_exchange::listing::Listing;
pub use replay::course::Position;
pub use run::{Options, Producer, Watermark, run};
