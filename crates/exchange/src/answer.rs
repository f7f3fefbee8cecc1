//! A question to a REST interface, and what its answer comes to, for any exchange.

use std::time::Duration;

use http::HeaderMap;
use pricepipe_core::Timestamp;

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

/// Why an answer is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too many requests (429, or an exchange's own word for it): none before so long has passed.
    #[error("rate-limited for {} s", .0.as_secs_f64().ceil())]
    RateLimited(Duration),
    /// Banned for having gone on after that (418).
    #[error("banned for {} s", .0.as_secs_f64().ceil())]
    Banned(Duration),
    /// Not available in this place (451).
    #[error("geo-blocked (HTTP 451)")]
    GeoBlocked,
    /// A firewall in between (403).
    #[error("its firewall answers HTTP 403")]
    Forbidden,
    /// It cannot serve now: 5xx, or its own word for it.
    #[error("it answers {0}")]
    Unavailable(String),
    /// A symbol of the request is unknown to it.
    #[error("a symbol is unknown")]
    UnknownSymbol,
    /// It will not answer this request, however often it is asked.
    #[error("it refuses the request: {0}")]
    Refused(String),
    /// A status that no exchange sends.
    #[error("it answers HTTP {0}, which no exchange does")]
    UnexpectedStatus(u16),
    /// Something that cannot be read.
    #[error("it answers with {0}")]
    Malformed(String),
}
