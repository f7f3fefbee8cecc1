//! An exact, positive price.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;

/// The longest text that is still looked at: 29 digits, a point, a sign and an exponent fit with room to spare.
const MAX_TEXT: usize = 64;

/// A positive price with the exchange's own digits: `67321.50` stays `67321.50`, trailing zero included.
///
/// Up to 28 significant digits and 28 decimals; text with more is refused rather than rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(Decimal);

/// Why a text is not a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not a decimal number: empty, `NaN`, `1,5` …
    #[error("not a decimal number")]
    NotANumber,
    /// A number, but zero or below.
    #[error("not above zero")]
    NotPositive,
    /// More digits than can be kept exactly.
    #[error("more digits than can be kept exactly")]
    TooPrecise,
}

impl Price {
    /// The value as a decimal; its scale is the number of decimals that the exchange sent.
    pub fn as_decimal(&self) -> Decimal {
        self.0
    }

    /// The nearest double, for readers who asked for the plain float form.
    pub fn to_f64(&self) -> f64 {
        // Through the text: the shortest path to the double nearest to the decimal.
        self.0.to_string().parse().unwrap_or(f64::NAN)
    }
}

impl FromStr for Price {
    type Err = PriceError;

    fn from_str(text: &str) -> Result<Self, PriceError> {
        let decimal = parse_decimal(text)?;
        if decimal.is_zero() || decimal.is_sign_negative() {
            return Err(PriceError::NotPositive);
        }
        Ok(Price(decimal))
    }
}

impl TryFrom<Decimal> for Price {
    type Error = PriceError;

    fn try_from(decimal: Decimal) -> Result<Self, PriceError> {
        if decimal.is_zero() || decimal.is_sign_negative() {
            Err(PriceError::NotPositive)
        } else {
            Ok(Price(decimal))
        }
    }
}

pub(crate) fn parse_decimal(text: &str) -> Result<Decimal, PriceError> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(if text.is_empty() { PriceError::NotANumber } else { PriceError::TooPrecise });
    }
    // Stricter than the library, which also takes `1_000`, `+1`, `.5` and `5.`.
    let mut parts = text.splitn(2, ['e', 'E']);
    let mantissa = parts.next().unwrap_or_default();
    if !is_plain_number(mantissa) {
        return Err(PriceError::NotANumber);
    }
    match parts.next() {
        None => Decimal::from_str_exact(text).map_err(|_| PriceError::TooPrecise),
        Some(exponent) => parse_scientific(mantissa, exponent),
    }
}

/// Digits with an optional minus in front and an optional point inside, as in JSON.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut halves = digits.splitn(2, '.');
    halves.all(|half| !half.is_empty() && half.bytes().all(|b| b.is_ascii_digit()))
}

fn parse_scientific(mantissa: &str, exponent: &str) -> Result<Decimal, PriceError> {
    let exponent: i32 = exponent.parse().map_err(|_| {
        let digits = exponent.trim_start_matches(['+', '-']);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            PriceError::TooPrecise
        } else {
            PriceError::NotANumber
        }
    })?;
    let value = Decimal::from_str_exact(mantissa).map_err(|_| PriceError::TooPrecise)?;
    let scale = (value.scale() as i32).checked_sub(exponent).ok_or(PriceError::TooPrecise)?;
    let (mantissa, scale) = if scale >= 0 {
        (Some(value.mantissa()), scale.unsigned_abs())
    } else {
        let factor = 10i128.checked_pow(scale.unsigned_abs()).ok_or(PriceError::TooPrecise)?;
        (value.mantissa().checked_mul(factor), 0)
    };
    let mantissa = mantissa.ok_or(PriceError::TooPrecise)?;
    Decimal::try_from_i128_with_scale(mantissa, scale).map_err(|_| PriceError::TooPrecise)
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_every_digit_as_sent() {
        for text in ["67321.50", "0.00141342", "4.00000200", "1", "0.1000", "79228162514264337593543950335"] {
            assert_eq!(text.parse::<Price>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn reads_an_exponent_without_losing_a_digit() {
        for (text, plain) in [("1e-8", "0.00000001"), ("1.50E2", "150"), ("12.5e+1", "125"), ("1e3", "1000")]
        {
            assert_eq!(text.parse::<Price>().unwrap().to_string(), plain, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_positive_finite_number() {
        use PriceError::*;
        for (text, error) in [
            ("", NotANumber),
            ("NaN", NotANumber),
            ("Infinity", NotANumber),
            ("1,5", NotANumber),
            ("1_000", NotANumber),
            ("+1", NotANumber),
            (".5", NotANumber),
            ("5.", NotANumber),
            (" 1", NotANumber),
            ("0x10", NotANumber),
            ("1e", NotANumber),
            ("1e1.5", NotANumber),
            ("0", NotPositive),
            ("0.00", NotPositive),
            ("-0", NotPositive),
            ("-1.5", NotPositive),
            ("1e400", TooPrecise),
            ("1e-400", TooPrecise),
            ("1e99999999999", TooPrecise),
            ("0.00000000000000000000000000001", TooPrecise),
            ("79228162514264337593543950336", TooPrecise),
        ] {
            assert_eq!(text.parse::<Price>(), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_decimal_text_round_trips(whole in 0u64.., decimals in "[0-9]{0,8}") {
            let text = if decimals.is_empty() { whole.to_string() } else { format!("{whole}.{decimals}") };
            match text.parse::<Price>() {
                Ok(price) => prop_assert_eq!(price.to_string(), text),
                Err(error) => prop_assert!(error == PriceError::NotPositive && text.bytes().all(|b| b == b'0' || b == b'.')),
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = text.parse::<Price>();
        }
    }
}
