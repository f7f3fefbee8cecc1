//! Finds the symbols that an exchange does not know, while the others go on. Pure: the time is an argument.
//!
//! One unknown symbol makes an exchange refuse the whole request. So a refused group is halved, and its halves are
//! asked for apart, until the unknown symbol stands alone. It is then left out, and asked for again ever more rarely.

use std::{
    collections::{BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use pricepipe_core::Symbol;

const FIRST_RECHECK: Duration = Duration::from_secs(60);
const LONGEST_RECHECK: Duration = Duration::from_secs(60 * 60);

/// Every symbol of a source, by what is known of it.
#[derive(Debug)]
pub(crate) struct Roster {
    symbols: Vec<Symbol>,
    /// The most symbols of one request.
    group_size: usize,
    /// Not refused so far, or answered since.
    trusted: BTreeSet<usize>,
    /// Groups of which at least one symbol is unknown.
    suspects: Vec<Vec<usize>>,
    unknown: Vec<Unknown>,
    /// What is still to be asked for in this slot.
    todo: VecDeque<Vec<usize>>,
}

#[derive(Debug)]
struct Unknown {
    symbol: usize,
    wait: Duration,
    recheck: Instant,
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
            unknown: Vec::new(),
            todo: VecDeque::new(),
        }
    }

    /// A slot begins: trusted symbols come first, then suspects, then one unknown symbol if its time has come.
    pub(crate) fn begin(&mut self, now: Instant) {
        let trusted: Vec<usize> = self.trusted.iter().copied().collect();
        self.todo = trusted.chunks(self.group_size).map(<[usize]>::to_vec).collect();
        self.todo.extend(self.suspects.iter().cloned());
        let due = self.unknown.iter().filter(|unknown| unknown.recheck <= now);
        self.todo.extend(due.min_by_key(|unknown| unknown.recheck).map(|unknown| vec![unknown.symbol]));
    }

    /// The symbols of the next request; empty when the slot has nothing more to ask for.
    pub(crate) fn next_group(&self) -> Vec<Symbol> {
        self.todo.front().into_iter().flatten().map(|index| self.symbols[*index].clone()).collect()
    }

    /// The request was answered.
    pub(crate) fn answered(&mut self) {
        let Some(group) = self.todo.pop_front() else { return };
        self.suspects.retain(|suspects| *suspects != group);
        self.unknown.retain(|unknown| !group.contains(&unknown.symbol));
        self.trusted.extend(group);
    }

    /// The request was refused because of an unknown symbol. Returns the symbol once it is found for the first time.
    pub(crate) fn refused(&mut self, now: Instant) -> Option<Symbol> {
        let group = self.todo.pop_front()?;
        self.suspects.retain(|suspects| *suspects != group);
        self.trusted.retain(|index| !group.contains(index));
        if let [symbol] = group[..] {
            return self.set_unknown(symbol, now);
        }
        let (left, right) = group.split_at(group.len() / 2);
        for half in [left, right] {
            self.suspects.push(half.to_vec());
            self.todo.push_back(half.to_vec());
        }
        None
    }

    /// How many symbols may be answered.
    pub(crate) fn hopeful(&self) -> usize {
        self.symbols.len() - self.unknown.len()
    }

    fn set_unknown(&mut self, symbol: usize, now: Instant) -> Option<Symbol> {
        if let Some(known) = self.unknown.iter_mut().find(|unknown| unknown.symbol == symbol) {
            known.wait = (known.wait * 2).min(LONGEST_RECHECK);
            known.recheck = now + known.wait;
            return None;
        }
        self.unknown.push(Unknown { symbol, wait: FIRST_RECHECK, recheck: now + FIRST_RECHECK });
        Some(self.symbols[symbol].clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn symbols(count: usize) -> Vec<Symbol> {
        (0..count).map(|n| format!("S{n}").parse().unwrap()).collect()
    }

    /// Plays a slot against an exchange that does not know `unknown`. Gives what was answered, and the requests.
    fn slot(roster: &mut Roster, unknown: &[&str], now: Instant) -> (Vec<String>, usize, Vec<String>) {
        let (mut answered, mut requests, mut found) = (Vec::new(), 0, Vec::new());
        roster.begin(now);
        loop {
            let group = roster.next_group();
            if group.is_empty() {
                return (answered, requests, found);
            }
            requests += 1;
            if group.iter().any(|symbol| unknown.contains(&symbol.as_str())) {
                found.extend(roster.refused(now).map(String::from));
            } else {
                roster.answered();
                answered.extend(group.into_iter().map(String::from));
            }
        }
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
        roster.begin(now);
        roster.refused(now);
        assert_eq!(roster.next_group().len(), 4, "the second group is not held up by the first");
        roster.answered();
        roster.begin(now);
        let group: Vec<String> = roster.next_group().into_iter().map(String::from).collect();
        assert_eq!(group, ["S4", "S5", "S6", "S7"]);
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
