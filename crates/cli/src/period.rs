//! A period of time on the command line.

use std::str::FromStr;

use clap::Args;
use pricepipe_core::{Timestamp, TimestampError, analytics::Interval};
use pricepipe_store::Period;

/// From when to when.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct PeriodArgs {
    /// Only what is of this time or later: 2026-11-23T06:00:00Z, 2026-11-23, or how long ago, as in 24h
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Only what is of before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
}

impl PeriodArgs {
    /// The period when it is asked now. One that ends before it begins, which nothing is in, is refused.
    pub(crate) fn period(self, now: Timestamp) -> Result<Period, String> {
        let at = |moment: Option<Moment>| moment.map(|moment| moment.before(now));
        match (at(self.since), at(self.until)) {
            (Some(since), Some(until)) if since >= until => {
                Err(format!("--since {since} is not before --until {until}; exchange them"))
            }
            (since, until) => Ok(Period { since, until }),
        }
    }
}

/// A time, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    At(Timestamp),
    Ago(Interval),
}

impl Moment {
    /// The time that it is when it is asked now.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Moment::At(time) => time,
            Moment::Ago(span) => {
                Timestamp::from_millis(now.as_millis() - span.as_millis()).unwrap_or(Timestamp::MIN)
            }
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(span) = text.parse() {
            return Ok(Moment::Ago(span));
        }
        let midnight = format!("{text}T00:00:00Z");
        text.parse().or_else(|error| midnight.parse().map_err(|_| error)).map(Moment::At).map_err(
            |error: TimestampError| {
                format!(
                    "{error}, nor a date, nor how long ago; write 2026-11-23T06:00:00Z, 2026-11-23, or 90s, 30m, \
                     24h, 7d"
                )
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let now: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
        let at = |text: &str| text.parse::<Moment>().map(|moment| moment.before(now).to_string());
        assert_eq!(at("2h"), Ok("2026-11-23T04:00:00Z".to_owned()));
        assert_eq!(at("2026-11-23T07:00:00+02:00"), Ok("2026-11-23T05:00:00Z".to_owned()));
        assert_eq!(at("3650d"), Ok("2016-11-25T06:00:00Z".to_owned()));
        assert_eq!(at("2026-11-22"), Ok("2026-11-22T00:00:00Z".to_owned()));
        let error = at("yesterday").unwrap_err();
        assert!(error.contains("RFC 3339") && error.contains("24h"), "{error}");
    }

    #[test]
    fn a_period_must_not_end_before_it_begins() {
        let now: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
        let period = |since: &str, until: &str| {
            PeriodArgs { since: since.parse().ok(), until: until.parse().ok() }.period(now)
        };
        let inverted = period("1h", "2h").unwrap_err();
        assert!(inverted.contains("--since 2026-11-23T05:00:00Z is not before --until"), "{inverted}");
        assert!(period("2h", "1h").is_ok() && period("", "1h").is_ok());
        assert_eq!(period("", ""), Ok(Period::default()));
    }
}
