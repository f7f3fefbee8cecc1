//! `pricepipe topics`: what lies in the pipeline's topics, and how far its consumers are. Reads Kafka, changes nothing.

pub(crate) mod args;

use std::io::{self, stdout};

use pricepipe_core::Pipeline;
use pricepipe_service::kafka::{
    lag,
    native::{Copies, End, Offsets},
};

use self::args::TopicsArgs;
use crate::{
    cluster::{self, Cluster, Known},
    exit::Failed,
    file, output,
    rows::{Cell, Column, Output, Printer, column, detail},
};

const COLUMNS: &[Column] = &[
    column("topic", "TOPIC"),
    column("partition", "PARTITION"),
    column("oldest", "OLDEST"),
    column("newest", "NEWEST"),
    column("messages", "MESSAGES"),
    column("committed", "COMMITTED"),
    column("lag", "LAG"),
    detail("leader"),
    column("replicas", "REPLICAS"),
    column("inSync", "IN SYNC"),
];

/// Prints a row for each partition of the pipeline's topics.
pub(crate) fn topics(args: &TopicsArgs) -> Result<(), Failed> {
    let pipeline = file::pipeline(&args.file)?;
    let cluster = Cluster::required(&pipeline)?;
    let names = names(&pipeline);
    let known = cluster.describe(&names)?;
    let offsets = Found::of(&cluster, &names, &known)?;
    let with_prices = pipeline.topics().len();
    let rows = rows(&names, with_prices, &known, &offsets);
    output::written(write(&rows, args.output))?;
    if args.output == Output::Table && !rows.is_empty() {
        output::note(summary(&rows, pipeline.dead_letter_topic().name.as_str()));
    }
    cluster::missing(&names, &known)
}

/// The topics with prices, then the one with dead letters and the one with gaps.
fn names(pipeline: &Pipeline) -> Vec<String> {
    pipeline.all_topics().iter().map(|topic| topic.name.to_string()).collect()
}

/// Where partitions begin and end, and where the group is.
struct Found {
    oldest: Offsets,
    newest: Offsets,
    committed: Offsets,
}

impl Found {
    /// The committed offsets first, so that no lag is below 0. A partition without a leader has no offsets.
    fn of(cluster: &Cluster, names: &[String], known: &[Known]) -> Result<Found, Failed> {
        let partitions: Vec<(String, i32)> = cluster::led(names, known).collect();
        let committed = cluster.committed(&partitions)?;
        let newest = cluster.offsets(&partitions, End::Newest)?;
        Ok(Found { oldest: cluster.offsets(&partitions, End::Oldest)?, newest, committed })
    }
}

/// A partition.
struct Row {
    topic: String,
    copies: Copies,
    /// The oldest offset, and one after the newest.
    ends: Option<(i64, i64)>,
    committed: Option<i64>,
    lag: Option<u64>,
}

/// Nobody has a lag in the topics behind those with prices.
fn rows(names: &[String], with_prices: usize, known: &[Known], found: &Found) -> Vec<Row> {
    let lags = lag::lags(&found.newest, &found.committed, &found.oldest);
    let mut rows = Vec::new();
    for (index, (topic, known)) in names.iter().zip(known).enumerate() {
        for copies in known.iter().flat_map(|topic| &topic.copies) {
            let place = (topic.clone(), copies.partition);
            let ends = found.oldest.get(&place).copied().zip(found.newest.get(&place).copied());
            let lag = lags.get(&place).copied().filter(|_| index < with_prices);
            let committed = found.committed.get(&place).copied();
            rows.push(Row { topic: topic.clone(), copies: *copies, ends, committed, lag });
        }
    }
    rows
}

fn write(rows: &[Row], output: Output) -> io::Result<()> {
    let mut printer = Printer::new(stdout(), output, COLUMNS);
    rows.iter().try_for_each(|row| printer.row(row.cells()))?;
    printer.finish().map(drop)
}

