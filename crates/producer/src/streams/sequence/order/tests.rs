use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const COUNT: Steps = Steps::Of(1);

fn order(last: u64) -> Order<u64> {
    Order::after(COUNT, Some(last))
}

/// Takes a number as a stream brings it.
fn take(order: &mut Order<u64>, number: u64) -> (Fate, Vec<Act<u64>>) {
    let mut acts = Vec::new();
    let fate = order.take(number, number, Noticed::Skip, true, &mut acts);
    (fate, acts)
}

fn hole(from: u64, to: u64, given_up: u64) -> Hole {
    Hole { from, to, noticed: Noticed::Skip, given_up }
}

#[test]
fn what_follows_is_sent_and_what_was_sent_is_not_sent_again() {
    let mut order = Order::after(COUNT, None);
    assert_eq!(take(&mut order, 7), (Fate::Sent, vec![Act::Send(7)]), "the first one begins");
    assert_eq!(take(&mut order, 8), (Fate::Sent, vec![Act::Send(8)]));
    for old in [8, 7, 1] {
        assert_eq!(take(&mut order, old), (Fate::Known, vec![]));
    }
    assert_eq!(order.wanted(), None);
}

#[test]
fn a_hole_is_found_with_the_next_one_and_history_fills_it_in_order() {
    let mut order = order(10);
    assert_eq!(take(&mut order, 13), (Fate::Waits, vec![Act::Opened(hole(11, 12, 0))]));
    assert_eq!(take(&mut order, 13), (Fate::Known, vec![]), "it waits already");
    assert_eq!(order.wanted(), Some(11));
    let mut acts = Vec::new();
    assert_eq!(order.fill(10, 10, &mut acts), Fit::Known);
    assert_eq!(order.fill(11, 11, &mut acts), Fit::Sent);
    assert_eq!(order.fill(12, 12, &mut acts), Fit::Sent);
    assert_eq!(order.fill(13, 13, &mut acts), Fit::Known);
    assert_eq!(acts, [Act::Send(11), Act::Send(12), Act::Ended(hole(11, 12, 0)), Act::Send(13)]);
    assert_eq!((order.wanted(), order.waiting()), (None, 0));
}

#[test]
fn what_comes_out_of_order_fills_its_own_hole() {
    let mut order = order(10);
    take(&mut order, 12);
    let (fate, acts) = take(&mut order, 11);
    assert_eq!(fate, Fate::Sent);
    assert_eq!(acts, [Act::Send(11), Act::Ended(hole(11, 11, 0)), Act::Send(12)]);
}

#[test]
fn what_history_lacks_is_given_up_and_the_rest_goes_on() {
    let mut order = order(10);
    take(&mut order, 14);
    let mut acts = Vec::new();
    order.fill(11, 11, &mut acts);
    assert_eq!(order.fill(13, 13, &mut acts), Fit::Ahead, "12 is not in history");
    order.give_up(13, &mut acts);
    assert_eq!(order.fill(13, 13, &mut acts), Fit::Sent);
    let (cut, rest) = (hole(11, 12, 1), hole(13, 13, 0));
    let opened = Act::Opened(rest.clone());
    assert_eq!(
        acts,
        [Act::Send(11), opened, Act::Ended(cut), Act::Send(13), Act::Ended(rest), Act::Send(14)]
    );
    order.give_up(u64::MAX, &mut acts);
    assert_eq!((acts.len(), order.wanted()), (6, None), "nothing is given up that is not missing");
}

#[test]
fn a_heartbeat_finds_a_hole_at_the_end_and_begins_a_market_that_is_silent() {
    let (mut order, mut acts) = (order(10), Vec::new());
    order.exists(10, Noticed::Heartbeat, &mut acts);
    assert_eq!(acts, []);
    order.exists(12, Noticed::Heartbeat, &mut acts);
    order.exists(12, Noticed::Heartbeat, &mut acts);
    assert_eq!(acts, [Act::Opened(Hole { noticed: Noticed::Heartbeat, ..hole(11, 12, 0) })]);
    assert_eq!(order.wanted(), Some(11));
    let mut silent: Order<u64> = Order::after(COUNT, None);
    silent.exists(5, Noticed::Heartbeat, &mut Vec::new());
    assert_eq!(take(&mut silent, 7).1, [Act::Opened(hole(6, 6, 0))]);
}

#[test]
fn without_room_the_newest_are_left_to_history() {
    let (mut order, mut acts) = (order(10), Vec::new());
    take(&mut order, 12);
    for number in 13..=20 {
        assert_eq!(order.take(number, number, Noticed::Skip, false, &mut acts), Fate::Postponed);
    }
    assert_eq!(acts, [Act::Opened(hole(13, 13, 0))], "one hole that grows");
    assert_eq!(order.waiting(), 1);
    acts.clear();
    order.fill(11, 11, &mut acts);
    assert_eq!(acts, [Act::Send(11), Act::Ended(hole(11, 11, 0)), Act::Send(12)]);
    acts.clear();
    (13..=20).for_each(|number| assert_eq!(order.fill(number, number, &mut acts), Fit::Sent));
    assert_eq!(acts.last(), Some(&Act::Ended(hole(13, 20, 0))));
}

#[test]
fn a_number_that_is_none_of_the_steps_blocks_nobody() {
    let mut order = Order::after(Steps::Of(10), Some(100));
    let mut acts = Vec::new();
    for number in [115, 120] {
        order.take(number, number, Noticed::Skip, true, &mut acts);
    }
    order.fill(110, 110, &mut acts);
    let sent: Vec<u64> = sent(&acts);
    assert_eq!((sent, order.waiting()), (vec![110, 120], 0));
}

