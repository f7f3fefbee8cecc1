//! Scripted faults: what goes wrong, for how long, and whose turn it is. Pure; time is an argument.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::{HeaderValue, StatusCode};
use pricepipe_core::Symbol;
use serde::{Deserialize, Serialize};

use crate::{locked, stream::StreamFault};

/// The largest body that a fault makes: 100 MiB.
pub(crate) const MAX_OVERSIZED_BYTES: usize = 100 << 20;

/// Something that goes wrong with an answer.
///
/// Faults of the first group take turns: a request meets one of them, the first that is still in force. Those of
/// the second group change details and add up: a request meets all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// Nothing goes wrong. It makes room in a script: two failures, three successes, a failure.
    Pass,
    /// A status instead of prices.
    Status(StatusFault),
    /// The right answer, late.
    Delay {
        /// Milliseconds before the first byte.
        millis: u64,
    },
    /// No answer, ever.
    Hang,
    /// Status line and headers byte by byte.
    SlowHeaders {
        /// Milliseconds after each byte.
        byte_millis: u64,
    },
    /// The body byte by byte.
    SlowBody {
        /// Milliseconds after each byte.
        byte_millis: u64,
    },
    /// The connection is reset amid the body.
    Reset {
        /// Bytes of the body that go out first; half of it when not given.
        #[serde(default)]
        after_bytes: Option<usize>,
    },
    /// The connection is closed amid the body.
    Truncate {
        /// Bytes of the body that go out first; half of it when not given.
        #[serde(default)]
        after_bytes: Option<usize>,
    },
    /// A whole body whose JSON is broken off.
    MalformedJson,
    /// An object where an array belongs, and the other way round.
    WrongShape,
    /// JSON that calls itself HTML.
    WrongContentType,
    /// Prices as JSON numbers instead of strings.
    PriceAsNumber,
    /// A body of at least this many bytes, mostly blanks; at most 100 MiB.
    Oversized {
        /// The bytes.
        bytes: usize,
    },
    /// This text as the price of a symbol: `NaN`, `1e400`, `-1`, `0`, nothing.
    PriceText {
        /// The symbol.
        symbol: Symbol,
        /// The text.
        text: String,
    },
    /// A symbol is left out of the answer.
    MissingSymbol {
        /// The symbol.
        symbol: Symbol,
    },
    /// A symbol is not listed any more, which fails every request that names it.
    UnknownSymbol {
        /// The symbol.
        symbol: Symbol,
    },
    /// This text as the used weight, whatever it really is.
    UsedWeight {
        /// The text.
        value: String,
    },
    /// The last symbol first.
    Reordered,
    /// A field that no client knows.
    ExtraField,
    /// This percentage of trades or candles is left out of pages of history.
    HistoryGaps {
        /// 0 to 100.
        percent: u8,
    },
    /// Something that goes wrong with a stream. Connections meet it, and not requests.
    Stream(StreamFault),
}

/// A status instead of prices. Without a body of its own it has the one that the exchange would send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusFault {
    /// The status, 200 to 599.
    pub status: u16,
    /// The header `Retry-After`, in whatever form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
    /// The header `Location`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The body. It is called HTML when it begins with `<`, else JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

impl Fault {
    /// A status with the body that the exchange would send.
    pub fn status(status: u16) -> Self {
        Fault::Status(StatusFault { status, ..StatusFault::default() })
    }

    /// A status with a body of one's own.
    pub fn status_with_body(status: u16, body: &str) -> Self {
        Fault::Status(StatusFault { status, body: Some(body.to_owned()), ..StatusFault::default() })
    }

    /// 429, and when to come back.
    pub fn too_many_requests(retry_after: &str) -> Self {
        let retry_after = Some(retry_after.to_owned());
        Fault::Status(StatusFault { status: 429, retry_after, ..StatusFault::default() })
    }

    /// 418: banned, and until when.
    pub fn banned(retry_after: &str) -> Self {
        let retry_after = Some(retry_after.to_owned());
        Fault::Status(StatusFault { status: 418, retry_after, ..StatusFault::default() })
    }

    /// True for a fault that changes a detail and adds up with others; false for one that takes turns.
    fn is_detail(&self) -> bool {
        use Fault::*;
        matches!(
            self,
            PriceText { .. }
                | MissingSymbol { .. }
                | UnknownSymbol { .. }
                | UsedWeight { .. }
                | Reordered
                | ExtraField
                | HistoryGaps { .. }
        )
    }

    /// The symbol without which the fault does not show.
    fn symbol(&self) -> Option<&Symbol> {
        match self {
            Fault::PriceText { symbol, .. }
            | Fault::MissingSymbol { symbol }
            | Fault::UnknownSymbol { symbol } => Some(symbol),
            _ => None,
        }
    }
}

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
            Fault::Oversized { bytes } if *bytes > MAX_OVERSIZED_BYTES => {
                Some(format!("fault.bytes is {bytes}; use at most {MAX_OVERSIZED_BYTES}"))
            }
            _ => None,
        }
    }
}

