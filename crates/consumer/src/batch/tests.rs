//! Batches by themselves, and batches with the assignment: what may be committed at any moment.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::assignment::{Assignment, Sealed};

/// An observation: polled prices, trades, candles and quotes in turn.
fn good(n: i64) -> Decoded {
    let own = match n % 4 {
        0 => r#""kind":"price""#,
        1 => r#""kind":"trade","quantity":1"#,
        2 => r#""kind":"kline","interval":"1m","open":1,"high":1,"low":1,"close":1,"volume":1"#,
        _ => r#""kind":"quote","bid":1,"bidQuantity":1,"ask":1,"askQuantity":1"#,
    };
    let json = format!(r#"{{"symbol":"BTCUSDT","price":1,{own},"id":"{n}"}}"#);
    let timestamp = pricepipe_core::Timestamp::from_millis(1_795_413_603_000).ok();
    let position = pricepipe_core::message::Position { topic_id: None, partition: 0, offset: n, timestamp };
    Decoded::Good(PriceMessage::decode(Some(json.as_bytes()), position).unwrap())
}

fn limits(max_documents: u32, max_millis: u32) -> BatchConfig {
    BatchConfig { max_documents, max_millis }
}

fn place(topic: usize, partition: i32) -> Place {
    Place { topic, partition }
}

/// One partition and its batches.
fn one(limits: BatchConfig) -> (Assignment, Batches) {
    let mut assignment = Assignment::default();
    assignment.assign(place(0, 0));
    (assignment, Batches::new(1, limits))
}

fn push(assignment: &mut Assignment, batches: &mut Batches, offset: i64, value: &[u8]) -> bool {
    let tenure = assignment.take(place(0, 0), offset).unwrap().tenure;
    let record =
        Record { place: place(0, 0), offset, timestamp: Some(1), key: Some(b"key"), value: Some(value) };
    batches.push(0, tenure, record, good(offset))
}

#[test]
fn a_batch_is_due_when_it_is_full() {
    let (mut assignment, mut batches) = one(limits(3, 60_000));
    assert!(!push(&mut assignment, &mut batches, 0, b"a"));
    assert!(!push(&mut assignment, &mut batches, 1, b"b"));
    assert_eq!(batches.next_len(Instant::now()), None);
    assert!(push(&mut assignment, &mut batches, 2, b"c"), "no more may be added");
    assert!(batches.is_pressing());
    assert_eq!(batches.next(Instant::now()).unwrap().len(), 3);
    assert!(!batches.is_pressing() && batches.next_deadline(Instant::now()).is_none());
}

#[test]
fn a_batch_is_due_when_it_is_old() {
    let (mut assignment, mut batches) = one(limits(1_000, 200));
    push(&mut assignment, &mut batches, 0, b"a");
    let now = Instant::now();
    assert!(batches.next(now).is_none());
    assert!(batches.next_deadline(now).unwrap() <= Duration::from_millis(200));
    assert_eq!(batches.next(now + Duration::from_millis(200)).unwrap().len(), 1);
}

#[test]
fn a_batch_of_large_messages_is_full_by_its_bytes() {
    let (mut assignment, mut batches) = one(limits(1_000, 60_000));
    let large = vec![b' '; MAX_BATCH_BYTES / 4];
    let full: Vec<bool> = (0..4).map(|n| push(&mut assignment, &mut batches, n, &large)).collect();
    assert_eq!(full, [false, false, false, true]);
}

#[test]
fn many_collections_with_a_little_each_do_not_add_up_without_bound() {
    let mut assignment = Assignment::default();
    let mut batches = Batches::new(1_000, limits(1_000, 60_000));
    let mut held = 0;
    for n in 0..100_000_i64 {
        let topic = (n % 1_000) as usize;
        if n < 1_000 {
            assignment.assign(place(topic, 0));
        }
        let tenure = assignment.take(place(topic, 0), n).unwrap().tenure;
        let record =
            Record { place: place(topic, 0), offset: n, timestamp: None, key: None, value: Some(b"{}") };
        held += 1;
        if batches.push(topic, tenure, record, Decoded::Unnamed) {
            held -= batches.next(Instant::now()).unwrap().len();
        }
        assert!(held <= MAX_OPEN_MESSAGES);
    }
}

#[test]
fn a_record_is_given_back_as_it_came() {
    let (mut assignment, mut batches) = one(limits(10, 0));
    let tenure = assignment.take(place(0, 0), 7).unwrap().tenure;
    let whole =
        Record { place: place(0, 0), offset: 7, timestamp: Some(9), key: Some(b"k"), value: Some(b"vv") };
    batches.push(0, tenure, whole, Decoded::Bad(BadMessage::NoSymbol));
    batches.push(0, tenure, Record { key: None, value: None, ..whole }, Decoded::Bad(BadMessage::NoValue));
    batches.push(
        0,
        tenure,
        Record { key: None, value: Some(b""), ..whole },
        Decoded::Bad(BadMessage::NoValue),
    );
    let batch = batches.any().unwrap();
    let back = |index| {
        let record = batch.record(index);
        (record.offset, record.timestamp, record.key, record.value)
    };
    assert_eq!(back(0), (7, Some(9), Some(&b"k"[..]), Some(&b"vv"[..])));
    assert_eq!(back(1), (7, Some(9), None, None));
    assert_eq!(back(2), (7, Some(9), None, Some(&b""[..])));
}

/// What may happen to a consumer.
#[derive(Clone, Debug)]
enum Step {
    /// The next message of a partition arrives.
    Arrive(usize),
    /// A batch is handed over.
    HandOver,
    /// One of the batches on their way becomes durable.
    Finish(prop::sample::Index),
    /// A partition is taken away and given back: reading goes on from what was committed.
    Reassign(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..PLACES.len()).prop_map(Step::Arrive),
        3 => Just(Step::HandOver),
        3 => any::<prop::sample::Index>().prop_map(Step::Finish),
        1 => (0..PLACES.len()).prop_map(Step::Reassign),
    ];
    prop::collection::vec(step, 1..200)
}

