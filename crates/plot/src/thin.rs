//! Fewer points than came, without losing what can be seen: first, least, greatest and last of each bucket of time.

use pricepipe_core::Timestamp;

/// A value at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dot {
    /// When, in milliseconds since 1970.
    pub millis: i64,
    /// The value.
    pub value: f64,
}

/// Takes values, oldest first, and keeps at most four for each of so many buckets.
///
/// Buckets begin a millisecond wide. Each time there are too many of them, they become twice as wide. The first, the
/// last, the least and the greatest value are always among those that are kept.
#[derive(Clone, Debug)]
pub struct Thinner {
    most: usize,
    width: i64,
    buckets: Vec<Bucket>,
    distances: Distances,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    first: Dot,
    least: Dot,
    greatest: Dot,
    last: Dot,
}

impl Thinner {
    /// With room for so many buckets.
    pub fn new(most: usize) -> Self {
        Thinner { most: most.max(2), width: 1, buckets: Vec::new(), distances: Distances::default() }
    }

    /// Takes the next value. One that is no number cannot be drawn and is left out.
    pub fn push(&mut self, time: Timestamp, value: f64) {
        if !value.is_finite() {
            return;
        }
        let dot = Dot { millis: time.as_millis(), value };
        if let Some(last) = self.buckets.last() {
            self.distances.add(dot.millis - last.last.millis);
        }
        self.add(Bucket { first: dot, least: dot, greatest: dot, last: dot });
        while self.buckets.len() > self.most {
            self.width *= 2;
            for bucket in std::mem::take(&mut self.buckets) {
                self.add(bucket);
            }
        }
    }

    /// How many buckets are in use.
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// What is left, to be drawn.
    pub fn finish(self) -> Line {
        let mut dots: Vec<Dot> = Vec::new();
        for Bucket { first, least, greatest, last } in self.buckets {
            let (one, other) =
                if least.millis <= greatest.millis { (least, greatest) } else { (greatest, least) };
            for dot in [first, one, other, last] {
                if dots.last() != Some(&dot) {
                    dots.push(dot);
                }
            }
        }
        Line { dots, reach: self.distances.reach() }
    }

    /// Adds to the newest bucket, or as the next one.
    fn add(&mut self, next: Bucket) {
        let place = |dot: Dot| dot.millis.div_euclid(self.width);
        match self.buckets.last_mut().filter(|bucket| place(bucket.first) == place(next.first)) {
            Some(bucket) => bucket.join(next),
            None => self.buckets.push(next),
        }
    }
}

impl Bucket {
    fn join(&mut self, later: Bucket) {
        // Of equal values the first stays.
        if later.least.value < self.least.value {
            self.least = later.least;
        }
        if later.greatest.value > self.greatest.value {
            self.greatest = later.greatest;
        }
        self.last = later.last;
    }
}

/// Values that are joined by a line, except over holes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line {
    /// The values, oldest first.
    pub dots: Vec<Dot>,
    /// Two neighbours that are further apart than so many milliseconds have a hole between them.
    pub reach: i64,
}

impl Line {
    /// The parts between holes. What is less than `visible` milliseconds long is no hole in this picture.
    pub fn parts(&self, visible: i64) -> impl Iterator<Item = &[Dot]> {
        let reach = self.reach.max(visible);
        self.dots.chunk_by(move |left, right| right.millis - left.millis <= reach)
    }
}

/// How far apart neighbours are: how many distances there are of each size, four sizes to a doubling.
#[derive(Clone, Debug, Default)]
struct Distances {
    counts: Vec<u64>,
    total: u64,
}

impl Distances {
    /// A hole is longer than so many typical distances…
    const TYPICAL: f64 = 6.0;
    /// … and than so many of those that only a tenth exceeds, for trades come in bursts.
    const LONG: f64 = 4.0;

    fn add(&mut self, millis: i64) {
        // Values of one moment say nothing of how often there is one.
        if millis > 0 {
            let size = ((millis as f64).log2() * 4.0) as usize;
            if self.counts.len() <= size {
                self.counts.resize(size + 1, 0);
            }
            self.counts[size] += 1;
            self.total += 1;
        }
    }

