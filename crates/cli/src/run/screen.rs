//! What is shown of a run: how its workers are, and the sums at its end.

use std::time::Duration;

use pricepipe_service::Process;

use super::{
    observers::{Observers, Totals},
    places::Places,
};
use crate::{
    args::Progress,
    exit::Failed,
    live::{self, Phase, Snapshot, Source},
    output,
};

/// The longest that draining may take.
pub(super) const LONGEST_DRAIN: Duration = Duration::from_secs(25);

/// Shows a run.
pub(super) type Screen = live::Screen<Course>;

/// How far a run is, and who knows more of it.
pub(super) struct Course {
    pub(super) observers: Observers,
    pub(super) process: Process,
    pub(super) progress: Progress,
    pub(super) places: Places,
    pub(super) phase: Phase,
}

impl Source for Course {
    fn snapshot(&mut self) -> Snapshot {
        self.observers.snapshot(&self.process, &self.places, self.phase)
    }
}

impl Course {
    /// From now on the run drains.
    pub(super) fn drains(&mut self) {
        self.phase = Phase::Draining;
    }

    /// Why this condition is not met, when it is not.
    pub(super) fn unmet(&self, name: &str) -> Option<String> {
        let unmet = self.process.health.unmet();
        let prefix = format!("{name}: ");
        unmet.iter().find_map(|unmet| unmet.strip_prefix(&prefix)).map(str::to_owned)
    }

    /// Tells something beside the progress.
    pub(super) fn say(&self, level: &str, message: &str) {
        output::say(live::log_format(self.progress), level, message);
    }
}

/// Shows the last moment, closes the view, and prints the sums below it.
pub(super) fn sum_up(screen: &mut Screen) -> Result<Totals, Failed> {
    screen.source().phase = Phase::Over;
    screen.end();
    let course = screen.source();
    let totals = course.observers.totals(&course.process);
    live::print_sums(course.progress, &totals)?;
    Ok(totals)
}
