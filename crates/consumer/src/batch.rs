//! Collects messages into one open batch per collection of a topic, and says when a batch is to be written. Pure.

use std::{
    mem,
    time::{Duration, Instant},
};

use pricepipe_core::{PriceMessage, config::BatchConfig, message::BadMessage, names::Shelf};

use crate::assignment::{Place, Tenure};

/// A batch of this many bytes is full, whatever the number of its documents.
const MAX_BATCH_BYTES: usize = 4 << 20;
/// All open batches together hold at most this many bytes …
const MAX_OPEN_BYTES: usize = 16 << 20;
/// … and this many messages, or four full batches where that is more.
const MAX_OPEN_MESSAGES: usize = 20_000;

/// What a message turned out to be.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// A price.
    Good(PriceMessage),
    /// A price without an id, of a topic whose UUID is not known yet.
    Unnamed,
    /// Nothing that can be stored.
    Bad(BadMessage),
}

/// A message as it came from Kafka.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    /// Where it lies.
    pub(crate) place: Place,
    /// Its offset there.
    pub(crate) offset: i64,
    /// Its timestamp in milliseconds, when it has one.
    pub(crate) timestamp: Option<i64>,
    /// Its key.
    pub(crate) key: Option<&'a [u8]>,
    /// Its value.
    pub(crate) value: Option<&'a [u8]>,
}

/// The messages of a batch as they came, so that each can become a dead letter: one buffer for all of them.
#[derive(Debug, Default)]
struct Records {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    place: Place,
    offset: i64,
    timestamp: Option<i64>,
    start: usize,
    key: Option<usize>,
    value: Option<usize>,
}

/// The messages of one partition in a batch: a contiguous run, since they arrive in the order of their offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The partition's tenure.
    pub(crate) tenure: Tenure,
    /// The last message.
    pub(crate) last_offset: i64,
}

/// What of a batch goes to one collection.
#[derive(Debug)]
pub(crate) struct Part {
    /// Which of the topic's collections it is.
    pub(crate) shelf: Shelf,
    /// What can be stored.
    pub(crate) documents: Vec<PriceMessage>,
    /// The record of each document.
    pub(crate) sources: Vec<usize>,
}

/// Messages that are settled together. Those of all kinds of a topic are in one batch, whichever collections they go to:
/// so a partition's messages in it are one run, and its offset moves when the last of these collections has its part.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The topic's collection, as its place among the collections.
    pub(crate) collection: usize,
    /// What can be stored, by collection.
    pub(crate) parts: Vec<Part>,
    /// The records that still lack an id.
    pub(crate) unnamed: Vec<usize>,
    /// The records that cannot be stored, and why.
    pub(crate) bad: Vec<(usize, BadMessage)>,
    /// What it holds of each partition.
    pub(crate) runs: Vec<Run>,
    records: Records,
    opened: Instant,
}

/// The open batches.
#[derive(Debug)]
pub(crate) struct Batches {
    max_messages: usize,
    max_age: Duration,
    open: Vec<Option<Batch>>,
    messages: usize,
    bytes: usize,
}

impl Records {
    fn push(&mut self, record: Record<'_>) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record.key.unwrap_or_default());
        self.bytes.extend_from_slice(record.value.unwrap_or_default());
        let Record { place, offset, timestamp, key, value } = record;
        let (key, value) = (key.map(<[u8]>::len), value.map(<[u8]>::len));
        self.entries.push(Entry { place, offset, timestamp, start, key, value });
        self.entries.len() - 1
    }
}

impl Batch {
    fn new(collection: usize, opened: Instant) -> Self {
        Batch {
            collection,
            parts: Vec::new(),
            unnamed: Vec::new(),
            bad: Vec::new(),
            runs: Vec::new(),
            records: Records::default(),
            opened,
        }
    }

    /// How many messages it holds, good and bad.
    pub(crate) fn len(&self) -> usize {
        self.records.entries.len()
    }

