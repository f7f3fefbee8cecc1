//! Which accepted messages Kafka has not acknowledged yet. Pure: the time is an argument.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::route::Route;

/// The most messages that may be unacknowledged at once, in librdkafka's queue or in ours.
pub(crate) const LARGEST: usize = 100_000;
/// From here on streams wait: each of so many may be a few hundred bytes, here and in librdkafka.
pub(crate) const LARGEST_OF_STREAMS: usize = 20_000;
/// The most messages of one topic that wait for it to appear. So a missing topic does not use up the room of others.
const LARGEST_HELD: usize = 1_000;

/// A message that is to be sent, or to be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) number: u64,
    pub(crate) accepted: Instant,
    pub(crate) route: Arc<Route>,
    pub(crate) payload: Vec<u8>,
}

/// Every message from its acceptance to its acknowledgement.
#[derive(Debug)]
pub(crate) struct Ledger {
    next: u64,
    unacknowledged: BTreeMap<u64, Instant>,
    /// Those of them that came back and wait to be sent again, by number: in the order of acceptance.
    returned: BTreeMap<u64, Record>,
    held: HashMap<String, usize>,
    /// Topics that are not there, as far as is known.
    missing: BTreeSet<String>,
    last_progress: Instant,
}

impl Ledger {
    pub(crate) fn new(now: Instant) -> Self {
        Ledger {
            next: 0,
            unacknowledged: BTreeMap::new(),
            returned: BTreeMap::new(),
            held: HashMap::new(),
            missing: BTreeSet::new(),
            last_progress: now,
        }
    }

    /// True when so many messages more may be accepted.
    pub(crate) fn has_room(&self, messages: usize) -> bool {
        self.unacknowledged.len() + messages <= LARGEST
    }

    /// True when messages of this topic wait to be sent again: a new one has to wait behind them. So it has when the topic is
    /// not there: the client's own room is for the others.
    pub(crate) fn holds(&self, topic: &str) -> bool {
        self.missing.contains(topic) || self.held.get(topic).is_some_and(|held| *held > 0)
    }

    /// Which topics are not there.
    pub(crate) fn set_missing(&mut self, topics: BTreeSet<String>) {
        self.missing = topics;
    }

    /// True when so many messages of this topic wait that no more is accepted.
    pub(crate) fn is_full(&self, topic: &str) -> bool {
        self.held.get(topic).is_some_and(|held| *held >= LARGEST_HELD)
    }

    /// A message is accepted; its number says its place in the order.
    pub(crate) fn accept(&mut self, now: Instant) -> u64 {
        // Time that passed while there was nothing to deliver is no lack of progress.
        if self.unacknowledged.is_empty() {
            self.last_progress = now;
        }
        self.next += 1;
        self.unacknowledged.insert(self.next, now);
        self.next
    }

    /// Kafka has it.
    pub(crate) fn delivered(&mut self, number: u64, now: Instant) {
        self.unacknowledged.remove(&number);
        self.last_progress = now;
    }

    /// It is given up: never accepted after all, or refused for good.
    pub(crate) fn forget(&mut self, number: u64) {
        self.unacknowledged.remove(&number);
    }

    /// It came back and is to be sent again.
    pub(crate) fn hold(&mut self, record: Record) {
        *self.held.entry(record.route.topic.to_string()).or_default() += 1;
        self.returned.insert(record.number, record);
    }

    /// Everything that is to be sent again, in the order of acceptance. Each is told of by [`Ledger::sent_again`] or comes back by
    /// [`Ledger::put_back`]: until then what is accepted for its topic waits behind it.
    pub(crate) fn take_held(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.returned).into_values().collect()
    }

    /// A message of this topic that was taken is with the client again.
    pub(crate) fn sent_again(&mut self, topic: &str) {
        if let Some(held) = self.held.get_mut(topic) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(topic);
            }
        }
    }

    /// A message that was taken cannot be sent yet.
    pub(crate) fn put_back(&mut self, record: Record) {
        self.returned.insert(record.number, record);
    }

    /// The topics of messages that wait to be sent again.
    pub(crate) fn held_topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = self.held.keys().cloned().collect();
        topics.sort();
        topics
    }

    /// How many messages are unacknowledged.
    pub(crate) fn len(&self) -> usize {
        self.unacknowledged.len()
    }

    /// True when a message waits for longer than `limit` and none was acknowledged for as long.
    pub(crate) fn is_stalled(&self, limit: Duration, now: Instant) -> bool {
        let waits = |since: Instant| now.saturating_duration_since(since) > limit;
        waits(self.last_progress)
            && self.unacknowledged.first_key_value().is_some_and(|(_, since)| waits(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pricepipe_core::Exchange;

    fn record(number: u64, topic: &str) -> Record {
        let route = Route::new(0, Exchange::Binance, "BTCUSDT".parse().unwrap(), topic.parse().unwrap());
        Record { number, accepted: Instant::now(), route: Arc::new(route), payload: Vec::new() }
    }

    #[test]
    fn what_came_back_goes_out_again_in_the_order_of_acceptance() {
        let mut ledger = Ledger::new(Instant::now());
        let numbers: Vec<u64> = (0..3).map(|_| ledger.accept(Instant::now())).collect();
        for number in [numbers[2], numbers[0]] {
            ledger.hold(record(number, "btc"));
        }
        assert!(ledger.holds("btc") && !ledger.holds("eth"));
        let again: Vec<u64> = ledger.take_held().iter().map(|record| record.number).collect();
        assert_eq!(again, [numbers[0], numbers[2]]);
        ledger.sent_again("btc");
        assert!(ledger.holds("btc"), "a new one does not overtake the second");
        ledger.sent_again("btc");
        assert!(!ledger.holds("btc"));
        assert_eq!(ledger.len(), 3, "they count as unacknowledged all the time");
    }

    #[test]
    fn a_missing_topic_takes_only_its_own_room() {
        let mut ledger = Ledger::new(Instant::now());
        for _ in 0..LARGEST_HELD {
            assert!(!ledger.is_full("btc"));
            let number = ledger.accept(Instant::now());
            ledger.hold(record(number, "btc"));
        }
        assert!(ledger.is_full("btc") && !ledger.is_full("eth") && ledger.has_room(1));
        assert!(!ledger.has_room(LARGEST - LARGEST_HELD + 1));
    }

    #[test]
    fn messages_of_a_topic_that_is_known_to_be_missing_wait_here_from_the_first_on() {
        let mut ledger = Ledger::new(Instant::now());
        ledger.set_missing(BTreeSet::from(["btc".to_owned()]));
        assert!(ledger.holds("btc") && !ledger.holds("eth"));
        ledger.set_missing(BTreeSet::new());
        assert!(!ledger.holds("btc"));
    }

    #[test]
    fn it_is_stalled_only_when_something_waits_and_nothing_moves() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut ledger = Ledger::new(start);
        assert!(!ledger.is_stalled(5 * second, start + 60 * second), "nothing to deliver");
        let first = ledger.accept(start + 60 * second);
        assert!(!ledger.is_stalled(5 * second, start + 64 * second));
        assert!(ledger.is_stalled(5 * second, start + 66 * second));
        let second_message = ledger.accept(start + 66 * second);
        ledger.delivered(second_message, start + 67 * second);
        assert!(!ledger.is_stalled(5 * second, start + 70 * second), "another topic moves");
        ledger.delivered(first, start + 71 * second);
        assert_eq!((ledger.len(), ledger.is_stalled(5 * second, start + 99 * second)), (0, false));
    }
}
