//! Lets no more connections through than an exchange bears. The bucket is pure; the gate waits.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_exchange::stream::Limits;
use tokio::time::sleep;

use crate::{
    penalty::{Limit, Penalty},
    source::SourceError,
};

/// What every connection to an exchange passes, whichever source it is for: the exchange counts by address.
/// Requests have a penalty of their own: exchanges count them apart.
pub(crate) struct Gate {
    state: Mutex<(Bucket, Penalty)>,
}

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Self {
        let bucket = Bucket::new(limits.connects, Duration::from_millis(limits.connect_millis));
        Gate { state: Mutex::new((bucket, Penalty::default())) }
    }

    /// Waits until a connection may be opened.
    ///
    /// # Errors
    /// The exchange has said "not now"; that may take days, and is for the caller to tell and to wait for.
    pub(super) async fn pass(&self) -> Result<(), SourceError> {
        while let Some(wait) = self.ask()? {
            sleep(wait).await;
        }
        Ok(())
    }

    /// The exchange says "not now".
    pub(super) fn impose(&self, limit: Limit, length: Duration) {
        self.lock().1.impose(limit, length, Instant::now());
    }

    /// The exchange let a connection in.
    pub(super) fn lift(&self) {
        self.lock().1.lift(Instant::now());
    }

    /// `None` when a connection may be opened, which is counted; else how long to wait before asking again.
    fn ask(&self) -> Result<Option<Duration>, SourceError> {
        let now = Instant::now();
        let mut state = self.lock();
        let (bucket, penalty) = &mut *state;
        // The bucket first: passing a penalty is a trial that must be used at once.
        if let Some(wait) = bucket.wait(now) {
            return Ok(Some(wait));
        }
        penalty.admits(now).map_err(|(limit, left)| SourceError::Limited(limit, left))?;
        bucket.take();
        Ok(None)
    }

    fn lock(&self) -> MutexGuard<'_, (Bucket, Penalty)> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Half of the limit at once, the other half spread evenly over the period: so no period has more than the limit, and
/// nobody who has used up the first half waits for its end.
struct Bucket {
    most: f64,
    per_second: f64,
    left: f64,
    filled: Option<Instant>,
}

impl Bucket {
    fn new(most: u32, period: Duration) -> Self {
        let half = (f64::from(most) / 2.0).floor().max(1.0);
        Bucket { most: half, per_second: half / period.as_secs_f64(), left: half, filled: None }
    }

    /// `None` when there is one to take, else when there will be.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        let passed = self.filled.map_or(Duration::ZERO, |filled| now.saturating_duration_since(filled));
        self.left = (self.left + passed.as_secs_f64() * self.per_second).min(self.most);
        self.filled = Some(now);
        // Rounded up to a whole millisecond, or a wait could fall short by a rounding error for ever.
        let missing = 1.0 - self.left;
        (missing > 0.0).then(|| Duration::from_millis((missing / self.per_second * 1_000.0).ceil() as u64))
    }

    fn take(&mut self) {
        self.left -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of so many connections is let through that all want to open at once, in milliseconds.
    fn moments(most: u32, period: Duration, wanted: usize) -> Vec<u128> {
        let (mut bucket, start) = (Bucket::new(most, period), Instant::now());
        let mut now = start;
        let moment = |_| {
            while let Some(wait) = bucket.wait(now) {
                now += wait;
            }
            bucket.take();
            (now - start).as_millis()
        };
        (0..wanted).map(moment).collect()
    }

    #[test]
    fn no_period_has_more_connections_than_the_exchange_allows() {
        for (most, period) in
            [(300, Duration::from_secs(300)), (8, Duration::from_secs(1)), (1, Duration::from_secs(1))]
        {
            let moments = moments(most, period, 1_000);
            let in_period = |(at, first): (usize, &u128)| {
                moments[at..].iter().take_while(|moment| **moment < first + period.as_millis()).count()
            };
            let most_seen = moments.iter().enumerate().map(in_period).max().unwrap();
            assert!(most_seen <= most as usize + 1, "{most_seen} of {most}");
        }
    }

    #[test]
    fn after_the_first_half_they_come_evenly() {
        let moments = moments(300, Duration::from_secs(300), 160);
        assert_eq!(moments[149], 0);
        assert_eq!(moments[150..153], [2_000, 4_000, 6_000]);
    }

    #[test]
    fn a_penalty_is_told_instead_of_waited_for() {
        let gate = Gate::new(&crate::streams::tests::topic().limits());
        assert_eq!(gate.ask(), Ok(None));
        gate.impose(Limit::Ban, Duration::from_secs(120));
        assert!(matches!(gate.ask(), Err(SourceError::Limited(Limit::Ban, _))));
    }
}
