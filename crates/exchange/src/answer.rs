//! A question to a REST interface, and its answer, for any exchange.

use http::{HeaderMap, header::DATE};
use pricepipe_core::Timestamp;

use crate::http_date;

/// What is asked: always a GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The path and the query, encoded.
    pub path_and_query: String,
    /// What it costs of the exchange's request weight.
    pub weight: u32,
}

/// What was answered, whatever its status.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// When the last byte arrived.
    pub received: Timestamp,
}

impl Answer<'_> {
    /// When it was sent by the exchange's own clock, to the second, where the exchange tells. Ours may be wrong.
    pub fn sent(&self) -> Option<Timestamp> {
        http_date(self.headers.get(DATE)?.to_str().ok()?)
    }
}
