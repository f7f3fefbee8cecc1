//! Decides whether a Kafka client has stalled. Pure.
//!
//! A client may go silent while there are messages for it, without an error; then only a new client helps.

use std::time::{Duration, Instant};

/// How long silence is suspicious.
const PATIENCE: Duration = Duration::from_secs(30);

/// Watches one client.
#[derive(Debug)]
pub(crate) struct Watchdog {
    /// Since when there are messages for us that do not come.
    silent_since: Option<Instant>,
    last_statistics: Instant,
}

impl Watchdog {
    /// Begins with a new client.
    pub(crate) fn new(now: Instant) -> Self {
        Watchdog { silent_since: None, last_statistics: now }
    }

    /// A message arrived.
    pub(crate) fn message(&mut self) {
        self.silent_since = None;
    }

    /// Statistics arrived: whether messages wait at a broker that is up, and whether we asked the client to pause.
    pub(crate) fn statistics(&mut self, now: Instant, undelivered: bool, paused: bool) {
        self.last_statistics = now;
        if !undelivered || paused {
            self.silent_since = None;
        } else {
            self.silent_since.get_or_insert(now);
        }
    }

    /// Why the client is to be replaced, if it is.
    pub(crate) fn verdict(&self, now: Instant) -> Option<&'static str> {
        let past = |since: Instant| now.saturating_duration_since(since) >= PATIENCE;
        if self.silent_since.is_some_and(past) {
            return Some("it gave no message for 30 s although there are some");
        }
        past(self.last_statistics).then_some("it gave no statistics for 30 s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(start: Instant, number: u64) -> Instant {
        start + Duration::from_secs(number)
    }

    #[test]
    fn silence_for_30_s_while_messages_wait_is_a_stall() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(start);
        (1..=30).for_each(|n| watchdog.statistics(second(start, n), true, false));
        assert_eq!(watchdog.verdict(second(start, 30)), None);
        watchdog.statistics(second(start, 31), true, false);
        assert!(watchdog.verdict(second(start, 31)).is_some());
    }

    #[test]
    fn a_message_a_pause_or_an_empty_topic_end_the_silence() {
        let start = Instant::now();
        for (undelivered, paused, message) in
            [(true, false, true), (true, true, false), (false, false, false)]
        {
            let mut watchdog = Watchdog::new(start);
            (1..=29).for_each(|n| watchdog.statistics(second(start, n), true, false));
            if message {
                watchdog.message();
            }
            watchdog.statistics(second(start, 30), undelivered, paused);
            watchdog.statistics(second(start, 40), true, false);
            assert_eq!(watchdog.verdict(second(start, 45)), None, "{undelivered} {paused} {message}");
        }
    }

    #[test]
    fn a_client_without_statistics_has_stalled_even_with_nothing_to_read() {
        let start = Instant::now();
        let mut watchdog = Watchdog::new(start);
        watchdog.statistics(second(start, 1), false, false);
        assert_eq!(watchdog.verdict(second(start, 30)), None);
        assert!(watchdog.verdict(second(start, 31)).is_some());
    }
}
