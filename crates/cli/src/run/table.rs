//! The live table: drawn in place below what was printed before, with log lines scrolling above it.

use std::{
    io::{self, Stdout, Write},
    sync::mpsc::{Receiver, Sender},
};

use ratatui::{
    Frame, Terminal, TerminalOptions, Viewport,
    backend::CrosstermBackend,
    crossterm::{cursor::Show, execute},
    layout::{Constraint, Layout},
    style::{Color, Style},
    text::Line,
    widgets::{Cell, Paragraph, Row as TableRow, Table, Widget},
};

use super::{
    screen::DRAINING,
    snapshot::{Phase, Row, Snapshot},
    wrap::wrapped,
};
use crate::output;

/// The most symbols that are shown; the rest is counted.
const MOST_ROWS: usize = 40;
/// The most lines below the table, and so many of them are kept free for reasons that need room.
const MOST_LINES: usize = 6;
const SPARE_LINES: usize = 4;
/// What the columns are called, in the order of their use: where there is no room, the last ones are left out.
const HEADINGS: [&str; 8] = ["SYMBOL", "PRICE", "CHANGE", "AGE", "STORED", "LAG", "MESSAGES", "DUPLICATES"];

/// The live table on standard output.
pub(super) struct LiveTable {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    logs: Receiver<String>,
    colours: bool,
    phase: Phase,
    /// The last line with something on it.
    end: u16,
}

impl LiveTable {
    /// A table with room for so many symbols.
    pub(super) fn open(symbols: usize, logs: Receiver<String>) -> io::Result<Self> {
        let height = symbols.min(MOST_ROWS) as u16 + 1 + SPARE_LINES as u16;
        let options = TerminalOptions { viewport: Viewport::Inline(height) };
        let terminal = Terminal::with_options(CrosstermBackend::new(io::stdout()), options)?;
        let colours = std::env::var_os("NO_COLOR").is_none();
        Ok(LiveTable { terminal, logs, colours, phase: Phase::Running, end: 0 })
    }

    /// Draws one moment.
    pub(super) fn show(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        while let Ok(line) = self.logs.try_recv() {
            let lines = wrapped(&line, self.terminal.size()?.width.into());
            self.terminal.insert_before(lines.len() as u16, |buffer| {
                let lines: Vec<Line<'_>> = lines.iter().map(|line| Line::from(line.as_str())).collect();
                Paragraph::new(lines).render(buffer.area, buffer);
            })?;
        }
        if self.phase != snapshot.phase {
            // The terminal has written `^C` into the table.
            self.phase = snapshot.phase;
            self.terminal.clear()?;
        }
        let (colours, mut end) = (self.colours, 0);
        let area = self.terminal.draw(|frame| end = draw(frame, snapshot, colours))?.area;
        self.end = end;
        // Where a `^C` does no harm.
        self.terminal.set_cursor_position((0, area.bottom().saturating_sub(1)))
    }

    /// Leaves the last table where it stands and continues below it.
    pub(super) fn close(mut self) -> io::Result<()> {
        self.terminal.show_cursor()?;
        self.terminal.set_cursor_position((0, self.end))?;
        writeln!(io::stdout())?;
        while let Ok(line) = self.logs.try_recv() {
            output::note(line);
        }
        Ok(())
    }
}

/// Shows the cursor again, which the table has hidden, before the process ends at once.
pub(super) fn show_cursor() {
    let _ = execute!(io::stdout(), Show);
    output::note("");
}

