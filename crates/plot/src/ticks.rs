//! Where an axis has its marks and what stands beside them: round numbers, and round times in UTC.

use jiff::{Span, civil, tz::TimeZone};
use pricepipe_core::analytics::Interval;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// More decimals than this are written with an exponent.
const MOST_DECIMALS: i32 = 12;
/// Whole numbers from here on are written with an exponent.
const HUGE: f64 = 1e15;

/// A mark of a value axis.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueTick {
    /// Where it is.
    pub value: f64,
    /// What stands beside it.
    pub label: String,
}

/// Marks at multiples of 1, 2 or 5 times a power of ten: as many as there are, up to `most`. Rather than to show one
/// alone, there may be one more.
pub fn values(low: f64, high: f64, most: usize) -> Vec<ValueTick> {
    let most = most.max(2) as i64;
    let least = ((high - low) / most as f64 / 10.0).log10().floor() as i32;
    let mut steps = (least..).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| Multiples { digit, power }));
    let mut finer = None;
    let fits = loop {
        let Some(step) = steps.next() else { return Vec::new() };
        if step.count(low, high) <= most {
            break step;
        }
        finer = Some(step);
    };
    let alone = fits.count(low, high) < 2;
    let step = finer.filter(|finer| alone && finer.count(low, high) == most + 1).unwrap_or(fits);
    let (first, last) = step.within(low, high);
    let tick = |n| ValueTick { value: step.times(n), label: number(step.times(n), -step.power) };
    (first..=last).map(tick).collect()
}

/// The multiples of a digit times a power of ten.
struct Multiples {
    digit: f64,
    power: i32,
}

impl Multiples {
    /// Division by a power of ten is exact where multiplication with a tenth of it is not.
    fn times(&self, n: i64) -> f64 {
        let digits = n as f64 * self.digit;
        if self.power < 0 { digits / 10_f64.powi(-self.power) } else { digits * 10_f64.powi(self.power) }
    }

    fn count(&self, low: f64, high: f64) -> i64 {
        let (first, last) = self.within(low, high);
        last - first + 1
    }

    /// The first and the last that lie between two values.
    fn within(&self, low: f64, high: f64) -> (i64, i64) {
        let step = self.times(1);
        ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64)
    }
}

/// A number with so many decimals, or with an exponent where those would be too many to read.
fn number(value: f64, decimals: i32) -> String {
    if decimals > MOST_DECIMALS || value.abs() >= HUGE {
        format!("{value:e}")
    } else {
        format!("{value:.*}", decimals.max(0).unsigned_abs() as usize)
    }
}

/// A computed number for a legend: as many digits as people read.
pub fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return "0".to_owned();
    }
    let power = value.abs().log10().floor() as i32;
    let text = number(value, (5 - power).max(0));
    if text.contains('.') && !text.contains('e') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

/// A mark of the time axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeTick {
    /// Where it is, in milliseconds since 1970.
    pub millis: i64,
    /// What stands below it.
    pub label: String,
    /// What stands below that, where it differs from the mark before: the day of a time, the year of a day.
    pub context: Option<String>,
}

/// How far apart marks of time are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Millis(i64),
    Months(i16),
}

const STEPS: &[Step] = &[
    Step::Millis(1),
    Step::Millis(2),
    Step::Millis(5),
    Step::Millis(10),
    Step::Millis(20),
    Step::Millis(50),
    Step::Millis(100),
    Step::Millis(200),
    Step::Millis(500),
    Step::Millis(SECOND),
    Step::Millis(2 * SECOND),
    Step::Millis(5 * SECOND),
    Step::Millis(10 * SECOND),
    Step::Millis(15 * SECOND),
    Step::Millis(30 * SECOND),
    Step::Millis(MINUTE),
    Step::Millis(2 * MINUTE),
    Step::Millis(5 * MINUTE),
    Step::Millis(10 * MINUTE),
    Step::Millis(15 * MINUTE),
    Step::Millis(30 * MINUTE),
    Step::Millis(HOUR),
    Step::Millis(2 * HOUR),
    Step::Millis(3 * HOUR),
    Step::Millis(6 * HOUR),
    Step::Millis(12 * HOUR),
    Step::Millis(DAY),
    Step::Millis(2 * DAY),
    Step::Millis(7 * DAY),
    Step::Millis(14 * DAY),
    Step::Months(1),
    Step::Months(3),
    Step::Months(6),
    Step::Months(12),
    Step::Months(24),
    Step::Months(60),
    Step::Months(120),
];

