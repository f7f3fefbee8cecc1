//! Decimal numbers in the very digits in which they were written. Pure, and integers only.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Serialize, Serializer};

/// The most decimals that a number may have.
const MAX_SCALE: u8 = 18;
/// The decimals of a sum of products, such as a volume in the quote asset.
const SUM_SCALE: u8 = 8;

/// A decimal number that is written as it was read: `1.50` stays `1.50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digits {
    units: u64,
    scale: u8,
}

/// A text that is no plain decimal number, or has too many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number such as 0.00141342, of at most 18 digits")]
pub struct DigitsError;

impl Digits {
    /// So many units of the last of `scale` decimals.
    pub(crate) fn new(units: u64, scale: u8) -> Self {
        Digits { units, scale: scale.min(MAX_SCALE) }
    }

    /// One unit of the last decimal more, or less.
    pub(crate) fn beside(self, up: bool) -> Self {
        let units = if up { self.units.saturating_add(1) } else { self.units.saturating_sub(1).max(1) };
        Digits { units, ..self }
    }

    /// So many millionths of it, and at least one unit.
    pub(crate) fn times_millionths(self, millionths: i128) -> Self {
        let units = i128::from(self.units) * millionths / 1_000_000;
        Digits { units: u64::try_from(units).unwrap_or(0).max(1), ..self }
    }

    /// Which number is larger, whatever their decimals.
    pub(crate) fn compare(self, other: Digits) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.at_scale(scale).cmp(&other.at_scale(scale))
    }

    /// The difference to another number, in digits.
    pub(crate) fn minus(self, other: Digits) -> String {
        let scale = self.scale.max(other.scale);
        let (ours, theirs) = (self.at_scale(scale), other.at_scale(scale));
        let sign = if ours < theirs { "-" } else { "" };
        format!("{sign}{}", Sum { units: ours.abs_diff(theirs), scale })
    }

    /// The difference to another number in percent of it, with two decimals.
    pub(crate) fn percent_above(self, other: Digits) -> String {
        let scale = self.scale.max(other.scale);
        let (ours, theirs) = (self.at_scale(scale), other.at_scale(scale).max(1));
        let sign = if ours < theirs { "-" } else { "" };
        format!("{sign}{}", Sum { units: ours.abs_diff(theirs).saturating_mul(10_000) / theirs, scale: 2 })
    }

    /// The larger of two numbers.
    pub(crate) fn max(self, other: Digits) -> Self {
        if other.compare(self).is_gt() { other } else { self }
    }

    /// The smaller of two numbers.
    pub(crate) fn min(self, other: Digits) -> Self {
        if other.compare(self).is_lt() { other } else { self }
    }

    fn at_scale(self, scale: u8) -> u128 {
        u128::from(self.units) * power(scale - self.scale)
    }
}

impl FromStr for Digits {
    type Err = DigitsError;

    fn from_str(text: &str) -> Result<Self, DigitsError> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let scale =
            u8::try_from(decimals.len()).ok().filter(|scale| *scale <= MAX_SCALE).ok_or(DigitsError)?;
        if !whole.bytes().chain(decimals.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(DigitsError);
        }
        let units = format!("{whole}{decimals}").parse().map_err(|_| DigitsError)?;
        let digits = Digits { units, scale };
        // Leading zeros or a lone point would be lost.
        if digits.to_string() == text { Ok(digits) } else { Err(DigitsError) }
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Digits { units, scale } = *self;
        if scale == 0 {
            return write!(f, "{units}");
        }
        let one = 10u64.pow(u32::from(scale));
        write!(f, "{}.{:0width$}", units / one, units % one, width = usize::from(scale))
    }
}

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A sum of numbers or of products, exact until it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    units: u128,
    scale: u8,
}

impl Sum {
    pub(crate) fn of(digits: Digits) -> Self {
        Sum { units: u128::from(digits.units), scale: digits.scale }
    }

    pub(crate) fn add(&mut self, digits: Digits) {
        self.plus(Sum::of(digits));
    }

    /// A product, exactly.
    pub(crate) fn product(a: Digits, b: Digits) -> Self {
        Sum { units: u128::from(a.units) * u128::from(b.units), scale: a.scale + b.scale }
    }

    pub(crate) fn add_product(&mut self, a: Digits, b: Digits) {
        self.plus(Sum::product(a, b));
    }

    pub(crate) fn plus(&mut self, other: Sum) {
        let scale = self.scale.max(other.scale);
        self.units = self.at_scale(scale).saturating_add(other.at_scale(scale));
        self.scale = scale;
    }

    /// This divided by another sum, rounded down to 8 decimals; nothing when that is zero.
    pub(crate) fn over(self, other: Sum) -> Option<Sum> {
        let scale = self.scale.max(other.scale);
        let divided =
            self.at_scale(scale).saturating_mul(power(SUM_SCALE)).checked_div(other.at_scale(scale))?;
        Some(Sum { units: divided, scale: SUM_SCALE })
    }

    fn at_scale(self, scale: u8) -> u128 {
        self.units.saturating_mul(power(scale - self.scale))
    }
}

impl fmt::Display for Sum {
    /// With at most 8 decimals, as exchanges write volumes; more are cut off.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale.min(SUM_SCALE);
        let units = self.units / power(self.scale - scale);
        if scale == 0 {
            return write!(f, "{units}");
        }
        let one = power(scale);
        write!(f, "{}.{:0width$}", units / one, units % one, width = usize::from(scale))
    }
}

fn power(exponent: u8) -> u128 {
    10u128.pow(u32::from(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Digits {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_read_is_written_in_the_same_digits_or_refused() {
        for text in ["0.00141342", "23.00000000", "1", "0", "0.10", "18446744073.709551615"] {
            assert_eq!(digits(text).to_string(), text);
        }
        for text in ["", ".", "1.", ".5", "00.5", "-1", "1e5", "NaN", "٣", "99999999999999999999", "+1"] {
            assert_eq!(text.parse::<Digits>(), Err(DigitsError), "{text}");
        }
    }

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(digits("1.50").compare(digits("1.5")).is_eq());
        assert_eq!(digits("1.5").minus(digits("2.25")), "-0.75");
        assert_eq!(digits("3.0").percent_above(digits("2.00")), "50.00");
        assert_eq!(digits("2").max(digits("10.0")), digits("10.0"));
        assert_eq!(digits("0.2").min(digits("0.10")), digits("0.10"));
    }

    #[test]
    fn sums_are_exact_and_written_with_at_most_eight_decimals() {
        let mut sum = Sum::default();
        sum.add(digits("0.1"));
        sum.add(digits("0.20"));
        assert_eq!(sum.to_string(), "0.30");
        let mut quote = Sum::default();
        quote.add_product(digits("0.00141342"), digits("23.00000000"));
        assert_eq!(quote.to_string(), "0.03250866");
        assert_eq!(quote.over(Sum::of(digits("23.00000000"))).unwrap().to_string(), "0.00141342");
        assert_eq!(quote.over(Sum::default()), None);
    }
}
