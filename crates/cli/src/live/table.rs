//! A row per symbol, in as many columns as have room. Pure.

use std::time::Duration;

use ratatui::{
    buffer::Buffer,
    layout::{Constraint, Rect},
    style::Style,
    text::Line,
    widgets::{Cell, Row as TableRow, Table, Widget},
};

use super::{
    controls::Controls,
    snapshot::{Row, Snapshot, count_text},
    theme::Theme,
    trends::{LONGEST, Trends},
};

/// How many columns there can be.
const COLUMNS: usize = 10;
/// What they are called, in their order.
const HEADINGS: [&str; COLUMNS] =
    ["SYMBOL", "PRICE", "CHANGE", "TREND", "AGE", "MESSAGES", "RATE", "STORED", "DUPLICATES", "LAG"];
const CHANGE: usize = 2;
const TREND: usize = 3;
const AGE: usize = 4;
const RATE: usize = 6;
/// Where there is no room, the last ones of these are left out.
const BY_IMPORTANCE: [usize; COLUMNS] = [0, 1, CHANGE, AGE, 7, 9, TREND, 5, 8, RATE];
/// Fewer bars than this tell nothing.
const SHORTEST_TREND: usize = 8;
/// The most symbols that stay on the terminal in the end.
const MOST_ROWS: usize = 40;

/// What a row's look follows from, besides the row.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    /// The last prices.
    pub trends: &'a Trends,
    /// Colours, or none.
    pub theme: Theme,
    /// A price that is older than this stands out.
    pub stale_after: Duration,
}

/// The rows, each column as wide as it has to be.
pub(super) fn table(rows: &[&Row], width: usize, look: Look<'_>) -> Table<'static> {
    let mut cells: Vec<[String; COLUMNS]> = rows.iter().map(|row| texts(row, look.trends)).collect();
    let widest = |column: usize| {
        let cells = cells.iter().map(|row| row[column].chars().count());
        cells.chain([HEADINGS[column].len()]).max().unwrap_or(0)
    };
    let mut widths: [usize; COLUMNS] = std::array::from_fn(widest);
    widths[TREND] = SHORTEST_TREND;
    let (columns, spacing) = fitting(&widths, width);
    let taken = taken(columns.iter().map(|column| widths[*column]), spacing);
    widths[TREND] = (SHORTEST_TREND + width.saturating_sub(taken)).min(LONGEST);
    for (cells, row) in cells.iter_mut().zip(rows) {
        cells[TREND] = look.trends.bars(&row.symbol, widths[TREND]);
    }
    let body = rows.iter().zip(cells).map(|(row, texts)| {
        let cell = |column: &usize| aligned(*column, texts[*column].clone()).style(style(*column, row, look));
        TableRow::new(columns.iter().map(cell).collect::<Vec<_>>())
    });
    let headings = columns.iter().map(|column| aligned(*column, HEADINGS[*column].to_owned()));
    let headings = TableRow::new(headings.collect::<Vec<_>>()).style(look.theme.strong());
    let constraints = columns.iter().map(|column| Constraint::Length(widths[*column] as u16));
    Table::new(body.collect::<Vec<_>>(), constraints).header(headings).column_spacing(spacing as u16)
}

/// The columns that have room, in their order, and the space between them.
fn fitting(widths: &[usize; COLUMNS], room: usize) -> (Vec<usize>, usize) {
    let taken_by = |columns: &[usize], spacing| taken(columns.iter().map(|column| widths[*column]), spacing);
    let spacing = if taken_by(&BY_IMPORTANCE, 2) <= room { 2 } else { 1 };
    let mut columns = BY_IMPORTANCE.to_vec();
    while columns.len() > 2 && taken_by(&columns, spacing) > room {
        columns.pop();
    }
    columns.sort_unstable();
    (columns, spacing)
}

fn taken(widths: impl ExactSizeIterator<Item = usize>, spacing: usize) -> usize {
    widths.len().saturating_sub(1) * spacing + widths.sum::<usize>()
}

fn style(column: usize, row: &Row, look: Look<'_>) -> Style {
    match column {
        0 => look.theme.strong(),
        CHANGE | TREND => look.theme.change(row),
        AGE if !look.stale_after.is_zero() && row.age > Some(look.stale_after) => look.theme.warning(),
        _ => Style::new(),
    }
}

/// A row's cells, in the order of the headings.
fn texts(row: &Row, trends: &Trends) -> [String; COLUMNS] {
    [
        row.symbol.clone(),
        row.price_text(),
        row.change_text(),
        String::new(),
        row.age_text(),
        count_text(row.messages),
        trends.rate(&row.symbol).map_or_else(String::new, rate_text),
        count_text(row.stored),
        count_text(row.duplicates),
        count_text(row.lag),
    ]
}

/// Messages in a second as people read them: `0.3/s`, `1250/s`.
fn rate_text(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}/s") } else { format!("{rate:.0}/s") }
}