impl Step {
    /// At least as long as this many milliseconds.
    fn least_millis(self) -> i64 {
        match self {
            Step::Millis(millis) => millis,
            Step::Months(months) => i64::from(months) * 28 * DAY,
        }
    }

    /// How a mark is written, and what stands below it.
    fn forms(self) -> (&'static str, &'static str) {
        match self {
            Step::Millis(..SECOND) => ("%H:%M:%S%.3f", "%-d %b %Y"),
            Step::Millis(..MINUTE) => ("%H:%M:%S", "%-d %b %Y"),
            Step::Millis(..DAY) => ("%H:%M", "%-d %b %Y"),
            Step::Millis(_) => ("%-d %b", "%Y"),
            Step::Months(..12) => ("%b", "%Y"),
            Step::Months(_) => ("%Y", ""),
        }
    }

    /// The marks from `first` to `last`.
    fn marks(self, first: i64, last: i64) -> Vec<i64> {
        match self {
            Step::Millis(step) => {
                let past = (first + Interval::MONDAY_TO_EPOCH_MILLIS).rem_euclid(step);
                let start = if past == 0 { first } else { first - past + step };
                (start..=last).step_by(usize::try_from(step).unwrap_or(1)).collect()
            }
            Step::Months(step) => {
                let year = at(first).year();
                // From a year that every step begins in.
                let start = civil::date(year - year % 10, 1, 1);
                let marks = (0_i32..).map_while(|n| {
                    let months = n.checked_mul(i32::from(step))?;
                    start.checked_add(Span::new().try_months(months).ok()?).ok()
                });
                let millis = marks.map(|date| date.to_datetime(civil::Time::midnight())).map(millis_of);
                millis.skip_while(|millis| *millis < first).take_while(|millis| *millis <= last).collect()
            }
        }
    }
}

/// Marks at round times from `first` to `last`, as many as there are, up to `most`.
pub fn times(first: i64, last: i64, most: usize) -> Vec<TimeTick> {
    let most = i64::try_from(most).unwrap_or(i64::MAX).max(1);
    let step = STEPS.iter().copied().find(|step| (last - first) / step.least_millis() < most);
    let step = step.unwrap_or(Step::Months(120));
    let (label, context) = step.forms();
    let mut before = String::new();
    let tick = |millis: i64| {
        let here = at(millis).strftime(context).to_string();
        let context = (here != before).then(|| here.clone());
        before = here;
        TimeTick { millis, label: at(millis).strftime(label).to_string(), context }
    };
    step.marks(first, last).into_iter().map(tick).collect()
}

/// How wide the widest mark of such a range is, in characters, if there are about this many of them.
pub fn time_width(first: i64, last: i64, most: usize) -> usize {
    times(first, last, most).iter().map(|tick| tick.label.chars().count()).max().unwrap_or(0)
}

/// A range of time in words.
pub fn range(first: i64, last: i64) -> String {
    let (from, to) = (at(first), at(last));
    let day = |time: civil::DateTime| time.strftime("%-d %b %Y").to_string();
    let form = if last - first < 10 * SECOND {
        "%H:%M:%S%.3f"
    } else if last - first < 2 * HOUR {
        "%H:%M:%S"
    } else {
        "%H:%M"
    };
    let time = |time: civil::DateTime| time.strftime(form).to_string();
    match from.date() == to.date() {
        _ if last == first => format!("{}, {} UTC", day(from), from.strftime("%H:%M:%S%.f")),
        _ if last - first > 60 * DAY => format!("{} – {} UTC", day(from), day(to)),
        true => format!("{}, {} – {} UTC", day(from), time(from), time(to)),
        false => format!("{}, {} – {}, {} UTC", day(from), time(from), day(to), time(to)),
    }
}

fn at(millis: i64) -> civil::DateTime {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    TimeZone::UTC.to_datetime(time)
}