fn is_final(status: u16) -> bool {
    (200..600).contains(&status) && StatusCode::from_u16(status).is_ok()
}

/// The faults in force and those that wait for their turn. Clones share one script.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    script: Arc<Mutex<VecDeque<Scripted>>>,
    /// How often the script was changed.
    version: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Scripted {
    rule: Rule,
    number: u64,
    met: u32,
    first_met: Option<Instant>,
    /// The connections that have met it, and how many frames each had sent by then.
    connections: BTreeMap<u64, u64>,
}

/// A fault of a stream that a connection has met.
#[derive(Clone, Debug)]
pub(crate) struct StreamFaultInForce {
    /// The number of its rule.
    pub(crate) rule: u64,
    pub(crate) fault: StreamFault,
    /// When it ends; if not then, with the connection.
    pub(crate) until: Option<Instant>,
    /// How many frames the connection had sent when it met the fault.
    pub(crate) met_at_frame: u64,
}

/// What one request meets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    /// The fault whose turn it is.
    pub(crate) turn: Option<Fault>,
    /// All those that change a detail.
    pub(crate) details: Vec<Fault>,
}

impl Faults {
    /// Adds a rule at the end of the script.
    pub fn add(&self, rule: Rule) {
        let mut script = locked(&self.script);
        let number = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        script.push_back(Scripted { rule, number, met: 0, first_met: None, connections: BTreeMap::new() });
    }

    /// Ends all faults. Answers that are already on their way stay as they are.
    pub fn clear(&self) {
        let mut script = locked(&self.script);
        script.clear();
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    /// The rules that are not over yet.
    pub fn rules(&self) -> Vec<Rule> {
        let now = Instant::now();
        let script = locked(&self.script);
        script
            .iter()
            .filter(|scripted| !scripted.is_over(now))
            .map(|scripted| scripted.rule.clone())
            .collect()
    }

    /// Different from every number that it was before the script was last changed; never 0.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst) + 1
    }

    /// The faults that a connection meets: those that it has met before, and those that are still to be met.
    pub(crate) fn meet_stream(
        &self,
        now: Instant,
        path: &str,
        connection: u64,
        frames: u64,
    ) -> Vec<StreamFaultInForce> {
        let mut script = locked(&self.script);
        script.iter_mut().filter_map(|scripted| scripted.meet_stream(now, path, connection, frames)).collect()
    }

    /// What a request meets, counted as met. `asks_for` says whether the answer would hold a symbol.
    pub(crate) fn meet(&self, now: Instant, path: &str, asks_for: impl Fn(&Symbol) -> bool) -> Effects {
        let mut effects = Effects::default();
        self.meet_some(now, path, |fault| fault.symbol().is_none_or(&asks_for), &mut effects);
        effects
    }

    /// What a request meets that would open a stream: only what can happen to such a one, so that other faults wait
    /// for a request that shows them.
    pub(crate) fn meet_upgrade(&self, now: Instant, path: &str) -> Option<Fault> {
        let mut effects = Effects::default();
        let concerns = |fault: &Fault| {
            matches!(fault, Fault::Pass | Fault::Status(_) | Fault::Delay { .. } | Fault::Hang)
        };
        self.meet_some(now, path, concerns, &mut effects);
        effects.turn
    }

    fn meet_some(&self, now: Instant, path: &str, concerns: impl Fn(&Fault) -> bool, effects: &mut Effects) {
        let mut script = locked(&self.script);
        // Connections may still be under a fault of streams that no other one will meet.
        script.retain(|scripted| !scripted.is_over(now) || scripted.stream_fault().is_some());
        let concerned = |scripted: &&mut Scripted| {
            scripted.stream_fault().is_none() && scripted.is_for(path) && concerns(&scripted.rule.fault)
        };
        for scripted in script.iter_mut().filter(concerned) {
            let fault = scripted.rule.fault.clone();
            if fault.is_detail() {
                effects.details.push(fault);
            } else if effects.turn.is_none() {
                effects.turn = Some(fault);
            } else {
                continue;
            }
            scripted.met += 1;
            scripted.first_met.get_or_insert(now);
        }
    }
}

impl Scripted {
    fn is_over(&self, now: Instant) -> bool {
        match self.rule.lasts {
            Lasts::Requests(requests) => self.met >= requests,
            Lasts::Millis(millis) => self
                .first_met
                .is_some_and(|first| now.saturating_duration_since(first) >= Duration::from_millis(millis)),
            Lasts::UntilCleared => false,
        }
    }

    fn is_for(&self, path: &str) -> bool {
        self.rule.path.as_ref().is_none_or(|prefix| match prefix.as_str() {
            "/" => path == "/",
            prefix => path.starts_with(prefix),
        })
    }

    fn stream_fault(&self) -> Option<&StreamFault> {
        match &self.rule.fault {
            Fault::Stream(fault) => Some(fault),
            _ => None,
        }
    }

