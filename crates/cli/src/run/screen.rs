//! What is shown of a run, from its beginning to its summary, whatever it is that is waited for.

use std::{pin::pin, time::Duration};

use pricepipe_service::Process;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    snapshot::{Observers, Phase, Snapshot, Totals},
    view::{self, View},
};
use crate::{args::Progress, exit::Failed, output};

/// The longest that draining may take.
pub(super) const LONGEST_DRAIN: Duration = Duration::from_secs(25);
/// What is said while it goes on.
pub(super) const DRAINING: &str = "draining, up to 25 s; Ctrl-C again stops at once";
/// A drain that takes longer is worth a line.
const SHORT_DRAIN: Duration = Duration::from_secs(1);

/// Shows a run.
pub(super) struct Screen {
    view: Option<View>,
    progress: Progress,
    observers: Observers,
    process: Process,
    stop: CancellationToken,
    phase: Phase,
    draining_since: Option<Instant>,
    /// Why nothing can be shown any more.
    failed: Option<Failed>,
}

impl Screen {
    /// Opens the view, and starts logging.
    pub(super) fn open(
        progress: Progress,
        observers: Observers,
        process: Process,
        stop: CancellationToken,
    ) -> Self {
        let view = Some(View::open(progress, observers.symbols()));
        let (phase, draining_since, failed) = (Phase::Running, None, None);
        Screen { view, progress, observers, process, stop, phase, draining_since, failed }
    }

    /// What ends the run.
    pub(super) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Shows progress while something goes on.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            self.show();
            tokio::select! {
                done = &mut work => return done,
                () = sleep(view::EVERY) => {}
            }
        }
    }

    /// From now on the run drains.
    pub(super) fn drains(&mut self) {
        self.phase = Phase::Draining;
        self.draining_since = Some(Instant::now());
    }

    /// Why this condition is not met, when it is not.
    pub(super) fn unmet(&self, name: &str) -> Option<String> {
        let unmet = self.process.health.unmet();
        let prefix = format!("{name}: ");
        unmet.iter().find_map(|unmet| unmet.strip_prefix(&prefix)).map(str::to_owned)
    }

    /// Shows the last moment, closes the view, and prints the sums below it.
    pub(super) fn sum_up(&mut self) -> Result<Totals, Failed> {
        self.phase = Phase::Over;
        self.show();
        if let Some(view) = self.view.take() {
            view.close();
        }
        let totals = self.snapshot().totals;
        view::print_summary(self.progress, totals)?;
        Ok(totals)
    }

    /// Leaves the terminal in order, however the run ended.
    pub(super) fn close(mut self) -> Result<(), Failed> {
        if let Some(view) = self.view.take() {
            view.close();
        }
        self.failed.map_or(Ok(()), Err)
    }

    fn snapshot(&self) -> Snapshot {
        self.observers.snapshot(&self.process, self.phase)
    }

    fn show(&mut self) {
        let snapshot = self.snapshot();
        let Some(view) = &mut self.view else { return };
        if let View::Lines(_) = view
            && self.draining_since.is_some_and(|since| since.elapsed() > SHORT_DRAIN)
        {
            self.draining_since = None;
            output::note(DRAINING);
        }
        if let Err(failed) = view.show(&snapshot) {
            // The prices that are under way are stored first; what happened is told at the end.
            self.stop.cancel();
            self.view = None;
            self.failed = Some(failed);
        }
    }
}
