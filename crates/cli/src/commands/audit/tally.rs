//! Counts what became of the messages of a topic. Pure.
//!
//! Whether a message is stored has to be asked of the store, so each is taken in two steps: [`Tally::take`] says whether
//! to ask, and [`Tally::settle`] is told the answer.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use pricepipe_core::{
    Exchange, PriceMessage, Slots, Symbol, Timestamp, identity, message::BadMessage, names::Shelf,
};
use pricepipe_store::Period;

/// As many examples of each kind are told.
pub(super) const EXAMPLES: usize = 5;

/// Where a message lies in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// What there is to know of a topic before its messages are looked at.
pub(super) struct Terms {
    pub(super) period: Period,
    /// What lies at these offsets or behind them is not committed.
    pub(super) committed: BTreeMap<i32, i64>,
    /// The places of messages that are dead letters.
    pub(super) dead_letters: HashSet<Place>,
    /// How often each exchange is polled, where that is known.
    pub(super) slots: BTreeMap<&'static str, Slots>,
}

/// What became of the messages of a topic.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// All that are of the period.
    pub(super) messages: u64,
    /// Observations.
    pub(super) distinct: u64,
    pub(super) repeated: u64,
    pub(super) stored: u64,
    pub(super) dead_letters: u64,
    pub(super) pending: u64,
    pub(super) expired: u64,
    pub(super) missing: u64,
    pub(super) skipped_slots: u64,
    pub(super) examples: Vec<String>,
}

/// A message about which the store is asked.
#[derive(Debug)]
pub(super) struct Question {
    place: Place,
    /// Which of the topic's collections it has to be in.
    pub(super) shelf: Shelf,
    /// The observation's id.
    pub(super) id: String,
    /// True when it was asked about before, of a message that is not committed yet.
    again: bool,
}

/// The count of a topic under way.
pub(super) struct Tally {
    terms: Terms,
    /// Documents before this moment may have been removed by the store.
    horizon: Option<Timestamp>,
    counts: Counts,
    hasher: RandomState,
    /// A hash of the id of each observation. Two in a million share one with a probability of 1 to 40 million; one of
    /// them would be taken for a repetition then.
    seen: HashSet<u64>,
    /// Those that were only seen in messages that are not committed: a committed one has to be looked up all the same.
    unproven: HashSet<u64>,
    /// The first and the last slot of each exchange's symbol, and how many there are.
    polls: BTreeMap<(&'static str, String), (Timestamp, Timestamp, u64)>,
}

impl Tally {
    pub(super) fn new(terms: Terms) -> Self {
        Tally {
            terms,
            horizon: None,
            counts: Counts::default(),
            hasher: RandomState::new(),
            seen: HashSet::new(),
            unproven: HashSet::new(),
            polls: BTreeMap::new(),
        }
    }

    /// Documents before this moment may have been removed by the store, from now on.
    pub(super) fn expires(&mut self, horizon: Option<Timestamp>) {
        self.horizon = horizon;
    }

    /// Counts a message, or says what has to be asked first. `time` is the record's own.
    pub(super) fn take(
        &mut self,
        place: Place,
        time: Option<Timestamp>,
        read: Result<PriceMessage, BadMessage>,
    ) -> Option<Question> {
        let time = read.as_ref().map_or(time, |message| Some(message.time));
        if !time.is_none_or(|time| self.terms.period.contains(time)) {
            return None;
        }
        self.counts.messages += 1;
        let message = match read {
            Ok(message) => message,
            Err(bad) => {
                self.not_stored(place, &bad.to_string());
                return None;
            }
        };
        let hash = self.hasher.hash_one(&message.id);
        let again = if self.seen.insert(hash) {
            self.note_poll(&message);
            false
        } else if self.is_committed(place) && self.unproven.remove(&hash) {
            true
        } else {
            self.counts.repeated += 1;
            return None;
        };
        if self.horizon.is_some_and(|horizon| message.time < horizon) {
            self.counts.expired += 1;
            return None;
        }
        if !self.is_committed(place) {
            self.unproven.insert(hash);
        }
        Some(Question { place, shelf: Shelf::of(&message.details), id: message.id, again })
    }

    /// Counts a message about which the store was asked.
    pub(super) fn settle(&mut self, question: Question, is_missing: bool) {
        match (is_missing, question.again) {
            (true, _) => self.not_stored(question.place, &question.id),
            (false, true) => self.counts.repeated += 1,
            (false, false) => self.counts.stored += 1,
        }
    }

    /// The result.
    pub(super) fn finish(mut self) -> Counts {
        self.counts.distinct = self.seen.len() as u64;
        let skipped = self.polls.iter().map(|((exchange, _), (first, last, count))| {
            let slots = self.terms.slots.get(exchange);
            slots.map_or(0, |slots| (slots.between(*first, *last) + 1).saturating_sub(*count))
        });
        self.counts.skipped_slots = skipped.sum();
        self.counts
    }

    fn is_committed(&self, place: Place) -> bool {
        self.terms.committed.get(&place.partition).is_some_and(|committed| place.offset < *committed)
    }

    fn not_stored(&mut self, place: Place, what: &str) {
        if self.terms.dead_letters.contains(&place) {
            self.counts.dead_letters += 1;
        } else if !self.is_committed(place) {
            self.counts.pending += 1;
        } else {
            self.counts.missing += 1;
            if self.counts.examples.len() < EXAMPLES {
                self.counts.examples.push(format!("{what} (message {}:{})", place.partition, place.offset));
            }
        }
    }

