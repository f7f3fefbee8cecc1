//! The holes in what streams brought, for whoever watches.

use std::collections::VecDeque;

use pricepipe_core::{Gap, GapOutcome};

/// Holes in what the streams of a run brought.
#[derive(Clone, Debug, Default)]
pub struct ObservedGaps {
    /// How many are being repaired.
    pub open: u64,
    /// How many were filled.
    pub filled: u64,
    /// How many history does not fill.
    pub unfillable: u64,
    /// How many observations came from history.
    pub repaired: u64,
    /// The newest, the latest last, each as it is now.
    pub newest: VecDeque<Gap>,
}

/// So many of the newest gaps are kept.
const NEWEST_GAPS: usize = 50;

impl ObservedGaps {
    /// A gap opened or ended.
    pub(super) fn note(&mut self, gap: &Gap) {
        let key = gap.key();
        let place = self.newest.iter().position(|known| known.key() == key);
        match gap.outcome {
            GapOutcome::Open => self.open += 1,
            GapOutcome::Filled => self.filled += 1,
            GapOutcome::Unfillable => self.unfillable += 1,
        }
        if gap.outcome != GapOutcome::Open {
            self.open = self.open.saturating_sub(1);
        }
        match place.and_then(|place| self.newest.get_mut(place)) {
            Some(known) => *known = gap.clone(),
            None => {
                self.newest.push_back(gap.clone());
                if self.newest.len() > NEWEST_GAPS {
                    self.newest.pop_front();
                }
            }
        }
    }
}
