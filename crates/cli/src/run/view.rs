//! How progress is shown: a live table, or lines.

use std::{
    io::{self, IsTerminal, Stdout},
    sync::mpsc,
    time::Duration,
};

use pricepipe_service::telemetry::{self, BoxMakeWriter, LogFormat};

use crate::{
    args::Progress,
    exit::Failed,
    output,
    run::{
        lines::Lines,
        snapshot::{Snapshot, Totals},
        table::{LiveTable, LogLines},
    },
};

/// How often progress is looked at.
pub(super) const EVERY: Duration = Duration::from_millis(250);
/// What is logged besides the progress, unless the environment says otherwise.
const LOG_LEVEL: &str = "warn";

/// One of the two ways.
pub(super) enum View {
    /// In place, on a terminal.
    Table(Box<LiveTable>),
    /// One after the other.
    Lines(Lines<Stdout>),
}

impl View {
    /// Opens the view and starts logging, which on a terminal must not write into the table.
    pub(super) fn open(progress: Progress, symbols: usize) -> Self {
        let table = progress == Progress::Table || progress == Progress::Auto && io::stdout().is_terminal();
        let (json, format) = (progress == Progress::Json, log_format(progress));
        // A terminal that does not say where its cursor is gets lines.
        let (lines, logs) = mpsc::channel();
        if let Some(table) = table.then(|| LiveTable::open(symbols, logs)).and_then(Result::ok) {
            let writer = LogLines(lines);
            telemetry::start_with(format, LOG_LEVEL, false, BoxMakeWriter::new(move || writer.clone()));
            return View::Table(Box::new(table));
        }
        telemetry::start(format, LOG_LEVEL);
        View::Lines(Lines::new(io::stdout(), json))
    }

    /// Shows one moment.
    pub(super) fn show(&mut self, snapshot: &Snapshot) -> Result<(), Failed> {
        let shown = match self {
            View::Table(table) => table.show(snapshot),
            View::Lines(lines) => lines.show(snapshot),
        };
        // Whoever read our output may have gone: the prices matter more than their picture.
        output::written(shown)
    }

    /// Ends it; what comes next is printed below it.
    pub(super) fn close(self) {
        if let View::Table(table) = self {
            // The terminal may have gone, and then there is nothing to tidy.
            let _ = table.close();
        }
    }
}

/// How log lines look beside this kind of progress, unless the environment says otherwise.
pub(super) fn log_format(progress: Progress) -> LogFormat {
    LogFormat::from_environment(if progress == Progress::Json { LogFormat::Json } else { LogFormat::Text })
}

/// Prints the sums of a run.
pub(super) fn print_summary(progress: Progress, totals: Totals) -> Result<(), Failed> {
    if progress == Progress::Json {
        return output::answer(&format!("{}\n", serde_json::to_string(&totals).unwrap_or_default()));
    }
    output::answer(&format!("{totals}\n"))
}
