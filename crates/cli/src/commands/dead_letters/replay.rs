//! `pricepipe dead-letters replay`: sends messages back to the topics that they came from. Writes to Kafka.
//!
//! # Guarantees
//!
//! - A message is the same observation as before: its id and its times, where it took them from where it lay, are
//!   written into its value ([`pinned`]). So sending it twice, or again after an interruption, stores it once, and so
//!   do two letters of one message.
//! - What this version could not store either is not sent unless it is forced to be, so that no dead letters come of
//!   dead letters; and never what can be given no id, or is not whole.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    io::{self, Stdout, stdout},
    ops::ControlFlow,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use pricepipe_consumer::position;
use pricepipe_core::{
    Pipeline, PriceMessage,
    message::{BadMessage, pinned},
};
use rdkafka::{
    ClientContext, Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};

use super::{
    Letters,
    args::{LetterId, ReplayArgs},
    letter::{Filter, Letter},
};
use crate::{
    cluster,
    exit::{Exit, Failed},
    output,
    rows::{Cell, Column, Output, Printer, column, detail},
};

/// How long Kafka may take in the end to acknowledge what was sent.
const FLUSH_PATIENCE: Duration = Duration::from_secs(15);
/// Says of a message that was sent again which letter it comes from.
const REPLAY_OF: &str = "pricepipe.replay-of";

const COLUMNS: &[Column] = &[
    column("letter", "LETTER"),
    column("result", "RESULT"),
    column("origin", "ORIGIN"),
    column("id", "ID"),
    detail("topic"),
    detail("partition"),
    detail("offset"),
    column("note", "NOTE"),
];

/// Sends what is chosen, and prints a row for each letter.
pub(super) fn replay(letters: &Letters, pipeline: &Pipeline, args: &ReplayArgs) -> Result<(), Failed> {
    let topics: BTreeSet<String> = pipeline.topics().iter().map(|topic| topic.name.to_string()).collect();
    let named: BTreeSet<LetterId> = args.letters.iter().copied().collect();
    let ranges = if args.all { letters.ranges.clone() } else { letters.ranges_of(&args.letters)? };
    let filter = Filter::of(&args.filter)?;
    let mut replay = Replay::new(letters, args)?;
    let (mut trouble, mut seen) = (Ok(()), named.clone());
    letters.scan(&ranges, |message| {
        let letter = Letter::of(message);
        seen.remove(&letter.id);
        if filter.takes(&letter) && (args.all || named.contains(&letter.id)) {
            trouble = replay.take(&letter, prepared(&letter, &topics, args.force));
        }
        if trouble.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let finished = replay.finish(trouble)?;
    seen.first().map_or(Ok(()), |id| Err(letters.not_there(*id)))?;
    finished.verdict(args)
}

/// What is sent of a letter.
struct Prepared<'a> {
    topic: String,
    id: Option<String>,
    value: Cow<'a, [u8]>,
    /// What is to be said of it.
    note: String,
}

/// What is sent of a letter, or why it is not.
fn prepared<'a>(letter: &Letter<'a>, topics: &BTreeSet<String>, force: bool) -> Result<Prepared<'a>, String> {
    let label = &letter.label;
    let Some(origin) = &label.origin else { return Err("it does not say where it comes from".to_owned()) };
    if !topics.contains(&origin.topic) {
        return Err(format!("its topic {} is not one of the pipeline's", origin.topic));
    }
    if let Some(whole) = label.truncated.or(label.truncated_key) {
        return Err(format!("it is not whole: of {whole} bytes only the first are here"));
    }
    let unusable = |bad: &BadMessage| format!("it still cannot be stored: {bad}");
    let payload =
        letter.value.filter(|value| !value.is_empty()).ok_or_else(|| unusable(&BadMessage::NoValue))?;
    let place = position(origin.topic_id.as_deref(), origin.partition, origin.offset, origin.timestamp);
    let value = pinned(payload, place).map_err(|bad| match bad {
        BadMessage::NoIdentity => {
            "it has no id, and the letter does not tell the topic's UUID, of which one would be \
                                   made; sent without, it might be stored twice"
                .to_owned()
        }
        bad => unusable(&bad),
    })?;
    let topic = origin.topic.clone();
    match PriceMessage::decode(Some(&value), place) {
        Ok(message) => Ok(Prepared { topic, id: Some(message.id), value, note: String::new() }),
        Err(bad) if force => Ok(Prepared { topic, id: None, value, note: format!("forced: {bad}") }),
        Err(bad) => Err(unusable(&bad)),
    }
}

/// Letters that are being sent.
struct Replay<'a> {
    letters: &'a Letters,
    printer: Printer<Stdout>,
    /// `None` when nothing is to be sent.
    producer: Option<ThreadedProducer<Deliveries>>,
    outcomes: Receiver<Outcome>,
    counts: Counts,
}

