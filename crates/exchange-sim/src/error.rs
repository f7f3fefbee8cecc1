//! Why the simulated exchange cannot start.

use std::net::SocketAddr;

use pricepipe_core::Symbol;

use crate::recording::RecordingError;

/// The simulated exchange cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}; choose another address, or port 0 for any free port")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Two price paths for one symbol.
    #[error("symbol {symbol} is listed twice; list it once")]
    DuplicateSymbol {
        /// The symbol.
        symbol: Symbol,
    },
    /// A pace that stands still, runs backwards or is no number.
    #[error("the pace of {what} is {value}; use a number above 0")]
    Pace {
        /// The symbol that is played, or the random walk.
        what: String,
        /// The faulty value.
        value: String,
    },
    /// A recording that cannot be played.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}
