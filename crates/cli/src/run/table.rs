//! The live table: drawn in place below what was printed before, with log lines scrolling above it.

use std::{
    io::{self, Stdout, Write},
    sync::mpsc::{Receiver, Sender},
};

use ratatui::{
    Frame, Terminal, TerminalOptions, Viewport,
    backend::CrosstermBackend,
    layout::{Constraint, Layout},
    style::{Color, Style, Stylize},
    text::Line,
    widgets::{Cell, Paragraph, Row as TableRow, Table, Widget},
};

use crate::run::snapshot::{Row, Snapshot};

/// The most symbols that are shown; the rest is counted.
const MOST_ROWS: usize = 40;
const HEADINGS: [&str; 8] = ["SYMBOL", "PRICE", "CHANGE", "AGE", "MESSAGES", "LAG", "STORED", "DUPLICATES"];
const WIDTHS: [u16; 8] = [14, 16, 9, 7, 10, 7, 10, 10];

/// The live table on standard output.
pub(super) struct LiveTable {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    logs: Receiver<String>,
    colours: bool,
}

impl LiveTable {
    /// A table with room for so many symbols.
    pub(super) fn open(symbols: usize, logs: Receiver<String>) -> io::Result<Self> {
        let height = symbols.min(MOST_ROWS) as u16 + 4;
        let options = TerminalOptions { viewport: Viewport::Inline(height) };
        let terminal = Terminal::with_options(CrosstermBackend::new(io::stdout()), options)?;
        Ok(LiveTable { terminal, logs, colours: std::env::var_os("NO_COLOR").is_none() })
    }

    /// Draws one moment.
    pub(super) fn show(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        while let Ok(line) = self.logs.try_recv() {
            let width = self.terminal.size()?.width.max(1) as usize;
            let height = line.chars().count().div_ceil(width).max(1) as u16;
            self.terminal.insert_before(height, |buffer| {
                Paragraph::new(line.as_str())
                    .wrap(ratatui::widgets::Wrap { trim: false })
                    .render(buffer.area, buffer);
            })?;
        }
        let colours = self.colours;
        self.terminal.draw(|frame| draw(frame, snapshot, colours))?;
        Ok(())
    }

    /// Leaves the last table where it stands and continues below it.
    pub(super) fn close(mut self) -> io::Result<()> {
        self.terminal.show_cursor()?;
        let area = self.terminal.get_frame().area();
        self.terminal.set_cursor_position((0, area.bottom().saturating_sub(1)))?;
        writeln!(io::stdout())
    }
}

fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot, colours: bool) {
    let [table, status] = Layout::vertical([Constraint::Min(1), Constraint::Length(2)]).areas(frame.area());
    let shown = snapshot.rows.iter().take(MOST_ROWS).map(|row| table_row(row, colours));
    let headings = TableRow::new(HEADINGS.map(Cell::from)).bold();
    frame.render_widget(Table::new(shown, WIDTHS).header(headings), table);
    let hidden = snapshot.rows.len().saturating_sub(MOST_ROWS);
    frame.render_widget(Paragraph::new(vec![summary(snapshot, hidden), state(snapshot, colours)]), status);
}

fn table_row(row: &Row, colours: bool) -> TableRow<'static> {
    let change = row.change_percent().unwrap_or(0.0);
    let colour = match change {
        c if c > 0.0 => Color::Green,
        c if c < 0.0 => Color::Red,
        _ => Color::Reset,
    };
    let style = if colours { Style::new().fg(colour) } else { Style::new() };
    TableRow::new(vec![
        Cell::from(row.symbol.clone()).bold(),
        Cell::from(row.price_text()),
        Cell::from(row.change_text()).style(style),
        Cell::from(row.age_text()),
        Cell::from(row.messages.to_string()),
        Cell::from(row.lag_text()),
        Cell::from(row.stored.to_string()),
        Cell::from(row.duplicates.to_string()),
    ])
}

fn summary(snapshot: &Snapshot, hidden: usize) -> Line<'static> {
    let totals = snapshot.totals;
    let more = if hidden > 0 { format!("{hidden} more symbols · ") } else { String::new() };
    Line::from(format!(
        "{more}produced {} · stored {} · duplicates {} · dead letters {} · skipped slots {}",
        totals.produced, totals.stored, totals.duplicates, totals.dead_letters, totals.skipped_slots
    ))
}

fn state(snapshot: &Snapshot, colours: bool) -> Line<'static> {
    if snapshot.unmet.is_empty() {
        return Line::from("ready · Ctrl-C stops and drains");
    }
    let line = Line::from(snapshot.unmet.join(" · "));
    if colours { line.yellow() } else { line }
}

/// A writer of log lines that hands them to the table.
#[derive(Clone)]
pub(super) struct LogLines(pub Sender<String>);

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        for line in text.lines() {
            if self.0.send(line.to_owned()).is_err() {
                // The table is gone: the run is over, and its last words go where everybody's go.
                writeln!(io::stderr(), "{line}")?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::run::snapshot::tests::row;

    #[test]
    fn shows_a_row_per_symbol_the_sums_and_what_is_missing() {
        let mut terminal = Terminal::new(TestBackend::new(90, 6)).unwrap();
        let snapshot = Snapshot {
            rows: vec![row("BTCUSDT", "101.50", 7), row("ETHUSDT", "99.00", 8)],
            unmet: vec!["exchange: cannot be reached".to_owned()],
            ..Snapshot::default()
        };
        terminal.draw(|frame| draw(frame, &snapshot, true)).unwrap();
        let screen = terminal.backend().to_string();
        for expected in [
            "SYMBOL",
            "BTCUSDT",
            "101.50",
            "+1.50%",
            "ETHUSDT",
            "-1.00%",
            "produced 0",
            "exchange: cannot be reached",
        ] {
            assert!(screen.contains(expected), "{expected} is not in\n{screen}");
        }
    }
}
