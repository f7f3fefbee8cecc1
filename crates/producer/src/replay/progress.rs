//! Tells in the pipeline's gaps topic how far the markets of a source are: each as it begins, now and then while it moves, and as
//! it ends.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_core::{ReplayProgress, names::TopicName};

use crate::{route::Route, sink::Sink};

/// What moves is told so often …
const EVERY: Duration = Duration::from_secs(10);
/// … and more seldom where there are many markets, since all that is told is read by those who look.
const EVERY_FOR_EACH: Duration = Duration::from_millis(100);

/// How far the markets of a source are.
pub(crate) struct Progress {
    topic: TopicName,
    sink: Arc<Sink>,
    every: Duration,
    /// True where a new beginning follows each end, so that neither is news.
    loops: bool,
    /// By the market's place.
    markets: Mutex<Vec<Word>>,
}

/// What is to be said of a market.
#[derive(Debug, Default)]
struct Word {
    latest: Option<ReplayProgress>,
    /// What was said last, and when.
    said: Option<(ReplayProgress, Instant)>,
}

impl Progress {
    pub(crate) fn new(topic: TopicName, sink: Arc<Sink>, markets: usize, loops: bool) -> Self {
        let every = EVERY.max(EVERY_FOR_EACH.saturating_mul(u32::try_from(markets).unwrap_or(u32::MAX)));
        let markets = (0..markets).map(|_| Word::default()).collect();
        Progress { topic, sink, every, loops, markets: Mutex::new(markets) }
    }

    /// A market is so far.
    pub(crate) fn note(&self, market: usize, progress: ReplayProgress) {
        let mut markets = self.markets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(word) = markets.get_mut(market) {
            word.latest = Some(progress);
            self.say(word);
        }
    }

    /// Says what could not be said before.
    pub(crate) fn tick(&self) {
        self.markets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter_mut()
            .for_each(|word| self.say(word));
    }

    /// A gaps topic that is missing or full holds no record up: it is tried again, with what is true by then.
    fn say(&self, word: &mut Word) {
        let now = Instant::now();
        let Some(progress) = word.due(now, self.every, self.loops) else { return };
        let route = Route::of_gaps(progress.exchange, &progress.symbol, &self.topic, progress.key());
        if self.sink.try_offer(&Arc::new(route), progress.encode()).is_ok() {
            word.said = Some((progress.clone(), now));
        }
    }
}

impl Word {
    /// What is to be said now.
    fn due(&self, now: Instant, every: Duration, loops: bool) -> Option<&ReplayProgress> {
        let latest = self.latest.as_ref()?;
        let Some((said, at)) = &self.said else { return Some(latest) };
        let ended = latest.state != said.state && !loops;
        let is_due = ended || (latest != said && now.saturating_duration_since(*at) >= every);
        is_due.then_some(latest)
    }
}

#[cfg(test)]
mod tests {
    use pricepipe_core::{Exchange, ReplayState, Timestamp};

    use super::*;

    fn at(minutes: i64, state: ReplayState) -> ReplayProgress {
        let moment = |minutes| Timestamp::from_millis(1_795_413_600_000 + minutes * 60_000).unwrap();
        ReplayProgress {
            source: "history".to_owned(),
            exchange: Exchange::Binance,
            symbol: "BTCUSDT".parse().unwrap(),
            interval: None,
            start: moment(0),
            end: moment(100),
            reached: moment(minutes),
            records: 0,
            state,
        }
    }

    /// At which of these seconds something is said, of words that come then.
    fn said(words: &[(u64, ReplayProgress)], loops: bool) -> Vec<u64> {
        let (begin, mut word, mut said) = (Instant::now(), Word::default(), Vec::new());
        for (second, progress) in words {
            let now = begin + Duration::from_secs(*second);
            word.latest = Some(progress.clone());
            if let Some(progress) = word.due(now, EVERY, loops).cloned() {
                word.said = Some((progress, now));
                said.push(*second);
            }
        }
        said
    }

    #[test]
    fn a_beginning_and_an_end_are_said_at_once_and_what_moves_every_ten_seconds() {
        let moves = |second: u64| (second, at(second as i64, ReplayState::Running));
        let ends = |state| [(0..26).map(moves).collect(), vec![(26, at(100, state))]].concat();
        assert_eq!(said(&ends(ReplayState::Complete), false), [0, 10, 20, 26]);
        assert_eq!(said(&ends(ReplayState::Failed { reason: "gone".to_owned() }), false), [0, 10, 20, 26]);
        let stays: Vec<_> = (0..60).map(|second| (second, at(0, ReplayState::Running))).collect();
        assert_eq!(said(&stays, false), [0], "what does not move is no news");
    }

    #[test]
    fn where_ends_and_beginnings_follow_each_other_neither_is_news() {
        let state = |second| if second % 2 == 0 { ReplayState::Running } else { ReplayState::Complete };
        let turns: Vec<_> = (0..25).map(|second| (second, at(second as i64, state(second)))).collect();
        assert_eq!(said(&turns, true), [0, 10, 20]);
    }

    #[test]
    fn nothing_is_said_of_a_market_that_has_not_begun() {
        assert_eq!(Word::default().due(Instant::now(), EVERY, false), None);
    }
}
