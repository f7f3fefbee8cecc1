//! What Binance says instead of prices, word for word. Pure.

use crate::{faults::StatusFault, reply::Reply, weight::Verdict};

/// A request that cannot be answered: 400 with a code and a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: i32,
    message: String,
}

impl Refusal {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Refusal { code, message: message.into() }
    }

    pub(super) fn invalid_symbol() -> Self {
        Refusal::new(-1121, "Invalid symbol.")
    }

    pub(super) fn illegal_characters(parameter: &str) -> Self {
        let range = match parameter {
            "symbols" => r#"^\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\]$"#,
            _ => "^[A-Z0-9-_.]{1,20}$",
        };
        let message =
            format!("Illegal characters found in parameter '{parameter}'; legal range is '{range}'.");
        Refusal::new(-1100, message)
    }

    pub(super) fn illegal_number(parameter: &str) -> Self {
        let message =
            format!("Illegal characters found in parameter '{parameter}'; legal range is '^[0-9]{{1,20}}$'.");
        Refusal::new(-1100, message)
    }

    pub(super) fn missing_parameter(parameter: &str) -> Self {
        let message =
            format!("Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.");
        Refusal::new(-1102, message)
    }

    pub(super) fn invalid_interval() -> Self {
        Refusal::new(-1120, "Invalid interval.")
    }

    pub(super) fn duplicate_parameter() -> Self {
        Refusal::new(-1101, "Duplicate values for a parameter detected.")
    }

    pub(super) fn unread_parameters(read: usize, sent: usize) -> Self {
        let message =
            format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.");
        Refusal::new(-1104, message)
    }

    pub(super) fn empty_parameter(parameter: &str) -> Self {
        Refusal::new(-1105, format!("Parameter '{parameter}' was empty."))
    }

    pub(super) fn invalid_symbol_status() -> Self {
        Refusal::new(-1122, "Invalid symbolStatus.")
    }

    pub(super) fn bad_combination() -> Self {
        Refusal::new(-1128, "Combination of optional parameters invalid.")
    }

    pub(super) fn duplicate_symbols() -> Self {
        Refusal::new(-1151, "Symbol is present multiple times in the list.")
    }

    pub(super) fn status_mismatch() -> Self {
        Refusal::new(-1220, "The symbol's status does not match the requested symbolStatus.")
    }

    pub(super) fn reply(&self) -> Reply {
        Reply::json(self.body()).with_status(400)
    }

    fn body(&self) -> String {
        let message = serde_json::Value::from(self.message.as_str());
        format!(r#"{{"code":{},"msg":{message}}}"#, self.code)
    }
}

/// 429 or 418, when the weight that was used says so.
pub(super) fn by_weight(verdict: Verdict, limit: u32) -> Option<Reply> {
    match verdict {
        Verdict::Allowed => None,
        Verdict::Limited { retry_after_secs } => Some(
            too_much_weight(limit).reply().with_status(429).with_retry_after(&retry_after_secs.to_string()),
        ),
        Verdict::Banned { until_millis, retry_after_secs } => Some(
            banned(until_millis).reply().with_status(418).with_retry_after(&retry_after_secs.to_string()),
        ),
    }
}

fn too_much_weight(limit: u32) -> Refusal {
    let message = format!(
        "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. \
         Please use WebSocket Streams for live updates to avoid polling the API."
    );
    Refusal::new(-1003, message)
}

fn banned(until_millis: i64) -> Refusal {
    let message = format!(
        "Way too much request weight used; IP banned until {until_millis}. \
         Please use WebSocket Streams for live updates to avoid bans."
    );
    Refusal::new(-1003, message)
}

/// 429 to a client that opens too many connections.
pub(super) fn too_many_connects() -> Reply {
    Refusal::new(-1034, "Too many connection attempts.").reply().with_status(429)
}

/// A path that is none of the interface's.
pub(super) fn not_found() -> Reply {
    Reply::text(page(404, "Not Found")).with_status(404)
}

/// A scripted status, with the body that the exchange would send unless the script has one.
pub(super) fn scripted(fault: &StatusFault, now_millis: i64, limit: u32) -> Reply {
    let body = fault.body.clone().unwrap_or_else(|| usual_body(fault, now_millis, limit));
    Reply::text(body).with_status(fault.status).with_scripted_headers(fault)
}

fn usual_body(fault: &StatusFault, now_millis: i64, limit: u32) -> String {
    let wait_secs = fault.retry_after.as_ref().and_then(|text| text.parse().ok()).unwrap_or(120i64);
    let banned_until = now_millis.saturating_add(wait_secs.saturating_mul(1_000));
    let refusal = match fault.status {
        403 => return page(403, "Forbidden"),
        404 => return page(404, "Not Found"),
        502 => return page(502, "Bad Gateway"),
        418 => banned(banned_until),
        429 => too_much_weight(limit),
        451 => Refusal::new(
            0,
            "Service unavailable from a restricted location according to 'b. Eligibility' in \
             https://www.binance.com/en/terms. Please contact customer service if you believe you received \
             this message in error.",
        ),
        500 => Refusal::new(-1000, "An unknown error occurred while processing the request."),
        503 => Refusal::new(
            -1008,
            "Server is currently overloaded with other requests. Please try again in a few minutes.",
        ),
        504 => Refusal::new(
            -1007,
            "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        ),
        _ => Refusal::new(-1001, "Internal error; unable to process your request. Please try again."),
    };
    refusal.body()
}

/// What stands before the exchange (a firewall, a load balancer) answers in HTML.
fn page(status: u16, reason: &str) -> String {
    format!(
        "<html>\n<head><title>{status} {reason}</title></head>\n<body><center><h1>{status} {reason}</h1></center></body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_the_exchanges_own_words() {
        assert_eq!(Refusal::invalid_symbol().body(), r#"{"code":-1121,"msg":"Invalid symbol."}"#);
        assert_eq!(
            too_much_weight(6_000).body(),
            r#"{"code":-1003,"msg":"Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API."}"#
        );
        assert_eq!(
            banned(1_770_123_456_789).body(),
            r#"{"code":-1003,"msg":"Way too much request weight used; IP banned until 1770123456789. Please use WebSocket Streams for live updates to avoid bans."}"#
        );
        let quoted = Refusal::illegal_characters("symbols").body();
        assert!(serde_json::from_str::<serde_json::Value>(&quoted).is_ok(), "{quoted}");
    }

    #[test]
    fn a_wait_beyond_all_bounds_does_not_overflow() {
        let fault =
            StatusFault { status: 418, retry_after: Some(i64::MAX.to_string()), ..StatusFault::default() };
        assert!(usual_body(&fault, 1, 1).contains("banned until"));
    }
}