/// What became of the letters.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    sent: u64,
    would_be_sent: u64,
    skipped: u64,
    failed: u64,
    problem: Option<(RDKafkaErrorCode, String)>,
}

/// What became of a message that was sent: its partition and offset, or the error.
struct Outcome {
    sent: Box<Sent>,
    delivered: Result<(i32, i64), KafkaError>,
}

/// What is remembered of a message until it is acknowledged.
struct Sent {
    letter: LetterId,
    origin: Option<String>,
    topic: String,
    id: Option<String>,
    note: String,
}

/// Reports each message that Kafka has acknowledged or refused.
struct Deliveries(Sender<Outcome>);

impl ClientContext for Deliveries {
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        let delivered = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        // Nobody listens any more when the replay was broken off.
        let _ = self.0.send(Outcome { sent, delivered });
    }
}

impl<'a> Replay<'a> {
    fn new(letters: &'a Letters, args: &ReplayArgs) -> Result<Self, Failed> {
        let (sender, outcomes) = channel();
        let producer = || letters.cluster.writer().create_with_context(Deliveries(sender));
        let producer = if args.dry_run { None } else { Some(producer()) };
        let producer = producer.transpose().map_err(|error| cluster::unusable(&error))?;
        let printer = Printer::new(stdout(), args.output, COLUMNS);
        Ok(Replay { letters, printer, producer, outcomes, counts: Counts::default() })
    }

    fn take(&mut self, letter: &Letter<'_>, prepared: Result<Prepared<'_>, String>) -> io::Result<()> {
        let sent = |id, topic, note| Sent { letter: letter.id, origin: letter.origin(), topic, id, note };
        match prepared {
            Err(why) => {
                self.counts.skipped += 1;
                self.row("skipped", &sent(None, String::new(), why), None)?;
            }
            Ok(Prepared { topic, id, note, .. }) if self.producer.is_none() => {
                self.counts.would_be_sent += 1;
                self.row("would be sent", &sent(id, topic, note), None)?;
            }
            Ok(Prepared { topic, id, value, note }) => {
                self.send(Box::new(sent(id, topic, note)), letter.key, &value)?;
            }
        }
        self.tell()
    }

    fn send(&mut self, sent: Box<Sent>, key: Option<&[u8]>, value: &[u8]) -> io::Result<()> {
        let source = format!("{}:{}", self.letters.topic, sent.letter);
        let header = Header { key: REPLAY_OF, value: Some(source.as_bytes()) };
        let topic = sent.topic.clone();
        let mut record: BaseRecord<'_, [u8], [u8], Box<Sent>> = BaseRecord::with_opaque_to(&topic, sent)
            .payload(value)
            .headers(OwnedHeaders::new().insert(header));
        record.key = key;
        loop {
            let Some(producer) = &self.producer else { return Ok(()) };
            match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    thread::sleep(Duration::from_millis(10));
                    self.tell()?;
                }
                Err((error, back)) => {
                    return self.settle(Outcome { sent: back.delivery_opaque, delivered: Err(error) });
                }
            }
        }
    }

    /// Prints what became of messages so far.
    fn tell(&mut self) -> io::Result<()> {
        while let Ok(outcome) = self.outcomes.try_recv() {
            self.settle(outcome)?;
        }
        Ok(())
    }

    fn settle(&mut self, outcome: Outcome) -> io::Result<()> {
        match outcome.delivered {
            Ok(place) => {
                self.counts.sent += 1;
                self.row("sent", &outcome.sent, Some(place))
            }
            Err(error) => {
                self.counts.failed += 1;
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                self.counts.problem = Some((code, error.to_string()));
                self.row("failed", &Sent { note: error.to_string(), ..*outcome.sent }, None)
            }
        }
    }

    fn row(&mut self, result: &str, sent: &Sent, place: Option<(i32, i64)>) -> io::Result<()> {
        let text = |text: &str| if text.is_empty() { Cell::Missing } else { Cell::text(text) };
        self.printer.row(vec![
            Cell::text(sent.letter),
            Cell::text(result),
            text(sent.origin.as_deref().unwrap_or_default()),
            text(sent.id.as_deref().unwrap_or_default()),
            text(&sent.topic),
            place.map_or(Cell::Missing, |(partition, _)| Cell::number(partition)),
            place.map_or(Cell::Missing, |(_, offset)| Cell::number(offset)),
            // The last column, so that a gap would only be noise.
            Cell::text(&sent.note),
        ])
    }

    /// Waits until everything is acknowledged, whatever became of the output.
    fn finish(mut self, mut trouble: io::Result<()>) -> Result<Counts, Failed> {
        let flushed = self.producer.as_ref().map_or(Ok(()), |producer| producer.flush(FLUSH_PATIENCE));
        let told = self.tell();
        if trouble.is_ok() {
            trouble = told;
        }
        if trouble.is_ok() {
            trouble = self.printer.finish().map(drop);
        }
        output::written(trouble)?;
        let mut counts = self.counts;
        if let Err(error) = flushed {
            counts.problem.get_or_insert((RDKafkaErrorCode::OperationTimedOut, error.to_string()));
        }
        if let Some((code, text)) = &counts.problem {
            let failed = self.letters.cluster.trouble(*code, text);
            let message = format!(
                "{} messages were sent and {} were not; replay them again: what was sent is stored once. {failed}",
                counts.sent, counts.failed
            );
            return Err(Failed::new(failed.exit, message));
        }
        Ok(counts)
    }
}

