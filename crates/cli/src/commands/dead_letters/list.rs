//! `pricepipe dead-letters list`. Reads Kafka, changes nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Stdout, stdout},
    ops::ControlFlow,
};

use super::{
    Letters,
    letter::{Filter, Letter, Shown},
};
use crate::{
    exit::Failed,
    output,
    rows::{Cell, Column, Output, Printer, column, detail},
};

/// As much of a key, and of a reason in words, as people see.
const KEY_FOR_PEOPLE: usize = 24;
const DETAIL_FOR_PEOPLE: usize = 60;

const COLUMNS: &[Column] = &[
    column("letter", "LETTER"),
    column("time", "TIME"),
    column("reason", "REASON"),
    column("origin", "ORIGIN"),
    detail("topic"),
    detail("partition"),
    detail("offset"),
    column("key", "KEY"),
    detail("keyEncoding"),
    detail("bytes"),
    detail("truncatedBytes"),
    column("detail", "DETAIL"),
];

/// Prints a row for each letter.
pub(super) fn list(
    letters: &Letters,
    filter: &Filter<'_>,
    limit: Option<u32>,
    output: Output,
) -> Result<(), Failed> {
    let mut list = List { printer: Printer::new(stdout(), output, COLUMNS), newest: VecDeque::new(), limit };
    let (mut reasons, mut written) = (BTreeMap::new(), Ok(()));
    letters.scan(&letters.ranges, |message| {
        let letter = Letter::of(message);
        if filter.takes(&letter) {
            *reasons.entry(letter.reason().to_owned()).or_insert(0_u64) += 1;
            written = list.take(row(&letter));
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    output::written(written.and_then(|()| list.finish()))?;
    if output == Output::Table {
        output::note(summary(&reasons, limit));
    }
    Ok(())
}

/// Rows on their way: at once, or the newest once all were seen.
struct List {
    printer: Printer<Stdout>,
    newest: VecDeque<Vec<Cell>>,
    limit: Option<u32>,
}

impl List {
    fn take(&mut self, row: Vec<Cell>) -> io::Result<()> {
        let Some(limit) = self.limit else { return self.printer.row(row) };
        if self.newest.len() >= limit as usize {
            self.newest.pop_front();
        }
        self.newest.push_back(row);
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.newest.into_iter().try_for_each(|row| self.printer.row(row))?;
        self.printer.finish().map(drop)
    }
}

fn row(letter: &Letter<'_>) -> Vec<Cell> {
    let origin = letter.label.origin.as_ref();
    let key = letter.key.map(Shown::of);
    let text = |text: Option<&str>| text.map_or(Cell::Missing, Cell::text);
    vec![
        Cell::text(letter.id),
        letter.time.map_or(Cell::Missing, Cell::text),
        text(letter.label.reason.as_deref()),
        text(letter.origin().as_deref()),
        text(origin.map(|origin| origin.topic.as_str())),
        origin.map_or(Cell::Missing, |origin| Cell::number(origin.partition)),
        origin.map_or(Cell::Missing, |origin| Cell::number(origin.offset)),
        key.as_ref().map_or(Cell::Missing, |key| Cell::shortened(key.text(), &key.line(), KEY_FOR_PEOPLE)),
        text(key.as_ref().map(Shown::encoding)),
        letter.value.map_or(Cell::Missing, |value| Cell::number(value.len())),
        letter.label.truncated.map_or(Cell::Missing, Cell::number),
        letter.label.detail.as_ref().map_or(Cell::Missing, |words| {
            Cell::shortened(words, &Shown::of(words.as_bytes()).line(), DETAIL_FOR_PEOPLE)
        }),
    ]
}

/// How many letters there are for each reason, the most frequent first.
fn summary(reasons: &BTreeMap<String, u64>, limit: Option<u32>) -> String {
    let all: u64 = reasons.values().sum();
    let mut counts: Vec<_> = reasons.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let counts: Vec<String> = counts.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    match (all, limit) {
        (0, _) => "no dead letters".to_owned(),
        (_, Some(limit)) if all > u64::from(limit) => {
            format!("the newest {limit} of {all} dead letters: {}", counts.join(", "))
        }
        _ => format!("{all} dead letters: {}", counts.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::letter::tests::{letter, origin},
        *,
    };

    #[test]
    fn reasons_are_counted_the_most_frequent_first() {
        let reasons = BTreeMap::from([("no_price".to_owned(), 1), ("not_json".to_owned(), 3)]);
        assert_eq!(summary(&reasons, None), "4 dead letters: 3 not_json, 1 no_price");
        assert_eq!(summary(&reasons, Some(2)), "the newest 2 of 4 dead letters: 3 not_json, 1 no_price");
        assert_eq!(summary(&BTreeMap::new(), Some(2)), "no dead letters");
    }

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let mut bytes = Vec::new();
        let mut printer = Printer::new(&mut bytes, Output::Ndjson, COLUMNS);
        let row = row(&letter(Some(b"\xff"), origin(None)));
        assert_eq!(row.len(), COLUMNS.len());
        printer.row(row).unwrap();
        printer.finish().unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "{\"letter\":\"0:7\",\"time\":\"2026-11-23T06:00:03Z\",\"reason\":\"not_json\",\
             \"origin\":\"btc:2:41\",\"topic\":\"btc\",\"partition\":2,\"offset\":41,\"key\":\"key\",\
             \"keyEncoding\":\"utf-8\",\"bytes\":1,\"truncatedBytes\":null,\"detail\":\"not a JSON object\"}\n"
        );
    }
}
