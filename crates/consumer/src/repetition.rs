//! What was told already, so that trouble that lasts is not told over and over. Pure: the time is an argument.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// When each kind of trouble was last told.
#[derive(Debug, Default)]
pub(crate) struct Repetition {
    told: BTreeMap<String, Instant>,
}

impl Repetition {
    /// Whether trouble of this kind is to be told now: when it is new, or was last told so long ago. `None` is for what
    /// does not change by itself: it is told once.
    pub(crate) fn is_due(&mut self, kind: &str, again_after: Option<Duration>, now: Instant) -> bool {
        let again =
            |at: &Instant| again_after.is_some_and(|pause| now.saturating_duration_since(*at) >= pause);
        let due = self.told.get(kind).is_none_or(again);
        if due {
            self.told.insert(kind.to_owned(), now);
        }
        due
    }

    /// The trouble is over: the next one is new.
    pub(crate) fn forget(&mut self) {
        self.told.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Option<Duration> = Some(Duration::from_secs(30));

    #[test]
    fn trouble_that_lasts_is_told_again_after_a_while_and_each_kind_by_itself() {
        let (mut repetition, start) = (Repetition::default(), Instant::now());
        let told: Vec<u64> = (0..=70)
            .filter(|second| repetition.is_due("away", PAUSE, start + Duration::from_secs(*second)))
            .collect();
        assert_eq!(told, [0, 30, 60]);
        assert!(repetition.is_due("silent", PAUSE, start));
    }

    #[test]
    fn what_does_not_change_by_itself_is_told_once_until_it_is_over() {
        let (mut repetition, start) = (Repetition::default(), Instant::now());
        let told = (0..10_000)
            .filter(|second| repetition.is_due("no such file", None, start + Duration::from_secs(*second)))
            .count();
        assert_eq!(told, 1);
        repetition.forget();
        assert!(repetition.is_due("no such file", None, start));
    }
}
