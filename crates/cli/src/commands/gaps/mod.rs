//! `pricepipe gaps`: holes in what was received, and what became of them. Reads Kafka, changes nothing.

pub(crate) mod args;

use std::{
    collections::BTreeMap,
    io::{self, stdout},
    ops::ControlFlow,
};

use pricepipe_core::{Gap, GapOutcome, GapsMessage, Pipeline, Timestamp, config::Stream};
use rdkafka::Message;

use self::args::GapsArgs;
use crate::{
    cluster::{self, Cluster},
    exit::{Exit, Failed},
    file, output,
    rows::{Cell, Column, Output, Printer, column, detail},
};

const COLUMNS: &[Column] = &[
    column("exchange", "EXCHANGE"),
    column("symbol", "SYMBOL"),
    column("stream", "STREAM"),
    detail("interval"),
    column("from", "FROM"),
    column("to", "TO"),
    column("missing", "MISSING"),
    column("noticed", "NOTICED"),
    column("since", "SINCE"),
    column("ended", "ENDED"),
    column("outcome", "OUTCOME"),
    column("reason", "REASON"),
];

/// Longer reasons are for programs.
const LONGEST_REASON: usize = 60;

/// Prints a row for each gap, and fails when something is missing.
pub(crate) fn gaps(args: &GapsArgs) -> Result<(), Failed> {
    let pipeline = file::pipeline(&args.file)?;
    let Some(topic) = pipeline.gaps_topic() else { return Err(nobody_notices(&pipeline)) };
    let cluster = Cluster::required(&pipeline)?;
    let words = read(&cluster, topic.name.as_str())?;
    let meant = |gap: &Gap| !args.open || gap.outcome == GapOutcome::Open;
    let gaps = words.in_order(meant);
    output::written(write(&gaps, args.output))?;
    if words.unread > 0 {
        output::note(format!("{} messages of {} are no gaps, and are left out", words.unread, topic.name));
    }
    if args.output == Output::Table {
        output::note(summary(&gaps));
    }
    judge(&gaps)
}

fn nobody_notices(pipeline: &Pipeline) -> Failed {
    let message = format!(
        "{}: it only polls prices, which have no numbers, so nobody can notice a gap; streams (websocket) and history \
         (replay) have them",
        pipeline.name
    );
    Failed::new(Exit::NotFound, message)
}

fn read(cluster: &Cluster, topic: &str) -> Result<Words, Failed> {
    let names = [topic.to_owned()];
    let known = cluster.existing(&names)?;
    let partitions = known.iter().flat_map(cluster::partitions);
    let ranges = cluster.ranges(topic, partitions)?;
    let mut words = Words::default();
    cluster.scan(topic, &ranges, |message| {
        words.take(message.key(), message.payload());
        ControlFlow::Continue(())
    })?;
    Ok(words)
}

/// The last word on each gap.
#[derive(Default)]
struct Words {
    last: BTreeMap<Vec<u8>, Gap>,
    /// Messages that are none.
    unread: usize,
}

impl Words {
    fn take(&mut self, key: Option<&[u8]>, payload: Option<&[u8]>) {
        let key = key.unwrap_or_default();
        match payload.map(GapsMessage::decode) {
            Some(Ok(GapsMessage::Gap(gap))) => {
                self.last.insert(key.to_owned(), gap);
            }
            // How far a replay is belongs here, and is no gap.
            Some(Ok(GapsMessage::Replay(_))) => {}
            Some(Err(_)) => self.unread += 1,
            // Somebody has removed it.
            None => {
                self.last.remove(key);
            }
        }
    }

    /// Those that are meant, in the order in which they were noticed.
    fn in_order(&self, meant: impl Fn(&Gap) -> bool) -> Vec<&Gap> {
        let mut gaps: Vec<&Gap> = self.last.values().filter(|gap| meant(gap)).collect();
        gaps.sort_by_key(|gap| gap.since);
        gaps
    }
}

fn write(gaps: &[&Gap], output: Output) -> io::Result<()> {
    let mut printer = Printer::new(stdout(), output, COLUMNS);
    gaps.iter().try_for_each(|gap| printer.row(cells(gap)))?;
    printer.finish().map(drop)
}

fn cells(gap: &Gap) -> Vec<Cell> {
    let reason = gap.reason.as_ref();
    vec![
        Cell::text(gap.exchange),
        Cell::text(&gap.symbol),
        stream(gap),
        gap.interval.map_or(Cell::Missing, Cell::text),
        place(gap.stream, gap.from),
        place(gap.stream, gap.to),
        Cell::number(gap.missing),
        Cell::text(gap.noticed.as_str()),
        Cell::text(gap.since),
        gap.ended.map_or(Cell::Missing, Cell::text),
        Cell::text(gap.outcome.as_str()),
        reason.map_or(Cell::Missing, |reason| Cell::shortened(reason, reason, LONGEST_REASON)),
    ]
}

