//! A fault, for whom it is, and how long it lasts. Plain data.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::{Fault, answer::MAX_OVERSIZED_BYTES};

/// A fault, the requests or connections that it is for, and how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// What goes wrong.
    pub fault: Fault,
    /// How long.
    #[serde(default)]
    pub lasts: Lasts,
    /// Only requests whose path begins so; all when not given. `/` is that path alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lasts {
    /// For so many requests, or for so many connections when it is a fault of streams.
    Requests(u32),
    /// For so many milliseconds after the first request that meets it.
    Millis(u64),
    /// Until faults are cleared.
    UntilCleared,
}

impl Default for Lasts {
    fn default() -> Self {
        Lasts::Requests(1)
    }
}

impl Rule {
    /// A fault that the next request meets.
    pub fn once(fault: Fault) -> Self {
        Rule::times(1, fault)
    }

    /// A fault that the next `requests` requests meet.
    pub fn times(requests: u32, fault: Fault) -> Self {
        Rule { fault, lasts: Lasts::Requests(requests), path: None }
    }

    /// A fault that lasts so long after the first request that meets it.
    pub fn lasting(duration: Duration, fault: Fault) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Rule { fault, lasts: Lasts::Millis(millis), path: None }
    }

    /// A fault that lasts until it is cleared.
    pub fn until_cleared(fault: Fault) -> Self {
        Rule { fault, lasts: Lasts::UntilCleared, path: None }
    }

    /// The same, only for requests whose path begins so.
    pub fn on_path(self, path: &str) -> Self {
        Rule { path: Some(path.to_owned()), ..self }
    }

    /// What makes the rule impossible to carry out, with the remedy.
    pub(crate) fn problem(&self) -> Option<String> {
        let illegal =
            |text: &Option<String>| text.as_ref().is_some_and(|t| HeaderValue::from_str(t).is_err());
        match &self.fault {
            Fault::Status(fault) if !is_final(fault.status) => {
                Some(format!("fault.status is {}; use 200 to 599", fault.status))
            }
            Fault::Status(fault) if illegal(&fault.retry_after) || illegal(&fault.location) => Some(
                "fault.retryAfter or fault.location cannot be a header; leave out control characters".into(),
            ),
            Fault::UsedWeight { value } if HeaderValue::from_str(value).is_err() => {
                Some("fault.value cannot be a header; leave out control characters".into())
            }
            Fault::HistoryGaps { percent } if *percent > 100 => {
                Some(format!("fault.percent is {percent}; use 0 to 100"))
            }
            Fault::Stream(fault) => fault.problem(),
            Fault::Oversized { bytes } | Fault::GzipBomb { bytes } if *bytes > MAX_OVERSIZED_BYTES => {
                Some(format!("fault.bytes is {bytes}; use at most {MAX_OVERSIZED_BYTES}"))
            }
            _ => None,
        }
    }
}

fn is_final(status: u16) -> bool {
    (200..600).contains(&status) && StatusCode::from_u16(status).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::StreamFault;

    #[test]
    fn rules_are_written_as_json_and_read_back() {
        for (json, rule) in [
            (r#"{"fault":{"kind":"hang"},"lasts":{"requests":1}}"#, Rule::once(Fault::Hang)),
            (
                r#"{"fault":{"kind":"status","status":429,"retryAfter":"2"},"lasts":{"millis":2000}}"#,
                Rule::lasting(Duration::from_secs(2), Fault::too_many_requests("2")),
            ),
            (
                r#"{"fault":{"kind":"priceText","symbol":"BTCUSDT","text":"NaN"},"lasts":"untilCleared","path":"/api"}"#,
                Rule::until_cleared(Fault::PriceText {
                    symbol: "BTCUSDT".parse().unwrap(),
                    text: "NaN".to_owned(),
                })
                .on_path("/api"),
            ),
            (
                r#"{"fault":{"kind":"stream","does":"cut","afterFrames":500},"lasts":"untilCleared","path":"/ws"}"#,
                Rule::until_cleared(Fault::Stream(StreamFault::cut_after(500))).on_path("/ws"),
            ),
            (
                r#"{"fault":{"kind":"slowBody","byteMillis":5},"lasts":{"requests":3}}"#,
                Rule::times(3, Fault::SlowBody { byte_millis: 5 }),
            ),
        ] {
            assert_eq!(serde_json::to_string(&rule).unwrap(), json);
            assert_eq!(serde_json::from_str::<Rule>(json).unwrap(), rule);
        }
        assert_eq!(
            serde_json::from_str::<Rule>(r#"{"fault":{"kind":"hang"}}"#).unwrap(),
            Rule::once(Fault::Hang)
        );
    }

    #[test]
    fn a_misspelt_or_impossible_rule_is_refused() {
        for json in [
            r#"{"fault":{"kind":"explode"}}"#,
            r#"{"fault":{"kind":"hang"},"time":3}"#,
            r#"{"fault":{"kind":"status","status":429,"retry_after":"2"}}"#,
            r#"{"fault":{"kind":"missingSymbol","symbol":"btc usdt"}}"#,
        ] {
            assert!(serde_json::from_str::<Rule>(json).is_err(), "{json}");
        }
        assert_eq!(Rule::once(Fault::status(99)).problem().unwrap(), "fault.status is 99; use 200 to 599");
        assert!(Rule::once(Fault::Oversized { bytes: usize::MAX }).problem().is_some());
        assert!(Rule::once(Fault::too_many_requests("2\n")).problem().is_some());
        assert_eq!(Rule::once(Fault::too_many_requests("2")).problem(), None);
    }
}
