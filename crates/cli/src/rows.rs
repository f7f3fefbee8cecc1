//! How rows are written: a table, JSON, a JSON object per line, or comma-separated values.
//!
//! Rows are written as they come, so that an answer of any length needs little memory. A table takes its widths
//! from its first rows; a later cell that needs more room takes it.

use std::{
    fmt::Display,
    io::{self, BufWriter, Write},
};

use clap::ValueEnum;
use pricepipe_core::analytics::Decimal;

/// Rows whose widths are looked at before a table begins.
const LOOK_AHEAD: usize = 1_000;
/// As many digits of a computed figure as people read. Programs get them all.
const DIGITS_FOR_PEOPLE: u32 = 10;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Table,
    /// One JSON array
    Json,
    /// A JSON object per line
    Ndjson,
    /// Comma-separated values below their names
    Csv,
}

/// A column: its name for programs, and its heading for people, who do not see a column without.
pub(crate) struct Column {
    pub(crate) key: &'static str,
    pub(crate) heading: Option<&'static str>,
}

/// A column that people see.
pub(crate) const fn column(key: &'static str, heading: &'static str) -> Column {
    Column { key, heading: Some(heading) }
}

/// A column for programs alone.
pub(crate) const fn detail(key: &'static str) -> Column {
    Column { key, heading: None }
}

/// A value of a row.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Text(String),
    /// A text for programs, and a shorter one for people.
    Long(String, String),
    /// For programs, for people.
    Number(String, String),
    Missing,
}

impl Cell {
    pub(crate) fn text(value: impl Display) -> Cell {
        Cell::Text(value.to_string())
    }

    /// A text that people see in another form, and of that so many characters at most.
    pub(crate) fn shortened(text: impl Into<String>, form: &str, most: usize) -> Cell {
        let short = match form.chars().count() {
            length if length <= most => form.to_owned(),
            _ => form.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        };
        Cell::Long(text.into(), short)
    }

    /// A number with its own digits.
    pub(crate) fn number(value: impl Display) -> Cell {
        Cell::with_form(&value, value.to_string())
    }

    /// A number that people see in another form.
    pub(crate) fn with_form(value: impl Display, form: String) -> Cell {
        Cell::Number(value.to_string(), form)
    }

    /// A computed number.
    pub(crate) fn figure(value: Decimal) -> Cell {
        let short = value.round_sf(DIGITS_FOR_PEOPLE).unwrap_or(value).normalize();
        Cell::with_form(value, short.to_string())
    }

    /// A computed number, if there is one.
    pub(crate) fn figure_or_none(value: Option<Decimal>) -> Cell {
        value.map_or(Cell::Missing, Cell::figure)
    }

    fn plain(&self) -> &str {
        match self {
            Cell::Text(text) | Cell::Long(text, _) | Cell::Number(text, _) => text,
            Cell::Missing => "",
        }
    }

    fn shown(&self) -> &str {
        match self {
            Cell::Text(text) | Cell::Long(_, text) | Cell::Number(_, text) => text,
            Cell::Missing => "-",
        }
    }

    fn json(&self) -> String {
        match self {
            Cell::Text(text) | Cell::Long(text, _) => serde_json::Value::from(text.as_str()).to_string(),
            Cell::Number(number, _) => number.clone(),
            Cell::Missing => "null".to_owned(),
        }
    }
}

/// Writes rows.
pub(crate) struct Printer<W: Write> {
    out: BufWriter<W>,
    output: Output,
    columns: &'static [Column],
    rows: u64,
    /// The first rows of a table, until its widths are known.
    waiting: Vec<Vec<Cell>>,
    widths: Vec<usize>,
}

impl<W: Write> Printer<W> {
    pub(crate) fn new(out: W, output: Output, columns: &'static [Column]) -> Self {
        Printer {
            out: BufWriter::new(out),
            output,
            columns,
            rows: 0,
            waiting: Vec::new(),
            widths: Vec::new(),
        }
    }

