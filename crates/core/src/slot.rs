//! The clock-aligned moments at which a price is asked for.

use std::time::Duration;

use crate::Timestamp;

/// Slots of a fixed interval, aligned to 1970: with 3 s they lie at …:00, …:03, …:06.
///
/// A slot is part of an observation's identity, so two producers that poll the same slot produce the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    interval_millis: i64,
}

impl Slots {
    /// Slots of this interval, at least one millisecond.
    pub fn every(interval: Duration) -> Self {
        Slots { interval_millis: i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1) }
    }

    /// The slot that `now` lies in: the latest one that has begun.
    pub fn current(&self, now: Timestamp) -> Timestamp {
        self.at(now.as_millis().div_euclid(self.interval_millis), now)
    }

    /// The slot that begins next, strictly after `now`.
    pub fn next(&self, now: Timestamp) -> Timestamp {
        self.at(now.as_millis().div_euclid(self.interval_millis) + 1, now)
    }

    /// How many slots begin after `earlier`, up to and including `later`.
    pub fn between(&self, earlier: Timestamp, later: Timestamp) -> u64 {
        let count = later.as_millis().div_euclid(self.interval_millis)
            - earlier.as_millis().div_euclid(self.interval_millis);
        u64::try_from(count).unwrap_or(0)
    }

    fn at(&self, number: i64, fallback: Timestamp) -> Timestamp {
        Timestamp::from_millis(number.saturating_mul(self.interval_millis)).unwrap_or(fallback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_413_600_000 + millis).unwrap()
    }

    #[test]
    fn slots_lie_on_the_clock_whenever_the_producer_started() {
        let slots = Slots::every(Duration::from_secs(3));
        assert_eq!(slots.current(at(4_999)), at(3_000));
        assert_eq!(slots.current(at(3_000)), at(3_000));
        assert_eq!(slots.next(at(3_000)), at(6_000));
        assert_eq!(slots.next(at(5_999)), at(6_000));
    }

    #[test]
    fn missed_slots_are_counted() {
        let slots = Slots::every(Duration::from_secs(3));
        assert_eq!(slots.between(at(3_000), at(12_500)), 3);
        assert_eq!(slots.between(at(3_000), at(5_000)), 0);
        assert_eq!(slots.between(at(9_000), at(3_000)), 0, "a clock that steps back skips nothing");
    }
}
