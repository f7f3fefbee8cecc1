//! How long to wait before the next try.

use std::time::Duration;

/// Exponential backoff with full jitter: the n-th wait is uniform between nothing and `base · 2ⁿ`, capped.
///
/// Full jitter spreads the tries of many clients evenly, which a fixed or partly random wait does not.
#[derive(Clone, Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    tries: u32,
}

impl Backoff {
    /// Waits of at most `base` for the first try, doubling up to `cap`.
    pub fn new(base: Duration, cap: Duration) -> Self {
        Backoff { base, cap, tries: 0 }
    }

    /// The next wait. `random` is uniform in `[0, 1)`; the caller draws it.
    pub fn next_wait(&mut self, random: f64) -> Duration {
        let ceiling =
            self.base.saturating_mul(1u32.checked_shl(self.tries).unwrap_or(u32::MAX)).min(self.cap);
        self.tries = self.tries.saturating_add(1);
        ceiling.mul_f64(random.clamp(0.0, 1.0))
    }

    /// After a success: the next wait is short again.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_over_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let ceilings: Vec<u128> = (0..6).map(|_| backoff.next_wait(1.0).as_millis()).collect();
        assert_eq!(ceilings, [100, 200, 400, 800, 1_000, 1_000]);
        backoff.reset();
        assert_eq!(backoff.next_wait(0.5).as_millis(), 50);
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        assert!((0..1_000).all(|_| backoff.next_wait(0.999) <= Duration::from_secs(30)));
    }
}
