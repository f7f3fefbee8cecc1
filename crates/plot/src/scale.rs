//! From values to places, and the room around values.

/// From the least to the greatest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

impl Default for Extent {
    /// Of no values.
    fn default() -> Self {
        Extent { low: f64::INFINITY, high: f64::NEG_INFINITY }
    }
}

impl FromIterator<f64> for Extent {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let value = |value: f64| Extent { low: value, high: value };
        values.into_iter().map(value).fold(Extent::default(), Extent::and)
    }
}

impl Extent {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Extent) -> Extent {
        Extent { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// With room below and above, this share of what it spans. Values that are all the same get some, too.
    #[must_use]
    pub fn with_room(self, share: f64) -> Extent {
        if self.low > self.high {
            return Extent { low: 0.0, high: 1.0 };
        }
        let (size, span) = (self.low.abs().max(self.high.abs()), self.high - self.low);
        // Below this, doubles of that size can hardly be told apart.
        let room = if span > size * 1e-12 { span * share } else { size * 1e-3 };
        let room = if room > 0.0 { room } else { 1.0 };
        let low = if self.low >= 0.0 { (self.low - room).max(0.0) } else { self.low - room };
        Extent { low, high: self.high + room }
    }
}

/// A straight way from values to places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The values at both ends.
    pub values: Extent,
    /// The places of the ends. The first may be the greater one.
    pub places: (f64, f64),
}

impl Scale {
    /// Where a value is.
    pub fn place(&self, value: f64) -> f64 {
        let (from, to) = self.places;
        from + (value - self.values.low) / (self.values.high - self.values.low) * (to - from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_values_have_room_around_them_and_prices_never_go_below_zero() {
        let same: Extent = [5.0, 5.0].into_iter().collect();
        let roomy = same.with_room(0.05);
        assert!(roomy.low < 5.0 && roomy.high > 5.0, "{roomy:?}");
        assert_eq!([0.0, 1.0].into_iter().collect::<Extent>().with_room(0.1), Extent { low: 0.0, high: 1.1 });
        assert_eq!(Extent::default().with_room(0.1), Extent { low: 0.0, high: 1.0 });
        let zero = [0.0].into_iter().collect::<Extent>().with_room(0.1);
        assert!(zero.high > zero.low, "{zero:?}");
    }

    proptest! {
        #[test]
        fn what_is_inside_lands_inside_and_keeps_its_order(
            values in prop::collection::vec(1e-9_f64..1e9, 2..20), places in (0.0_f64..100.0, 200.0_f64..900.0),
        ) {
            let scale = Scale { values: values.iter().copied().collect::<Extent>().with_room(0.05), places };
            for value in &values {
                let place = scale.place(*value);
                prop_assert!((places.0..=places.1).contains(&place), "{value} at {place}");
            }
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert!(sorted.windows(2).all(|two| scale.place(two[0]) <= scale.place(two[1])));
        }
    }
}
