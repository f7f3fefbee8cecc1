//! Visits to pipelines against a scripted API server: which requests are made, in which order, and what becomes of a
//! pipeline when one of them fails.

mod api_server;
mod call;
mod deletion;
mod failures;
mod kafka;
mod order;
mod ownership;
mod rights;
mod secrets;
mod world;
