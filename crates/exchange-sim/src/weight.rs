//! The request weight that clients have used in this clock minute. Pure; time is an argument.

use std::time::Duration;

use crate::config::Limits;

const MINUTE_MILLIS: i64 = 60_000;
const LONGEST_BAN: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Counts weight per clock minute, and bans whoever goes on after being told to stop.
#[derive(Clone, Debug)]
pub(crate) struct WeightMeter {
    limits: Limits,
    minute: i64,
    used: u32,
    limited_until: i64,
    banned_until: i64,
    bans: u32,
}

/// What a request is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allowed,
    /// 429: wait for the next minute.
    Limited {
        retry_after_secs: i64,
    },
    /// 418: wait for the end of the ban.
    Banned {
        until_millis: i64,
        retry_after_secs: i64,
    },
}

impl WeightMeter {
    pub(crate) fn new(limits: Limits) -> Self {
        WeightMeter { limits, minute: 0, used: 0, limited_until: 0, banned_until: 0, bans: 0 }
    }

    /// Charges a request. Gives the weight used in this minute, and what to tell the client.
    pub(crate) fn charge(&mut self, now_millis: i64, weight: u32) -> (u32, Verdict) {
        let minute = now_millis.div_euclid(MINUTE_MILLIS);
        if minute != self.minute {
            (self.minute, self.used) = (minute, 0);
        }
        self.used = self.used.saturating_add(weight);
        (self.used, self.verdict(now_millis))
    }

    fn verdict(&mut self, now_millis: i64) -> Verdict {
        if now_millis < self.banned_until {
            return self.banned(now_millis);
        }
        if now_millis < self.limited_until {
            self.ban(now_millis);
            return self.banned(now_millis);
        }
        if self.used <= self.limits.weight_per_minute {
            return Verdict::Allowed;
        }
        self.limited_until = (self.minute + 1) * MINUTE_MILLIS;
        Verdict::Limited { retry_after_secs: seconds_until(self.limited_until, now_millis) }
    }

    fn ban(&mut self, now_millis: i64) {
        let length = self.limits.first_ban.saturating_mul(1u32.checked_shl(self.bans).unwrap_or(u32::MAX));
        self.bans = self.bans.saturating_add(1);
        self.banned_until = now_millis + length.min(LONGEST_BAN).as_millis() as i64;
        // Once the ban is over, the next excess is told 429 again before it is banned again.
        self.limited_until = 0;
    }

    fn banned(&self, now_millis: i64) -> Verdict {
        let until_millis = self.banned_until;
        Verdict::Banned { until_millis, retry_after_secs: seconds_until(until_millis, now_millis) }
    }
}

/// Rounded up, so that whoever waits so long has waited long enough.
fn seconds_until(then_millis: i64, now_millis: i64) -> i64 {
    (then_millis - now_millis + 999) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a clock minute.
    const START: i64 = 29_923_560 * MINUTE_MILLIS;

    fn meter(weight_per_minute: u32) -> WeightMeter {
        WeightMeter::new(Limits { weight_per_minute, first_ban: Duration::from_secs(120) })
    }

    #[test]
    fn weight_is_counted_by_clock_minute() {
        let mut meter = meter(6_000);
        assert_eq!(meter.charge(START, 4), (4, Verdict::Allowed));
        assert_eq!(meter.charge(START + 59_999, 20), (24, Verdict::Allowed));
        assert_eq!(meter.charge(START + 60_000, 2), (2, Verdict::Allowed));
    }

    #[test]
    fn the_limit_itself_is_allowed_and_more_must_wait_for_the_next_minute() {
        let mut meter = meter(8);
        assert_eq!(meter.charge(START + 100, 8), (8, Verdict::Allowed));
        let (used, verdict) = meter.charge(START + 100, 4);
        assert_eq!((used, verdict), (12, Verdict::Limited { retry_after_secs: 60 }));
        assert_eq!(meter.charge(START + 60_100, 4), (4, Verdict::Allowed));
    }

    #[test]
    fn going_on_after_a_429_is_banned_and_each_ban_is_twice_as_long() {
        let mut meter = meter(0);
        let mut now = START;
        for length in [120, 240, 480] {
            assert!(matches!(meter.charge(now, 1).1, Verdict::Limited { .. }));
            let until_millis = now + 1 + length * 1_000;
            assert_eq!(
                meter.charge(now + 1, 1).1,
                Verdict::Banned { until_millis, retry_after_secs: length }
            );
            let last = meter.charge(until_millis - 1, 1).1;
            assert_eq!(last, Verdict::Banned { until_millis, retry_after_secs: 1 });
            now = until_millis;
        }
    }

    #[test]
    fn no_ban_is_longer_than_three_days() {
        let mut meter = meter(0);
        let mut now = START;
        for _ in 0..40 {
            meter.charge(now, 1);
            let Verdict::Banned { until_millis, retry_after_secs } = meter.charge(now, 1).1 else {
                panic!("not banned")
            };
            assert!(retry_after_secs <= 3 * 24 * 3_600);
            now = until_millis;
        }
    }
}
