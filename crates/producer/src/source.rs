//! What the producer reads from: a source of prices, and the ways in which it may fail.

pub(crate) mod catalogue;
pub(crate) mod last_prices;

use std::time::Duration;

use pricepipe_core::{Price, PriceError, Symbol, Timestamp};
use pricepipe_exchange::Refusal;

use crate::{
    events::{Outcome, Rejection, SkipReason},
    penalty::Limit,
};

/// The answer to one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Poll {
    /// The prices.
    pub(crate) quotes: Vec<Quote>,
    /// What was asked for and not sent.
    pub(crate) missing: Vec<Symbol>,
    /// What was sent and cannot be used.
    pub(crate) rejected: Vec<(Symbol, Rejection)>,
    /// A symbol that turned out to be unknown to the exchange.
    pub(crate) unknown: Option<Symbol>,
    /// When the answer arrived.
    pub(crate) received: Option<Timestamp>,
}

/// A price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quote {
    pub(crate) symbol: Symbol,
    pub(crate) price: Price,
}

impl From<PriceError> for Rejection {
    fn from(error: PriceError) -> Self {
        match error {
            PriceError::NotANumber => Rejection::NotANumber,
            PriceError::NotPositive => Rejection::NotPositive,
            PriceError::TooPrecise => Rejection::TooPrecise,
        }
    }
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SourceError {
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("{0}")]
    Unreachable(String),
    #[error("the connection broke: {0}")]
    Interrupted(String),
    #[error("it answers {0}")]
    Unavailable(String),
    #[error("its firewall answers HTTP 403")]
    Forbidden,
    #[error("it answers HTTP {0}, which no exchange does")]
    UnexpectedStatus(u16),
    #[error("it answers with {0}")]
    Malformed(String),
    #[error("its answer is larger than {} MiB", .0 >> 20)]
    TooLarge(usize),
    #[error("{0} for another {secs} s", secs = .1.as_secs_f64().ceil())]
    Limited(Limit, Duration),
    #[error("geo-blocked (HTTP 451) at every endpoint; name other endpoints and restart")]
    GeoBlocked,
    #[error("a symbol is unknown")]
    UnknownSymbol,
    #[error("it refuses the request: {0}")]
    Refused(String),
    #[error("the weight budget of this minute is used up")]
    BudgetUsedUp,
    /// Nothing was sent: every endpoint failed a moment ago and is given time.
    #[error("{}", .failure.as_deref().map_or_else(|| "it rests".to_owned(), ToString::to_string))]
    Resting {
        /// The last failure, with its host.
        failure: Option<Box<SourceError>>,
        /// When the first of them may be tried again.
        left: Duration,
    },
    /// The same failure, with the host that it is about. Never one that concerns every host.
    #[error("{host}: {error}")]
    At { host: String, error: Box<SourceError> },
}

impl From<Refusal> for SourceError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::RateLimited { said, wait } => SourceError::Limited(Limit::Rate(said.into()), wait),
            Refusal::Banned(length) => SourceError::Limited(Limit::Ban, length),
            Refusal::GeoBlocked => SourceError::GeoBlocked,
            Refusal::Forbidden => SourceError::Forbidden,
            Refusal::Unavailable(words) => SourceError::Unavailable(words),
            Refusal::UnknownSymbol => SourceError::UnknownSymbol,
            Refusal::Refused(words) => SourceError::Refused(words),
            Refusal::UnexpectedStatus(status) => SourceError::UnexpectedStatus(status),
            Refusal::Malformed(what) => SourceError::Malformed(what),
        }
    }
}

/// The kinds of trouble that a user is told of, once each time it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing answers.
    Unreachable,
    /// Something answers, but not with prices.
    Unusable,
    RateLimited,
    Banned,
    GeoBlocked,
    Refused,
}

impl SourceError {
    /// The same, with the host that it is about.
    pub(crate) fn at(self, host: &str) -> SourceError {
        SourceError::At { host: host.to_owned(), error: Box::new(self) }
    }