    /// A message of it as it came.
    pub(crate) fn record(&self, index: usize) -> Record<'_> {
        let entry = &self.records.entries[index];
        let middle = entry.start + entry.key.unwrap_or_default();
        Record {
            place: entry.place,
            offset: entry.offset,
            timestamp: entry.timestamp,
            key: entry.key.map(|_| &self.records.bytes[entry.start..middle]),
            value: entry.value.map(|length| &self.records.bytes[middle..middle + length]),
        }
    }

    /// Adds what the record `index` turned out to be.
    pub(crate) fn settle(&mut self, index: usize, decoded: Decoded) {
        match decoded {
            Decoded::Good(document) => {
                let part = self.part(Shelf::of(&document.details));
                part.documents.push(document);
                part.sources.push(index);
            }
            Decoded::Unnamed => self.unnamed.push(index),
            Decoded::Bad(reason) => self.bad.push((index, reason)),
        }
    }

    fn part(&mut self, shelf: Shelf) -> &mut Part {
        let known = self.parts.iter().position(|part| part.shelf == shelf);
        let index = known.unwrap_or_else(|| {
            self.parts.push(Part { shelf, documents: Vec::new(), sources: Vec::new() });
            self.parts.len() - 1
        });
        &mut self.parts[index]
    }

    fn extend_run(&mut self, tenure: Tenure, offset: i64) {
        // Messages arrive many of a partition in a row, so the run in question is mostly the last one touched.
        match self.runs.iter_mut().rev().find(|run| run.tenure == tenure) {
            Some(run) => run.last_offset = offset,
            None => self.runs.push(Run { tenure, last_offset: offset }),
        }
    }
}

impl Batches {
    /// Batches for this many collections.
    pub(crate) fn new(collections: usize, config: BatchConfig) -> Self {
        Batches {
            max_messages: config.max_documents.max(1) as usize,
            max_age: Duration::from_millis(config.max_millis.into()),
            open: (0..collections).map(|_| None).collect(),
            messages: 0,
            bytes: 0,
        }
    }

    /// Adds a message to the open batch of its collection. Returns true when no more may be added before
    /// [`Batches::next`] has been asked for a batch.
    pub(crate) fn push(
        &mut self,
        collection: usize,
        tenure: Tenure,
        record: Record<'_>,
        decoded: Decoded,
    ) -> bool {
        let batch = self.open[collection].get_or_insert_with(|| Batch::new(collection, Instant::now()));
        let before = batch.records.bytes.len();
        let index = batch.records.push(record);
        batch.settle(index, decoded);
        batch.extend_run(tenure, record.offset);
        self.messages += 1;
        self.bytes += batch.records.bytes.len() - before;
        let full = batch.len() >= self.max_messages || batch.records.bytes.len() >= MAX_BATCH_BYTES;
        full || self.overflows()
    }

    /// The batch to write next, if one is full or old, or if all together are too many.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Batch> {
        let index = self.pick(now)?;
        self.remove(index)
    }

    /// How many messages the next batch holds, if one is due.
    pub(crate) fn next_len(&self, now: Instant) -> Option<usize> {
        self.pick(now).and_then(|index| self.open[index].as_ref()).map(Batch::len)
    }

    /// Any batch, due or not.
    pub(crate) fn any(&mut self) -> Option<Batch> {
        let index = self.open.iter().position(Option::is_some)?;
        self.remove(index)
    }

    /// True when a batch is full or all together are too many: nothing more may be added.
    pub(crate) fn is_pressing(&self) -> bool {
        self.overflows() || self.open.iter().flatten().any(|batch| self.is_full(batch))
    }

    /// How long until a batch is due; `None` when there is none.
    pub(crate) fn next_deadline(&self, now: Instant) -> Option<Duration> {
        let opened = self.open.iter().flatten().map(|batch| batch.opened).min()?;
        Some((opened + self.max_age).saturating_duration_since(now))
    }

    /// Throws everything away: it will be read again.
    pub(crate) fn clear(&mut self) {
        self.open.iter_mut().for_each(|batch| *batch = None);
        (self.messages, self.bytes) = (0, 0);
    }

    fn remove(&mut self, index: usize) -> Option<Batch> {
        let batch = mem::take(&mut self.open[index])?;
        self.messages -= batch.len();
        self.bytes -= batch.records.bytes.len();
        Some(batch)
    }

    fn pick(&self, now: Instant) -> Option<usize> {
        let open =
            || self.open.iter().enumerate().filter_map(|(index, batch)| Some((index, batch.as_ref()?)));
        let full = open().find(|(_, batch)| self.is_full(batch));
        let largest =
            || open().filter(|_| self.overflows()).max_by_key(|(_, batch)| batch.records.bytes.len());
        let oldest = || {
            let old = |batch: &Batch| now.saturating_duration_since(batch.opened) >= self.max_age;
            open().filter(|(_, batch)| old(batch)).min_by_key(|(_, batch)| batch.opened)
        };
        full.or_else(largest).or_else(oldest).map(|(index, _)| index)
    }

    fn is_full(&self, batch: &Batch) -> bool {
        batch.len() >= self.max_messages || batch.records.bytes.len() >= MAX_BATCH_BYTES
    }

    fn overflows(&self) -> bool {
        self.bytes >= MAX_OPEN_BYTES || self.messages >= MAX_OPEN_MESSAGES.max(4 * self.max_messages)
    }
}

#[cfg(test)]
mod tests;
