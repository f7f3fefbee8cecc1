//! Keeps requests within an exchange's limits: their weight in a clock minute, and how fast they follow one another. Pure: the
//! time is an argument.

use std::time::{Duration, Instant};

use pricepipe_core::Timestamp;

/// How far spending may run ahead of the minute at its beginning, as a part of the limit. Without pace, two producers behind one
/// address would spend a minute's weight in half of it and then be silent for the other half.
const AHEAD: f64 = 0.1;

/// The weight used in the present clock minute: what we spent, or what the exchange reports if that is more.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    minute: i64,
    used: u64,
}

impl Budget {
    /// True when a request of this weight keeps to the limit, and to the pace that reaches it at the minute's end.
    pub(crate) fn admits(&mut self, weight: u32, limit: u64, now: Timestamp) -> bool {
        self.turn(now);
        let passed = part_of_minute(now);
        let share = limit as f64 * (passed + AHEAD * (1.0 - passed));
        self.used + u64::from(weight) <= limit && self.used as f64 <= share
    }

    /// A request was sent.
    pub(crate) fn spent(&mut self, weight: u32, now: Timestamp) {
        self.turn(now);
        self.used += u64::from(weight);
    }

    /// The exchange says what everybody behind our address has used, in the minute of its own clock.
    ///
    /// Its clock may be behind ours: then it still speaks of the last minute, and that is over.
    pub(crate) fn reported(&mut self, used: u64, exchange_time: Option<Timestamp>, now: Timestamp) {
        self.turn(now);
        if exchange_time.is_none_or(|time| minute(time) >= self.minute) {
            self.used = self.used.max(used);
        }
    }

    /// The weight used in this minute.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    fn turn(&mut self, now: Timestamp) {
        if self.minute != minute(now) {
            *self = Budget { minute: minute(now), used: 0 };
        }
    }
}

/// How fast requests may follow one another, where an exchange counts them by the second: a bucket that fills evenly.
#[derive(Debug)]
pub(crate) struct Pace {
    every: Duration,
    /// What a full bucket holds beyond the first request, as time.
    burst: Duration,
    /// When the bucket would be full again, were nothing taken from now on.
    full_at: Option<Instant>,
}

impl Pace {
    /// A request `every` so often, and `burst` of them at once after a pause.
    pub(crate) fn new(every: Duration, burst: u32) -> Self {
        Pace { every, burst: every * burst.saturating_sub(1), full_at: None }
    }

    /// Takes a turn: how long to wait for it.
    pub(crate) fn take(&mut self, now: Instant) -> Duration {
        let full_at = self.full_at.map_or(now, |at| at.max(now));
        self.full_at = Some(full_at + self.every);
        (full_at - now).saturating_sub(self.burst)
    }
}

fn minute(time: Timestamp) -> i64 {
    time.as_millis().div_euclid(60_000)
}

fn part_of_minute(time: Timestamp) -> f64 {
    time.as_millis().rem_euclid(60_000) as f64 / 60_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_413_600_000 + millis).unwrap()
    }

    /// Several producers behind one address poll for a minute, each as its own budget admits; the exchange reports
    /// the sum. Gives what each used, and its longest silence.
    fn minute_of(producers: usize, interval: i64, limit: u64) -> Vec<(u64, i64)> {
        let mut total = 0;
        let mut state: Vec<(Budget, u64, i64, i64)> = (0..producers).map(|_| Default::default()).collect();
        for time in (0..60_000).step_by(usize::try_from(interval).unwrap()) {
            for (budget, used, silence, last) in &mut state {
                if budget.admits(4, limit, at(time)) {
                    budget.spent(4, at(time));
                    (total, *used, *last) = (total + 4, *used + 4, time);
                    budget.reported(total, None, at(time));
                }
                *silence = (*silence).max(time - *last);
            }
        }
        state.into_iter().map(|(_, used, silence, _)| (used, silence)).collect()
    }

    #[test]
    fn a_poll_that_just_fits_is_never_held_back() {
        assert_eq!(minute_of(1, 200, 1_200), [(1_200, 0)]);
    }

    #[test]
    fn a_limit_below_the_demand_thins_the_slots_evenly_and_is_kept() {
        let [(used, silence)] = minute_of(1, 200, 600)[..] else { panic!() };
        assert!((560..=600).contains(&used), "{used}");
        assert!(silence <= 600, "{silence} ms without a price");
    }

    #[test]
    fn two_producers_behind_one_address_keep_one_limit_together_and_neither_goes_silent() {
        let producers = minute_of(2, 200, 1_200);
        let total: u64 = producers.iter().map(|(used, _)| used).sum();
        assert!(total <= 1_204, "{total} of 1200");
        assert!(producers.iter().all(|(used, silence)| *used >= 400 && *silence <= 2_000), "{producers:?}");
    }

    #[test]
    fn a_report_near_the_limit_stops_requests_until_the_next_minute() {
        let mut budget = Budget::default();
        assert!(budget.admits(4, 5_700, at(30_000)));
        budget.reported(5_700, Some(at(30_000)), at(30_050));
        assert!(!budget.admits(4, 5_700, at(59_999)));
        assert!(budget.admits(4, 5_700, at(60_000)));
    }

    #[test]
    fn a_report_of_the_minute_that_is_over_is_ignored() {
        let mut budget = Budget::default();
        budget.reported(1_190, Some(at(59_000)), at(60_020));
        assert_eq!(budget.used(), 0);
        budget.reported(8, Some(at(60_000)), at(60_220));
        assert_eq!(budget.used(), 8);
    }

    #[test]
    fn requests_by_the_second_come_in_a_short_burst_and_then_evenly() {
        let (mut pace, start) = (Pace::new(Duration::from_millis(100), 3), Instant::now());
        let waits = |pace: &mut Pace, now| (0..5).map(|_| pace.take(now).as_millis()).collect::<Vec<_>>();
        assert_eq!(waits(&mut pace, start), [0, 0, 0, 100, 200]);
        assert_eq!(waits(&mut pace, start + Duration::from_millis(200)), [100, 200, 300, 400, 500]);
        assert_eq!(waits(&mut pace, start + Duration::from_secs(60)), [0, 0, 0, 100, 200]);
        let mut single = Pace::new(Duration::from_secs(1), 1);
        assert_eq!(waits(&mut single, start)[..3], [0, 1_000, 2_000]);
    }
}
