//! Scripted faults: what goes wrong, for how long, and whose turn it is. Pure; time is an argument.

mod answer;
mod rule;
mod streams;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pricepipe_core::Symbol;

pub(crate) use self::{answer::MAX_OVERSIZED_BYTES, streams::StreamFaultInForce};
pub use self::{
    answer::{Fault, StatusFault},
    rule::{Lasts, Rule},
};
use crate::locked;

/// The faults in force and those that wait for their turn. Clones share one script.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    script: Arc<Mutex<VecDeque<Scripted>>>,
    /// How often the script was changed.
    version: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Scripted {
    rule: Rule,
    number: u64,
    met: u32,
    first_met: Option<Instant>,
    /// The connections that have met it, and how many frames each had sent by then.
    connections: BTreeMap<u64, u64>,
}

/// What one request meets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    /// The fault whose turn it is.
    pub(crate) turn: Option<Fault>,
    /// All those that change a detail.
    pub(crate) details: Vec<Fault>,
}

impl Faults {
    /// Adds a rule at the end of the script.
    pub fn add(&self, rule: Rule) {
        let mut script = locked(&self.script);
        let number = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        script.push_back(Scripted { rule, number, met: 0, first_met: None, connections: BTreeMap::new() });
    }

    /// Ends all faults. Answers that are already on their way stay as they are.
    pub fn clear(&self) {
        let mut script = locked(&self.script);
        script.clear();
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    /// The rules that are not over yet.
    pub fn rules(&self) -> Vec<Rule> {
        let now = Instant::now();
        let script = locked(&self.script);
        script
            .iter()
            .filter(|scripted| !scripted.is_over(now))
            .map(|scripted| scripted.rule.clone())
            .collect()
    }

    /// Different from every number that it was before the script was last changed; never 0.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst) + 1
    }

    /// What a request meets, counted as met. `asks_for` says whether the answer would hold a symbol.
    pub(crate) fn meet(&self, now: Instant, path: &str, asks_for: impl Fn(&Symbol) -> bool) -> Effects {
        let mut effects = Effects::default();
        self.meet_some(now, path, |fault| fault.symbol().is_none_or(&asks_for), &mut effects);
        effects
    }

    /// What a request meets that would open a stream: only what can happen to such a one, so that other faults wait
    /// for a request that shows them.
    pub(crate) fn meet_upgrade(&self, now: Instant, path: &str) -> Option<Fault> {
        let mut effects = Effects::default();
        let concerns = |fault: &Fault| {
            matches!(fault, Fault::Pass | Fault::Status(_) | Fault::Delay { .. } | Fault::Hang)
        };
        self.meet_some(now, path, concerns, &mut effects);
        effects.turn
    }

    fn meet_some(&self, now: Instant, path: &str, concerns: impl Fn(&Fault) -> bool, effects: &mut Effects) {
        let mut script = locked(&self.script);
        // Connections may still be under a fault of streams that no other one will meet.
        script.retain(|scripted| !scripted.is_over(now) || scripted.stream_fault().is_some());
        let concerned = |scripted: &&mut Scripted| {
            scripted.stream_fault().is_none() && scripted.is_for(path) && concerns(&scripted.rule.fault)
        };
        for scripted in script.iter_mut().filter(concerned) {
            let fault = scripted.rule.fault.clone();
            if fault.is_detail() {
                effects.details.push(fault);
            } else if effects.turn.is_none() {
                effects.turn = Some(fault);
            } else {
                continue;
            }
            scripted.met += 1;
            scripted.first_met.get_or_insert(now);
        }
    }
}

impl Scripted {
    fn is_over(&self, now: Instant) -> bool {
        match self.rule.lasts {
            Lasts::Requests(requests) => self.met >= requests,
            Lasts::Millis(millis) => self
                .first_met
                .is_some_and(|first| now.saturating_duration_since(first) >= Duration::from_millis(millis)),
            Lasts::UntilCleared => false,
        }
    }

    fn is_for(&self, path: &str) -> bool {
        self.rule.path.as_ref().is_none_or(|prefix| match prefix.as_str() {
            "/" => path == "/",
            prefix => path.starts_with(prefix),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/api/v3/ticker/price";

    fn turns(faults: &Faults, now: Instant, count: usize) -> Vec<Option<Fault>> {
        (0..count).map(|_| faults.meet(now, PATH, |_| true).turn).collect()
    }

    #[test]
    fn a_script_is_met_in_order_and_then_over() {
        let faults = Faults::default();
        faults.add(Rule::times(2, Fault::status(503)));
        faults.add(Rule::once(Fault::Pass));
        faults.add(Rule::once(Fault::Hang));
        let expected =
            [Some(Fault::status(503)), Some(Fault::status(503)), Some(Fault::Pass), Some(Fault::Hang), None];
        assert_eq!(turns(&faults, Instant::now(), 5), expected);
        assert!(faults.rules().is_empty());
    }

    #[test]
    fn a_duration_begins_with_the_first_request_that_meets_it() {
        let faults = Faults::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        faults.add(Rule::lasting(Duration::from_secs(20), Fault::Hang));
        faults.add(Rule::lasting(Duration::from_secs(5), Fault::status(500)));
        for (seconds, turn) in
            [(100, Some(Fault::Hang)), (119, Some(Fault::Hang)), (120, Some(Fault::status(500))), (125, None)]
        {
            assert_eq!(turns(&faults, at(seconds), 1), [turn], "{seconds}");
        }
    }

    #[test]
    fn details_add_up_and_wait_for_a_request_with_their_symbol() {
        let faults = Faults::default();
        let btc: Symbol = "BTCUSDT".parse().unwrap();
        let missing = Fault::MissingSymbol { symbol: btc.clone() };
        faults.add(Rule::once(missing.clone()));
        faults.add(Rule::until_cleared(Fault::Reordered));
        let now = Instant::now();
        assert_eq!(faults.meet(now, PATH, |_| false).details, [Fault::Reordered]);
        assert_eq!(faults.meet(now, PATH, |s| *s == btc).details, [missing, Fault::Reordered]);
        assert_eq!(faults.meet(now, PATH, |_| true).details, [Fault::Reordered]);
        faults.clear();
        assert!(faults.meet(now, PATH, |_| true).details.is_empty());
    }

    #[test]
    fn a_rule_for_one_path_lets_others_pass() {
        let faults = Faults::default();
        faults.add(Rule::once(Fault::Hang).on_path("/api/v3/exchangeInfo"));
        assert_eq!(turns(&faults, Instant::now(), 1), [None]);
        let met = faults.meet(Instant::now(), "/api/v3/exchangeInfo", |_| true);
        assert_eq!(met.turn, Some(Fault::Hang));
    }

    #[test]
    fn a_request_for_a_stream_meets_only_what_can_happen_to_it() {
        let faults = Faults::default();
        for fault in [Fault::HistoryGaps { percent: 5 }, Fault::MalformedJson, Fault::status(503)] {
            faults.add(Rule::once(fault));
        }
        let met = [faults.meet_upgrade(Instant::now(), "/ws"), faults.meet_upgrade(Instant::now(), "/ws")];
        assert_eq!(met, [Some(Fault::status(503)), None]);
        let left = faults.meet(Instant::now(), PATH, |_| true);
        assert_eq!((left.turn, left.details.len()), (Some(Fault::MalformedJson), 1));
    }
}
