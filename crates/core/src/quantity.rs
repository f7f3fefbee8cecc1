//! An exact quantity: how much of the base asset was traded or is offered.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;

use crate::price::parse_decimal;

/// A quantity with the exchange's own digits; never negative, and zero is one (a candle without a trade).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(Decimal);

/// Why a text is not a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number of zero or above that can be kept exactly")]
pub struct QuantityError;

impl Quantity {
    /// The value as a decimal; its scale is the number of decimals that the exchange sent.
    pub fn as_decimal(&self) -> Decimal {
        self.0
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        parse_decimal(text).map_err(|_| QuantityError)?.try_into()
    }
}

impl TryFrom<Decimal> for Quantity {
    type Error = QuantityError;

    fn try_from(decimal: Decimal) -> Result<Self, QuantityError> {
        if decimal.is_sign_negative() { Err(QuantityError) } else { Ok(Quantity(decimal)) }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_digit_and_takes_zero() {
        for text in ["23.00000000", "0", "0.00", "0.00027625", "148976.11427815"] {
            assert_eq!(text.parse::<Quantity>().unwrap().to_string(), text);
        }
        for text in ["", "-1", "-0.5", "NaN", "1e400", ".5", "1,5"] {
            assert_eq!(text.parse::<Quantity>(), Err(QuantityError), "{text:?}");
        }
    }
}
