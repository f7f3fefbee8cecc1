//! Kubernetes events of a pipeline: what happened and what to do, for `kubectl describe`.
//!
//! An event that says the same as the one before is not sent again for a while. One that cannot be written is logged and
//! forgotten: events inform, nothing depends on them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client,
    runtime::events::{Event, EventType, Recorder, Reporter},
};

use crate::conditions;

/// An event that says the same as the one before is not sent again for so long.
const SILENCE: Duration = Duration::from_secs(300);
/// The API server refuses longer notes.
const LONGEST_NOTE: usize = 1_000;

/// Why an event was written. A closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// `Ready` has this reason now.
    Condition(conditions::Reason),
    TopicsCreated,
    TopicsDeleted,
    TopicsLeft,
    Scaled,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::Condition(reason) => reason.as_str(),
            Reason::TopicsCreated => "TopicsCreated",
            Reason::TopicsDeleted => "TopicsDeleted",
            Reason::TopicsLeft => "TopicsLeft",
            Reason::Scaled => "Scaled",
        }
    }

    /// What the controller was doing.
    fn action(self) -> &'static str {
        match self {
            Reason::TopicsDeleted | Reason::TopicsLeft => "Finalize",
            Reason::Scaled => "Scale",
            _ => "Reconcile",
        }
    }

    fn kind(self) -> EventType {
        use conditions::Reason as Because;
        match self {
            Reason::Condition(
                Because::Running
                | Because::Suspended
                | Because::Paused
                | Because::Deleting
                | Because::Progressing
                | Because::NotChecked
                | Because::ScaledToZero,
            )
            | Reason::TopicsCreated
            | Reason::TopicsDeleted
            | Reason::Scaled => EventType::Normal,
            Reason::Condition(_) | Reason::TopicsLeft => EventType::Warning,
        }
    }
}

/// Writes events.
pub(crate) struct Events {
    recorder: Recorder,
    said: Mutex<HashMap<(String, Reason), (String, Instant)>>,
}

impl Events {
    pub(crate) fn new(client: Client, identity: &str) -> Self {
        let reporter =
            Reporter { controller: "pricepipe-controller".to_owned(), instance: Some(identity.to_owned()) };
        Events { recorder: Recorder::new(client, reporter), said: Mutex::default() }
    }

    /// Writes an event about a pipeline, unless it was just said.
    pub(crate) async fn say(&self, regarding: &ObjectReference, reason: Reason, note: &str) {
        let uid = regarding.uid.clone().unwrap_or_default();
        if !self.is_news(uid, reason, note, Instant::now()) {
            return;
        }
        let event = Event {
            type_: reason.kind(),
            reason: reason.as_str().to_owned(),
            note: Some(shortened(note)),
            action: reason.action().to_owned(),
            secondary: None,
        };
        if let Err(error) = self.recorder.publish(&event, regarding).await {
            tracing::debug!(%error, reason = reason.as_str(), "an event could not be written");
        }
    }

    fn is_news(&self, uid: String, reason: Reason, note: &str, now: Instant) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|_, (_, when)| now.saturating_duration_since(*when) < SILENCE);
        let before = said.insert((uid, reason), (note.to_owned(), now));
        before.is_none_or(|(before, _)| before != note)
    }
}

fn shortened(note: &str) -> String {
    match note.char_indices().nth(LONGEST_NOTE) {
        None => note.to_owned(),
        Some((end, _)) => format!("{}…", &note[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_note_is_shortened_at_a_character() {
        assert_eq!(shortened("short"), "short");
        let long = shortened(&"ü".repeat(2_000));
        assert_eq!(long.chars().count(), LONGEST_NOTE + 1);
    }
}