/// Two topics that share a collection, and one with a collection of its own.
const PLACES: [Place; 4] = [
    Place { topic: 0, partition: 0 },
    Place { topic: 0, partition: 1 },
    Place { topic: 1, partition: 0 },
    Place { topic: 2, partition: 0 },
];

/// A batch that was handed over: its spans, and its messages as place and offset.
type OnTheWay = (Vec<Sealed>, BTreeSet<(usize, i64)>);

/// The consumer's bookkeeping, and beside it the plain truth.
struct Model {
    assignment: Assignment,
    batches: Batches,
    on_the_way: Vec<OnTheWay>,
    durable: BTreeSet<(usize, i64)>,
    next: [i64; PLACES.len()],
    committed: [i64; PLACES.len()],
}

impl Model {
    fn new() -> Self {
        let mut assignment = Assignment::default();
        PLACES.into_iter().for_each(|place| assignment.assign(place));
        let (next, committed) = ([0; PLACES.len()], [0; PLACES.len()]);
        let batches = Batches::new(2, limits(5, 60_000));
        Model { assignment, batches, on_the_way: Vec::new(), durable: BTreeSet::new(), next, committed }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Arrive(index) => self.arrive(*index),
            Step::HandOver => self.hand_over(),
            Step::Finish(pick) if !self.on_the_way.is_empty() => {
                self.finish(pick.index(self.on_the_way.len()))
            }
            Step::Finish(_) => {}
            Step::Reassign(index) => {
                self.assignment.forget(PLACES[*index]);
                self.assignment.assign(PLACES[*index]);
                self.next[*index] = self.committed[*index];
            }
        }
        self.commit();
    }

    fn commit(&mut self) {
        for (place, offset) in self.assignment.take_commits() {
            let index = PLACES.iter().position(|other| *other == place).unwrap();
            self.committed[index] = offset;
        }
    }

    fn finish(&mut self, index: usize) {
        let (sealed, messages) = self.on_the_way.remove(index);
        sealed.into_iter().for_each(|sealed| self.assignment.done(sealed));
        self.durable.extend(messages);
    }

    fn arrive(&mut self, index: usize) {
        let (place, offset) = (PLACES[index], self.next[index]);
        self.next[index] += 1;
        let tenure = self.assignment.take(place, offset).unwrap().tenure;
        let record = Record { place, offset, timestamp: None, key: None, value: Some(b"{}") };
        let decoded = if offset % 3 == 0 { Decoded::Bad(BadMessage::NoSymbol) } else { good(offset) };
        if self.batches.push(usize::from(place.topic == 2), tenure, record, decoded) {
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        let Some(batch) = self.batches.any() else { return };
        let documents: usize = batch.parts.iter().map(|part| part.documents.len()).sum();
        assert_eq!(batch.len(), documents + batch.bad.len(), "every message ends in one place");
        let index = |place: Place| PLACES.iter().position(|other| *other == place).unwrap();
        let messages = (0..batch.len())
            .map(|n| batch.record(n))
            .map(|record| (index(record.place), record.offset))
            .collect();
        let seal = |run: &Run| self.assignment.seal(run.tenure, run.last_offset);
        self.on_the_way.push((batch.runs.iter().filter_map(seal).collect(), messages));
    }

    fn lowest_missing(&self, index: usize) -> i64 {
        (0..).find(|offset| !self.durable.contains(&(index, *offset))).unwrap()
    }
}

proptest! {
    /// Whatever the order in which messages arrive, batches are handed over, writes finish, and partitions come and
    /// go: no commit ever passes a message that is not durable, and in the end everything is committed.
    #[test]
    fn no_interleaving_commits_past_what_is_durable(steps in steps()) {
        let mut model = Model::new();
        for step in &steps {
            model.step(step);
            for (index, committed) in model.committed.iter().enumerate() {
                prop_assert!(*committed <= model.lowest_missing(index), "{step:?} {index}");
            }
        }
        while model.batches.next_deadline(Instant::now()).is_some() || !model.on_the_way.is_empty() {
            model.hand_over();
            model.finish(0);
        }
        model.commit();
        prop_assert!(model.assignment.is_drained());
        prop_assert_eq!(model.committed, model.next);
    }
}