fn sent(acts: &[Act<u64>]) -> Vec<u64> {
    acts.iter().filter_map(|act| if let Act::Send(number) = act { Some(*number) } else { None }).collect()
}

/// What happens to a market.
#[derive(Clone, Debug)]
enum Happening {
    /// The stream brings so many of the next trades.
    Brings(u64),
    /// The stream loses so many of them.
    Loses(u64),
    /// The stream repeats one that it brought or lost so far back.
    Repeats(u64),
    /// The stream swaps the next two.
    Swaps,
    /// The exchange says the number of its last trade.
    Heartbeat,
    /// History is asked and answers with a page of so many.
    Page(u64),
    /// The process ends and another one begins, which knows the last number that was sent.
    Restart,
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let happening = prop_oneof![
        6 => (1..20u64).prop_map(Happening::Brings),
        2 => (1..6u64).prop_map(Happening::Loses),
        2 => (1..30u64).prop_map(Happening::Repeats),
        1 => Just(Happening::Swaps),
        1 => Just(Happening::Heartbeat),
        3 => (1..12u64).prop_map(Happening::Page),
        1 => Just(Happening::Restart),
    ];
    prop::collection::vec(happening, 1..120)
}

/// A market, the exchange behind it, and everything that was sent.
struct World {
    order: Order<u64>,
    room: usize,
    /// The last trade of the exchange.
    last: u64,
    /// What history does not have.
    lacking: BTreeSet<u64>,
    sent: Vec<u64>,
    opened: BTreeMap<u64, u64>,
    given_up: Vec<Hole>,
}

impl World {
    fn happens(&mut self, happening: &Happening) {
        match happening {
            Happening::Brings(count) => (0..*count).for_each(|_| self.brings(self.last + 1)),
            Happening::Loses(count) => self.last += count,
            Happening::Repeats(back) => self.brings(self.last.saturating_sub(*back).max(1)),
            Happening::Swaps => {
                let (first, second) = (self.last + 1, self.last + 2);
                [second, first].into_iter().for_each(|number| self.brings(number));
            }
            Happening::Heartbeat => {
                let mut acts = Vec::new();
                self.order.exists(self.last, Noticed::Heartbeat, &mut acts);
                self.note(acts);
            }
            Happening::Page(count) => self.page(*count),
            Happening::Restart => {
                self.order = Order::after(COUNT, self.sent.last().copied().or(Some(0)));
                self.opened.clear();
            }
        }
    }

    fn brings(&mut self, number: u64) {
        self.last = self.last.max(number);
        let (mut acts, room) = (Vec::new(), self.order.waiting() < self.room);
        self.order.take(number, number, Noticed::Skip, room, &mut acts);
        self.note(acts);
    }

    /// A page of history, from the first number that is missing.
    fn page(&mut self, count: u64) {
        let Some(from) = self.order.wanted() else { return };
        let mut acts = Vec::new();
        for number in (from..=self.last).filter(|number| !self.lacking.contains(number)).take(count as usize)
        {
            if self.order.fill(number, number, &mut acts) == Fit::Ahead {
                self.order.give_up(number, &mut acts);
                self.order.fill(number, number, &mut acts);
            }
        }
        self.note(acts);
    }

    fn note(&mut self, acts: Vec<Act<u64>>) {
        for act in acts {
            match act {
                Act::Send(number) => self.sent.push(number),
                Act::Opened(hole) => assert_eq!(self.opened.insert(hole.from, hole.to), None, "opened twice"),
                Act::Ended(hole) => {
                    assert!(self.opened.remove(&hole.from).is_some(), "it was never opened");
                    self.given_up.extend((!hole.is_filled()).then_some(hole));
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_everything_is_sent_once_in_order_except_what_history_lacks(
        happenings in happenings(),
        lacking in prop::collection::btree_set(1..400u64, 0..8),
        room in 0..40usize,
    ) {
        let mut world = World {
            order: Order::after(COUNT, Some(0)), room, last: 0, lacking,
            sent: Vec::new(), opened: BTreeMap::new(), given_up: Vec::new(),
        };
        happenings.iter().for_each(|happening| world.happens(happening));
        // One more trade, and history until nothing is missing.
        world.brings(world.last + 1);
        while let Some(wanted) = world.order.wanted() {
            if (wanted..=world.last).all(|number| world.lacking.contains(&number)) {
                let mut acts = Vec::new();
                world.order.give_up(u64::MAX, &mut acts);
                world.note(acts);
            } else {
                world.page(7);
                prop_assert!(world.order.wanted() != Some(wanted), "no progress at {wanted}");
            }
        }
        prop_assert!(world.sent.is_sorted_by(|a, b| a < b), "out of order or twice: {:?}", world.sent);
        let sent: BTreeSet<u64> = world.sent.iter().copied().collect();
        let missing: Vec<u64> = (1..=world.last).filter(|number| !sent.contains(number)).collect();
        prop_assert!(missing.iter().all(|number| world.lacking.contains(number)), "{missing:?}");
        let recorded = |number: &u64| world.given_up.iter().any(|hole| (hole.from..=hole.to).contains(number));
        prop_assert!(missing.iter().all(recorded), "missing and in no gap: {missing:?}");
        prop_assert!(world.opened.is_empty() && world.order.waiting() == 0);
    }
}
