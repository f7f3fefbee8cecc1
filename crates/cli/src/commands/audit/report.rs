//! What an audit found, as rows and in words. Pure.

use pricepipe_store::{Double, Doubled};

use super::tally::{Counts, EXAMPLES};
use crate::{
    exit::{Exit, Failed},
    rows::{Cell, Column, column, detail},
};

pub(super) const COLUMNS: &[Column] = &[
    column("topic", "TOPIC"),
    column("collection", "COLLECTION"),
    column("messages", "MESSAGES"),
    column("distinct", "DISTINCT"),
    column("stored", "STORED"),
    column("repeated", "REPEATED"),
    column("deadLetters", "LETTERS"),
    column("pending", "PENDING"),
    column("expired", "EXPIRED"),
    column("skippedSlots", "SKIPPED"),
    column("missing", "MISSING"),
    column("doubled", "DOUBLED"),
    detail("missingExamples"),
    detail("doubledExamples"),
];

/// What was found of a topic and of its collection. A collection of several topics stands with the first of them.
pub(super) struct Finding {
    /// `None`: the topics are gone.
    pub(super) topic: Option<(String, Counts)>,
    pub(super) collection: String,
    pub(super) doubled: Option<Doubled>,
}

impl Finding {
    pub(super) fn row(&self) -> Vec<Cell> {
        let counts = self.topic.as_ref().map(|(_, counts)| counts);
        let number = |of: fn(&Counts) -> u64| counts.map_or(Cell::Missing, |counts| Cell::number(of(counts)));
        let examples = |texts: Vec<String>| match texts.is_empty() {
            true => Cell::Missing,
            false => Cell::text(texts.join("; ")),
        };
        vec![
            self.topic.as_ref().map_or(Cell::Missing, |(topic, _)| Cell::text(topic)),
            Cell::text(&self.collection),
            number(|counts| counts.messages),
            number(|counts| counts.distinct),
            number(|counts| counts.stored),
            number(|counts| counts.repeated),
            number(|counts| counts.dead_letters),
            number(|counts| counts.pending),
            number(|counts| counts.expired),
            number(|counts| counts.skipped_slots),
            number(|counts| counts.missing),
            self.doubled.as_ref().map_or(Cell::Missing, |doubled| Cell::number(doubled.count)),
            examples(counts.map(|counts| counts.examples.clone()).unwrap_or_default()),
            examples(self.doubled.iter().flat_map(|doubled| &doubled.examples).map(told).collect()),
        ]
    }

    /// What is wrong, a line for each example.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some((topic, counts)) = &self.topic {
            lines.extend(counts.examples.iter().map(|what| format!("MISSING in {topic}: {what}")));
            lines.extend(more(counts.missing));
        }
        if let Some(doubled) = &self.doubled {
            let line = |double: &Double| format!("DOUBLED in {}: {}", self.collection, told(double));
            lines.extend(doubled.examples.iter().map(line));
            lines.extend(more(doubled.count));
        }
        lines
    }
}

fn told(double: &Double) -> String {
    let Double { symbol, exchange, time, ids: [first, last] } = double;
    format!("{symbol} of {exchange} at {time} as {first} and {last}")
}

fn more(count: u64) -> Option<String> {
    let more = count.checked_sub(EXAMPLES as u64).filter(|more| *more > 0)?;
    Some(format!("  and {more} more"))
}

/// The verdict on all of it.
pub(super) fn verdict(findings: &[Finding]) -> Result<(), Failed> {
    let missing: u64 =
        findings.iter().filter_map(|f| f.topic.as_ref()).map(|(_, counts)| counts.missing).sum();
    let doubled: u64 = findings.iter().filter_map(|f| f.doubled.as_ref()).map(|doubled| doubled.count).sum();
    match (missing, doubled) {
        (0, 0) => Ok(()),
        (missing, doubled) => {
            let message = format!("missing: {missing}, doubled: {doubled}");
            Err(Failed::new(Exit::Discrepancy, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{Output, Printer};

    fn finding() -> Finding {
        let time = "2026-11-23T06:00:03Z".parse().unwrap();
        let ids = ["a".to_owned(), "b".to_owned()];
        let double = Double { symbol: "BTCUSDT".to_owned(), exchange: "binance".to_owned(), time, ids };
        let counts = Counts {
            messages: 12,
            distinct: 10,
            stored: 3,
            missing: 7,
            examples: vec!["id (message 0:1)".to_owned()],
            ..Counts::default()
        };
        Finding {
            topic: Some(("btc".to_owned(), counts)),
            collection: "btc".to_owned(),
            doubled: Some(Doubled { count: 1, examples: vec![double] }),
        }
    }

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        let mut bytes = Vec::new();
        let mut printer = Printer::new(&mut bytes, Output::Csv, COLUMNS);
        assert_eq!(finding().row().len(), COLUMNS.len());
        printer.row(finding().row()).unwrap();
        printer.row(Finding { topic: None, doubled: None, ..finding() }.row()).unwrap();
        printer.finish().unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap().split_once('\n').unwrap().1,
            "btc,btc,12,10,3,0,0,0,0,0,7,1,id (message 0:1),\
             BTCUSDT of binance at 2026-11-23T06:00:03Z as a and b\n,btc,,,,,,,,,,,,\n"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_examples_and_is_no_success() {
        assert_eq!(
            finding().lines(),
            [
                "MISSING in btc: id (message 0:1)",
                "  and 2 more",
                "DOUBLED in btc: BTCUSDT of binance at 2026-11-23T06:00:03Z as a and b",
            ]
        );
        let failed = verdict(&[finding()]).unwrap_err();
        assert_eq!(failed.exit, Exit::Discrepancy);
        assert_eq!(failed.message, "missing: 7, doubled: 1");
        let well = Finding { topic: None, doubled: Some(Doubled::default()), ..finding() };
        assert!(well.lines().is_empty() && verdict(&[well]).is_ok());
    }
}
