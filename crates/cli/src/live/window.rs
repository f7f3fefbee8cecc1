//! The full-screen view on standard output: what it remembers between two pictures.

use std::{
    collections::VecDeque,
    io::{self, Stdout, Write},
    sync::mpsc::{Receiver, Sender},
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::event::{Event, KeyEvent},
};

use super::{
    Titles,
    controls::{Controls, Reaction},
    frame::{Scene, draw},
    keys::Keys,
    snapshot::Snapshot,
    table, terminal,
    theme::Theme,
    trends::Trends,
};
use pricepipe_service::telemetry;

use crate::output;

/// As many log lines are remembered.
const LOG_LINES: usize = 200;
/// The newest of them stay on the terminal in the end.
const LAST_LINES: usize = 20;
/// A table needs no more than this where it stands alone.
const WIDEST_TABLE: u16 = 100;

/// The view.
pub(super) struct Window {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    keys: Keys,
    titles: Titles,
    logs: Receiver<String>,
    lines: VecDeque<String>,
    /// How many lines there were before those.
    forgotten: usize,
    controls: Controls,
    /// How many symbols had room.
    visible: usize,
    now: Snapshot,
    trends: Trends,
    /// What is shown while the picture stands still.
    held: Option<(Snapshot, Trends)>,
    theme: Theme,
}

impl Window {
    /// Takes the terminal.
    pub(super) fn open(titles: Titles, logs: Receiver<String>) -> io::Result<Self> {
        terminal::take()?;
        let terminal =
            Terminal::new(CrosstermBackend::new(io::stdout())).inspect_err(|_| terminal::restore())?;
        Ok(Window {
            terminal,
            keys: Keys::read(),
            lines: titles.warnings.iter().map(|warning| format!("WARNING {warning}")).collect(),
            titles,
            logs,
            forgotten: 0,
            controls: Controls::default(),
            visible: 0,
            now: Snapshot::default(),
            trends: Trends::default(),
            held: None,
            theme: Theme { colours: telemetry::may_colour() },
        })
    }

    /// The next key, or another size.
    pub(super) async fn event(&mut self) -> Event {
        self.keys.next().await
    }

    /// Draws one moment, unless the picture stands still.
    pub(super) fn show(&mut self, snapshot: Snapshot) -> io::Result<()> {
        self.trends.note(&snapshot);
        self.now = snapshot;
        self.take_logs();
        self.draw()
    }

    /// Does what a key means.
    pub(super) fn react(&mut self, event: &Event) -> io::Result<()> {
        let reaction = match event {
            Event::Key(key) => self.press(*key),
            Event::Resize(..) => Reaction::Redraw,
            _ => Reaction::Nothing,
        };
        match reaction {
            Reaction::Nothing => Ok(()),
            Reaction::Redraw => self.draw(),
            Reaction::Quit => {
                terminal::interrupt();
                Ok(())
            }
            Reaction::Suspend => {
                terminal::suspend()?;
                // Whatever was drawn has gone.
                self.terminal.clear()?;
                self.draw()
            }
        }
    }

    fn press(&mut self, key: KeyEvent) -> Reaction {
        let reaction = self.controls.press(key, self.visible);
        if !self.controls.paused {
            self.held = None;
        } else if self.held.is_none() {
            self.held = Some((self.now.clone(), self.trends.clone()));
        }
        reaction
    }

    fn draw(&mut self) -> io::Result<()> {
        // A panic elsewhere has given the terminal back.
        if !terminal::is_taken() {
            return Ok(());
        }
        let (snapshot, trends) = match &self.held {
            Some((snapshot, trends)) => (snapshot, trends),
            None => (&self.now, &self.trends),
        };
        let scene = Scene {
            titles: &self.titles,
            snapshot,
            trends,
            logs: self.lines.make_contiguous(),
            controls: self.controls,
            theme: self.theme,
        };
        let mut visible = 0;
        self.terminal.draw(|frame| visible = draw(frame, &scene))?;
        self.visible = visible;
        self.controls.first = self.controls.first_of(self.now.rows.len(), visible);
        Ok(())
    }

    fn take_logs(&mut self) {
        while let Ok(line) = self.logs.try_recv() {
            if self.lines.len() == LOG_LINES {
                self.lines.pop_front();
                self.forgotten += 1;
            }
            self.lines.push_back(line);
        }
    }

    /// Gives the terminal back, and leaves the last table and the newest log lines on it.
    pub(super) fn close(mut self) -> io::Result<()> {
        self.take_logs();
        let width = self.terminal.size().map_or(WIDEST_TABLE, |size| size.width.min(WIDEST_TABLE));
        terminal::restore();
        // The header has told the warnings.
        let told = self.titles.warnings.len().saturating_sub(self.forgotten);
        let earlier = (self.lines.len() - told).saturating_sub(LAST_LINES);
        if earlier + self.forgotten > 0 {
            output::note(format!("({} earlier log lines)", earlier + self.forgotten));
        }
        self.lines.iter().skip(told + earlier).for_each(output::note);
        let table = table::text(&self.now, &self.trends, &self.controls, width);
        io::stdout().write_all(table.as_bytes())?;
        io::stdout().flush()
    }
}

/// A writer of log lines that hands them to the window.
#[derive(Clone)]
pub(super) struct LogLines(pub Sender<String>);

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        for line in text.lines() {
            if self.0.send(line.to_owned()).is_err() {
                // The window is gone: what comes now goes where everybody's last words go.
                writeln!(io::stderr(), "{line}")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
