//! `make bench`: speed, latency and memory against real servers. Each fails when a bar is missed. Release build; one
//! benchmark after the other, and nothing else on the machine.

mod bars;
mod controller;
mod drain;
mod idle;
mod latency;
mod queries;
mod streams;
