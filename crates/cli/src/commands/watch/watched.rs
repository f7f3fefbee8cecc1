//! What is known of a pipeline that runs elsewhere, as one moment of the live view.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_core::{Pipeline, Timestamp};
use pricepipe_service::clock;
use serde::Serialize;

use super::seen::Seen;
use crate::live::{self, Part, Phase, Snapshot, Source, State, Sums};

/// What those who look find. Clones share it.
#[derive(Clone)]
pub(super) struct Watched(Arc<Mutex<Findings>>);

/// What was found so far.
pub(super) struct Findings {
    /// The messages, or what the store says of them.
    pub(super) seen: Seen,
    /// How Kafka is.
    pub(super) kafka: State,
    /// How the store is.
    pub(super) store: State,
    /// Which store.
    pub(super) store_place: String,
    /// What somebody should know of it.
    pub(super) notes: Vec<String>,
}

impl Watched {
    /// Nothing was found yet.
    pub(super) fn of(seen: Seen, store_place: String) -> Self {
        let waiting = || State::Waiting(String::new());
        let (kafka, store) = (waiting(), waiting());
        Watched(Arc::new(Mutex::new(Findings { seen, kafka, store, store_place, notes: Vec::new() })))
    }

    /// To read or write it.
    pub(super) fn lock(&self) -> MutexGuard<'_, Findings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The live view's source.
pub(super) struct Watch {
    pub(super) watched: Watched,
    /// Where prices come from and which Kafka it is.
    pub(super) exchange: String,
    pub(super) kafka: String,
    /// Whether topics are read; else the store is.
    pub(super) from_topics: bool,
    pub(super) since: Instant,
    pub(super) interval: Duration,
    pub(super) stale_after: Duration,
    pub(super) phase: Phase,
}

impl Watch {
    /// A watch that begins now.
    pub(super) fn of(pipeline: &Pipeline, watched: Watched, exchange: String, kafka: String) -> Self {
        Watch {
            watched,
            exchange,
            kafka,
            from_topics: true,
            since: Instant::now(),
            interval: live::interval(pipeline).unwrap_or_default(),
            stale_after: live::stale_after(pipeline),
            phase: Phase::Running,
        }
    }

    /// The sums so far.
    pub(super) fn totals(&self) -> Totals {
        self.totals_of(&self.watched.lock())
    }

    fn totals_of(&self, findings: &Findings) -> Totals {
        let (counts, lag) = (findings.seen.counts(), findings.seen.lag());
        let of_topics = |count| self.from_topics.then_some(count);
        Totals {
            seen: of_topics(counts.messages),
            stored: counts.stored,
            duplicates: of_topics(counts.duplicates),
            unusable: of_topics(counts.unusable),
            lag,
        }
    }
}

impl Source for Watch {
    fn snapshot(&mut self) -> Snapshot {
        // One moment: the rows and their sums belong together.
        let (findings, now) = (self.watched.lock(), clock::now());
        let exchange =
            freshness(findings.seen.newest(), now, self.since.elapsed(), (self.interval, self.stale_after));
        let part =
            |name, place: &String, state: &State| Part { name, place: place.clone(), state: state.clone() };
        Snapshot {
            at: Some(now),
            rows: findings.seen.rows(now, self.from_topics),
            parts: vec![
                part("exchange", &self.exchange, &exchange),
                part("Kafka", &self.kafka, &findings.kafka),
                part("store", &findings.store_place, &findings.store),
            ],
            notes: findings.notes.clone(),
            replay: None,
            phase: self.phase,
            sums: Sums::of(&self.totals_of(&findings)),
            stale_after: self.stale_after,
        }
    }
}

/// How the exchange is, as far as prices tell.
fn freshness(
    newest: Option<Timestamp>,
    now: Timestamp,
    watching: Duration,
    (interval, stale_after): (Duration, Duration),
) -> State {
    if stale_after.is_zero() {
        // Of a stream or of history nothing is due.
        let age = newest.map(|newest| live::age(newest, now).as_secs());
        let told = |age| State::Fine(format!("the newest price is {age} s old"));
        return age.map_or_else(|| State::Waiting("no price yet".to_owned()), told);
    }
    let due = format!("one is due every {} s", interval.as_secs_f64());
    match newest.map(|newest| live::age(newest, now)) {
        Some(age) if age <= stale_after => State::Fine("prices arrive".to_owned()),
        Some(age) => State::Away(format!("the newest price is {} s old; {due}", age.as_secs())),
        None if watching <= stale_after => State::Waiting("no price yet".to_owned()),
        None => State::Away(format!("no price since the watch began, {} s ago; {due}", watching.as_secs())),
    }
}

/// Sums. What only topics tell is absent where the store is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    /// Messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seen: Option<u64>,
    /// Those of them whose document is in the store; where the store is looked at, all documents.
    pub(super) stored: u64,
    /// Messages of an observation that was told before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duplicates: Option<u64>,
    /// Messages that nobody can store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unusable: Option<u64>,
    /// Messages of the topics that are not stored yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) lag: Option<u64>,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(seen) = self.seen else { return write!(f, "documents {}", self.stored) };
        let (duplicates, unusable) = (self.duplicates.unwrap_or(0), self.unusable.unwrap_or(0));
        write!(f, "seen {seen}, stored {} (duplicates {duplicates}), unusable {unusable}", self.stored)?;
        self.lag.map_or(Ok(()), |lag| write!(f, ", lag {lag}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_is_as_fresh_as_its_newest_price() {
        let times = (Duration::from_secs(3), Duration::from_secs(8));
        let (now, seconds) = ("2026-11-23T06:01:00Z".parse().unwrap(), Duration::from_secs);
        let at = |newest: &str, watching| freshness(newest.parse().ok(), now, seconds(watching), times);
        assert_eq!(at("2026-11-23T06:00:52Z", 60), State::Fine("prices arrive".into()));
        let old = State::Away("the newest price is 9 s old; one is due every 3 s".into());
        assert_eq!(at("2026-11-23T06:00:51Z", 60), old);
        assert_eq!(at("none", 8), State::Waiting("no price yet".into()));
        let never = "no price since the watch began, 9 s ago; one is due every 3 s";
        assert_eq!(at("none", 9), State::Away(never.into()));
    }

    #[test]
    fn nothing_is_due_where_prices_come_when_something_happens() {
        let nothing = (Duration::ZERO, Duration::ZERO);
        let (now, watching) = ("2026-11-23T06:01:00Z".parse().unwrap(), Duration::from_secs(600));
        let at = |newest: &str| freshness(newest.parse().ok(), now, watching, nothing);
        assert_eq!(at("2026-11-23T06:00:00Z"), State::Fine("the newest price is 60 s old".into()));
        assert_eq!(at("none"), State::Waiting("no price yet".into()));
    }

    #[test]
    fn sums_tell_what_is_known_alone() {
        let topics =
            Totals { seen: Some(5), stored: 3, duplicates: Some(1), unusable: Some(0), lag: Some(2) };
        assert_eq!(topics.to_string(), "seen 5, stored 3 (duplicates 1), unusable 0, lag 2");
        let store = Totals { stored: 40, ..Totals::default() };
        assert_eq!(store.to_string(), "documents 40");
        assert_eq!(serde_json::to_string(&store).unwrap(), r#"{"stored":40}"#);
    }
}
