//! Finds the symbols that an exchange does not know, while the others go on. Pure: the time is an argument.
//!
//! One unknown symbol makes an exchange refuse the whole request. So a refused group is halved, and its halves are
//! asked for apart, until the unknown symbol stands alone. It is then left out, and asked for again ever more rarely.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Instant,
};

use pricepipe_core::Symbol;

use crate::unknown::Unknown;

/// The symbols of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group(Vec<usize>);

/// Every symbol of a source, by what is known of it.
#[derive(Debug)]
pub(crate) struct Roster {
    symbols: Vec<Symbol>,
    /// The most symbols of one request.
    group_size: usize,
    /// Not refused so far, or answered since.
    trusted: BTreeSet<usize>,
    /// Groups of which at least one symbol is unknown.
    suspects: Vec<Group>,
    unknown: Unknown,
    /// What is still to be asked for in this slot.
    todo: VecDeque<Group>,
}

impl Roster {
    /// Trusts every symbol; each is asked for once, however often it is listed.
    pub(crate) fn new(symbols: impl IntoIterator<Item = Symbol>, group_size: usize) -> Self {
        let mut seen = BTreeSet::new();
        let symbols: Vec<Symbol> = symbols.into_iter().filter(|s| seen.insert(s.clone())).collect();
        Roster {
            trusted: (0..symbols.len()).collect(),
            symbols,
            group_size: group_size.max(1),
            suspects: Vec::new(),
            unknown: Unknown::default(),
            todo: VecDeque::new(),
        }
    }

    /// A slot begins: trusted symbols come first, then suspects, then one unknown symbol if its time has come. Those of
    /// `busy` are being asked for already.
    pub(crate) fn begin(&mut self, now: Instant, busy: &[Group]) {
        let is_free = |symbol: &usize| !busy.iter().any(|group| group.0.contains(symbol));
        let trusted: Vec<usize> = self.trusted.iter().copied().filter(is_free).collect();
        self.todo = trusted.chunks(self.group_size).map(|chunk| Group(chunk.to_vec())).collect();
        self.todo.extend(self.suspects.iter().filter(|group| !busy.contains(group)).cloned());
        let due = self.unknown.rechecks().into_iter().find(|(at, symbol)| *at <= now && is_free(symbol));
        self.todo.extend(due.map(|(_, symbol)| Group(vec![symbol])));
    }

    /// True when the slot has nothing more to ask for.
    pub(crate) fn is_done(&self) -> bool {
        self.todo.is_empty()
    }

    /// What to ask for next. The group comes back by [`Roster::answered`], [`Roster::refused`] or [`Roster::failed`].
    pub(crate) fn take(&mut self) -> Option<Group> {
        self.todo.pop_front()
    }

    /// The symbols of a group.
    pub(crate) fn symbols(&self, group: &Group) -> Vec<Symbol> {
        group.0.iter().map(|index| self.symbols[*index].clone()).collect()
    }

    /// The request was answered.
    pub(crate) fn answered(&mut self, group: Group) {
        self.suspects.retain(|suspects| *suspects != group);
        for symbol in &group.0 {
            self.unknown.remove(*symbol);
        }
        self.trusted.extend(group.0);
    }

    /// The request was not answered: it comes again.
    pub(crate) fn failed(&mut self, group: Group) {
        self.todo.push_front(group);
    }

    /// The request was refused because of an unknown symbol. Returns the symbol once it is found for the first time.
    pub(crate) fn refused(&mut self, group: Group, now: Instant) -> Option<Symbol> {
        self.suspects.retain(|suspects| *suspects != group);
        self.trusted.retain(|index| !group.0.contains(index));
        if let [symbol] = group.0[..] {
            return self.unknown.add(symbol, now).then(|| self.symbols[symbol].clone());
        }
        let (left, right) = group.0.split_at(group.0.len() / 2);
        for half in [left, right] {
            self.suspects.push(Group(half.to_vec()));
            self.todo.push_back(Group(half.to_vec()));
        }
        None
    }

