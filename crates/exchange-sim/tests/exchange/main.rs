//! The simulated exchange over real HTTP and real WebSockets, seen by a client that reads every byte.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

mod binance;
mod binance_history;
mod binance_streams;
mod client;
mod coinbase;
mod faults;
mod kraken;
mod load;
mod socket;
mod stream_faults;
mod times;
