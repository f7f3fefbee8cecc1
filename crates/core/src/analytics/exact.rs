//! Sums without rounding, and the one rounding at their end.

use num_bigint::{BigInt, Sign};
use rust_decimal::Decimal;

/// How many digits a figure has that was computed from decimals alone.
pub(super) const SIGNIFICANT_DIGITS: u32 = 16;
/// How many decimals a [`Decimal`] can have.
const MOST_DECIMALS: u32 = 28;

/// Number, sum and sum of squares of values. Nothing is ever rounded, so what was added can be removed again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Moments {
    count: u64,
    /// The decimals of `sum`; `squares` has twice as many.
    scale: u32,
    sum: BigInt,
    squares: BigInt,
}

impl Moments {
    /// From sums that somebody else has made.
    pub(super) fn of_sums(count: u64, sum: Fixed, squares: Fixed) -> Self {
        let scale = sum.scale.max(squares.scale.div_ceil(2));
        Moments { count, scale, sum: sum.with_scale(scale), squares: squares.with_scale(2 * scale) }
    }

    pub(super) fn add(&mut self, value: Decimal) {
        let (value, square) = self.aligned(value);
        self.count += 1;
        self.sum += value;
        self.squares += square;
    }

    /// Takes back a value that was added.
    pub(super) fn remove(&mut self, value: Decimal) {
        let (value, square) = self.aligned(value);
        self.count = self.count.saturating_sub(1);
        self.sum -= value;
        self.squares -= square;
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The arithmetic mean; none of nothing.
    pub(super) fn mean(&self) -> Option<Decimal> {
        (self.count > 0)
            .then(|| round(&self.sum, &(BigInt::from(self.count) * power(self.scale)), SIGNIFICANT_DIGITS))
    }

    /// The variance of a sample as a fraction; none of fewer than two values.
    pub(super) fn variance(&self) -> Option<(BigInt, BigInt)> {
        let n = BigInt::from(self.count);
        (self.count > 1)
            .then(|| (&n * &self.squares - &self.sum * &self.sum, &n * (&n - 1) * power(2 * self.scale)))
    }

    /// A value and its square as whole numbers of the common scale, which grows when the value needs it.
    fn aligned(&mut self, value: Decimal) -> (BigInt, BigInt) {
        if value.scale() > self.scale {
            let more = value.scale() - self.scale;
            self.sum *= power(more);
            self.squares *= power(2 * more);
            self.scale = value.scale();
        }
        let less = self.scale - value.scale();
        let small = 10_i128.checked_pow(less).and_then(|factor| value.mantissa().checked_mul(factor));
        match small.and_then(|small| Some((small, small.checked_mul(small)?))) {
            Some((small, square)) => (small.into(), square.into()),
            None => {
                let value = BigInt::from(value.mantissa()) * power(less);
                let square = &value * &value;
                (value, square)
            }
        }
    }
}

/// A decimal number of any size: `coefficient / 10^scale`.
#[derive(Clone, Debug)]
pub(super) struct Fixed {
    pub(super) coefficient: BigInt,
    pub(super) scale: u32,
}

impl Fixed {
    /// With more decimals, or as many.
    fn with_scale(self, scale: u32) -> BigInt {
        self.coefficient * power(scale.saturating_sub(self.scale))
    }
}

/// Two decimals as whole numbers of the same unit.
pub(super) fn same_unit(left: Decimal, right: Decimal) -> (BigInt, BigInt) {
    let scale = left.scale().max(right.scale());
    let whole = |value: Decimal| BigInt::from(value.mantissa()) * power(scale - value.scale());
    (whole(left), whole(right))
}

/// A fraction, rounded half to even.
pub(super) fn round(numerator: &BigInt, denominator: &BigInt, digits: u32) -> Decimal {
    let magnitude = numerator.magnitude() * power(MOST_DECIMALS).magnitude() / denominator.magnitude();
    let decimals = decimals(&magnitude.into(), digits);
    let scaled = numerator * power(decimals);
    let (floor, rest) =
        (scaled.magnitude() / denominator.magnitude(), scaled.magnitude() % denominator.magnitude());
    let twice = rest * 2_u32;
    let up = twice > *denominator.magnitude() || (twice == *denominator.magnitude() && floor.bit(0));
    let rounded = BigInt::from_biguint(Sign::Plus, floor) + u32::from(up);
    let negative = (numerator.sign() == Sign::Minus) != (denominator.sign() == Sign::Minus);
    decimal(if negative { -rounded } else { rounded }, decimals)
}

/// The square root of a fraction that is not negative, rounded half to even.
pub(super) fn round_sqrt(numerator: &BigInt, denominator: &BigInt, digits: u32) -> Decimal {
    let decimals = decimals(&(numerator * power(2 * MOST_DECIMALS) / denominator).sqrt(), digits);
    // One digit more than is wanted, and whether anything is behind it.
    let square = numerator * power(2 * (decimals + 1));
    let root = (&square / denominator).sqrt();
    let exact = &root * &root * denominator == square;
    let (floor, last) = (&root / 10_u32, &root % 10_u32);
    let half = BigInt::from(5);
    let up = last > half || (last == half && (!exact || floor.bit(0)));
    decimal(floor + u32::from(up), decimals)
}

/// How many decimals leave so many significant digits, of a number given in units of the last decimal there is.
fn decimals(units: &BigInt, digits: u32) -> u32 {
    let length = if units.sign() == Sign::NoSign { 0 } else { units.to_string().len() as i64 };
    let whole = length - i64::from(MOST_DECIMALS);
    (i64::from(digits) - whole).clamp(0, i64::from(MOST_DECIMALS)) as u32
}

/// What is computed here lies between the values it is computed of, or is a ratio; what is too large for a
/// [`Decimal`] all the same becomes the largest one.
fn decimal(coefficient: BigInt, scale: u32) -> Decimal {
    let negative = coefficient.sign() == Sign::Minus;
    i128::try_from(coefficient)
        .ok()
        .and_then(|coefficient| Decimal::try_from_i128_with_scale(coefficient, scale).ok())
        .map_or(if negative { Decimal::MIN } else { Decimal::MAX }, |value| value.normalize())
}

fn power(exponent: u32) -> BigInt {
    BigInt::from(10_u32).pow(exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(numerator: i64, denominator: i64) -> String {
        round(&numerator.into(), &denominator.into(), SIGNIFICANT_DIGITS).to_string()
    }

    #[test]
    fn a_fraction_is_rounded_half_to_even_to_sixteen_digits() {
        assert_eq!(text(1, 3), "0.3333333333333333");
        assert_eq!(text(-2, 3), "-0.6666666666666667");
        assert_eq!(text(200_000, 3), "66666.66666666667");
        assert_eq!(text(10, 5), "2");
        assert_eq!(text(0, 5), "0");
        assert_eq!(text(10_000_000_000_000_005, 10), "1000000000000000");
        assert_eq!(text(10_000_000_000_000_015, 10), "1000000000000002");
        assert_eq!(text(12_345_678_901_234_567, 1), "12345678901234567");
        assert_eq!(text(9_999_999_999_999_999, 1_000), "9999999999999.999");
        assert_eq!(text(99_999_999_999_999_996, 10_000), "10000000000000");
    }

    #[test]
    fn a_root_is_rounded_half_to_even_to_sixteen_digits() {
        let root = |n: i64, d: i64| round_sqrt(&n.into(), &d.into(), SIGNIFICANT_DIGITS).to_string();
        assert_eq!(root(2, 1), "1.414213562373095");
        assert_eq!(root(9, 4), "1.5");
        assert_eq!(root(0, 7), "0");
        assert_eq!(root(1, 3_000_000_000_000), "0.0000005773502691896258");
    }

    #[test]
    fn the_smallest_and_the_largest_values_do_not_overflow() {
        let mut moments = Moments::default();
        let smallest = Decimal::from_i128_with_scale(1, 28);
        for value in [Decimal::MAX, smallest, Decimal::MAX] {
            moments.add(value);
        }
        assert_eq!(moments.mean().unwrap().to_string(), "52818775009509558395695966890");
        moments.remove(Decimal::MAX);
        moments.remove(Decimal::MAX);
        assert_eq!(moments.mean().unwrap(), smallest);
    }

    proptest! {
        #[test]
        fn what_is_removed_leaves_no_trace(
            kept in prop::collection::vec((any::<i64>(), 0_u32..20), 2..20),
            gone in prop::collection::vec((any::<i64>(), 0_u32..20), 0..20),
        ) {
            let value = |(mantissa, scale): (i64, u32)| Decimal::from_i128_with_scale(mantissa.into(), scale);
            let (mut once, mut there_and_back) = (Moments::default(), Moments::default());
            gone.iter().for_each(|v| there_and_back.add(value(*v)));
            for v in &kept {
                once.add(value(*v));
                there_and_back.add(value(*v));
            }
            gone.iter().for_each(|v| there_and_back.remove(value(*v)));
            prop_assert_eq!(once.mean(), there_and_back.mean());
            let deviation = |moments: &Moments| {
                moments.variance().map(|(n, d)| round_sqrt(&n, &d, SIGNIFICANT_DIGITS))
            };
            prop_assert_eq!(deviation(&once), deviation(&there_and_back));
        }

        #[test]
        fn a_rounded_root_is_the_nearest(numerator in 1_i64.., denominator in 1_i64..) {
            let root = round_sqrt(&numerator.into(), &denominator.into(), SIGNIFICANT_DIGITS);
            let expected = (numerator as f64 / denominator as f64).sqrt();
            let found: f64 = root.to_string().parse().unwrap();
            prop_assert!((found - expected).abs() <= expected * 1e-15, "{found} {expected}");
        }
    }
}