    fn meet_stream(
        &mut self,
        now: Instant,
        path: &str,
        connection: u64,
        frames: u64,
    ) -> Option<StreamFaultInForce> {
        let fault = self.stream_fault()?.clone();
        if !self.connections.contains_key(&connection) {
            if !self.is_for(path) || self.is_over(now) {
                return None;
            }
            self.met += 1;
            self.first_met.get_or_insert(now);
            self.connections.insert(connection, frames);
        }
        let until = match self.rule.lasts {
            Lasts::Millis(millis) => self.first_met.map(|first| first + Duration::from_millis(millis)),
            Lasts::Requests(_) | Lasts::UntilCleared => None,
        };
        let met_at_frame = self.connections.get(&connection).copied().unwrap_or_default();
        Some(StreamFaultInForce { rule: self.number, fault, until, met_at_frame })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/api/v3/ticker/price";

    fn turns(faults: &Faults, now: Instant, count: usize) -> Vec<Option<Fault>> {
        (0..count).map(|_| faults.meet(now, PATH, |_| true).turn).collect()
    }

    #[test]
    fn a_script_is_met_in_order_and_then_over() {
        let faults = Faults::default();
        faults.add(Rule::times(2, Fault::status(503)));
        faults.add(Rule::once(Fault::Pass));
        faults.add(Rule::once(Fault::Hang));
        let expected =
            [Some(Fault::status(503)), Some(Fault::status(503)), Some(Fault::Pass), Some(Fault::Hang), None];
        assert_eq!(turns(&faults, Instant::now(), 5), expected);
        assert!(faults.rules().is_empty());
    }

    #[test]
    fn a_duration_begins_with_the_first_request_that_meets_it() {
        let faults = Faults::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        faults.add(Rule::lasting(Duration::from_secs(20), Fault::Hang));
        faults.add(Rule::lasting(Duration::from_secs(5), Fault::status(500)));
        for (seconds, turn) in
            [(100, Some(Fault::Hang)), (119, Some(Fault::Hang)), (120, Some(Fault::status(500))), (125, None)]
        {
            assert_eq!(turns(&faults, at(seconds), 1), [turn], "{seconds}");
        }
    }

    #[test]
    fn details_add_up_and_wait_for_a_request_with_their_symbol() {
        let faults = Faults::default();
        let btc: Symbol = "BTCUSDT".parse().unwrap();
        let missing = Fault::MissingSymbol { symbol: btc.clone() };
        faults.add(Rule::once(missing.clone()));
        faults.add(Rule::until_cleared(Fault::Reordered));
        let now = Instant::now();
        assert_eq!(faults.meet(now, PATH, |_| false).details, [Fault::Reordered]);
        assert_eq!(faults.meet(now, PATH, |s| *s == btc).details, [missing, Fault::Reordered]);
        assert_eq!(faults.meet(now, PATH, |_| true).details, [Fault::Reordered]);
        faults.clear();
        assert!(faults.meet(now, PATH, |_| true).details.is_empty());
    }

    #[test]
    fn a_rule_for_one_path_lets_others_pass() {
        let faults = Faults::default();
        faults.add(Rule::once(Fault::Hang).on_path("/api/v3/exchangeInfo"));
        assert_eq!(turns(&faults, Instant::now(), 1), [None]);
        let met = faults.meet(Instant::now(), "/api/v3/exchangeInfo", |_| true);
        assert_eq!(met.turn, Some(Fault::Hang));
    }

    #[test]
    fn a_request_for_a_stream_meets_only_what_can_happen_to_it() {
        let faults = Faults::default();
        for fault in [Fault::HistoryGaps { percent: 5 }, Fault::MalformedJson, Fault::status(503)] {
            faults.add(Rule::once(fault));
        }
        let met = [faults.meet_upgrade(Instant::now(), "/ws"), faults.meet_upgrade(Instant::now(), "/ws")];
        assert_eq!(met, [Some(Fault::status(503)), None]);
        let left = faults.meet(Instant::now(), PATH, |_| true);
        assert_eq!((left.turn, left.details.len()), (Some(Fault::MalformedJson), 1));
    }

    #[test]
    fn a_fault_of_streams_is_met_by_connections_each_for_itself_and_not_by_requests() {
        let faults = Faults::default();
        let cut = StreamFault::cut_after(5);
        faults.add(Rule::times(2, Fault::Stream(cut.clone())).on_path("/ws"));
        let now = Instant::now();
        assert_eq!(turns(&faults, now, 1), [None]);
        let met = |path, connection| {
            let met = faults.meet_stream(now, path, connection, 10 * connection);
            met.into_iter().map(|met| (met.fault, met.met_at_frame)).collect::<Vec<_>>()
        };
        assert_eq!(met("/v2", 1), []);
        assert_eq!(met("/ws/btcusdt@trade", 2), [(cut.clone(), 20)]);
        assert_eq!(met("/ws", 3), [(cut.clone(), 30)]);
        assert_eq!(met("/ws", 4), [], "two have met it");
        assert_eq!(met("/ws", 2), [(cut, 20)], "who has met it keeps it");
        assert!(faults.rules().is_empty());
        let version = faults.version();
        faults.clear();
        assert_eq!((met("/ws", 2), faults.version() == version), (vec![], false));
    }

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