    /// Remembers the slot of a polled price.
    fn note_poll(&mut self, message: &PriceMessage) {
        let (Ok(exchange), Ok(symbol)) =
            (message.exchange.parse::<Exchange>(), message.symbol.parse::<Symbol>())
        else {
            return;
        };
        if identity::poll(exchange, &symbol, message.time) != message.id {
            return;
        }
        let time = message.time;
        let poll = self.polls.entry((exchange.as_str(), message.symbol.clone())).or_insert((time, time, 0));
        *poll = (poll.0.min(time), poll.1.max(time), poll.2 + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pricepipe_core::message::Position;

    use super::*;

    const START: i64 = 1_795_413_600_000;

    fn at(partition: i32, offset: i64) -> Place {
        Place { partition, offset }
    }

    fn moment(second: i64) -> Timestamp {
        Timestamp::from_millis(START + second * 1_000).unwrap()
    }

    /// The price of a second.
    fn price(second: i64) -> Result<PriceMessage, BadMessage> {
        let (id, time) = (format!("binance:BTCUSDT:price:{}", moment(second).as_millis()), moment(second));
        let json = format!(
            r#"{{"symbol":"BTCUSDT","price":1,"exchange":"binance","id":"{id}","time":"{time}","received":"{time}"}}"#
        );
        let position = Position { topic_id: None, partition: 0, offset: 0, timestamp: None };
        PriceMessage::decode(Some(json.as_bytes()), position)
    }

    fn terms() -> Terms {
        Terms {
            period: Period::default(),
            committed: BTreeMap::from([(0, 100), (1, 0)]),
            dead_letters: HashSet::from([at(0, 50)]),
            slots: BTreeMap::from([("binance", Slots::every(Duration::from_secs(1)))]),
        }
    }

    /// What becomes of these messages when the store has the prices of these seconds.
    fn counted(
        terms: Terms,
        horizon: Option<Timestamp>,
        stored: &[i64],
        messages: Vec<(Place, Result<PriceMessage, BadMessage>)>,
    ) -> Counts {
        let has: Vec<String> = stored.iter().map(|second| price(*second).unwrap().id).collect();
        let mut tally = Tally::new(terms);
        tally.expires(horizon);
        let questions: Vec<Question> = messages
            .into_iter()
            .filter_map(|(place, read)| tally.take(place, Timestamp::from_millis(START).ok(), read))
            .collect();
        for question in questions {
            let is_missing = !has.contains(&question.id);
            tally.settle(question, is_missing);
        }
        tally.finish()
    }

    #[test]
    fn every_message_is_counted_as_one_thing() {
        let bad = || Err(BadMessage::NoPrice);
        let counts = counted(
            terms(),
            None,
            &[1, 2, 9],
            vec![
                (at(0, 0), price(1)),
                (at(0, 1), price(1)),
                (at(0, 2), price(2)),
                (at(0, 50), bad()),
                (at(0, 51), bad()),
                (at(0, 52), price(3)),
                (at(0, 100), price(4)),
                (at(1, 0), price(9)),
                (at(1, 1), bad()),
            ],
        );
        assert_eq!(
            counts,
            Counts {
                messages: 9,
                distinct: 5,
                repeated: 1,
                stored: 3,
                dead_letters: 1,
                pending: 2,
                expired: 0,
                missing: 2,
                skipped_slots: 4,
                examples: vec![
                    "price is missing (message 0:51)".to_owned(),
                    format!("binance:BTCUSDT:price:{} (message 0:52)", START + 3_000),
                ],
            }
        );
    }

    #[test]
    fn a_refused_price_that_is_a_dead_letter_is_not_missing_and_one_that_was_replayed_is_stored() {
        let refused = counted(terms(), None, &[], vec![(at(0, 50), price(1))]);
        assert_eq!((refused.dead_letters, refused.missing), (1, 0));
        let replayed = counted(terms(), None, &[1], vec![(at(0, 50), price(1)), (at(0, 60), price(1))]);
        assert_eq!((replayed.stored, replayed.repeated, replayed.dead_letters), (1, 1, 0));
    }

    #[test]
    fn a_committed_message_is_looked_up_although_one_that_is_not_committed_came_first() {
        let messages = || vec![(at(1, 0), price(1)), (at(0, 7), price(1)), (at(0, 8), price(1))];
        let lost = counted(terms(), None, &[], messages());
        assert_eq!((lost.pending, lost.missing, lost.repeated), (1, 1, 1));
        let stored = counted(terms(), None, &[1], messages());
        assert_eq!((stored.stored, stored.missing, stored.repeated), (1, 0, 2));
    }

    #[test]
    fn what_the_store_may_have_removed_is_not_looked_for() {
        let counts =
            counted(terms(), Some(moment(2)), &[2], vec![(at(0, 0), price(1)), (at(0, 1), price(2))]);
        assert_eq!((counts.expired, counts.stored, counts.missing), (1, 1, 0));
    }

    #[test]
    fn only_the_period_counts() {
        let period = Period { since: Some(moment(2)), until: Some(moment(4)) };
        let messages = (0..6).map(|second| (at(0, second), price(second)));
        let messages = messages.chain([(at(0, 51), Err(BadMessage::NoPrice))]).collect();
        let counts = counted(Terms { period, ..terms() }, None, &[2, 3], messages);
        assert_eq!((counts.messages, counts.stored, counts.missing), (2, 2, 0));
    }

    #[test]
    fn nothing_is_committed_in_a_partition_without_a_commit() {
        let counts = counted(terms(), None, &[], vec![(at(7, 0), price(1))]);
        assert_eq!((counts.pending, counts.missing), (1, 0));
    }
}