    /// How many symbols may be answered.
    pub(crate) fn hopeful(&self) -> usize {
        self.symbols.len() - self.unknown.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn symbols(count: usize) -> Vec<Symbol> {
        (0..count).map(|n| format!("S{n}").parse().unwrap()).collect()
    }

    /// Plays a slot against an exchange that does not know `unknown`. Gives what was answered, and the requests.
    fn slot(roster: &mut Roster, unknown: &[&str], now: Instant) -> (Vec<String>, usize, Vec<String>) {
        let (mut answered, mut requests, mut found) = (Vec::new(), 0, Vec::new());
        roster.begin(now, &[]);
        while let Some(group) = roster.take() {
            requests += 1;
            let asked = roster.symbols(&group);
            if asked.iter().any(|symbol| unknown.contains(&symbol.as_str())) {
                found.extend(roster.refused(group, now).map(String::from));
            } else {
                roster.answered(group);
                answered.extend(asked.into_iter().map(String::from));
            }
        }
        (answered, requests, found)
    }

    #[test]
    fn one_unknown_symbol_among_500_is_found_in_one_slot_and_costs_nothing_afterwards() {
        let (mut roster, now) = (Roster::new(symbols(500), 500), Instant::now());
        let (answered, requests, found) = slot(&mut roster, &["S123"], now);
        assert_eq!((answered.len(), found.as_slice()), (499, &["S123".to_owned()][..]));
        assert!(requests <= 1 + 2 * 9, "{requests} requests");
        let (answered, requests, found) = slot(&mut roster, &["S123"], now);
        assert_eq!((answered.len(), requests, found.len()), (499, 1, 0));
    }

    #[test]
    fn an_unknown_symbol_is_asked_for_again_ever_more_rarely_and_comes_back() {
        let (mut roster, start) = (Roster::new(symbols(3), 500), Instant::now());
        slot(&mut roster, &["S1"], start);
        let mut rechecks = Vec::new();
        for second in 0..3 * 3_600 {
            let (answered, requests, found) = slot(&mut roster, &["S1"], start + Duration::from_secs(second));
            assert_eq!((answered.len(), found.len()), (2, 0), "it is reported once");
            if requests == 2 {
                rechecks.push(second);
            }
        }
        assert_eq!(rechecks, [60, 180, 420, 900, 1_860, 3_780, 7_380]);
        let (answered, _, _) = slot(&mut roster, &[], start + Duration::from_secs(4 * 3_600));
        assert_eq!(answered.len(), 3);
        assert_eq!(slot(&mut roster, &[], start + Duration::from_secs(5 * 3_600)).1, 1);
    }

    #[test]
    fn a_slot_that_ends_early_goes_on_with_the_suspects_after_the_trusted_ones() {
        let (mut roster, now) = (Roster::new(symbols(8), 4), Instant::now());
        roster.begin(now, &[]);
        let first = roster.take().unwrap();
        roster.refused(first, now);
        let second = roster.take().unwrap();
        assert_eq!(second.0.len(), 4, "the second group is not held up by the first");
        roster.answered(second);
        roster.begin(now, &[]);
        let group = roster.take().unwrap();
        assert_eq!(roster.symbols(&group), symbols(8)[4..]);
        roster.failed(group.clone());
        assert_eq!(roster.take(), Some(group.clone()), "what was not answered comes again");
        roster.begin(now, &[group]);
        assert_eq!(roster.take().unwrap().0, [0, 1], "what is under way is not asked for beside it");
        assert_eq!(slot(&mut roster, &["S0"], now).0.len(), 7);
    }

    #[test]
    fn when_every_symbol_is_unknown_nothing_is_asked_for() {
        let (mut roster, now) = (Roster::new(symbols(2), 500), Instant::now());
        slot(&mut roster, &["S0", "S1"], now);
        assert_eq!((roster.hopeful(), slot(&mut roster, &["S0", "S1"], now).1), (0, 0));
    }

    proptest! {
        #[test]
        fn whatever_is_unknown_the_others_are_answered_exactly_once(
            count in 1usize..80, group_size in 1usize..30, unknown in proptest::collection::btree_set(0usize..80, 0..10)
        ) {
            let unknown: Vec<String> = unknown.into_iter().filter(|n| *n < count).map(|n| format!("S{n}")).collect();
            let names: Vec<&str> = unknown.iter().map(String::as_str).collect();
            let (mut roster, now) = (Roster::new(symbols(count), group_size), Instant::now());
            for round in 0..2 {
                let (mut answered, _, mut found) = slot(&mut roster, &names, now);
                answered.sort();
                answered.dedup();
                prop_assert_eq!(answered.len(), count - names.len());
                found.sort();
                let mut expected = if round == 0 { unknown.clone() } else { Vec::new() };
                expected.sort();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