    /// The label of the request's metric; `None` when no request was sent.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        Some(match self {
            SourceError::Timeout(_) => Outcome::Timeout,
            SourceError::Unreachable(_) => Outcome::Unreachable,
            SourceError::Interrupted(_) => Outcome::Interrupted,
            SourceError::Unavailable(_) => Outcome::Unavailable,
            SourceError::Forbidden => Outcome::Forbidden,
            SourceError::UnexpectedStatus(_) => Outcome::UnexpectedStatus,
            SourceError::Malformed(_) => Outcome::Malformed,
            SourceError::TooLarge(_) => Outcome::TooLarge,
            SourceError::Limited(Limit::Rate(_), _) => Outcome::RateLimited,
            SourceError::Limited(Limit::Ban, _) => Outcome::Banned,
            SourceError::GeoBlocked => Outcome::GeoBlocked,
            SourceError::UnknownSymbol => Outcome::UnknownSymbol,
            SourceError::Refused(_) => Outcome::Refused,
            SourceError::BudgetUsedUp | SourceError::Resting { .. } => return None,
            SourceError::At { error, .. } => return error.outcome(),
        })
    }

    /// Why a slot is skipped that ends with this error.
    pub(crate) fn skip_reason(&self) -> SkipReason {
        match self {
            SourceError::Limited(..) => SkipReason::RateLimited,
            SourceError::GeoBlocked => SkipReason::GeoBlocked,
            SourceError::BudgetUsedUp => SkipReason::WeightBudget,
            SourceError::Resting { .. } => SkipReason::ExchangeUnavailable,
            _ => SkipReason::RequestFailed,
        }
    }

    /// True when a request was sent and failed for a reason that may be gone at the next try.
    pub(crate) fn may_be_a_hiccup(&self) -> bool {
        matches!(self.trouble(), Some(Trouble::Unreachable | Trouble::Unusable)) && self.outcome().is_some()
    }

    /// True when the exchange said itself what is wrong; trying again changes nothing of it soon.
    pub(crate) fn is_certain(&self) -> bool {
        !matches!(self.trouble(), None | Some(Trouble::Unreachable | Trouble::Unusable))
    }

    /// What the user is told; `None` for a budget that is used up, which is our own caution.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        match self {
            SourceError::BudgetUsedUp => None,
            SourceError::Limited(Limit::Rate(_), _) => Some(Trouble::RateLimited),
            SourceError::Limited(Limit::Ban, _) => Some(Trouble::Banned),
            SourceError::GeoBlocked => Some(Trouble::GeoBlocked),
            SourceError::Refused(_) => Some(Trouble::Refused),
            SourceError::At { error, .. } | SourceError::Resting { failure: Some(error), .. } => {
                error.trouble()
            }
            SourceError::Unavailable(_)
            | SourceError::Forbidden
            | SourceError::UnexpectedStatus(_)
            | SourceError::Malformed(_)
            | SourceError::TooLarge(_) => Some(Trouble::Unusable),
            SourceError::Timeout(_)
            | SourceError::Unreachable(_)
            | SourceError::Interrupted(_)
            | SourceError::UnknownSymbol
            | SourceError::Resting { failure: None, .. } => Some(Trouble::Unreachable),
        }
    }

    /// When to try again within the same slot; `None` when that is no use.
    pub(crate) fn retry_in(&self) -> Option<Duration> {
        match self {
            SourceError::GeoBlocked => None,
            SourceError::BudgetUsedUp => Some(Duration::from_secs(1)),
            SourceError::Limited(_, left) | SourceError::Resting { left, .. } => Some(*left),
            _ => Some(Duration::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_answers_wrongly_is_not_called_unreachable_and_keeps_its_own_label() {
        let resting = |failure: SourceError| SourceError::Resting {
            failure: Some(Box::new(failure.at("a.example"))),
            left: Duration::ZERO,
        };
        let wrong = SourceError::Malformed("a web page".to_owned());
        let away = SourceError::Unreachable("Connection refused".to_owned());
        assert_eq!(resting(wrong.clone()).to_string(), "a.example: it answers with a web page");
        assert_eq!(resting(wrong.clone()).trouble(), Some(Trouble::Unusable));
        assert_eq!(resting(away.clone()).trouble(), Some(Trouble::Unreachable));
        let labels = [wrong, away].map(|error| error.at("a.example").outcome());
        assert_eq!(labels, [Some(Outcome::Malformed), Some(Outcome::Unreachable)]);
    }
}