    /// Writes a row: a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.rows += 1;
        match self.output {
            Output::Json => {
                let before = if self.rows == 1 { "[\n  " } else { ",\n  " };
                write!(self.out, "{before}{}", self.object(&cells))
            }
            Output::Ndjson => writeln!(self.out, "{}", self.object(&cells)),
            Output::Csv => {
                self.csv_names_once()?;
                self.csv_line(cells.iter().map(Cell::plain))
            }
            Output::Table if self.widths.is_empty() => {
                self.waiting.push(cells);
                if self.waiting.len() >= LOOK_AHEAD { self.begin_table() } else { Ok(()) }
            }
            Output::Table => self.table_line(&cells),
        }
    }

    /// Writes what is still to be written, and tells how many rows there were.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        match self.output {
            Output::Json if self.rows == 0 => writeln!(self.out, "[]")?,
            Output::Json => writeln!(self.out, "\n]")?,
            Output::Csv if self.rows == 0 => {
                self.rows = 1;
                self.csv_names_once()?;
                self.rows = 0;
            }
            Output::Table if self.widths.is_empty() => self.begin_table()?,
            Output::Csv | Output::Ndjson | Output::Table => {}
        }
        self.out.flush()?;
        Ok(self.rows)
    }

    fn object(&self, cells: &[Cell]) -> String {
        let pairs = self.columns.iter().zip(cells);
        let pairs: Vec<String> =
            pairs.map(|(column, cell)| format!("\"{}\":{}", column.key, cell.json())).collect();
        format!("{{{}}}", pairs.join(","))
    }

    fn csv_names_once(&mut self) -> io::Result<()> {
        if self.rows > 1 {
            return Ok(());
        }
        self.csv_line(self.columns.iter().map(|column| column.key))
    }

    fn csv_line<'a>(&mut self, fields: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let mut line = csv::Writer::from_writer(Vec::new());
        line.write_record(fields)?;
        let line = line.into_inner().map_err(|error| error.into_error())?;
        self.out.write_all(&line)
    }

    fn begin_table(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        let width = |(index, column): (usize, &Column)| {
            let cells = rows.iter().map(|row| row[index].shown().chars().count());
            cells.chain(column.heading.map(str::len)).max().unwrap_or(0)
        };
        self.widths = self.columns.iter().enumerate().map(width).collect();
        // A heading stands where its numbers stand: at the right.
        let numeric = |index: usize| rows.iter().any(|row| matches!(row[index], Cell::Number(..)));
        let headings = self.columns.iter().enumerate().map(|(index, column)| {
            let heading = column.heading.unwrap_or_default().to_owned();
            if numeric(index) { Cell::Number(heading.clone(), heading) } else { Cell::Text(heading) }
        });
        let headings: Vec<Cell> = headings.collect();
        self.table_line(&headings)?;
        rows.iter().try_for_each(|row| self.table_line(row))
    }

    fn table_line(&mut self, cells: &[Cell]) -> io::Result<()> {
        let visible = self.columns.iter().zip(cells).zip(&self.widths);
        let padded =
            visible.filter(|((column, _), _)| column.heading.is_some()).map(
                |((_, cell), width)| match cell {
                    Cell::Text(text) | Cell::Long(_, text) => format!("{text:<width$}"),
                    Cell::Number(..) | Cell::Missing => format!("{:>width$}", cell.shown()),
                },
            );
        let line = padded.collect::<Vec<_>>().join("  ");
        writeln!(self.out, "{}", line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[column("symbol", "SYMBOL"), column("price", "PRICE"), detail("note")];

    fn written(output: Output, rows: &[[Cell; 3]]) -> String {
        let mut bytes = Vec::new();
        let mut printer = Printer::new(&mut bytes, output, COLUMNS);
        rows.iter().for_each(|row| printer.row(row.to_vec()).unwrap());
        assert_eq!(printer.finish().unwrap(), rows.len() as u64);
        String::from_utf8(bytes).unwrap()
    }

    fn rows() -> [[Cell; 3]; 2] {
        let third = Decimal::ONE / Decimal::from(3);
        [
            [Cell::text("BTCUSDT"), Cell::number("67321.50"), Cell::text("a \"b\", c")],
            [Cell::text("ETH"), Cell::figure(third.round_dp(16)), Cell::Missing],
        ]
    }

    #[test]
    fn every_form_holds_the_same_rows() {
        assert_eq!(
            written(Output::Table, &rows()),
            "SYMBOL          PRICE\nBTCUSDT      67321.50\nETH      0.3333333333\n"
        );
        assert_eq!(
            written(Output::Ndjson, &rows()),
            "{\"symbol\":\"BTCUSDT\",\"price\":67321.50,\"note\":\"a \\\"b\\\", c\"}\n\
             {\"symbol\":\"ETH\",\"price\":0.3333333333333333,\"note\":null}\n"
        );
        assert_eq!(
            written(Output::Csv, &rows()),
            "symbol,price,note\nBTCUSDT,67321.50,\"a \"\"b\"\", c\"\nETH,0.3333333333333333,\n"
        );
        let json: serde_json::Value = serde_json::from_str(&written(Output::Json, &rows())).unwrap();
        assert_eq!(json.as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn people_see_the_beginning_of_a_long_text_and_programs_all_of_it() {
        let row = [Cell::shortened("rates: é1234", "rates: é1234", 8), Cell::number(1), Cell::Missing];
        assert_eq!(written(Output::Table, std::slice::from_ref(&row)), "SYMBOL    PRICE\nrates: …      1\n");
        assert_eq!(written(Output::Csv, &[row]), "symbol,price,note\nrates: é1234,1,\n");
        let whole = [Cell::shortened("a\nb", "a\\nb", 4), Cell::number(1), Cell::Missing];
        assert_eq!(written(Output::Table, &[whole]), "SYMBOL  PRICE\na\\nb        1\n");
    }

    #[test]
    fn an_answer_without_rows_is_well_formed() {
        assert_eq!(written(Output::Table, &[]), "SYMBOL  PRICE\n");
        assert_eq!(written(Output::Json, &[]), "[]\n");
        assert_eq!(written(Output::Ndjson, &[]), "");
        assert_eq!(written(Output::Csv, &[]), "symbol,price,note\n");
    }

    #[test]
    fn a_long_table_is_not_kept() {
        let row = [Cell::text("A"), Cell::number(1), Cell::Missing];
        let text = written(Output::Table, &vec![row; LOOK_AHEAD + 5]);
        assert_eq!(text.lines().count(), LOOK_AHEAD + 6);
        assert!(text.lines().skip(1).all(|line| line == "A           1"));
    }
}
