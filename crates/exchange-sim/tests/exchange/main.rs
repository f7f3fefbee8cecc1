//! The simulated exchange over real HTTP, seen by a client that reads every byte.

#![allow(clippy::unwrap_used, reason = "a test may fail this way")]

mod binance;
mod client;
mod faults;