impl Row {
    fn messages(&self) -> Option<u64> {
        self.ends.map(|(oldest, newest)| u64::try_from(newest - oldest).unwrap_or(0))
    }

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(&self.topic),
            Cell::number(self.copies.partition),
            or_missing(self.ends.map(|(oldest, _)| oldest)),
            or_missing(self.ends.map(|(_, newest)| newest)),
            or_missing(self.messages()),
            or_missing(self.committed),
            or_missing(self.lag),
            or_missing(self.copies.leader),
            Cell::number(self.copies.all),
            Cell::number(self.copies.in_sync),
        ]
    }
}

fn or_missing(number: Option<impl std::fmt::Display>) -> Cell {
    number.map_or(Cell::Missing, Cell::number)
}

/// All of it in a line, and what is wrong with the partitions.
fn summary(rows: &[Row], dead_letter_topic: &str) -> String {
    let messages: u64 = rows.iter().filter(|row| row.lag.is_some()).filter_map(Row::messages).sum();
    let letters = rows.iter().filter(|row| row.topic == dead_letter_topic);
    let letters: u64 = letters.filter_map(Row::messages).sum();
    let lag: u64 = rows.iter().filter_map(|row| row.lag).sum();
    let mut text = format!("{messages} messages, lag {lag}; {letters} dead letters");
    let offline = rows.iter().filter(|row| row.copies.leader.is_none()).count();
    let behind = rows.iter().filter(|row| row.copies.in_sync < row.copies.all).count() - offline;
    if offline > 0 {
        text += &format!("; partitions without a leader, which nobody can read or write: {offline}");
    }
    if behind > 0 {
        text += &format!("; partitions whose copies are not all in sync: {behind}");
    }
    text
}

#[cfg(test)]
mod tests {
    use pricepipe_service::kafka::native::DescribedTopic;

    use super::*;

    fn topic(in_sync: &[usize]) -> Known {
        let copies = |(partition, in_sync): (usize, &usize)| Copies {
            partition: partition as i32,
            all: 3,
            in_sync: *in_sync,
            leader: (*in_sync > 0).then_some(1),
        };
        Some(DescribedTopic {
            id: None,
            partitions: in_sync.len() as u32,
            replicas: 3,
            under_replicated: 0,
            offline: 0,
            copies: in_sync.iter().enumerate().map(copies).collect(),
        })
    }

    fn offsets(offsets: &[(&str, i32, i64)]) -> Offsets {
        offsets.iter().map(|(topic, partition, at)| (((*topic).to_owned(), *partition), *at)).collect()
    }

    #[test]
    fn a_partition_without_a_leader_has_no_offsets_and_nobody_has_a_lag_beside_the_prices() {
        let names = ["btc".to_owned(), "a.dead-letter".to_owned(), "a.gaps".to_owned()];
        let known = [topic(&[3, 2, 0]), topic(&[3]), topic(&[3])];
        let found = Found {
            oldest: offsets(&[("btc", 0, 10), ("btc", 1, 0), ("a.dead-letter", 0, 0), ("a.gaps", 0, 0)]),
            newest: offsets(&[("btc", 0, 25), ("btc", 1, 4), ("a.dead-letter", 0, 2), ("a.gaps", 0, 7)]),
            committed: offsets(&[("btc", 0, 20)]),
        };
        let rows = rows(&names, 1, &known, &found);
        let seen: Vec<_> = rows.iter().map(|row| (row.messages(), row.committed, row.lag)).collect();
        let expected = [
            (Some(15), Some(20), Some(5)),
            (Some(4), None, Some(4)),
            (None, None, None),
            (Some(2), None, None),
            (Some(7), None, None),
        ];
        assert_eq!(seen, expected);
        assert_eq!(
            summary(&rows, "a.dead-letter"),
            "19 messages, lag 9; 2 dead letters; partitions without a leader, which nobody can read or write: 1; \
             partitions whose copies are not all in sync: 1"
        );
    }

    #[test]
    fn a_topic_that_is_missing_is_named_with_the_remedy() {
        let names = ["btc".to_owned(), "eth".to_owned()];
        assert!(cluster::missing(&names, &[topic(&[3]), topic(&[3])]).is_ok());
        let failed = cluster::missing(&names, &[topic(&[3]), None]).unwrap_err();
        assert_eq!(failed.exit, crate::exit::Exit::NotFound);
        assert!(failed.message.starts_with("the topic eth does not exist; `pricepipe run`"), "{failed}");
    }
}
