//! Recorded trades or klines, read from CSV. Reads the one file that it is given.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use csv::{Reader, StringRecord};
use pricepipe_core::{Price, PriceError};

use crate::{
    candle::Candle,
    digits::{Digits, Sum},
    trade::{Side, Trade},
};

const TRADES_HEADER: &[&str] = &["id", "time_ms", "price", "quantity", "side"];
const KLINES_HEADER: &[&str] = &["open_time_ms", "open", "high", "low", "close", "volume"];

/// A sequence of prices and their times, each price in the very digits of the file.
///
/// Two kinds of CSV are read, told apart by their header: trades (`id,time_ms,price,quantity,side`) and klines
/// (`open_time_ms,open,high,low,close,volume`). As the price of a symbol, a kline is its closing price.
#[derive(Clone, Debug)]
pub struct Recording {
    rows: Arc<[Row]>,
    events: Events,
}

/// The whole of what was recorded.
#[derive(Clone, Debug)]
pub(crate) enum Events {
    Trades(Arc<[Trade]>),
    Klines(Arc<[Candle]>),
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
    /// Another column that cannot be read.
    #[error("{name}, line {line}: {field} is {value:?}; use {remedy}")]
    Field {
        /// The file, or what was given instead.
        name: String,
        /// The line.
        line: u64,
        /// The column.
        field: &'static str,
        /// The faulty value.
        value: String,
        /// What to write instead.
        remedy: &'static str,
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
        let kind = Kind::of(name, reader.headers().map_err(failed)?)?;
        let mut rows: Vec<Row> = Vec::new();
        let (mut trades, mut klines) = (Vec::new(), Vec::new());
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(failed)? {
            let line = Line { name, record: &record };
            let row = line.row(kind, rows.last())?;
            match kind {
                Kind::Trades => trades.push(line.trade(row.time_millis, trades.last())?),
                Kind::Klines => klines.push(line.kline(row.time_millis)?),
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(RecordingError::Empty { name: name.to_owned() });
        }
        let events = match kind {
            Kind::Trades => Events::Trades(trades.into()),
            Kind::Klines => Events::Klines(klines.into()),
        };
        Ok(Recording { rows: rows.into(), events })
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

    pub(crate) fn events(&self) -> &Events {
        &self.events
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Trades,
    Klines,
}

impl Kind {
    fn of(name: &str, header: &StringRecord) -> Result<Self, RecordingError> {
        if header == TRADES_HEADER {
            Ok(Kind::Trades)
        } else if header == KLINES_HEADER {
            Ok(Kind::Klines)
        } else {
            let header = header.iter().collect::<Vec<_>>().join(",");
            Err(RecordingError::Header { name: name.to_owned(), header })
        }
    }
}

/// One line of the file.
struct Line<'a> {
    name: &'a str,
    record: &'a StringRecord,
}

impl Line<'_> {
    fn number(&self) -> u64 {
        self.record.position().map_or(0, |position| position.line())
    }

    fn row(&self, kind: Kind, before: Option<&Row>) -> Result<Row, RecordingError> {
        let ((time, time_field), (price, price_field)) = match kind {
            Kind::Trades => ((1, "time_ms"), (2, "price")),
            Kind::Klines => ((0, "open_time_ms"), (4, "close")),
        };
        let (name, line, value) = (self.name.to_owned(), self.number(), self.record[time].to_owned());
        let earliest = before.map_or(0, |row| row.time_millis);
        let parsed = value.parse().ok().filter(|time| *time >= earliest);
        let time_millis =
            parsed.ok_or(RecordingError::Time { name: name.clone(), line, field: time_field, value })?;
        let value = &self.record[price];
        match value.parse::<Price>() {
            Ok(_) => Ok(Row { time_millis, price: value.into() }),
            Err(source) => {
                let (field, value) = (price_field, value.to_owned());
                Err(RecordingError::Price { name, line, field, value, source })
            }
        }
    }

    fn trade(&self, time_millis: i64, before: Option<&Trade>) -> Result<Trade, RecordingError> {
        let id = self.record[0].parse().ok().filter(|id| before.is_none_or(|before| *id > before.id));
        let id = id.ok_or_else(|| self.faulty(0, "id", "whole numbers, each above the one before"))?;
        let side = match &self.record[4] {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            _ => return Err(self.faulty(4, "side", "buy or sell")),
        };
        // Trades of one millisecond keep their order by the nanosecond.
        let earliest = before.map_or(0, |before| before.time_nanos + 1);
        Ok(Trade {
            id,
            time_nanos: time_millis.saturating_mul(1_000_000).max(earliest),
            price: self.digits(2, "price")?,
            quantity: self.digits(3, "quantity")?,
            side,
        })
    }

    fn kline(&self, open_millis: i64) -> Result<Candle, RecordingError> {
        let volume = self.digits(5, "volume")?;
        let close = self.digits(4, "close")?;
        Ok(Candle {
            open: self.digits(1, "open")?,
            high: self.digits(2, "high")?,
            low: self.digits(3, "low")?,
            volume: Sum::of(volume),
            quote_volume: Sum::product(close, volume),
            ..Candle::flat(open_millis, close)
        })
    }

    fn digits(&self, column: usize, field: &'static str) -> Result<Digits, RecordingError> {
        self.record[column]
            .parse()
            .map_err(|_| self.faulty(column, field, "a decimal number of at most 18 digits"))
    }

    fn faulty(&self, column: usize, field: &'static str, remedy: &'static str) -> RecordingError {
        let (name, value) = (self.name.to_owned(), self.record[column].to_owned());
        RecordingError::Field { name, line: self.number(), field, value, remedy }
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
            (
                "id,time_ms,price,quantity,side\n2,5,2,1,buy\n2,5,2,1,buy\n",
                r#"test.csv, line 3: id is "2"; use whole numbers, each above the one before"#,
            ),
            (
                "id,time_ms,price,quantity,side\n2,5,2,x,buy\n",
                r#"test.csv, line 2: quantity is "x"; use a decimal number of at most 18 digits"#,
            ),
            (
                "id,time_ms,price,quantity,side\n2,5,2,1,bought\n",
                r#"test.csv, line 2: side is "bought"; use buy or sell"#,
            ),
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