/// People see the interval of candles beside their stream.
fn stream(gap: &Gap) -> Cell {
    let stream = gap.stream.as_str();
    match gap.interval {
        None => Cell::text(stream),
        Some(interval) => Cell::Long(stream.to_owned(), format!("{stream} {interval}")),
    }
}

/// A trade is named by its number, a candle by the moment at which it begins.
fn place(stream: Stream, number: u64) -> Cell {
    let moment = i64::try_from(number).ok().and_then(|millis| Timestamp::from_millis(millis).ok());
    match (stream, moment) {
        (Stream::Kline, Some(moment)) => Cell::with_form(number, moment.to_string()),
        _ => Cell::number(number),
    }
}

fn summary(gaps: &[&Gap]) -> String {
    let count = |outcome: GapOutcome| gaps.iter().filter(|gap| gap.outcome == outcome).count();
    let outcomes = [GapOutcome::Open, GapOutcome::Filled, GapOutcome::Unfillable];
    let counts = outcomes.map(|outcome| format!("{} {}", count(outcome), outcome.as_str()));
    format!("{} gaps: {}", gaps.len(), counts.join(", "))
}

/// What is not filled is missing. The rows have said what.
fn judge(gaps: &[&Gap]) -> Result<(), Failed> {
    let unfilled = gaps.iter().filter(|gap| gap.outcome != GapOutcome::Filled).count();
    match unfilled {
        0 => Ok(()),
        unfilled => Err(Failed::new(Exit::Discrepancy, format!("{unfilled} gaps are not filled"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(from: u64, outcome: &str, second: u32) -> Vec<u8> {
        let text = format!(
            r#"{{"exchange":"binance","symbol":"BTCUSDT","stream":"trade","from":{from},"to":{from},"noticed":"skip",
            "since":"2026-11-23T06:00:0{second}Z","outcome":"{outcome}","missing":1}}"#
        );
        text.into_bytes()
    }

    const REPLAY: &[u8] =
        br#"{"source":"a","exchange":"binance","symbol":"BTCUSDT","start":"2026-11-01T00:00:00Z",
        "end":"2026-11-02T00:00:00Z","reached":"2026-11-01T00:00:00Z","records":0,"state":"running"}"#;

    fn words() -> Words {
        let mut words = Words::default();
        for (key, payload) in [
            ("a", Some(gap(1, "open", 3))),
            ("b", Some(gap(5, "open", 1))),
            ("a", Some(gap(1, "filled", 3))),
            ("c", Some(gap(9, "unfillable", 2))),
            ("d", Some(gap(11, "open", 4))),
            ("d", None),
            ("e", Some(b"{}".to_vec())),
            ("replay:a:binance:BTCUSDT", Some(REPLAY.to_vec())),
        ] {
            words.take(Some(key.as_bytes()), payload.as_deref());
        }
        words
    }

    #[test]
    fn the_last_word_on_each_gap_counts_and_they_are_told_as_they_were_noticed() {
        let words = words();
        let gaps = words.in_order(|_| true);
        assert_eq!(gaps.iter().map(|gap| gap.from).collect::<Vec<_>>(), [5, 9, 1]);
        assert_eq!(words.unread, 1, "how far a replay is is none, and not amiss");
        assert_eq!(summary(&gaps), "3 gaps: 1 open, 1 filled, 1 unfillable");
    }

    #[test]
    fn what_is_not_filled_is_missing() {
        let words = words();
        let exit =
            |outcome: fn(&Gap) -> bool| judge(&words.in_order(outcome)).err().map(|failed| failed.exit);
        assert_eq!(exit(|gap| gap.outcome == GapOutcome::Filled), None);
        assert_eq!(exit(|gap| gap.outcome == GapOutcome::Open), Some(Exit::Discrepancy));
        assert_eq!(exit(|gap| gap.outcome == GapOutcome::Unfillable), Some(Exit::Discrepancy));
        assert_eq!(exit(|_| false), None);
    }

    #[test]
    fn a_candle_is_named_by_its_moment_and_a_trade_by_its_number() {
        let shown = |stream| match place(stream, 1_795_413_600_000) {
            Cell::Number(number, form) => (number, form),
            other => panic!("{other:?}"),
        };
        let number = "1795413600000".to_owned();
        assert_eq!(shown(Stream::Kline), (number.clone(), "2026-11-23T06:00:00Z".to_owned()));
        assert_eq!(shown(Stream::Trade), (number.clone(), number));
    }
}
