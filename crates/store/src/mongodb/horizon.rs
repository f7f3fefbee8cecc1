//! How far back to look for the newest prices.
//!
//! MongoDB reads an index backwards and stops. Servers that speak its protocol may sort everything that matches
//! instead; a bound on the time, which every index serves, spares them that while prices are recent. Where there
//! are none the looks cost a few empty seeks.

use std::time::{SystemTime, UNIX_EPOCH};

use pricepipe_core::Timestamp;

const HOUR: i64 = 3_600_000;
const STEPS: [i64; 3] = [HOUR, 24 * HOUR, 30 * 24 * HOUR];

/// The times from which on to look, one after the other; none is from the beginning.
pub(super) fn horizons(since: Option<Timestamp>, until: Option<Timestamp>) -> Vec<Option<Timestamp>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    steps_before(until.map_or(now as i64, |until| until.as_millis()), since)
}

fn steps_before(end: i64, since: Option<Timestamp>) -> Vec<Option<Timestamp>> {
    let steps = STEPS.iter().filter_map(|step| Timestamp::from_millis(end - step).ok()).map(Some);
    steps.take_while(|from| *from > since).chain([since]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_look_covers_what_was_asked_for_and_none_goes_beyond_it() {
        let end = 1_795_413_603_000;
        let at = |millis| Some(Timestamp::from_millis(millis).unwrap());
        assert_eq!(
            steps_before(end, None),
            [at(end - HOUR), at(end - 24 * HOUR), at(end - 720 * HOUR), None]
        );
        assert_eq!(steps_before(end, at(end - 2 * HOUR)), [at(end - HOUR), at(end - 2 * HOUR)]);
        assert_eq!(steps_before(end, at(end)), [at(end)]);
        assert_eq!(steps_before(HOUR / 2, None), [None]);
    }
}
