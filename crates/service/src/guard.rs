//! Patience around one thing that may be away: a circuit breaker, jittered backoff and a metric.

use std::{
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_core::{Backoff, Breaker, BreakerState};
use prometheus::IntGauge;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// While a breaker is open its target is pinged about this often.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// Guards every use of one target. Shared by all who use it.
pub struct Guard {
    target: String,
    patience: Mutex<(Breaker, Backoff)>,
    metric: IntGauge,
}

impl Guard {
    /// A guard whose breaker opens after 5 failures in a row for at most 60 s.
    pub(crate) fn new(target: &str, metric: IntGauge) -> Self {
        metric.set(BreakerState::Closed as i64);
        let backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        Guard { target: target.to_owned(), patience: Mutex::new((Breaker::default(), backoff)), metric }
    }

    /// What it guards: the label of its metric.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Where the breaker stands.
    pub fn state(&self) -> BreakerState {
        self.lock().0.state()
    }

    /// `None` when the target may be used now, else how long until it may.
    pub fn wait(&self) -> Option<Duration> {
        self.with(|breaker, _| breaker.wait(Instant::now()))
    }

    /// The target did what it should.
    pub fn succeeded(&self) {
        self.with(|breaker, backoff| {
            breaker.succeeded();
            backoff.reset();
        });
    }

    /// The target failed. Returns how long to wait before the next try.
    pub fn failed(&self) -> Duration {
        self.with(|breaker, backoff| {
            breaker.failed(Instant::now());
            backoff.next_wait(fastrand::f64())
        })
    }

    /// A cheap probe of the target succeeded: an open breaker half-opens at once.
    pub fn probe_succeeded(&self) {
        self.with(|breaker, _| breaker.probe_succeeded());
    }

    /// Tries `work` until it succeeds, for ever, or gives `None` once `stop` is cancelled between two tries.
    ///
    /// While the breaker is open `work` is not tried; `probe` is, about every 5 s, and half-opens it on success.
    // Not `AsyncFnMut`: its futures are not known to be `Send` for every borrow, and this is to run in spawned tasks.
    pub async fn persist<T, E: Display, W: Future<Output = Result<T, E>>, P: Future<Output = bool>>(
        &self,
        stop: &CancellationToken,
        mut work: impl FnMut() -> W,
        mut probe: impl FnMut() -> P,
        mut on_failure: impl FnMut(&E),
    ) -> Option<T> {
        while !stop.is_cancelled() {
            let pause = match self.wait() {
                Some(left) => left.min(PROBE_EVERY.mul_f64(0.5 + fastrand::f64() / 2.0)),
                None => match work().await {
                    Ok(value) => {
                        self.succeeded();
                        return Some(value);
                    }
                    Err(error) => {
                        on_failure(&error);
                        self.failed()
                    }
                },
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => return None,
            }
            if self.state() == BreakerState::Open && probe().await {
                self.probe_succeeded();
            }
        }
        None
    }

    fn with<T>(&self, change: impl FnOnce(&mut Breaker, &mut Backoff) -> T) -> T {
        let mut patience = self.lock();
        let (breaker, backoff) = &mut *patience;
        let before = breaker.state();
        let result = change(breaker, backoff);
        let after = breaker.state();
        drop(patience);
        if before != after {
            self.metric.set(after as i64);
            // Not `target`: that is the module of every line already.
            tracing::info!(breaker = self.target, state = after.as_str(), "circuit breaker");
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, (Breaker, Backoff)> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn guard() -> Guard {
        let metric = IntGauge::new("breaker_state", "of a test").unwrap();
        Guard::new("test", metric)
    }

    #[tokio::test(start_paused = true)]
    async fn tries_until_it_works_and_the_breaker_spares_a_target_that_stays_away() {
        let (guard, tries, probes) = (guard(), Cell::new(0), Cell::new(0));
        let work = async || {
            tries.set(tries.get() + 1);
            if tries.get() <= 5 { Err("away") } else { Ok(tries.get()) }
        };
        let probe = async || {
            probes.set(probes.get() + 1);
            probes.get() == 3
        };
        let done = guard.persist(&CancellationToken::new(), work, probe, |_| {}).await;
        assert_eq!(
            (done, probes.get()),
            (Some(6), 3),
            "the sixth try comes only after a probe has succeeded"
        );
        assert_eq!(guard.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn stops_between_two_tries_when_told_to() {
        let (guard, stop) = (guard(), CancellationToken::new());
        let work = async || {
            stop.cancel();
            Err::<(), _>("away")
        };
        assert_eq!(guard.persist(&stop, work, async || false, |_| {}).await, None);
    }

    #[test]
    fn the_metric_follows_the_state() {
        let guard = guard();
        (0..5).for_each(|_| {
            guard.failed();
        });
        assert_eq!(guard.metric.get(), 2);
        guard.probe_succeeded();
        assert_eq!(guard.metric.get(), 1);
        guard.succeeded();
        assert_eq!(guard.metric.get(), 0);
    }
}
