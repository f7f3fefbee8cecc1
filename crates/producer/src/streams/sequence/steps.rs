//! Which number follows which: trades by one, candles by their interval. Pure.

use jiff::{ToSpan, tz::TimeZone};
use pricepipe_core::KlineInterval;

/// How far it is from one number to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steps {
    /// So far: 1 between trades, the interval's milliseconds between candles.
    Of(u64),
    /// A month, by the calendar of UTC, in milliseconds since 1970.
    Months,
}

impl Steps {
    /// From one candle to the next.
    pub(crate) fn between_candles(interval: KlineInterval) -> Self {
        match interval.as_millis().and_then(|millis| u64::try_from(millis).ok()) {
            Some(millis) => Steps::Of(millis.max(1)),
            None => Steps::Months,
        }
    }

    /// The number that follows.
    pub(crate) fn after(self, number: u64) -> u64 {
        match self {
            Steps::Of(step) => number.saturating_add(step),
            Steps::Months => month(number, 1).unwrap_or(u64::MAX),
        }
    }

    /// The number that it follows.
    pub(crate) fn before(self, number: u64) -> u64 {
        match self {
            Steps::Of(step) => number.saturating_sub(step),
            Steps::Months => month(number, -1).unwrap_or(0),
        }
    }

    /// How many numbers there are from the first to the last.
    pub(crate) fn count(self, from: u64, to: u64) -> u64 {
        match self {
            _ if from > to => 0,
            Steps::Of(step) => ((to - from) / step).saturating_add(1),
            Steps::Months => {
                let mut numbers = std::iter::successors(Some(from), |number| Some(self.after(*number)));
                // A century and more, should a number be none.
                numbers.by_ref().take(2_000).take_while(|number| *number <= to).count() as u64
            }
        }
    }
}

/// So many months later, or earlier.
fn month(millis: u64, months: i64) -> Option<u64> {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?;
    let moved = time.to_zoned(TimeZone::UTC).checked_add(months.months()).ok()?;
    u64::try_from(moved.timestamp().as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> u64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond() as u64
    }

    #[test]
    fn candles_follow_each_other_by_their_interval_and_months_by_the_calendar() {
        let minute = Steps::between_candles("1m".parse().unwrap());
        assert_eq!((minute.after(60_000), minute.before(60_000)), (120_000, 0));
        assert_eq!((minute.count(60_000, 240_000), minute.count(2, 1)), (4, 0));
        let months = Steps::between_candles("1M".parse().unwrap());
        let (january, february) = (millis("2024-01-01T00:00:00Z"), millis("2024-02-01T00:00:00Z"));
        assert_eq!((months.after(january), months.before(february)), (february, january));
        assert_eq!(months.count(january, millis("2024-12-01T00:00:00Z")), 12);
    }
}