/// Symbols stand at the left, numbers and their headings at the right.
fn aligned(column: usize, text: String) -> Cell<'static> {
    let line = Line::from(text);
    Cell::from(if column == 0 { line } else { line.right_aligned() })
}

/// The table as plain text, as it stays on the terminal in the end.
pub(super) fn text(snapshot: &Snapshot, trends: &Trends, controls: &Controls, width: u16) -> String {
    let (sorted, theme) = (controls.sorted(&snapshot.rows), Theme { colours: false });
    let (shown, hidden) = sorted.split_at(sorted.len().min(MOST_ROWS));
    let look = Look { trends, theme, stale_after: Duration::ZERO };
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, shown.len() as u16 + 1));
    table(shown, width.into(), look).render(buffer.area, &mut buffer);
    let line = |row: u16| {
        let cells = (0..width).map(|column| buffer[(column, row)].symbol());
        cells.collect::<String>().trim_end().to_owned()
    };
    let more = (!hidden.is_empty()).then(|| format!("{} more symbols", hidden.len()));
    let lines = (0..buffer.area.height).map(line).chain(more);
    lines.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::row;

    fn shown(width: u16, rows: Vec<Row>) -> String {
        let snapshot = Snapshot { rows, ..Snapshot::default() };
        let mut trends = Trends::default();
        trends.note(&snapshot);
        text(&snapshot, &trends, &Controls::default(), width)
    }

    #[test]
    fn columns_are_left_out_by_their_importance() {
        let headings = |width| {
            let text = shown(width, vec![row("BTCUSDT", "101.50", 7)]);
            let line = text.lines().next().unwrap_or_default();
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(headings(100), "SYMBOL PRICE CHANGE TREND AGE MESSAGES RATE STORED DUPLICATES LAG");
        assert_eq!(headings(80), headings(100));
        assert_eq!(headings(70), "SYMBOL PRICE CHANGE TREND AGE MESSAGES STORED DUPLICATES LAG");
        assert_eq!(headings(60), "SYMBOL PRICE CHANGE TREND AGE MESSAGES STORED LAG");
        assert_eq!(headings(52), "SYMBOL PRICE CHANGE TREND AGE STORED LAG");
        assert_eq!(headings(40), "SYMBOL PRICE CHANGE AGE STORED LAG");
        assert_eq!(headings(36), "SYMBOL PRICE CHANGE AGE STORED");
        assert_eq!(headings(20), "SYMBOL PRICE");
    }

    #[test]
    fn numbers_end_where_their_heading_ends() {
        let text =
            shown(80, vec![row("BTCUSDT", "101234.56000000", 123_456), row("1000SATSUSDT", "0.00001234", 1)]);
        let lines: Vec<&str> = text.lines().collect();
        let end = |line: &str, text: &str| line.find(text).map(|at| at + text.len());
        assert_eq!(end(lines[0], "PRICE"), end(lines[1], "101234.56000000"), "{text}");
        assert_eq!(end(lines[0], "PRICE"), end(lines[2], "0.00001234"), "{text}");
    }

    #[test]
    fn in_the_end_the_first_rows_stay_and_the_rest_is_counted() {
        let text = shown(80, (0..60).map(|n| row(&format!("S{n}"), "1.0", 1)).collect());
        assert!(text.contains("\nS39 ") && !text.contains("\nS40 "), "{text}");
        assert!(text.ends_with("\n20 more symbols\n"), "{text}");
    }

    #[test]
    fn a_rate_has_as_many_digits_as_tell_something() {
        assert_eq!([0.333, 2.0, 99.94, 1_250.4].map(rate_text), ["0.3/s", "2.0/s", "99.9/s", "1250/s"]);
    }

    #[test]
    fn an_old_price_stands_out_and_without_colours_nothing_does() {
        let (row, trends) = (row("A", "101", 1), Trends::default());
        let age = |colours, seconds| {
            let (theme, stale_after) = (Theme { colours }, Duration::from_millis(seconds));
            style(AGE, &row, Look { trends: &trends, theme, stale_after })
        };
        assert_ne!(age(true, 400), Style::new());
        assert_eq!([age(true, 500), age(true, 0), age(false, 400)], [Style::new(); 3]);
    }
}
