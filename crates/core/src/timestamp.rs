//! A moment in time.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The first and the last millisecond that may be stored: 1970-01-01 to 2037-12-31.
///
/// Outside it a MongoDB time-to-live index misbehaves, and no exchange has such an event.
const RANGE: std::ops::Range<i64> = 1..2_145_916_800_000;

/// A moment in milliseconds since 1970, UTC; written as RFC 3339 (`2026-11-23T06:00:03.112Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why something is not a usable moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Not RFC 3339.
    #[error("not an RFC 3339 time")]
    NotATime,
    /// Before 1970 or after 2037: most often seconds or microseconds taken for milliseconds.
    #[error("outside of 1970 to 2037")]
    OutOfRange,
}

impl Timestamp {
    /// The first usable moment.
    pub const MIN: Timestamp = Timestamp(RANGE.start);
    /// The last usable moment.
    pub const MAX: Timestamp = Timestamp(RANGE.end - 1);

    /// A moment from milliseconds since 1970.
    pub fn from_millis(millis: i64) -> Result<Self, TimestampError> {
        if RANGE.contains(&millis) { Ok(Timestamp(millis)) } else { Err(TimestampError::OutOfRange) }
    }

    /// Milliseconds since 1970.
    pub fn as_millis(&self) -> i64 {
        self.0
    }

    /// Seconds since 1970, as Prometheus wants them.
    pub fn as_secs_f64(&self) -> f64 {
        self.0 as f64 / 1_000.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let time: jiff::Timestamp = text.parse().map_err(|_| TimestampError::NotATime)?;
        Timestamp::from_millis(time.as_millisecond())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_rfc_3339_in_utc() {
        assert_eq!(Timestamp::from_millis(1_795_413_603_000).unwrap().to_string(), "2026-11-23T06:00:03Z");
        assert_eq!(
            Timestamp::from_millis(1_795_413_603_112).unwrap().to_string(),
            "2026-11-23T06:00:03.112Z"
        );
    }

    #[test]
    fn reads_any_offset_and_cuts_below_the_millisecond() {
        let time: Timestamp = "2026-11-23T07:00:03.1129+01:00".parse().unwrap();
        assert_eq!(time.as_millis(), 1_795_413_603_112);
    }

    #[test]
    fn refuses_times_that_no_exchange_has() {
        assert_eq!(Timestamp::from_millis(0), Err(TimestampError::OutOfRange));
        assert_eq!("1969-12-31T23:59:59Z".parse::<Timestamp>(), Err(TimestampError::OutOfRange));
        assert_eq!("2039-01-01T00:00:00Z".parse::<Timestamp>(), Err(TimestampError::OutOfRange));
        assert_eq!(Timestamp::from_millis(1_795_413_603_000_000), Err(TimestampError::OutOfRange));
        assert_eq!("yesterday".parse::<Timestamp>(), Err(TimestampError::NotATime));
    }
}
