//! How often something may be done: new connections, messages of a client, requests. Pure; time is an argument.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::config::RequestRate;

/// Lets so many through within a sliding time.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    most: usize,
    within: Duration,
    passed: VecDeque<Instant>,
}

impl Gate {
    pub(crate) fn new(most: usize, within: Duration) -> Self {
        Gate { most, within, passed: VecDeque::new() }
    }

    /// True when one more may pass; only then is it counted.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        while self.passed.front().is_some_and(|first| now.saturating_duration_since(*first) >= self.within) {
            self.passed.pop_front();
        }
        let admitted = self.passed.len() < self.most;
        if admitted {
            self.passed.push_back(now);
        }
        admitted
    }
}

/// A bucket of tokens that fills itself.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    rate: RequestRate,
    tokens: f64,
    filled: Option<Instant>,
}

impl Bucket {
    pub(crate) fn new(rate: RequestRate) -> Self {
        Bucket { rate, tokens: f64::from(rate.burst), filled: None }
    }

    /// True when there was a token left.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        let passed = self.filled.map_or(Duration::ZERO, |filled| now.saturating_duration_since(filled));
        self.filled = Some(now);
        if !passed.is_zero() {
            let filled = self.tokens + passed.as_secs_f64() * self.rate.per_second;
            self.tokens = filled.min(f64::from(self.rate.burst));
        }
        let admitted = self.tokens >= 1.0;
        self.tokens -= if admitted { 1.0 } else { 0.0 };
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_counts_within_its_time_only() {
        let mut gate = Gate::new(2, Duration::from_secs(1));
        let start = Instant::now();
        let passed =
            [0, 100, 200, 999, 1_000, 1_050, 1_100].map(|ms| gate.admits(start + Duration::from_millis(ms)));
        assert_eq!(passed, [true, true, false, false, true, false, true]);
    }

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
        let mut bucket = Bucket::new(RequestRate { per_second: 10.0, burst: 3 });
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let passed =
            [0, 0, 0, 0, 50, 101, 101, 60_000, 60_000, 60_000, 60_000].map(|ms| bucket.admits(at(ms)));
        assert_eq!(passed, [true, true, true, false, false, true, false, true, true, true, false]);
        let mut unlimited = Bucket::new(RequestRate::UNLIMITED);
        assert!((0..100_000).all(|_| unlimited.admits(at(1))));
    }
}
