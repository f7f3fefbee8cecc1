//! Streams: connections that bring observations, the order and the completeness of what they bring.
//!
//! - `connections`: opens as many connections as the limits need, keeps them alive, replaces them before they end. What
//!   they bring goes through one bounded queue, as [`Arrival`]s.
//! - `resume`: finds out where each market stands before anything is listened to.
//! - `sequence`: puts the arrivals of each market in order and notices what is missing.
//! - `repair`: asks history for it.
//! - `gaps`: tells of it.

mod client;
pub(crate) mod connections;
pub(crate) mod gaps;
pub(crate) mod repair;
pub(crate) mod resume;
pub(crate) mod sequence;

use pricepipe_core::Timestamp;
use pricepipe_exchange::Record;

/// What the connections of a source hand over.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Observations of one frame.
    Records {
        /// Which connection, counted from 1 in the order of opening.
        connection: u64,
        /// The observations and the place of each one's market among the source's markets.
        records: Vec<(usize, Record)>,
        /// When the frame arrived.
        received: Timestamp,
    },
    /// The exchange has acknowledged the subscription to these markets.
    Subscribed {
        /// Which connection.
        connection: u64,
        /// The markets, by their places.
        markets: Vec<usize>,
    },
    /// The exchange says the number of a market's last trade.
    LastTrade {
        /// Which connection.
        connection: u64,
        /// The market, by its place.
        market: usize,
        /// The number.
        number: u64,
    },
    /// A connection is gone, and nothing more comes from it.
    Lost {
        /// Which connection.
        connection: u64,
    },
}

#[cfg(test)]
mod tests;
