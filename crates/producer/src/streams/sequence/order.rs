//! The order of one market: what may be sent now, what is missing, and what became of it. Pure.
//!
//! Observations are told apart by numbers of which each has one that follows. What follows the last one sent is sent at
//! once. What comes later waits until everything before it was sent or given up, so that what is sent never has a hole
//! that is still to be filled, and the last number sent says how far a market is complete.

use std::collections::{BTreeMap, VecDeque};

use pricepipe_core::Noticed;

use super::steps::Steps;

/// What a market has sent, what waits and what is missing.
#[derive(Debug)]
pub(crate) struct Order<T> {
    steps: Steps,
    /// The number that is sent next; none before the first one was seen.
    next: Option<u64>,
    /// The number after the highest one that is known to exist.
    beyond: u64,
    waiting: BTreeMap<u64, T>,
    /// What is missing, in order. Each begins at `next` or later.
    holes: VecDeque<Hole>,
}

/// Numbers that are missing in a row, or were when it was noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hole {
    /// The first of them.
    pub(crate) from: u64,
    /// The last of them.
    pub(crate) to: u64,
    /// How it was noticed.
    pub(crate) noticed: Noticed,
    /// How many of them were given up.
    pub(crate) given_up: u64,
}

/// What is to be done, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Act<T> {
    /// Send it.
    Send(T),
    /// A hole was found.
    Opened(Hole),
    /// A hole was filled, or what is left of it was given up.
    Ended(Hole),
}

/// What became of an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is sent.
    Sent,
    /// It waits until everything before it was sent.
    Waits,
    /// It was sent before, or waits already.
    Known,
    /// There is no room for it to wait: history is asked for it later.
    Postponed,
}

/// What an observation out of history comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is sent.
    Sent,
    /// It was sent before.
    Known,
    /// Something before it is missing: history, which tells everything in order, does not have it.
    Ahead,
}

impl<T> Order<T> {
    /// Goes on after the number that was sent last, if one is known.
    pub(crate) fn after(steps: Steps, last: Option<u64>) -> Self {
        let next = last.map(|last| steps.after(last));
        Order { steps, next, beyond: next.unwrap_or(0), waiting: BTreeMap::new(), holes: VecDeque::new() }
    }

    /// Takes what a stream brings. `noticed` says how a hole before it was noticed, should there be one; without `room`
    /// it cannot wait.
    pub(crate) fn take(
        &mut self,
        number: u64,
        item: T,
        noticed: Noticed,
        room: bool,
        acts: &mut Vec<Act<T>>,
    ) -> Fate {
        let next = *self.next.get_or_insert(number);
        if number < next || self.waiting.contains_key(&number) {
            return Fate::Known;
        }
        if number == next {
            self.send(number, item, acts);
            return Fate::Sent;
        }
        if !room {
            self.learn(number, noticed, acts);
            return Fate::Postponed;
        }
        self.learn(self.steps.before(number), noticed, acts);
        self.beyond = self.beyond.max(self.steps.after(number));
        self.waiting.insert(number, item);
        Fate::Waits
    }

    /// Takes the exchange's word that this number exists.
    pub(crate) fn exists(&mut self, number: u64, noticed: Noticed, acts: &mut Vec<Act<T>>) {
        if self.next.is_none() {
            self.next = Some(self.steps.after(number));
            self.beyond = self.steps.after(number);
        }
        self.learn(number, noticed, acts);
    }

    /// Takes what history tells, which has to be passed in order.
    pub(crate) fn fill(&mut self, number: u64, item: T, acts: &mut Vec<Act<T>>) -> Fit {
        match self.next {
            Some(next) if number == next => {
                self.send(number, item, acts);
                Fit::Sent
            }
            Some(next) if number > next => Fit::Ahead,
            _ => Fit::Known,
        }
    }

    /// Gives up what is missing before `until`, as far as the next one that waits. A hole that goes on behind it is cut in
    /// two there, so that what was given up is said before anything later is sent.
    pub(crate) fn give_up(&mut self, until: u64, acts: &mut Vec<Act<T>>) {
        let Some(next) = self.next.filter(|_| !self.holes.is_empty()) else { return };
        let known = self.waiting.first_key_value().map_or(self.beyond, |(number, _)| *number);
        let until = until.min(known);
        if until <= next {
            return;
        }
        let last = self.steps.before(until);
        for hole in self.holes.iter_mut().filter(|hole| hole.from <= last) {
            hole.given_up += self.steps.count(hole.from.max(next), hole.to.min(last));
        }
        let cut = self.holes.iter().position(|hole| hole.from <= last && last < hole.to);
        let rest = cut.map(|cut| (cut + 1, Hole { from: until, given_up: 0, ..self.holes[cut].clone() }));
        if let Some((place, rest)) = rest {
            self.holes[place - 1].to = last;
            self.holes.insert(place, rest.clone());
            acts.push(Act::Opened(rest));
        }
        self.next = Some(until);
        self.advance(acts);
    }

    /// The first number that is missing; none when nothing is.
    pub(crate) fn wanted(&self) -> Option<u64> {
        self.next.filter(|_| !self.holes.is_empty())
    }

    /// The number that is sent next; none before the first one was seen.
    pub(crate) fn next(&self) -> Option<u64> {
        self.next
    }

    /// The number after the highest one that is known to exist.
    pub(crate) fn beyond(&self) -> u64 {
        self.beyond
    }

    /// How many numbers of a hole there are.
    pub(crate) fn count(&self, from: u64, to: u64) -> u64 {
        self.steps.count(from, to)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Everything up to this number exists: what is not here is missing.
    fn learn(&mut self, number: u64, noticed: Noticed, acts: &mut Vec<Act<T>>) {
        let from = self.beyond.max(self.next.unwrap_or(0));
        if number < from {
            return;
        }
        self.beyond = self.steps.after(number);
        match self.holes.back_mut().filter(|hole| self.steps.after(hole.to) == from) {
            Some(hole) => hole.to = number,
            None => {
                let hole = Hole { from, to: number, noticed, given_up: 0 };
                acts.push(Act::Opened(hole.clone()));
                self.holes.push_back(hole);
            }
        }
    }

    fn send(&mut self, number: u64, item: T, acts: &mut Vec<Act<T>>) {
        acts.push(Act::Send(item));
        self.next = Some(self.steps.after(number));
        self.beyond = self.beyond.max(self.steps.after(number));
        self.advance(acts);
    }

    /// Sends what need not wait any more, and ends the holes that are behind.
    fn advance(&mut self, acts: &mut Vec<Act<T>>) {
        let Some(mut next) = self.next else { return };
        loop {
            while self.holes.front().is_some_and(|hole| hole.to < next) {
                acts.extend(self.holes.pop_front().map(Act::Ended));
            }
            // A number that is none of the steps would block everything behind it.
            let Some(entry) = self.waiting.first_entry().filter(|entry| *entry.key() <= next) else { break };
            if entry.key() == &next {
                acts.push(Act::Send(entry.remove()));
                next = self.steps.after(next);
            } else {
                entry.remove();
            }
        }
        self.next = Some(next);
    }
}

impl Hole {
    /// True when everything that was missing came.
    pub(crate) fn is_filled(&self) -> bool {
        self.given_up == 0
    }
}

#[cfg(test)]
mod tests;
