//! Price paths: which price a symbol has now. Pure; elapsed time is an argument.

use std::{sync::Arc, time::Duration};

use pricepipe_core::Symbol;

use crate::{
    config::{AtEnd, Pace, Playback},
    recording::Recording,
    walk::Walk,
};

/// The most steps that a walk catches up with at once, so that a long silence cannot stall an answer.
const MAX_CATCH_UP: u64 = 10_000;

/// The price of one symbol as time, or requests, go by.
#[derive(Clone, Debug)]
pub(crate) enum PricePath {
    Walk { walk: Walk, pace: Pace, steps: u64 },
    Recording { recording: Recording, pace: Pace, at_end: AtEnd, served: u64 },
}

impl PricePath {
    pub(crate) fn walk(seed: u64, symbol: &Symbol, pace: Pace) -> Self {
        PricePath::Walk { walk: Walk::new(seed, symbol), pace, steps: 0 }
    }

    pub(crate) fn playback(playback: &Playback) -> Self {
        let Playback { recording, pace, at_end, .. } = playback.clone();
        PricePath::Recording { recording, pace, at_end, served: 0 }
    }

    /// The price to serve now, `elapsed` after the exchange started. To call it is to serve it.
    pub(crate) fn next(&mut self, elapsed: Duration) -> Arc<str> {
        match self {
            PricePath::Walk { walk, pace, steps } => {
                let target = walk_target(*pace, elapsed, *steps);
                for _ in 0..target.saturating_sub(*steps).min(MAX_CATCH_UP) {
                    walk.step();
                }
                *steps = target.max(*steps);
                walk.price()
            }
            PricePath::Recording { recording, pace, at_end, served } => {
                let row = row_to_play(recording, *pace, *at_end, elapsed, *served);
                *served += 1;
                recording.rows()[row].price.clone()
            }
        }
    }

    /// True unless it is a recording.
    pub(crate) fn is_made_up(&self) -> bool {
        matches!(self, PricePath::Walk { .. })
    }

    /// How many rows of a recording that is played per request have not been served yet.
    pub(crate) fn remaining(&self) -> Option<usize> {
        match self {
            PricePath::Recording { recording, pace: Pace::PerRequest, served, .. } => {
                Some(recording.len().saturating_sub(usize::try_from(*served).unwrap_or(usize::MAX)))
            }
            _ => None,
        }
    }
}

/// How many steps a walk has gone, of which one is a second of its own time.
fn walk_target(pace: Pace, elapsed: Duration, steps: u64) -> u64 {
    match pace {
        Pace::PerRequest => steps + 1,
        Pace::Tick(tick) => ticks(elapsed, tick),
        Pace::Speed(factor) => (elapsed.as_secs_f64() * factor) as u64,
    }
}

fn ticks(elapsed: Duration, tick: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos() / tick.as_nanos().max(1)).unwrap_or(u64::MAX)
}

fn row_to_play(recording: &Recording, pace: Pace, at_end: AtEnd, elapsed: Duration, served: u64) -> usize {
    let rows = recording.rows();
    let index = match pace {
        Pace::PerRequest => served,
        Pace::Tick(tick) => ticks(elapsed, tick),
        Pace::Speed(factor) => {
            return row_at_its_time(recording, at_end, elapsed.as_millis() as f64 * factor);
        }
    };
    let last = rows.len() as u64 - 1;
    let index = match at_end {
        AtEnd::Hold => index.min(last),
        AtEnd::StartOver => index % (last + 1),
    };
    index as usize
}

