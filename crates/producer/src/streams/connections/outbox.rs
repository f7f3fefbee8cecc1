//! What a connection has read and not yet handed over. Pure.

use std::{
    collections::{HashSet, VecDeque},
    mem,
};

use pricepipe_core::Timestamp;
use pricepipe_exchange::Record;

use crate::streams::Arrival;

/// With so many observations waiting, nothing more is read.
const ROOM: usize = 256;

/// Arrivals of one connection in their order. Observations that arrived within one millisecond travel together.
pub(super) struct Outbox {
    connection: u64,
    /// Where the latest of a market wins: this many may wait before earlier ones give way.
    conflates_at: Option<usize>,
    waiting: VecDeque<Arrival>,
    weight: usize,
}

impl Outbox {
    /// `conflates` where each market's latest observation wins; so many markets.
    pub(super) fn new(connection: u64, conflates: bool, markets: usize) -> Self {
        let conflates_at = conflates.then_some(ROOM.max(2 * markets));
        Outbox { connection, conflates_at, waiting: VecDeque::new(), weight: 0 }
    }

    /// False when reading has to pause.
    pub(super) fn has_room(&self) -> bool {
        self.conflates_at.is_some() || self.weight < ROOM
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds observations and gives back how many had to give way to later ones.
    pub(super) fn add(
        &mut self,
        records: impl IntoIterator<Item = (usize, Record)>,
        received: Timestamp,
    ) -> usize {
        let mut batch = match self.waiting.pop_back() {
            Some(Arrival::Records { records, received: before, .. }) if before == received => records,
            other => {
                self.waiting.extend(other);
                Vec::new()
            }
        };
        let before = batch.len();
        batch.extend(records);
        self.weight += batch.len() - before;
        if !batch.is_empty() {
            self.waiting.push_back(Arrival::Records {
                connection: self.connection,
                records: batch,
                received,
            });
        }
        match self.conflates_at {
            Some(most) if self.weight >= most => self.conflate(),
            _ => 0,
        }
    }

    /// Adds something else than observations.
    pub(super) fn push(&mut self, arrival: Arrival) {
        self.waiting.push_back(arrival);
        self.weight += 1;
    }

    /// Takes out what came first.
    pub(super) fn take(&mut self) -> Option<Arrival> {
        let arrival = self.waiting.pop_front()?;
        self.weight -= weight(&arrival);
        Some(arrival)
    }

    /// Leaves the latest observation of each market. Returns how many were left out.
    fn conflate(&mut self) -> usize {
        let before = self.weight;
        let mut seen = HashSet::new();
        for arrival in self.waiting.iter_mut().rev() {
            if let Arrival::Records { records, .. } = arrival {
                let mut kept: Vec<_> =
                    mem::take(records).into_iter().rev().filter(|(market, _)| seen.insert(*market)).collect();
                kept.reverse();
                *records = kept;
            }
        }
        self.waiting.retain(|arrival| weight(arrival) > 0);
        self.weight = self.waiting.iter().map(weight).sum();
        before - self.weight
    }
}

fn weight(arrival: &Arrival) -> usize {
    match arrival {
        Arrival::Records { records, .. } => records.len(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::tests::record;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    /// Market and number of everything that waits, one list an arrival.
    fn drain(outbox: &mut Outbox) -> Vec<Vec<(usize, u64)>> {
        let mut arrivals = Vec::new();
        while let Some(arrival) = outbox.take() {
            let Arrival::Records { records, .. } = arrival else {
                arrivals.push(Vec::new());
                continue;
            };
            let number = |(market, record): &(usize, Record)| (*market, record.event.number().unwrap());
            arrivals.push(records.iter().map(number).collect());
        }
        arrivals
    }

    #[test]
    fn what_arrives_within_a_millisecond_travels_together_and_nothing_overtakes() {
        let mut outbox = Outbox::new(1, false, 2);
        for (number, moment) in [(1, 5), (2, 5), (3, 6)] {
            outbox.add([(0, record(number))], at(moment));
        }
        outbox.push(Arrival::Subscribed { connection: 1, markets: vec![0] });
        outbox.add([(1, record(4))], at(6));
        outbox.add([], at(7));
        assert_eq!(drain(&mut outbox), [vec![(0, 1), (0, 2)], vec![(0, 3)], vec![], vec![(1, 4)]]);
        assert!(outbox.is_empty() && outbox.weight == 0);
    }

    #[test]
    fn trades_are_never_dropped_reading_pauses_instead() {
        let mut outbox = Outbox::new(1, false, 1);
        let mut number = 0;
        while outbox.has_room() {
            number += 1;
            assert_eq!(outbox.add([(0, record(number))], at(number as i64)), 0);
        }
        assert_eq!(number as usize, ROOM);
        assert_eq!(drain(&mut outbox).len(), ROOM);
        assert!(outbox.has_room());
    }

    #[test]
    fn of_quotes_the_latest_of_each_market_stays_and_the_number_of_the_others_is_told() {
        let mut outbox = Outbox::new(1, true, 2);
        let dropped: usize = (1..=1_000)
            .map(|number| outbox.add([((number % 2) as usize, record(number))], at(number as i64)))
            .sum();
        assert!(outbox.has_room() && outbox.weight < ROOM);
        let left: Vec<(usize, u64)> = drain(&mut outbox).into_iter().flatten().collect();
        assert_eq!(left.len() + dropped, 1_000);
        assert_eq!(left[left.len() - 2..], [(1, 999), (0, 1_000)]);
        assert!(left.is_sorted_by_key(|(_, number)| *number));
    }
}