/// Draws a moment, and tells the last line that it needed.
fn draw(frame: &mut Frame<'_>, snapshot: &Snapshot, colours: bool) -> u16 {
    let area = frame.area();
    let width = usize::from(area.width);
    let state: Vec<String> = wrapped(&state(snapshot), width);
    let lines_for = |hidden| {
        if snapshot.phase == Phase::Over {
            // The summary is about to be printed below.
            let more = format!("{hidden} more symbols");
            return if hidden > 0 { vec![Line::from(more)] } else { Vec::new() };
        }
        let summary = wrapped(&summary(snapshot, hidden), width).into_iter().map(Line::from);
        let style = if colours && !snapshot.unmet.is_empty() { Style::new().yellow() } else { Style::new() };
        let state = state.iter().map(|line| Line::styled(line.clone(), style));
        summary.chain(state).take(MOST_LINES).collect::<Vec<_>>()
    };
    // The heading and one symbol at least.
    let room = usize::from(area.height.saturating_sub(1));
    let fits = |below: usize| room.saturating_sub(below).clamp(1, MOST_ROWS).min(snapshot.rows.len());
    // How many are hidden is a part of what stands below.
    let below = lines_for(snapshot.rows.len() - fits(lines_for(0).len())).len();
    let shown = fits(below);
    let lines = lines_for(snapshot.rows.len() - shown);
    let below = lines.len() as u16;
    let [top, bottom, _] = Layout::vertical([
        Constraint::Length(shown as u16 + 1),
        Constraint::Length(below),
        Constraint::Min(0),
    ])
    .areas(area);
    frame.render_widget(table(&snapshot.rows[..shown], width, colours), top);
    frame.render_widget(Paragraph::new(lines), bottom);
    top.bottom().max(bottom.bottom()).saturating_sub(1)
}

/// The rows, each column as wide as it has to be.
fn table(rows: &[Row], width: usize, colours: bool) -> Table<'static> {
    let cells: Vec<[String; 8]> = rows.iter().map(texts).collect();
    let widest = |column: usize| {
        let cells = cells.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..HEADINGS.len()).map(widest).collect();
    let taken = |widths: &[usize], spacing: u16| {
        widths.iter().sum::<usize>() + usize::from(spacing) * widths.len().saturating_sub(1)
    };
    let spacing = if taken(&widths, 2) <= width { 2 } else { 1 };
    while widths.len() > 2 && taken(&widths, spacing) > width {
        widths.pop();
    }
    let columns = widths.len();
    let heading = |(column, text): (usize, &&'static str)| aligned(column, (*text).to_owned());
    let headings = HEADINGS.iter().enumerate().take(columns).map(heading);
    let bold = if colours { Style::new().bold() } else { Style::new() };
    let body = rows.iter().zip(cells).map(|(row, texts)| {
        let cells = texts.into_iter().enumerate().take(columns).map(|(column, text)| {
            let style = match column {
                0 => bold,
                2 if colours => Style::new().fg(colour(row)),
                _ => Style::new(),
            };
            aligned(column, text).style(style)
        });
        TableRow::new(cells.collect::<Vec<_>>())
    });
    let headings = TableRow::new(headings.collect::<Vec<_>>()).style(bold);
    let widths = widths.into_iter().map(|width| Constraint::Length(width as u16));
    Table::new(body.collect::<Vec<_>>(), widths).header(headings).column_spacing(spacing)
}

/// A row's cells, in the order of the headings.
fn texts(row: &Row) -> [String; 8] {
    [
        row.symbol.clone(),
        row.price_text(),
        row.change_text(),
        row.age_text(),
        row.stored.to_string(),
        row.lag_text(),
        row.messages.to_string(),
        row.duplicates.to_string(),
    ]
}

/// Symbols stand at the left, numbers and their headings at the right.
fn aligned(column: usize, text: String) -> Cell<'static> {
    let line = Line::from(text);
    Cell::from(if column == 0 { line } else { line.right_aligned() })
}

fn colour(row: &Row) -> Color {
    match row.change_percent().unwrap_or(0.0) {
        c if c > 0.0 => Color::Green,
        c if c < 0.0 => Color::Red,
        _ => Color::Reset,
    }
}

fn summary(snapshot: &Snapshot, hidden: usize) -> String {
    let more = if hidden > 0 { format!("{hidden} more symbols · ") } else { String::new() };
    format!("{more}{}", snapshot.totals)
}

