//! A span of time that begins anew again and again, such as a candle's.

use std::{fmt, str::FromStr};

use crate::Timestamp;

const SECOND: i64 = 1_000;
const UNITS: [(&str, i64); 6] = [
    ("ms", 1),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3_600 * SECOND),
    ("d", 86_400 * SECOND),
    ("w", 7 * 86_400 * SECOND),
];
/// Ten years: more than anybody compares, and far from where sums overflow.
const LONGEST: i64 = 3_650 * 86_400 * SECOND;

/// A span of time, written as `500ms`, `3s`, `5m`, `1h`, `1d` or `1w`.
///
/// Intervals are counted from a Monday at midnight, UTC: what divides a day begins at midnight, a week on Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval(i64);

/// The text is no interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a number with ms, s, m, h, d or w behind it, as in 5m, above zero and up to 3650d")]
pub struct IntervalError;

impl Interval {
    /// From the Monday that the intervals are counted from to 1970-01-01, in milliseconds.
    pub const MONDAY_TO_EPOCH_MILLIS: i64 = 3 * 86_400 * SECOND;

    /// Its length in milliseconds.
    pub fn as_millis(&self) -> i64 {
        self.0
    }

    /// The beginning of the interval that a moment lies in.
    pub fn start_of(&self, time: Timestamp) -> Timestamp {
        let millis = time.as_millis();
        let start = millis - (millis + Self::MONDAY_TO_EPOCH_MILLIS) % self.0;
        // The very first interval begins before the first usable moment.
        Timestamp::from_millis(start).unwrap_or(Timestamp::MIN)
    }
}

impl FromStr for Interval {
    type Err = IntervalError;

    fn from_str(text: &str) -> Result<Self, IntervalError> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let number: i64 = number.parse().map_err(|_| IntervalError)?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(IntervalError)?;
        let length = number.checked_mul(*millis).filter(|length| (1..=LONGEST).contains(length));
        length.map(Interval).ok_or(IntervalError)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = UNITS.iter().rev().find(|(_, millis)| self.0 % millis == 0);
        let (unit, millis) = fits.copied().unwrap_or(UNITS[0]);
        write!(f, "{}{unit}", self.0 / millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(interval: &str, time: &str) -> String {
        interval.parse::<Interval>().unwrap().start_of(time.parse().unwrap()).to_string()
    }

    #[test]
    fn days_begin_at_midnight_and_weeks_on_monday() {
        assert_eq!(start("5m", "2026-11-24T06:07:59.999Z"), "2026-11-24T06:05:00Z");
        assert_eq!(start("1d", "2026-11-24T06:07:59Z"), "2026-11-24T00:00:00Z");
        assert_eq!(start("1w", "2026-11-24T06:07:59Z"), "2026-11-23T00:00:00Z");
        assert_eq!(start("1w", "2026-11-23T00:00:00Z"), "2026-11-23T00:00:00Z");
        assert_eq!(start("1w", "1970-01-02T00:00:00Z"), "1970-01-01T00:00:00.001Z");
    }

    #[test]
    fn is_written_with_the_largest_unit_that_fits() {
        for (text, shown) in [
            ("60s", "1m"),
            ("90s", "90s"),
            ("500ms", "500ms"),
            ("24h", "1d"),
            ("14d", "2w"),
            ("1000ms", "1s"),
        ] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "5", "m", "0s", "-1m", "1.5h", "1y", "5 m", "9999999999999999999s", "4000d", "1M"] {
            assert_eq!(text.parse::<Interval>(), Err(IntervalError), "{text}");
        }
    }
}
