//! Whether a process is alive and whether it is ready, with reasons.
//!
//! Alive means that its own loops turn. Ready means that everything it depends on is at hand.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The health of one process: named conditions and heartbeats. Cheap to clone; clones share it.
#[derive(Clone, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// In the order in which they were made. Two components of one process may each have one of the same name.
    conditions: Vec<(String, Result<(), String>)>,
    heartbeats: Vec<Loop>,
}

struct Loop {
    name: String,
    limit: Duration,
    /// When it last turned; `None` once it has ended as it should.
    beat: Option<Instant>,
}

/// One thing that a process depends on. It starts as not ready.
#[derive(Clone)]
pub struct Condition {
    index: usize,
    health: Health,
}

/// One loop of the process. It must beat more often than its limit.
#[derive(Clone)]
pub struct Heartbeat {
    index: usize,
    health: Health,
}

impl Health {
    /// A new condition, not ready until it says otherwise.
    pub fn condition(&self, name: &str) -> Condition {
        let mut state = self.lock();
        state.conditions.push((name.to_owned(), Err("starting".to_owned())));
        Condition { index: state.conditions.len() - 1, health: self.clone() }
    }

    /// A new heartbeat; the process counts as dead when it does not beat for `limit`.
    pub fn heartbeat(&self, name: &str, limit: Duration) -> Heartbeat {
        let mut state = self.lock();
        state.heartbeats.push(Loop { name: name.to_owned(), limit, beat: Some(Instant::now()) });
        Heartbeat { index: state.heartbeats.len() - 1, health: self.clone() }
    }

    /// Every condition that is not met, as `name: reason`; empty when the process is ready.
    pub fn unmet(&self) -> Vec<String> {
        let state = self.lock();
        state
            .conditions
            .iter()
            .filter_map(|(name, met)| Some(format!("{name}: {}", met.as_ref().err()?)))
            .collect()
    }

    /// Every loop that has stopped turning, as `name: reason`; empty when the process is alive.
    pub fn stalled(&self) -> Vec<String> {
        let now = Instant::now();
        let late = |one: &Loop| {
            let age = now.saturating_duration_since(one.beat?);
            (age > one.limit).then(|| format!("{}: no sign of life for {} s", one.name, age.as_secs()))
        };
        self.lock().heartbeats.iter().filter_map(late).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// It is at hand.
    pub fn ready(&self) {
        self.set(Ok(()));
    }

    /// It is not at hand, and why.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(Err(reason.into()));
    }

    fn set(&self, met: Result<(), String>) {
        let mut state = self.health.lock();
        let Some((name, before)) = state.conditions.get_mut(self.index) else { return };
        let (name, before) = (name.clone(), std::mem::replace(before, met.clone()));
        drop(state);
        match (before, met) {
            (Ok(()), Err(reason)) => tracing::info!(condition = name, reason, "not ready"),
            (Err(_), Ok(())) => tracing::info!(condition = name, "ready"),
            _ => {}
        }
    }
}

impl Heartbeat {
    /// The loop turned.
    pub fn beat(&self) {
        self.set(Some(Instant::now()));
    }

    /// The loop has ended as it should; it is not watched any more.
    pub fn end(&self) {
        self.set(None);
    }

    fn set(&self, beat: Option<Instant>) {
        if let Some(one) = self.health.lock().heartbeats.get_mut(self.index) {
            one.beat = beat;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_when_every_condition_is_met_and_says_which_is_not() {
        let health = Health::default();
        let (kafka, store) = (health.condition("kafka"), health.condition("store"));
        kafka.ready();
        assert_eq!(health.unmet(), ["store: starting"]);
        store.ready();
        assert!(health.unmet().is_empty());
        kafka.not_ready("all brokers are down");
        assert_eq!(health.unmet(), ["kafka: all brokers are down"]);
    }

    #[test]
    fn two_components_of_one_process_do_not_speak_for_each_other() {
        let health = Health::default();
        let (producer, consumer) = (health.condition("kafka"), health.condition("kafka"));
        producer.ready();
        consumer.not_ready("joining the group");
        assert_eq!(health.unmet(), ["kafka: joining the group"]);
    }

    #[test]
    fn a_loop_that_stops_turning_is_reported_and_one_that_ended_is_not() {
        let health = Health::default();
        let heartbeat = health.heartbeat("poll loop", Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(health.stalled(), ["poll loop: no sign of life for 0 s"]);
        heartbeat.end();
        assert!(health.stalled().is_empty());
    }
}
