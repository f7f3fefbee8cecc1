//! Values out of JSON that is kept as its text: exact numbers, times, names. Pure.

use std::borrow::Cow;

use pricepipe_core::{Price, Quantity, Timestamp};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::BadRecord;

/// A field as it is written; `None` where it is missing or null.
pub(crate) type Raw<'a> = Option<&'a RawValue>;

/// The longest name of a market that is still one.
const LONGEST_MARKET: usize = 64;
/// So many characters of an exchange's words go into logs.
const LONGEST_WORDS: usize = 160;
/// From here on a number is no moment in milliseconds, but one in microseconds: 1e15 ms is the year 33658, and 1e15 µs
/// the year 2001.
const MICROSECONDS: i64 = 1_000_000_000_000_000;

/// A price: a JSON string or a JSON number, whose digits are kept.
pub(crate) fn price(raw: Raw<'_>) -> Result<Price, BadRecord> {
    word(raw).parse().map_err(|_| BadRecord::Price)
}

/// A quantity, as [`price`].
pub(crate) fn quantity(raw: Raw<'_>) -> Result<Quantity, BadRecord> {
    word(raw).parse().map_err(|_| BadRecord::Quantity)
}

/// A number that counts something: a JSON number or a string.
pub(crate) fn number(raw: Raw<'_>) -> Result<u64, BadRecord> {
    word(raw).parse().map_err(|_| BadRecord::Number)
}

/// A moment in milliseconds or microseconds since 1970; which of them is told by its size.
pub(crate) fn moment(raw: Raw<'_>) -> Result<Timestamp, BadRecord> {
    let number: i64 = word(raw).parse().map_err(|_| BadRecord::Time)?;
    millis(if number < MICROSECONDS { number } else { number / 1_000 })
}

/// A moment in milliseconds since 1970.
pub(crate) fn millis(millis: i64) -> Result<Timestamp, BadRecord> {
    Timestamp::from_millis(millis).map_err(|_| BadRecord::Time)
}

/// A moment as RFC 3339 writes it.
pub(crate) fn written_moment(raw: Raw<'_>) -> Result<Timestamp, BadRecord> {
    word(raw).parse().map_err(|_| BadRecord::Time)
}

/// The name of a market.
pub(crate) fn market(raw: Raw<'_>) -> Result<String, BadRecord> {
    let name = raw.and_then(text).filter(|name| (1..=LONGEST_MARKET).contains(&name.len()));
    name.map(Cow::into_owned).ok_or(BadRecord::Malformed)
}

/// The text of a JSON string.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(raw.get()).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// What stands between the quotes of a string, or any other value as it is written; nothing for what is missing.
pub(crate) fn word(raw: Raw<'_>) -> &str {
    let text = raw.map_or("", RawValue::get);
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// An exchange's words, short and on one line: they go into logs.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_WORDS).collect()
}

/// Reads a field so that null differs from a missing one.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Raw<'de>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn numbers_keep_their_digits_as_strings_and_as_numbers() {
        for (text, kept) in
            [(r#""0.00141342""#, "0.00141342"), ("105944.20", "105944.20"), ("1.5e-7", "0.00000015")]
        {
            assert_eq!(price(Some(&raw(text))).unwrap().to_string(), kept);
            assert_eq!(quantity(Some(&raw(text))).unwrap().to_string(), kept);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [r#""""#, r#""NaN""#, "-1", "1e400", "[1]", "{}", "true", r#"" 1""#, r#""1\n""#] {
            assert_eq!(price(Some(&raw(text))), Err(BadRecord::Price), "{text}");
            assert_eq!(quantity(Some(&raw(text))), Err(BadRecord::Quantity), "{text}");
        }
        let many = format!("\"{}\"", "1".repeat(40));
        assert_eq!(price(Some(&raw(&many))), Err(BadRecord::Price));
        assert_eq!(price(None), Err(BadRecord::Price));
        for text in ["-1", "1.5", r#""""#, "18446744073709551616"] {
            assert_eq!(number(Some(&raw(text))), Err(BadRecord::Number), "{text}");
        }
    }

    #[test]
    fn microseconds_are_told_from_milliseconds_and_moments_that_cannot_be_are_refused() {
        for text in ["1795413603112", "1795413603112000", "1795413603112999"] {
            assert_eq!(moment(Some(&raw(text))).unwrap().as_millis(), 1_795_413_603_112, "{text}");
        }
        // 0, 1969, 2039 in milliseconds and in microseconds, nanoseconds.
        for text in
            ["0", "-31536000000", "2177452800000", "2177452800000000", "1795413603112000000", "1.5", r#""x""#]
        {
            assert_eq!(moment(Some(&raw(text))), Err(BadRecord::Time), "{text}");
        }
        assert_eq!(written_moment(Some(&raw(r#""1969-12-31T23:59:59Z""#))), Err(BadRecord::Time));
    }

    #[test]
    fn names_are_read_with_their_escapes_and_in_any_alphabet() {
        assert_eq!(market(Some(&raw(r#""\u5e01\u5b89USDT""#))).unwrap(), "币安USDT");
        assert_eq!(market(Some(&raw(r#""币安USDT""#))).unwrap(), "币安USDT");
        for text in [r#""""#, "7", r#""\ud800""#, &format!("\"{}\"", "A".repeat(65))] {
            assert_eq!(market(Some(&raw(text))), Err(BadRecord::Malformed), "{text}");
        }
    }
}
