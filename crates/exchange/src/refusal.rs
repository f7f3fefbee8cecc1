//! Answers that are not what was asked for, sorted out for any exchange. Pure.

mod binance;
mod coinbase;
mod kraken;

use std::time::Duration;

use http::header::RETRY_AFTER;
use pricepipe_core::{Exchange, Timestamp};

use crate::Answer;

/// Why an answer is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too many requests: none before so long has passed.
    #[error("rate-limited ({said}) for {} s", .wait.as_secs_f64().ceil())]
    RateLimited {
        /// How it was said: `HTTP 429`, or the exchange's own words.
        said: String,
        /// So long.
        wait: Duration,
    },
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

/// How long a ban lasts that does not say: Binance's shortest.
const BAN: Duration = Duration::from_secs(120);

/// Sorts out every answer that is no success.
pub(crate) fn check(exchange: Exchange, answer: &Answer<'_>) -> Result<(), Refusal> {
    match exchange {
        Exchange::Binance => binance::check(answer),
        Exchange::Coinbase => coinbase::check(answer),
        Exchange::Kraken => kraken::check(answer),
    }
}

/// How long to wait after too many requests, where an exchange does not say: Binance counts by the minute, Coinbase by the
/// second, and Kraken speaks of a few seconds.
fn pause(exchange: Exchange) -> Duration {
    Duration::from_secs(match exchange {
        Exchange::Binance => 60,
        Exchange::Coinbase => 1,
        Exchange::Kraken => 5,
    })
}

/// What a status alone says, whatever the exchange.
fn by_status(exchange: Exchange, answer: &Answer<'_>) -> Result<(), Refusal> {
    match answer.status {
        429 => Err(rate_limited(exchange, answer, "HTTP 429".to_owned())),
        418 => Err(Refusal::Banned(retry_after(answer).unwrap_or(BAN))),
        451 => Err(Refusal::GeoBlocked),
        403 => Err(Refusal::Forbidden),
        _ => Ok(()),
    }
}

/// Why a connection to streams was not opened, by the answer that came instead.
pub fn of_connecting(exchange: Exchange, answer: &Answer<'_>) -> Refusal {
    match (by_status(exchange, answer), answer.status) {
        (Err(refusal), _) => refusal,
        (Ok(()), status @ 500..) => unavailable(status),
        (Ok(()), status) => Refusal::UnexpectedStatus(status),
    }
}

fn unavailable(status: u16) -> Refusal {
    Refusal::Unavailable(format!("HTTP {status}"))
}

fn rate_limited(exchange: Exchange, answer: &Answer<'_>, said: String) -> Refusal {
    Refusal::RateLimited { said, wait: retry_after(answer).unwrap_or(pause(exchange)) }
}

/// How long `Retry-After` says to wait: seconds, or an HTTP date.
fn retry_after(answer: &Answer<'_>) -> Option<Duration> {
    let header = answer.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = answer.sent().unwrap_or(answer.received);
    let millis = http_date(header)?.as_millis() - now.as_millis();
    Some(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// Reads a date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub fn http_date(text: &str) -> Option<Timestamp> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Timestamp::from_millis(time.as_millisecond()).ok()
}

/// The answer cannot be read as what was asked for. A web page comes from whatever stands between the exchange and us:
/// where it breaks off as JSON helps nobody.
pub(crate) fn malformed(answer: &Answer<'_>, asked: &str, error: &serde_json::Error) -> Refusal {
    Refusal::Malformed(match answer.body.trim_ascii_start().first() {
        Some(b'<') => format!("a web page instead of {asked} (a proxy or a sign-in page may be in between)"),
        None => "nothing".to_owned(),
        Some(_) => format!("something else than {asked} ({error})"),
    })
}

#[cfg(test)]
mod tests;