/// The last row whose own time has come.
fn row_at_its_time(recording: &Recording, at_end: AtEnd, played_millis: f64) -> usize {
    let rows = recording.rows();
    let (first, last) = (rows[0].time_millis, rows[rows.len() - 1].time_millis);
    // One millisecond more than the span, so that the last row is seen before the first one comes again.
    let span = (last - first) as f64 + 1.0;
    let played = match at_end {
        AtEnd::Hold => played_millis.min(span),
        AtEnd::StartOver => played_millis % span,
    };
    let now = first.saturating_add(played as i64);
    rows.partition_point(|row| row.time_millis <= now).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRADES: &str = "id,time_ms,price,quantity,side\n\
        1,1000,0.10,1,buy\n2,1000,0.20,1,buy\n3,3000,0.30,1,buy\n4,6000,0.40,1,buy\n";

    fn playing(pace: Pace, at_end: AtEnd) -> PricePath {
        let recording = Recording::from_reader("test", TRADES.as_bytes()).unwrap();
        PricePath::playback(&Playback { symbol: "XRPETH".parse().unwrap(), recording, pace, at_end })
    }

    fn at(path: &mut PricePath, millis: u64) -> String {
        path.next(Duration::from_millis(millis)).to_string()
    }

    #[test]
    fn per_request_serves_every_row_once_in_order_then_holds_the_last() {
        let mut path = playing(Pace::PerRequest, AtEnd::Hold);
        assert_eq!(path.remaining(), Some(4));
        let served: Vec<_> = (0..6).map(|_| at(&mut path, 0)).collect();
        assert_eq!(served, ["0.10", "0.20", "0.30", "0.40", "0.40", "0.40"]);
        assert_eq!(path.remaining(), Some(0));
    }

    #[test]
    fn per_request_can_start_over() {
        let mut path = playing(Pace::PerRequest, AtEnd::StartOver);
        let served: Vec<_> = (0..6).map(|_| at(&mut path, 0)).collect();
        assert_eq!(served, ["0.10", "0.20", "0.30", "0.40", "0.10", "0.20"]);
    }

    #[test]
    fn a_tick_takes_the_next_row_asked_for_or_not() {
        let mut path = playing(Pace::Tick(Duration::from_millis(100)), AtEnd::Hold);
        let served: Vec<_> = [0, 99, 100, 250, 9_999].map(|ms| at(&mut path, ms)).into();
        assert_eq!(served, ["0.10", "0.10", "0.20", "0.30", "0.40"]);
    }

    #[test]
    fn speed_keeps_the_rows_own_times() {
        let mut path = playing(Pace::Speed(2.0), AtEnd::Hold);
        let served: Vec<_> = [0, 999, 1_000, 2_499, 2_500, 60_000].map(|ms| at(&mut path, ms)).into();
        assert_eq!(served, ["0.20", "0.20", "0.30", "0.30", "0.40", "0.40"]);
        let mut over = playing(Pace::Speed(1.0), AtEnd::StartOver);
        assert_eq!([5_000, 5_001, 7_001].map(|ms| at(&mut over, ms)), ["0.40", "0.20", "0.30"]);
    }

    #[test]
    fn a_walk_goes_by_requests_by_ticks_or_by_seconds() {
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let mut by_request = PricePath::walk(1, &symbol, Pace::PerRequest);
        let steps: Vec<_> = (0..7).map(|_| at(&mut by_request, 0)).collect();
        let mut by_tick = PricePath::walk(1, &symbol, Pace::Tick(Duration::from_millis(10)));
        assert_eq!([10, 19, 30].map(|ms| at(&mut by_tick, ms)), [&*steps[0], &steps[0], &steps[2]]);
        let mut by_second = PricePath::walk(1, &symbol, Pace::Speed(2.0));
        assert_eq!([500, 1_000, 3_500].map(|ms| at(&mut by_second, ms)), [&*steps[0], &steps[1], &steps[6]]);
        assert_eq!(by_request.remaining(), None);
    }

    #[test]
    fn a_year_of_silence_is_caught_up_at_once() {
        let mut path = PricePath::walk(1, &"BTCUSDT".parse().unwrap(), Pace::Tick(Duration::from_millis(1)));
        let year = Duration::from_secs(365 * 24 * 3_600);
        assert_eq!(path.next(year), path.next(year));
    }
}