fn millis_of(time: civil::DateTime) -> i64 {
    TimeZone::UTC.to_timestamp(time).map_or(i64::MAX, |time| time.as_millisecond())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(low: f64, high: f64, most: usize) -> Vec<String> {
        values(low, high, most).into_iter().map(|tick| tick.label).collect()
    }

    fn between(first: &str, last: &str, most: usize) -> Vec<String> {
        let millis = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let tell = |tick: TimeTick| match tick.context {
            Some(context) => format!("{} ({context})", tick.label),
            None => tick.label,
        };
        times(millis(first), millis(last), most).into_iter().map(tell).collect()
    }

    #[test]
    fn values_are_round_and_have_the_decimals_that_tell_them_apart() {
        assert_eq!(labels(67_310.0, 67_342.0, 5), ["67310", "67320", "67330", "67340"]);
        assert_eq!(labels(0.001_410_3, 0.001_413_9, 4), ["0.001411", "0.001412", "0.001413"]);
        assert_eq!(labels(0.0, 1.0, 6), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-0.5, 0.5, 2), ["-0.5", "0.0", "0.5"]);
        assert_eq!(labels(1e-20, 3e-20, 3), ["1e-20", "2e-20", "3e-20"]);
    }

    #[test]
    fn figures_have_no_more_digits_than_people_read() {
        for (value, text) in [
            (67_321.456, "67321.5"),
            (0.001_411_987_6, "0.00141199"),
            (12.5, "12.5"),
            (0.0, "0"),
            (1e9, "1000000000"),
        ] {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn times_are_round_and_say_their_day_once() {
        assert_eq!(
            between("2026-11-23T23:58:10Z", "2026-11-24T00:01:00Z", 4),
            ["23:59 (23 Nov 2026)", "00:00 (24 Nov 2026)", "00:01"]
        );
        assert_eq!(
            between("2026-11-23T06:00:00Z", "2026-11-23T06:00:02Z", 3),
            ["06:00:00 (23 Nov 2026)", "06:00:01", "06:00:02"]
        );
        assert_eq!(
            between("2026-12-30T06:00:00Z", "2027-01-02T06:00:00Z", 4),
            ["31 Dec (2026)", "1 Jan (2027)", "2 Jan"]
        );
        assert_eq!(
            between("2026-11-24T06:00:00Z", "2026-12-15T06:00:00Z", 5),
            ["30 Nov (2026)", "7 Dec", "14 Dec"],
            "weeks begin on Monday"
        );
        assert_eq!(
            between("2026-10-15T00:00:00Z", "2027-02-01T00:00:00Z", 5),
            ["Nov (2026)", "Dec", "Jan (2027)", "Feb"]
        );
        assert_eq!(
            between("1998-06-01T00:00:00Z", "2037-06-01T00:00:00Z", 5),
            ["2000", "2010", "2020", "2030"]
        );
    }

    #[test]
    fn a_range_says_its_day_once() {
        let range = |first: &str, last: &str| {
            let millis = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
            range(millis(first), millis(last))
        };
        assert_eq!(
            range("2026-11-23T06:00:00Z", "2026-11-23T06:05:00Z"),
            "23 Nov 2026, 06:00:00 – 06:05:00 UTC"
        );
        assert_eq!(
            range("2026-11-23T06:00:00Z", "2026-11-25T06:05:00Z"),
            "23 Nov 2026, 06:00 – 25 Nov 2026, 06:05 UTC"
        );
        assert_eq!(range("2026-11-23T06:00:00Z", "2026-11-23T06:00:00Z"), "23 Nov 2026, 06:00:00 UTC");
        assert_eq!(range("2018-11-23T06:00:00Z", "2026-11-25T06:05:00Z"), "23 Nov 2018 – 25 Nov 2026 UTC");
    }

    proptest! {
        #[test]
        fn marks_of_values_are_inside_apart_and_few(low in -1e9_f64..1e9, span in 1e-6_f64..1e9, most in 1_usize..12) {
            let high = low + span;
            let ticks = values(low, high, most);
            prop_assert!(ticks.len() <= most.max(2) + 1, "{} for {most}", ticks.len());
            let room = span * 1e-6;
            prop_assert!(ticks.iter().all(|t| t.value >= low - room && t.value <= high + room));
            prop_assert!(ticks.windows(2).all(|two| two[0].value < two[1].value && two[0].label != two[1].label));
            for tick in &ticks {
                let read: f64 = tick.label.parse().unwrap();
                prop_assert!((read - tick.value).abs() <= span * 1e-6, "{tick:?}");
            }
        }

        #[test]
        fn marks_of_times_are_inside_in_order_and_few(
            first in 1_i64..2_000_000_000_000, span in 1_i64..140_000_000_000, most in 1_usize..15,
        ) {
            let ticks = times(first, first + span, most);
            prop_assert!(ticks.len() <= most + 1, "{} for {most}", ticks.len());
            prop_assert!(ticks.iter().all(|tick| (first..=first + span).contains(&tick.millis)));
            prop_assert!(ticks.windows(2).all(|two| two[0].millis < two[1].millis));
            // A year alone is context enough.
            prop_assert!(ticks.first().is_none_or(|tick| tick.context.is_some() || tick.label.len() == 4));
        }
    }
}
