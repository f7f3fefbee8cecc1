//! How many consumers a lag asks for. Pure: the caller measures the lag, tells the time and writes the answer.
//!
//! # Guarantees
//! - More consumers come at once; fewer only after the lag has asked for fewer throughout the stabilization time, and
//!   then as many as it asked for at most within it.
//! - Never outside of `minReplicas` and `maxReplicas`, and never more than the topics have partitions: a consumer
//!   without a partition has nothing to do.
//! - An unknown lag changes nothing and begins the stabilization time anew. Neither does a suspended pipeline change.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use pricepipe_core::{Pipeline, pipeline::Autoscaling};

/// What a pipeline's lag asked for lately.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Since when the lag has been known without a gap.
    since: Option<Instant>,
    /// When it asked for how many, from the oldest to the newest and from the most to the fewest: what is both older
    /// and not more than another can no longer decide anything.
    asked: VecDeque<(Instant, u32)>,
}

impl History {
    fn forget(&mut self) {
        *self = History::default();
    }

    fn record(&mut self, wanted: u32, now: Instant) {
        self.since.get_or_insert(now);
        while self.asked.back().is_some_and(|(_, earlier)| *earlier <= wanted) {
            self.asked.pop_back();
        }
        self.asked.push_back((now, wanted));
    }

    /// The most that was asked for within `window`, when the lag was known all the while.
    fn most_within(&mut self, window: Duration, now: Instant) -> Option<u32> {
        let age = |then: Instant| now.saturating_duration_since(then);
        while self.asked.len() > 1 && self.asked.front().is_some_and(|(then, _)| age(*then) > window) {
            self.asked.pop_front();
        }
        let known_throughout = self.since.is_some_and(|since| age(since) >= window);
        self.asked.front().filter(|_| known_throughout).map(|(_, wanted)| *wanted)
    }
}

/// The new number of consumers, or `None` when it should stay.
pub fn decide(pipeline: &Pipeline, lag: Option<u64>, history: &mut History, now: Instant) -> Option<u32> {
    let (Some(autoscaling), Some(lag), false) = (&pipeline.autoscaling, lag, pipeline.suspend) else {
        history.forget();
        return None;
    };
    let wanted = wanted(autoscaling, pipeline.total_partitions(), lag);
    history.record(wanted, now);
    let current = pipeline.consumer_replicas;
    if wanted > current {
        return Some(wanted);
    }
    let window = Duration::from_secs(u64::from(autoscaling.stabilization_seconds));
    history.most_within(window, now).filter(|most| *most < current)
}

/// What a lag asks for, within the bounds.
fn wanted(autoscaling: &Autoscaling, total_partitions: u32, lag: u64) -> u32 {
    let most = autoscaling.max_replicas.min(total_partitions).max(1);
    let least = autoscaling.min_replicas.min(most);
    let asked = lag.div_ceil(u64::from(autoscaling.lag_per_replica.max(1)));
    u32::try_from(asked).unwrap_or(u32::MAX).clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests::pipeline;

    const SPEC: &str = "
symbols: [{symbol: BTCUSDT}, {symbol: ETHUSDT}]
consumer: {replicas: 2, autoscaling: {minReplicas: 1, maxReplicas: 4, lagPerReplica: 100, stabilizationSeconds: 60}}
";

    /// Decisions about a pipeline that follows them, one for each (second, lag).
    fn follow(mut pipeline: Pipeline, lags: &[(u64, Option<u64>)]) -> Vec<u32> {
        let (mut history, start) = (History::default(), Instant::now());
        let decide = |(second, lag): &(u64, Option<u64>)| {
            let now = start + Duration::from_secs(*second);
            if let Some(replicas) = decide(&pipeline, *lag, &mut history, now) {
                assert_ne!(replicas, pipeline.consumer_replicas, "a decision is a change");
                pipeline.consumer_replicas = replicas;
            }
            pipeline.consumer_replicas
        };
        lags.iter().map(decide).collect()
    }

    #[test]
    fn consumers_come_at_once_and_go_only_after_a_quiet_time() {
        let lags =
            [(0, Some(301)), (15, Some(0)), (30, Some(0)), (60, Some(0)), (75, Some(0)), (90, Some(0))];
        assert_eq!(follow(pipeline(SPEC), &lags), [4, 4, 4, 4, 1, 1]);
    }

    #[test]
    fn the_most_that_was_asked_for_within_the_quiet_time_stays() {
        let lags = [(0, Some(400)), (20, Some(250)), (61, Some(0)), (81, Some(0)), (122, Some(0))];
        assert_eq!(follow(pipeline(SPEC), &lags), [4, 4, 3, 1, 1]);
    }

    #[test]
    fn an_unknown_lag_is_no_low_one() {
        let lags = [(0, Some(400)), (30, None), (61, Some(0)), (90, None), (400, Some(0)), (460, Some(0))];
        assert_eq!(follow(pipeline(SPEC), &lags), [4, 4, 4, 4, 4, 1]);
    }

    #[test]
    fn a_lag_never_asks_for_more_than_the_bounds_or_the_partitions() {
        let mut few = pipeline(SPEC);
        few.autoscaling = few.autoscaling.map(|autoscaling| Autoscaling { max_replicas: 100, ..autoscaling });
        assert_eq!(follow(few.clone(), &[(0, Some(u64::MAX))]), [6], "two topics of three partitions");
        few.symbols.truncate(1);
        few.autoscaling = few.autoscaling.map(|autoscaling| Autoscaling { min_replicas: 5, ..autoscaling });
        assert_eq!(follow(few, &[(0, Some(0))]), [3], "partitions win over minReplicas");
        assert_eq!(follow(pipeline(SPEC), &[(0, Some(u64::MAX))]), [4]);
    }

    #[test]
    fn a_number_outside_of_the_bounds_is_brought_inside() {
        let mut stopped = pipeline(SPEC);
        stopped.consumer_replicas = 0;
        assert_eq!(follow(stopped.clone(), &[(0, Some(0))]), [1]);
        stopped.consumer_replicas = 9;
        assert_eq!(follow(stopped, &[(0, Some(9_999)), (60, Some(9_999))]), [9, 4]);
    }

    #[test]
    fn nothing_changes_while_suspended_or_without_autoscaling() {
        let mut suspended = pipeline(SPEC);
        suspended.suspend = true;
        assert_eq!(follow(suspended, &[(0, Some(10_000)), (90, Some(0))]), [2, 2]);
        let mut alone = pipeline(SPEC);
        alone.autoscaling = None;
        assert_eq!(follow(alone, &[(0, Some(10_000)), (90, Some(0))]), [2, 2]);
    }

    #[test]
    fn a_stabilization_of_nothing_lets_consumers_go_at_once() {
        let mut hasty = pipeline(SPEC);
        hasty.autoscaling = hasty.autoscaling.map(|a| Autoscaling { stabilization_seconds: 0, ..a });
        assert_eq!(follow(hasty, &[(0, Some(400)), (1, Some(0))]), [4, 1]);
    }

    #[test]
    fn the_history_stays_small_however_often_it_is_asked() {
        let (pipeline, mut history, start) = (pipeline(SPEC), History::default(), Instant::now());
        for second in 0..10_000 {
            let lag = 100 * (second * 7 % 5);
            decide(&pipeline, Some(lag), &mut history, start + Duration::from_secs(second));
            assert!(history.asked.len() <= 4, "{history:?}");
        }
    }
}
