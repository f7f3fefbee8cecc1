//! How a pipeline is shown: in a window, or by lines.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Stdout},
    sync::mpsc,
    time::Duration,
};

use pricepipe_service::telemetry::{self, BoxMakeWriter, LogFormat};
use ratatui::crossterm::event::Event;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    Titles,
    lines::Lines,
    snapshot::{Phase, Snapshot},
    terminal,
    window::{LogLines, Window},
};
use crate::{args::Progress, exit::Failed, output};

/// What is logged besides the progress, unless the environment says otherwise.
const LOG_LEVEL: &str = "warn";
/// What is said while a run drains.
pub(crate) const DRAINING: &str = "draining, up to 25 s; Ctrl-C again stops at once";
/// A drain that takes longer is worth a line.
const SHORT_DRAIN: Duration = Duration::from_secs(1);

/// One of the two ways.
pub(super) enum View {
    /// On a terminal.
    Window(Box<Window>),
    /// One after the other.
    Lines { lines: Lines<Stdout>, format: LogFormat, draining_since: Option<Instant>, told: bool },
}

impl View {
    /// Opens the view and starts logging, which on a terminal must not write into the picture.
    pub(super) fn open(progress: Progress, titles: Titles) -> Self {
        let window = match progress {
            Progress::Auto => terminal::is_usable(),
            Progress::Table => io::stdout().is_terminal(),
            Progress::Text | Progress::Json => false,
        };
        let format = log_format(progress);
        let (lines, logs) = mpsc::channel();
        // A terminal that does not let itself be taken gets lines.
        if let Some(window) = window.then(|| Window::open(titles, logs)).and_then(Result::ok) {
            let writer = LogLines(lines);
            telemetry::start_with(format, LOG_LEVEL, false, BoxMakeWriter::new(move || writer.clone()));
            return View::Window(Box::new(window));
        }
        telemetry::start(format, LOG_LEVEL);
        let lines = Lines::new(io::stdout(), progress == Progress::Json);
        View::Lines { lines, format, draining_since: None, told: false }
    }

    /// The next key, or another size. Lines have neither.
    pub(super) async fn event(&mut self) -> Event {
        match self {
            View::Window(window) => window.event().await,
            View::Lines { .. } => std::future::pending().await,
        }
    }

    /// Does what a key means.
    pub(super) fn react(&mut self, event: &Event) -> io::Result<()> {
        match self {
            View::Window(window) => window.react(event),
            View::Lines { .. } => Ok(()),
        }
    }

    /// Shows one moment.
    pub(super) fn show(&mut self, snapshot: Snapshot) -> io::Result<()> {
        match self {
            View::Window(window) => window.show(snapshot),
            View::Lines { lines, format, draining_since, told } => {
                if snapshot.phase == Phase::Draining {
                    let since = draining_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > SHORT_DRAIN && !std::mem::replace(told, true) {
                        output::say(*format, "INFO", DRAINING);
                    }
                }
                lines.show(&snapshot)
            }
        }
    }

    /// Ends it; what comes next is printed below it.
    pub(super) fn close(self) -> io::Result<()> {
        match self {
            View::Window(window) => window.close(),
            View::Lines { .. } => Ok(()),
        }
    }
}

/// Prints the sums in the end.
pub(crate) fn print_sums(progress: Progress, sums: &(impl Display + Serialize)) -> Result<(), Failed> {
    let text = match progress {
        Progress::Json => serde_json::to_string(sums).unwrap_or_default(),
        Progress::Auto | Progress::Table | Progress::Text => sums.to_string(),
    };
    output::answer(&format!("{text}\n"))
}

/// How log lines look beside this kind of progress, unless the environment says otherwise.
pub(crate) fn log_format(progress: Progress) -> LogFormat {
    LogFormat::from_environment(if progress == Progress::Json { LogFormat::Json } else { LogFormat::Text })
}
