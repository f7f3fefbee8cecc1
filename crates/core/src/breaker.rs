//! When to stop asking something that fails.

use std::time::{Duration, Instant};

/// Where a breaker stands. The number is the value of the metric `breaker_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Work is tried.
    Closed = 0,
    /// One try is allowed, to see whether the target is back.
    HalfOpen = 1,
    /// Work is not tried.
    Open = 2,
}

impl BreakerState {
    /// The state as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half-open",
            BreakerState::Open => "open",
        }
    }
}

/// A circuit breaker: after enough failures in a row it refuses work for a while, then lets one try through.
///
/// While open, a cheap probe (a ping) that succeeds may half-open it early: see [`Breaker::probe_succeeded`].
/// So a target that is back after a short outage is not kept waiting, and one that is away is not hammered.
#[derive(Clone, Debug)]
pub struct Breaker {
    threshold: u32,
    open_for: Duration,
    failures: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { since: Instant },
    HalfOpen,
}

impl Default for Breaker {
    /// Opens after 5 failures in a row, half-opens after 60 s.
    fn default() -> Self {
        Breaker::new(5, Duration::from_secs(60))
    }
}

impl Breaker {
    /// Opens after `threshold` failures in a row, half-opens `open_for` later.
    pub fn new(threshold: u32, open_for: Duration) -> Self {
        Breaker { threshold: threshold.max(1), open_for, failures: 0, state: State::Closed }
    }

    /// `None` when work may be tried now, else how long until it may.
    pub fn wait(&mut self, now: Instant) -> Option<Duration> {
        if let State::Open { since } = self.state {
            let left = self.open_for.saturating_sub(now.saturating_duration_since(since));
            if !left.is_zero() {
                return Some(left);
            }
            self.state = State::HalfOpen;
        }
        None
    }

    /// Work succeeded.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.state = State::Closed;
    }

    /// Work failed.
    pub fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if matches!(self.state, State::HalfOpen) || self.failures >= self.threshold {
            self.state = State::Open { since: now };
        }
    }

    /// A cheap probe succeeded: the next piece of work may be tried at once.
    pub fn probe_succeeded(&mut self) {
        if let State::Open { .. } = self.state {
            self.state = State::HalfOpen;
        }
    }

    /// Where it stands.
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        (0..5).for_each(|_| breaker.failed(now));
        breaker
    }

    #[test]
    fn opens_after_five_failures_in_a_row_and_not_before() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(now);
        }
        breaker.succeeded();
        for _ in 0..4 {
            breaker.failed(now);
            assert_eq!(breaker.wait(now), None);
        }
        breaker.failed(now);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.wait(now), Some(MINUTE));
    }

    #[test]
    fn half_opens_after_a_minute_and_closes_on_success() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.wait(now + MINUTE), None);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        breaker.succeeded();
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn one_failure_while_half_open_opens_it_for_another_minute() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.wait(now + MINUTE), None);
        breaker.failed(now + MINUTE);
        assert_eq!(breaker.wait(now + MINUTE), Some(MINUTE));
    }

    #[test]
    fn a_probe_that_succeeds_half_opens_it_early() {
        let now = Instant::now();
        let mut breaker = opened(now);
        breaker.probe_succeeded();
        assert_eq!(breaker.wait(now), None);
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
    }
}
