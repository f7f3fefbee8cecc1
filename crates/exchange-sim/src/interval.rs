//! How long a candle is, and when one begins. Pure.

use jiff::{Timestamp, tz::TimeZone};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// The first Monday after the beginning of 1970, a Thursday.
const FIRST_MONDAY: i64 = 4 * DAY;

/// How long a candle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interval {
    /// So many milliseconds, counted from 1970.
    Millis(i64),
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

impl Interval {
    /// As Binance writes it; `1m` is a minute and `1M` a month.
    pub(crate) fn from_binance(text: &str) -> Option<Self> {
        Some(match text {
            "1s" => Interval::Millis(SECOND),
            "1m" => Interval::Millis(MINUTE),
            "3m" => Interval::Millis(3 * MINUTE),
            "5m" => Interval::Millis(5 * MINUTE),
            "15m" => Interval::Millis(15 * MINUTE),
            "30m" => Interval::Millis(30 * MINUTE),
            "1h" => Interval::Millis(HOUR),
            "2h" => Interval::Millis(2 * HOUR),
            "4h" => Interval::Millis(4 * HOUR),
            "6h" => Interval::Millis(6 * HOUR),
            "8h" => Interval::Millis(8 * HOUR),
            "12h" => Interval::Millis(12 * HOUR),
            "1d" => Interval::Millis(DAY),
            "3d" => Interval::Millis(3 * DAY),
            "1w" => Interval::Week,
            "1M" => Interval::Month,
            _ => return None,
        })
    }

    /// When the candle begins that holds this moment.
    pub(crate) fn open_of(self, millis: i64) -> i64 {
        match self {
            Interval::Millis(length) => millis - millis.rem_euclid(length),
            Interval::Week => millis - (millis - FIRST_MONDAY).rem_euclid(WEEK),
            Interval::Month => month(millis, 0),
        }
    }

    /// When the candle after that begins which begins at `open`.
    pub(crate) fn after(self, open: i64) -> i64 {
        match self {
            Interval::Millis(length) => open + length,
            Interval::Week => open + WEEK,
            Interval::Month => month(open, 1),
        }
    }

    /// When the candle begins that is so many before the one that begins at `open`.
    pub(crate) fn before(self, open: i64, candles: i64) -> i64 {
        match self {
            Interval::Millis(length) => open.saturating_sub(length.saturating_mul(candles)),
            Interval::Week => open.saturating_sub(WEEK.saturating_mul(candles)),
            Interval::Month => month(open, -candles),
        }
    }
}

/// The beginning of the month of a moment, or of one so many months later. Beyond all calendars, the moment itself.
fn month(millis: i64, later: i64) -> i64 {
    let begin = || {
        let date = Timestamp::from_millisecond(millis).ok()?.to_zoned(TimeZone::UTC).date().first_of_month();
        let span = jiff::Span::new().try_months(later).ok()?;
        let zoned = date.checked_add(span).ok()?.to_zoned(TimeZone::UTC).ok()?;
        Some(zoned.timestamp().as_millisecond())
    };
    begin().unwrap_or(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn candles_begin_at_round_times_on_mondays_and_on_the_first() {
        let moment = millis("2024-02-29T13:47:31.250Z");
        for (interval, open, after) in [
            ("1s", "2024-02-29T13:47:31Z", "2024-02-29T13:47:32Z"),
            ("5m", "2024-02-29T13:45:00Z", "2024-02-29T13:50:00Z"),
            ("1d", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("1w", "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z"),
            ("1M", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ] {
            let interval = Interval::from_binance(interval).unwrap();
            assert_eq!(interval.open_of(moment), millis(open));
            assert_eq!(interval.after(millis(open)), millis(after));
            assert_eq!(interval.before(millis(after), 1), millis(open));
        }
        assert_eq!(Interval::from_binance("1Min"), None);
    }
}
