//! Recorded trades or klines, read from CSV. Reads the one file that it is given.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use csv::{Reader, StringRecord};
use pricepipe_core::{Price, PriceError};

const TRADES_HEADER: &[&str] = &["id", "time_ms", "price", "quantity", "side"];
const KLINES_HEADER: &[&str] = &["open_time_ms", "open", "high", "low", "close", "volume"];

/// A sequence of prices and their times, each price in the very digits of the file.
///
/// Two kinds of CSV are read, told apart by their header: trades (`id,time_ms,price,quantity,side`) and klines
/// (`open_time_ms,open,high,low,close,volume`), of which the closing price is taken.
#[derive(Clone, Debug)]
pub struct Recording {
    rows: Arc<[Row]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) time_millis: i64,
    pub(crate) price: Arc<str>,
}

/// A recording that cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be opened.
    #[error("cannot open the recording {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is not CSV.
    #[error("{name}: cannot be read as CSV")]
    Csv {
        /// The file, or what was given instead.
        name: String,
        /// Where and why.
        source: csv::Error,
    },
    /// The header is of no known kind.
    #[error(
        "{name}: the header is {header:?}; use \"id,time_ms,price,quantity,side\" for trades or \
         \"open_time_ms,open,high,low,close,volume\" for klines"
    )]
    Header {
        /// The file, or what was given instead.
        name: String,
        /// Its first line.
        header: String,
    },
    /// No rows.
    #[error("{name}: holds no rows; give at least one")]
    Empty {
        /// The file, or what was given instead.
        name: String,
    },
    /// A price that no exchange would send.
    #[error("{name}, line {line}: {field} is {value:?}; use a decimal number above 0")]
    Price {
        /// The file, or what was given instead.
        name: String,
        /// The line.
        line: u64,
        /// The column.
        field: &'static str,
        /// The faulty value.
        value: String,
        /// What is wrong with it.
        source: PriceError,
    },
    /// A time that is no number, or lies before the row above.
    #[error("{name}, line {line}: {field} is {value:?}; use milliseconds since 1970, earliest row first")]
    Time {
        /// The file, or what was given instead.
        name: String,
        /// The line.
        line: u64,
        /// The column.
        field: &'static str,
        /// The faulty value.
        value: String,
    },
}

impl Recording {
    /// Reads a CSV file of trades or klines.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let file =
            File::open(path).map_err(|source| RecordingError::Open { path: path.to_owned(), source })?;
        Recording::from_reader(&path.display().to_string(), file)
    }

    /// Reads CSV text of trades or klines. Errors call it `name`.
    pub fn from_reader(name: &str, text: impl Read) -> Result<Self, RecordingError> {
        let failed = |source| RecordingError::Csv { name: name.to_owned(), source };
        let mut reader = Reader::from_reader(text);
        let columns = Columns::of(name, reader.headers().map_err(failed)?)?;
        let mut rows: Vec<Row> = Vec::new();
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(failed)? {
            let earliest = rows.last().map_or(0, |row| row.time_millis);
            rows.push(columns.row(name, &record, earliest)?);
        }
        if rows.is_empty() {
            return Err(RecordingError::Empty { name: name.to_owned() });
        }
        Ok(Recording { rows: rows.into() })
    }

    /// How many prices it holds; never none.
    #[allow(clippy::len_without_is_empty, reason = "an empty recording cannot be made")]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Its prices in order, digit for digit.
    pub fn prices(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| &*row.price)
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }
}

/// Where the time and the price stand.
struct Columns {
    time: (usize, &'static str),
    price: (usize, &'static str),
}

impl Columns {
    fn of(name: &str, header: &StringRecord) -> Result<Self, RecordingError> {
        if header == TRADES_HEADER {
            Ok(Columns { time: (1, "time_ms"), price: (2, "price") })
        } else if header == KLINES_HEADER {
            Ok(Columns { time: (0, "open_time_ms"), price: (4, "close") })
        } else {
            let header = header.iter().collect::<Vec<_>>().join(",");
            Err(RecordingError::Header { name: name.to_owned(), header })
        }
    }

    fn row(&self, name: &str, record: &StringRecord, earliest: i64) -> Result<Row, RecordingError> {
        let line = record.position().map_or(0, |position| position.line());
        let (column, field) = self.time;
        let value = &record[column];
        let time = value.parse().ok().filter(|time| *time >= earliest);
        let time_millis = time.ok_or_else(|| RecordingError::Time {
            name: name.to_owned(),
            line,
            field,
            value: value.to_owned(),
        })?;
        let (column, field) = self.price;
        let value = &record[column];
        value.parse::<Price>().map_err(|source| RecordingError::Price {
            name: name.to_owned(),
            line,
            field,
            value: value.to_owned(),
            source,
        })?;
        Ok(Row { time_millis, price: value.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recording, RecordingError> {
        Recording::from_reader("test.csv", text.as_bytes())
    }

    #[test]
    fn trades_and_closing_prices_are_kept_digit_for_digit() {
        let trades = "id,time_ms,price,quantity,side\n1,100,0.00141342,23.0,sell\n2,100,0.00141300,1,buy\n";
        assert_eq!(read(trades).unwrap().prices().collect::<Vec<_>>(), ["0.00141342", "0.00141300"]);
        let klines = "open_time_ms,open,high,low,close,volume\n100,1,4,0.5,2.50,7\n";
        assert_eq!(read(klines).unwrap().prices().collect::<Vec<_>>(), ["2.50"]);
    }

    #[test]
    fn a_faulty_file_is_refused_with_line_field_value_and_remedy() {
        for (text, expected) in [
            (
                "time,price\n",
                r#"test.csv: the header is "time,price"; use "id,time_ms,price,quantity,side" for trades or "open_time_ms,open,high,low,close,volume" for klines"#,
            ),
            ("id,time_ms,price,quantity,side\n", "test.csv: holds no rows; give at least one"),
            (
                "id,time_ms,price,quantity,side\n1,5,2,1,buy\n2,5,NaN,1,buy\n",
                r#"test.csv, line 3: price is "NaN"; use a decimal number above 0"#,
            ),
            (
                "open_time_ms,open,high,low,close,volume\n9,1,1,1,1,1\n8,1,1,1,1,1\n",
                r#"test.csv, line 3: open_time_ms is "8"; use milliseconds since 1970, earliest row first"#,
            ),
            ("id,time_ms,price,quantity,side\n1,5\n", "test.csv: cannot be read as CSV"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Recording::from_file("no/such.csv").unwrap_err();
        assert_eq!(error.to_string(), "cannot open the recording no/such.csv");
    }
}
