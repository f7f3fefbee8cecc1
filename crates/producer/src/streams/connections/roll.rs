//! Which markets of a source are listened to: all but those that the exchange does not have. Those are tried again, ever
//! more rarely. No I/O: the time is an argument.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use crate::unknown::Unknown;

/// What is known of the markets of a source, by their places.
#[derive(Default)]
pub(super) struct Roll {
    state: Mutex<State>,
    news: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    unknown: Unknown,
    /// Unknown ones that are tried again now.
    tried: BTreeSet<usize>,
    /// The exchange's words when it last refused one.
    refusal: Option<String>,
}

impl Roll {
    /// Whether a market is to be listened to.
    pub(super) fn wants(&self, market: usize) -> bool {
        let state = self.lock();
        !state.unknown.contains(market) || state.tried.contains(&market)
    }

    /// The exchange does not have a market. True when that is news.
    pub(super) fn missing(&self, market: usize, now: Instant) -> bool {
        let mut state = self.lock();
        state.tried.remove(&market);
        let news = state.unknown.add(market, now);
        drop(state);
        self.tell();
        news
    }

    /// The exchange refuses a market, in these words. True when that is news; nothing changes when another connection was
    /// told so already.
    pub(super) fn refused(&self, market: usize, words: &str, now: Instant) -> bool {
        let mut state = self.lock();
        state.refusal = Some(words.to_owned());
        let is_told = state.unknown.contains(market) && !state.tried.contains(&market);
        drop(state);
        !is_told && self.missing(market, now)
    }

    /// A market is subscribed to. True when it was unknown before.
    pub(super) fn accepted(&self, market: usize) -> bool {
        let mut state = self.lock();
        // An answer to what was asked for before it was found to be unknown says nothing.
        let news = state.tried.remove(&market) && state.unknown.remove(market);
        drop(state);
        if news {
            self.tell();
        }
        news
    }

    /// Whether an unknown market is being tried again.
    pub(super) fn tries(&self, market: usize) -> bool {
        self.lock().tried.contains(&market)
    }

    /// These unknown markets are to be subscribed to once more.
    pub(super) fn try_again(&self, markets: &[usize]) {
        self.lock().tried.extend(markets);
        self.tell();
    }

    /// The unknown markets that are to be looked for by now.
    pub(super) fn due(&self, now: Instant) -> Vec<usize> {
        self.waiting().into_iter().take_while(|(at, _)| *at <= now).map(|(_, market)| market).collect()
    }

    /// When the next one is to be looked for.
    pub(super) fn next_recheck(&self) -> Option<Instant> {
        self.waiting().first().map(|(at, _)| *at)
    }

    /// How many are unknown, and what the exchange said when it last refused one.
    pub(super) fn unknown(&self) -> (usize, Option<String>) {
        let state = self.lock();
        (state.unknown.len(), state.refusal.clone())
    }

    /// Changes when any of this does.
    pub(super) fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    fn waiting(&self) -> Vec<(Instant, usize)> {
        let state = self.lock();
        let mut rechecks = state.unknown.rechecks();
        rechecks.retain(|(_, market)| !state.tried.contains(market));
        rechecks
    }

    fn tell(&self) {
        self.news.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_unknown_is_left_out_tried_again_ever_more_rarely_and_comes_back() {
        let (roll, start) = (Roll::default(), Instant::now());
        assert!(roll.wants(7) && roll.missing(7, start));
        assert!(!roll.wants(7) && roll.due(start).is_empty());
        assert_eq!(roll.next_recheck(), Some(start + MINUTE));
        assert_eq!(roll.due(start + MINUTE), [7]);
        assert!(!roll.missing(7, start + MINUTE), "it is told once");
        assert_eq!(roll.next_recheck(), Some(start + 3 * MINUTE));
        roll.try_again(&[7]);
        assert!(roll.wants(7) && roll.next_recheck().is_none(), "while it is tried it is not due");
        assert!(roll.accepted(7) && roll.wants(7));
        assert_eq!(roll.unknown(), (0, None));
    }

    #[test]
    fn a_refusal_counts_once_however_many_connections_are_told() {
        let (roll, start) = (Roll::default(), Instant::now());
        assert!(roll.refused(3, "no such pair", start));
        assert!(!roll.refused(3, "no such pair", start));
        assert_eq!(roll.next_recheck(), Some(start + MINUTE), "the second one does not double the pause");
        roll.try_again(&[3]);
        assert!(!roll.refused(3, "none still", start + MINUTE) && !roll.wants(3));
        assert_eq!(roll.next_recheck(), Some(start + 3 * MINUTE));
        assert_eq!(roll.unknown(), (1, Some("none still".to_owned())));
    }

    #[test]
    fn an_answer_to_an_earlier_request_does_not_make_a_market_known_that_is_not_there() {
        let (roll, start) = (Roll::default(), Instant::now());
        roll.missing(1, start);
        assert!(!roll.accepted(1) && !roll.wants(1));
    }

    #[test]
    fn whoever_listens_hears_of_each_change() {
        let (roll, start) = (Roll::default(), Instant::now());
        let mut news = roll.news();
        let mut is_told = || std::mem::replace(&mut news, roll.news()).has_changed().unwrap();
        assert!(!is_told());
        roll.missing(1, start);
        assert!(is_told());
        roll.try_again(&[1]);
        assert!(is_told());
        roll.accepted(1);
        assert!(is_told());
    }
}
