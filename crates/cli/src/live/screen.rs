//! What is shown of a pipeline from beginning to end, whatever it is that is waited for.

use std::{io, pin::pin, time::Duration};

use ratatui::crossterm::event::Event;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Titles, snapshot::Snapshot, view::View};
use crate::{args::Progress, exit::Failed, output};

/// How often a pipeline is looked at.
const EVERY: Duration = Duration::from_millis(250);

/// Who knows how a pipeline is.
pub(crate) trait Source {
    /// How it is now.
    fn snapshot(&mut self) -> Snapshot;
}

/// Shows what a source knows.
pub(crate) struct Screen<S> {
    view: Option<View>,
    source: S,
    stop: CancellationToken,
    /// Why nothing can be shown any more.
    failed: Option<Failed>,
}

impl<S: Source> Screen<S> {
    /// Opens the view, and starts logging. `stop` is cancelled when nothing can be shown any more.
    pub(crate) fn open(progress: Progress, titles: Titles, source: S, stop: CancellationToken) -> Self {
        Screen { view: Some(View::open(progress, titles)), source, stop, failed: None }
    }

    /// Who is asked.
    pub(crate) fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// What ends it.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Shows how it goes while something is done.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = ticks.tick() => self.show(),
                event = event(&mut self.view) => {
                    let reacted = self.view.as_mut().map_or(Ok(()), |view| view.react(&event));
                    self.judge(reacted);
                }
            }
        }
    }

    /// Shows the last moment and leaves it above what is printed next.
    pub(crate) fn end(&mut self) {
        self.show();
        // The terminal may have gone, and then there is nothing to tidy.
        let _ = self.view.take().map(View::close);
    }

    /// Leaves the terminal in order, however it ended.
    pub(crate) fn close(mut self) -> Result<(), Failed> {
        let _ = self.view.take().map(View::close);
        self.failed.map_or(Ok(()), Err)
    }

    fn show(&mut self) {
        let Some(view) = &mut self.view else { return };
        let shown = view.show(self.source.snapshot());
        self.judge(shown);
    }

    fn judge(&mut self, shown: io::Result<()>) {
        // Whoever read our output may have gone: the prices matter more than their picture.
        if let Err(failed) = output::written(shown) {
            // The prices that are under way are stored first; what happened is told at the end.
            self.stop.cancel();
            let _ = self.view.take().map(View::close);
            self.failed = Some(failed);
        }
    }
}

async fn event(view: &mut Option<View>) -> Event {
    match view {
        Some(view) => view.event().await,
        None => std::future::pending().await,
    }
}