fn state(snapshot: &Snapshot) -> String {
    let unmet = snapshot.unmet.iter().map(String::as_str);
    match snapshot.phase {
        Phase::Running if snapshot.unmet.is_empty() => "ready · Ctrl-C stops and drains".to_owned(),
        Phase::Running => unmet.collect::<Vec<_>>().join(" · "),
        Phase::Draining => {
            let news = unmet.filter(|unmet| !unmet.ends_with(": stopping"));
            [DRAINING].into_iter().chain(news).collect::<Vec<_>>().join(" · ")
        }
        Phase::Over => String::new(),
    }
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

    fn screen(width: u16, height: u16, snapshot: &Snapshot, colours: bool) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let mut end = 0;
        terminal.draw(|frame| end = draw(frame, snapshot, colours)).unwrap();
        assert!(end < height);
        terminal
    }

    fn shown(width: u16, height: u16, snapshot: &Snapshot) -> String {
        screen(width, height, snapshot, true).backend().to_string()
    }

    #[test]
    fn shows_a_row_per_symbol_the_sums_and_what_is_missing() {
        let snapshot = Snapshot {
            rows: vec![row("BTCUSDT", "101.50", 7), row("ETHUSDT", "99.00", 8)],
            unmet: vec!["exchange: cannot be reached".to_owned()],
            ..Snapshot::default()
        };
        let screen = shown(90, 6, &snapshot);
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

    #[test]
    fn every_heading_fits_into_80_columns_and_numbers_end_where_it_ends() {
        let rows = vec![row("BTCUSDT", "101234.56000000", 123_456), row("1000SATSUSDT", "0.00001234", 1)];
        let screen = shown(80, 6, &Snapshot { rows, ..Snapshot::default() });
        let lines: Vec<&str> = screen.lines().collect();
        for heading in HEADINGS {
            assert!(lines[0].contains(heading), "{heading} is not in\n{screen}");
        }
        let end = |line: &str, text: &str| line.find(text).map(|at| at + text.len());
        assert_eq!(end(lines[0], "PRICE"), end(lines[1], "101234.56000000"), "{screen}");
        assert_eq!(end(lines[0], "PRICE"), end(lines[2], "0.00001234"), "{screen}");
    }

    #[test]
    fn symbols_without_room_are_counted() {
        let rows = (0..40).map(|n| row(&format!("S{n}"), "1.0", 1)).collect();
        let screen = shown(80, 24, &Snapshot { rows, ..Snapshot::default() });
        assert!(screen.contains("S19 ") && screen.contains("20 more symbols"), "{screen}");
        assert!(!screen.contains("S20 ") && screen.contains("ready"), "{screen}");
    }

    #[test]
    fn a_reason_that_is_longer_than_a_line_is_shown_to_its_end() {
        let unmet = format!("exchange: {} --simulate helps", "it is away ".repeat(10));
        let snapshot = Snapshot { rows: vec![row("A", "1", 1)], unmet: vec![unmet], ..Snapshot::default() };
        assert!(shown(80, 8, &snapshot).contains("--simulate helps"));
    }

    #[test]
    fn the_state_says_that_the_run_drains_and_the_last_table_leaves_the_sums_to_the_summary() {
        let unmet = vec!["producer: stopping".to_owned(), "store: away".to_owned()];
        let snapshot = |phase| Snapshot { unmet: unmet.clone(), phase, ..Snapshot::default() };
        let draining = state(&snapshot(Phase::Draining));
        assert_eq!(draining, "draining, up to 25 s; Ctrl-C again stops at once · store: away");
        let over = shown(80, 8, &snapshot(Phase::Over));
        assert!(over.contains("SYMBOL") && !over.contains("produced") && !over.contains("ready"), "{over}");
    }

    #[test]
    fn without_colours_nothing_is_styled() {
        let snapshot =
            Snapshot { rows: vec![row("A", "101", 1)], unmet: vec!["x".into()], ..Snapshot::default() };
        let styled = |colours| {
            let terminal = screen(80, 6, &snapshot, colours);
            let cells = terminal.backend().buffer().content().to_vec();
            cells.iter().any(|cell| !cell.modifier.is_empty() || cell.fg != Color::Reset)
        };
        assert!(styled(true) && !styled(false));
    }
}