    /// The distance that this share of them does not exceed, a fifth too great at most.
    fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.total.saturating_sub(1) as f64) as u64;
        let mut below = 0;
        let size = self.counts.iter().position(|count| {
            below += count;
            below > rank
        });
        size.map_or(0.0, |size| ((size + 1) as f64 / 4.0).exp2())
    }

    fn reach(&self) -> i64 {
        (self.quantile(0.5) * Self::TYPICAL).max(self.quantile(0.9) * Self::LONG) as i64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thinned(most: usize, values: &[(i64, f64)]) -> (usize, Line) {
        let mut thinner = Thinner::new(most);
        for (millis, value) in values {
            thinner.push(Timestamp::from_millis(*millis).unwrap(), *value);
        }
        (thinner.buckets(), thinner.finish())
    }

    #[test]
    fn a_million_prices_take_no_more_room_than_the_cap() {
        let mut thinner = Thinner::new(1_000);
        for n in 0..1_000_000_i64 {
            let value = if n == 654_321 { 9e9 } else { (n % 977) as f64 };
            thinner.push(Timestamp::from_millis(1_795_413_603_000 + n * 3_000).unwrap(), value);
            assert!(thinner.buckets.len() <= 1_000 && thinner.buckets.capacity() <= 2_048);
        }
        assert!(thinner.buckets() >= 500, "half of the room is used: {}", thinner.buckets());
        assert!(thinner.distances.counts.len() < 200);
        let line = thinner.finish();
        assert!(line.dots.contains(&Dot { millis: 1_795_413_603_000 + 654_321 * 3_000, value: 9e9 }));
    }

    #[test]
    fn a_hole_breaks_the_line_and_a_slow_moment_does_not() {
        let every = |from: i64, n: i64| (0..n).map(move |k| (from + k * 3_000, 1.0));
        let mut values: Vec<_> = every(1_000, 50).collect();
        values.extend(every(160_000, 50));
        values.extend(every(900_000, 50));
        let (_, line) = thinned(1_000, &values);
        let lengths: Vec<usize> = line.parts(0).map(<[Dot]>::len).collect();
        assert_eq!(lengths, [100, 50], "12 s without a price is slow, ten minutes is a hole");
        assert_eq!(line.parts(3_600_000).count(), 1, "a hole that nobody would see");
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let (_, line) = thinned(10, &[(1, 1.0), (2, f64::NAN), (3, f64::INFINITY), (4, 2.0)]);
        assert_eq!(line.dots.len(), 2);
    }

    proptest! {
        #[test]
        fn ends_and_extremes_stay_in_order_and_the_cap_is_kept(
            steps in prop::collection::vec((0_i64..100_000, -50_i32..50), 1..400),
            most in 2_usize..60,
        ) {
            let mut millis = 1;
            let values: Vec<(i64, f64)> = steps.iter().map(|(step, value)| {
                millis += step;
                (millis, f64::from(*value))
            }).collect();
            let (buckets, line) = thinned(most, &values);
            prop_assert!(buckets <= most && line.dots.len() <= 4 * most);
            prop_assert!(line.dots.windows(2).all(|two| two[0].millis <= two[1].millis));
            prop_assert!(line.dots.iter().all(|dot| values.contains(&(dot.millis, dot.value))));
            let ends = |dot: Option<&Dot>| dot.map(|dot| (dot.millis, dot.value));
            prop_assert_eq!(ends(line.dots.first()), values.first().copied());
            prop_assert_eq!(ends(line.dots.last()), values.last().copied());
            let most_of = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::MIN, f64::max);
            let least_of = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::MAX, f64::min);
            prop_assert_eq!(most_of(&mut line.dots.iter().map(|d| d.value)), most_of(&mut values.iter().map(|v| v.1)));
            prop_assert_eq!(least_of(&mut line.dots.iter().map(|d| d.value)), least_of(&mut values.iter().map(|v| v.1)));
        }
    }
}
