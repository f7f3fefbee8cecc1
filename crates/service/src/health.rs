//! Whether a process is alive and whether it is ready, with reasons.
//!
//! Alive means that its own loops turn. Ready means that everything it depends on is at hand.

use std::{
    collections::BTreeMap,
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
    conditions: BTreeMap<String, Result<(), String>>,
    heartbeats: BTreeMap<String, (Instant, Duration)>,
}

/// One thing that a process depends on. It starts as not ready.
#[derive(Clone)]
pub struct Condition {
    name: Arc<str>,
    health: Health,
}

/// One loop of the process. It must beat more often than its limit.
#[derive(Clone)]
pub struct Heartbeat {
    name: Arc<str>,
    limit: Duration,
    health: Health,
}

impl Health {
    /// A new condition, not ready until it says otherwise.
    pub fn condition(&self, name: &str) -> Condition {
        let condition = Condition { name: name.into(), health: self.clone() };
        condition.not_ready("starting");
        condition
    }

    /// A new heartbeat; the process counts as dead when it does not beat for `limit`.
    pub fn heartbeat(&self, name: &str, limit: Duration) -> Heartbeat {
        let heartbeat = Heartbeat { name: name.into(), limit, health: self.clone() };
        heartbeat.beat();
        heartbeat
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

    /// Every condition with its reason when it is not met.
    pub fn conditions(&self) -> Vec<(String, Result<(), String>)> {
        self.lock().conditions.iter().map(|(name, met)| (name.clone(), met.clone())).collect()
    }

    /// Every loop that has stopped turning, as `name: reason`; empty when the process is alive.
    pub fn stalled(&self) -> Vec<String> {
        let (state, now) = (self.lock(), Instant::now());
        let late = |(name, (beat, limit)): (&String, &(Instant, Duration))| {
            let age = now.saturating_duration_since(*beat);
            (age > *limit).then(|| format!("{name}: no sign of life for {} s", age.as_secs()))
        };
        state.heartbeats.iter().filter_map(late).collect()
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
        let before = state.conditions.insert(self.name.to_string(), met.clone());
        drop(state);
        match (before, met) {
            (Some(Ok(())), Err(reason)) => tracing::warn!(condition = %self.name, reason, "not ready"),
            (Some(Err(_)), Ok(())) => tracing::info!(condition = %self.name, "ready"),
            _ => {}
        }
    }
}

impl Heartbeat {
    /// The loop turned.
    pub fn beat(&self) {
        self.health.lock().heartbeats.insert(self.name.to_string(), (Instant::now(), self.limit));
    }

    /// The loop has ended as it should; it is not watched any more.
    pub fn end(&self) {
        self.health.lock().heartbeats.remove(&*self.name);
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
    fn a_loop_that_stops_turning_is_reported_and_one_that_ended_is_not() {
        let health = Health::default();
        let heartbeat = health.heartbeat("poll loop", Duration::ZERO);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(health.stalled(), ["poll loop: no sign of life for 0 s"]);
        heartbeat.end();
        assert!(health.stalled().is_empty());
    }
}