impl Counts {
    /// A letter that was named and not sent is a failure; of all letters some may be of no use.
    fn verdict(&self, args: &ReplayArgs) -> Result<(), Failed> {
        let Counts { sent, would_be_sent, skipped, .. } = *self;
        if args.output == Output::Table {
            let done =
                if args.dry_run { format!("{would_be_sent} would be sent") } else { format!("{sent} sent") };
            output::note(format!("{done}, {skipped} skipped"));
        }
        if skipped > 0 && !args.all {
            let message =
                format!("{skipped} of the letters that were named cannot be sent; the notes say why");
            return Err(Failed::new(Exit::Failure, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::letter::tests::{letter, origin},
        *,
    };

    fn of(value: &[u8], topic_id: Option<&str>, force: bool) -> Result<(Option<String>, String), String> {
        let topics = BTreeSet::from(["btc".to_owned()]);
        let prepared = prepared(&letter(Some(value), origin(topic_id)), &topics, force)?;
        Ok((prepared.id, String::from_utf8(prepared.value.into_owned()).unwrap()))
    }

    #[test]
    fn a_message_keeps_the_identity_that_it_had_where_it_lay() {
        let own = br#"{"symbol":"A","price":1,"id":"a","time":"2026-11-23T06:00:03Z","received":"2026-11-23T06:00:03Z"}"#;
        let (id, value) = of(own, None, false).unwrap();
        assert_eq!((id.as_deref(), value.as_bytes()), (Some("a"), &own[..]));
        let (id, value) = of(br#"{"symbol":"A","price":1.50}"#, Some("uuid"), false).unwrap();
        assert_eq!(id.as_deref(), Some("kafka:uuid:2:41"));
        assert_eq!(
            value,
            r#"{"symbol":"A","price":1.50,"id":"kafka:uuid:2:41","time":"2026-11-23T06:00:00Z","received":"2026-11-23T06:00:00Z"}"#
        );
    }

    #[test]
    fn what_might_be_stored_twice_is_not_sent_even_by_force() {
        for force in [false, true] {
            let unnamed = of(br#"{"symbol":"A","price":1}"#, None, force).unwrap_err();
            assert!(unnamed.contains("stored twice"), "{unnamed}");
            let array = of(b"[1]", Some("uuid"), force).unwrap_err();
            assert!(array.contains("still cannot be stored: not a JSON object"), "{array}");
        }
    }

    #[test]
    fn what_cannot_be_stored_is_sent_by_force_alone_and_with_its_identity() {
        let rumour = br#"{"symbol":"A","price":1,"kind":"rumour"}"#;
        let refused = of(rumour, Some("uuid"), false).unwrap_err();
        assert!(refused.contains("kind is not one of: price"), "{refused}");
        let (id, value) = of(rumour, Some("uuid"), true).unwrap();
        assert!(id.is_none() && value.contains(r#""id":"kafka:uuid:2:41""#), "{value}");
    }

    #[test]
    fn what_is_not_whole_or_of_another_pipeline_is_not_sent() {
        let topics = BTreeSet::from(["btc".to_owned()]);
        let good = br#"{"symbol":"A","price":1}"#;
        let why = |change: fn(&mut Letter<'_>)| {
            let mut letter = letter(Some(good), origin(Some("uuid")));
            change(&mut letter);
            prepared(&letter, &topics, true).map(|prepared| prepared.topic).unwrap_err()
        };
        assert!(why(|letter| letter.label.truncated = Some(950_000)).contains("of 950000 bytes"));
        assert!(why(|letter| letter.label.truncated_key = Some(40_000)).contains("not whole"));
        assert!(why(|letter| letter.label.origin = None).contains("where it comes from"));
        assert!(why(|letter| letter.value = None).contains("no value"));
        let other = why(|letter| letter.label.origin.as_mut().unwrap().topic = "eth".to_owned());
        assert!(other.contains("eth is not one of the pipeline's"), "{other}");
    }
}
