//! Moments as exchanges write and read them. Pure.

use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};

/// `2014-11-07T08:19:27.028459Z`, to the microsecond.
pub(crate) fn to_micros(nanos: i64) -> String {
    Timestamp::from_nanosecond(i128::from(nanos)).map_or_else(|_| String::new(), |time| format!("{time:.6}"))
}

/// The same for milliseconds since 1970, with nine decimals.
pub(crate) fn to_nanos_text(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| String::new(), |time| format!("{time:.9}"))
}

/// Seconds since 1970, with all nine decimals.
pub(crate) fn seconds(nanos: i64) -> String {
    format!("{}.{:09}", nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000))
}

/// `Fri, 07 Nov 2014 08:19:27 GMT`, as headers have it.
pub(crate) fn http_date(millis: i64) -> Option<String> {
    let time = Timestamp::from_millisecond(millis).ok()?;
    DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

/// Milliseconds since 1970, from an ISO time or from whole seconds.
pub(crate) fn millis_of(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return seconds.checked_mul(1_000);
    }
    // A time without a zone is in UTC, as a plus sign that was not encoded is a blank.
    let zoned = if text.contains(['Z', 'z', '+']) { text.to_owned() } else { format!("{text}Z") };
    zoned.parse::<Timestamp>().ok().map(|time| time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read() {
        let nanos = 1_415_348_367_028_459_001;
        assert_eq!(to_micros(nanos), "2014-11-07T08:19:27.028459Z");
        assert_eq!(seconds(nanos), "1415348367.028459001");
        assert_eq!(http_date(1_415_348_367_028).as_deref(), Some("Fri, 07 Nov 2014 08:19:27 GMT"));
        assert_eq!(to_nanos_text(1_696_436_700_000), "2023-10-04T16:25:00.000000000Z");
        for text in ["1415348367", "2014-11-07T08:19:27Z", "2014-11-07T08:19:27", "2014-11-07T09:19:27+01:00"]
        {
            assert_eq!(millis_of(text), Some(1_415_348_367_000), "{text}");
        }
        assert_eq!(millis_of("yesterday"), None);
    }
}
