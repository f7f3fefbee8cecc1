//! Obeys an exchange that says "not now" (HTTP 429 and 418, or words of its own). Pure: the time is an argument.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// At least so long, also when the exchange says 0: its limits count by the second.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest ban that Binance gives.
const LONGEST: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// After a penalty one request goes ahead alone; if nothing is heard of it for so long, another one may.
const TRIAL: Duration = Duration::from_secs(10);

/// What an exchange answers to too many requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Wait. How it says so: `HTTP 429`, or words of its own.
    Rate(Arc<str>),
    /// 418: banned for having ignored that.
    Ban,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Rate(said) => write!(f, "rate-limited ({said})"),
            Limit::Ban => f.write_str("banned (HTTP 418)"),
        }
    }
}

/// The gate that every request to an exchange passes. An exchange counts by address, not by host name: so a penalty
/// of one of its hosts holds for all of them, and going to another would only prolong it.
#[derive(Debug, Default)]
pub(crate) struct Penalty {
    held: Option<(Limit, Instant)>,
    trial: Option<Instant>,
}

impl Penalty {
    /// `Ok` when a request may be sent now, else why not and for how long.
    pub(crate) fn admits(&mut self, now: Instant) -> Result<(), (Limit, Duration)> {
        let Some((limit, until)) = &self.held else { return Ok(()) };
        let left = self.trial.map_or(*until, |trial| trial.max(*until)).saturating_duration_since(now);
        if !left.is_zero() {
            return Err((limit.clone(), left));
        }
        self.trial = Some(now + TRIAL);
        Ok(())
    }

    /// The exchange imposed a penalty.
    pub(crate) fn impose(&mut self, limit: Limit, length: Duration, now: Instant) {
        let until = now + length.clamp(SHORTEST, LONGEST);
        // Answers to requests that were under way together may come in any order: the latest end counts.
        let until = self.held.as_ref().map_or(until, |(_, earlier)| until.max(*earlier));
        *self = Penalty { held: Some((limit, until)), trial: None };
    }

    /// A request that was sent after the last penalty's end was answered.
    pub(crate) fn lift(&mut self, now: Instant) {
        if self.held.as_ref().is_some_and(|(_, until)| *until <= now) {
            *self = Penalty::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate() -> Limit {
        Limit::Rate("HTTP 429".into())
    }

    #[test]
    fn a_ban_of_120_seconds_lets_nothing_through_and_then_one_request() {
        let (mut penalty, start) = (Penalty::default(), Instant::now());
        penalty.impose(Limit::Ban, 120 * SECOND, start);
        for second in 0..120 {
            let left = (120 - second) * SECOND;
            assert_eq!(penalty.admits(start + second * SECOND), Err((Limit::Ban, left)));
        }
        assert_eq!(penalty.admits(start + 120 * SECOND), Ok(()));
        assert!(penalty.admits(start + 121 * SECOND).is_err(), "the first request goes alone");
        penalty.lift(start + 122 * SECOND);
        assert_eq!(penalty.admits(start + 122 * SECOND), Ok(()));
        assert_eq!(penalty.admits(start + 122 * SECOND), Ok(()));
    }

    #[test]
    fn a_second_ban_begins_anew_and_a_lost_trial_blocks_nobody_for_ever() {
        let (mut penalty, start) = (Penalty::default(), Instant::now());
        penalty.impose(rate(), 2 * SECOND, start);
        assert_eq!(penalty.admits(start + 2 * SECOND), Ok(()));
        assert_eq!(penalty.admits(start + 13 * SECOND), Ok(()));
        penalty.impose(Limit::Ban, 60 * SECOND, start + 14 * SECOND);
        assert_eq!(penalty.admits(start + 15 * SECOND), Err((Limit::Ban, 59 * SECOND)));
    }

    #[test]
    fn an_old_answer_does_not_lift_a_penalty_that_is_in_force() {
        let (mut penalty, start) = (Penalty::default(), Instant::now());
        penalty.impose(rate(), 2 * SECOND, start);
        penalty.lift(start + SECOND);
        assert!(penalty.admits(start + SECOND).is_err());
        penalty.impose(rate(), SECOND, start);
        assert!(penalty.admits(start + Duration::from_millis(1_500)).is_err(), "the latest end counts");
    }

    #[test]
    fn zero_and_absurd_lengths_are_bounded() {
        let start = Instant::now();
        for (length, bounded) in [(Duration::ZERO, SECOND), (Duration::from_secs(u64::MAX), LONGEST)] {
            let mut penalty = Penalty::default();
            penalty.impose(rate(), length, start);
            assert_eq!(penalty.admits(start), Err((rate(), bounded)));
        }
    }
}
