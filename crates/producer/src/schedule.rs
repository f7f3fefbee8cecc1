//! Decides which slot is due. Pure: the time is an argument.

use std::time::Duration;

use pricepipe_core::{Slots, Timestamp};

/// Hands out each slot at most once, in rising order, whatever the clock does.
#[derive(Debug)]
pub(crate) struct Schedule {
    slots: Slots,
    /// The last slot that was handed out; the start counts as one, since its slot began before we did.
    last: Option<Timestamp>,
    /// After the clock stepped back: the last slot that was passed over because its like was handed out before.
    repeated: Option<Timestamp>,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing is due for so long.
    Wait(Duration),
    /// A slot is due.
    Poll {
        /// The slot.
        slot: Timestamp,
        /// How long until the next one begins.
        left: Duration,
        /// Slots that passed since the last turn.
        passed: u64,
    },
    /// The clock stepped back: slots begin that were handed out already.
    Repeated {
        /// How many began since the last turn.
        slots: u64,
        /// When to look again.
        wait: Duration,
    },
}

impl Schedule {
    pub(crate) fn every(interval: Duration) -> Self {
        Schedule { slots: Slots::every(interval), last: None, repeated: None }
    }

    pub(crate) fn turn(&mut self, now: Timestamp) -> Turn {
        let slot = self.slots.current(now);
        let left = until(now, self.slots.next(now));
        let last = *self.last.get_or_insert(slot);
        if slot > last {
            self.last = Some(slot);
            self.repeated = None;
            return Turn::Poll { slot, left, passed: self.slots.between(last, slot).saturating_sub(1) };
        }
        if slot == last && self.repeated.is_none() {
            return Turn::Wait(left);
        }
        let slots = self.repeated.map_or(1, |before| self.slots.between(before, slot));
        self.repeated = Some(slot);
        Turn::Repeated { slots, wait: left }
    }
}

fn until(now: Timestamp, then: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(then.as_millis() - now.as_millis()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_795_413_600_000 + millis).unwrap()
    }

    fn schedule() -> Schedule {
        Schedule::every(Duration::from_secs(3))
    }

    fn wait(millis: u64) -> Turn {
        Turn::Wait(Duration::from_millis(millis))
    }

    fn poll(slot: i64, left: u64, passed: u64) -> Turn {
        Turn::Poll { slot: at(slot), left: Duration::from_millis(left), passed }
    }

    #[test]
    fn a_slot_is_due_at_its_beginning_and_once() {
        let mut schedule = schedule();
        assert_eq!(schedule.turn(at(1_000)), wait(2_000), "the slot in which we start began before us");
        assert_eq!(schedule.turn(at(2_999)), wait(1));
        assert_eq!(schedule.turn(at(3_000)), poll(3_000, 3_000, 0));
        assert_eq!(schedule.turn(at(3_001)), wait(2_999));
        assert_eq!(schedule.turn(at(6_004)), poll(6_000, 2_996, 0));
    }

    #[test]
    fn slots_that_passed_are_counted_and_not_caught_up() {
        let mut schedule = schedule();
        schedule.turn(at(0));
        assert_eq!(schedule.turn(at(10_000)), poll(9_000, 2_000, 2));
        assert_eq!(schedule.turn(at(600_000)), poll(600_000, 3_000, 196));
    }

    #[test]
    fn a_clock_that_steps_back_repeats_no_slot_and_each_is_counted() {
        let mut schedule = schedule();
        schedule.turn(at(0));
        assert_eq!(schedule.turn(at(9_000)), poll(9_000, 3_000, 2));
        let repeated = |slots, millis| Turn::Repeated { slots, wait: Duration::from_millis(millis) };
        assert_eq!(schedule.turn(at(1_000)), repeated(1, 2_000));
        assert_eq!(schedule.turn(at(2_000)), repeated(0, 1_000));
        assert_eq!(schedule.turn(at(3_000)), repeated(1, 3_000));
        assert_eq!(schedule.turn(at(9_000)), repeated(2, 3_000));
        assert_eq!(schedule.turn(at(12_000)), poll(12_000, 3_000, 0));
    }

    proptest! {
        #[test]
        fn no_clock_makes_a_slot_due_twice_or_out_of_order(moments in proptest::collection::vec(0i64..60_000, 1..200)) {
            let mut schedule = schedule();
            let mut last = None;
            for moment in moments {
                if let Turn::Poll { slot, .. } = schedule.turn(at(moment)) {
                    prop_assert!(last < Some(slot));
                    last = Some(slot);
                }
            }
        }
    }
}
