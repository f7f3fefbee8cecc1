//! Reads the pipeline's topics from their end, and asks how far its consumers are. Network I/O; joins no group and
//! commits nothing.
//!
//! Two threads: one reads messages as they come; the other asks for partitions, their ends and the committed offsets,
//! and tells the first where to begin.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use pricepipe_consumer::position;
use pricepipe_core::PriceMessage;
use pricepipe_service::kafka::{
    lag,
    native::{End, Offsets},
};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::BorrowedMessage,
};

use super::watched::Watched;
use crate::{
    cluster::{self, Cluster},
    exit::Failed,
    live::State,
};

/// How often the committed offsets are asked for.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often new topics and partitions are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How soon the reader hears of them.
const POLL: Duration = Duration::from_millis(100);

type Place = (String, i32);
/// Where reading begins.
type Begin = (Place, Offset);

/// Starts both threads, which work until the process ends.
pub(super) fn watch(cluster: Cluster, topics: Vec<String>, watched: &Watched) -> Result<(), Failed> {
    let mut settings = cluster.reader();
    // Prices are shown as they come, and nobody waits for the end of a partition.
    settings.set("fetch.wait.max.ms", "100").set("enable.partition.eof", "false");
    let reader: BaseConsumer = settings.create().map_err(|error| cluster::unusable(&error))?;
    let (begin, begins) = channel();
    let asker =
        Asker { cluster, topics, watched: watched.clone(), begin, partitions: BTreeSet::new(), looked: None };
    let watched = watched.clone();
    thread::spawn(move || read(&reader, &begins, &watched));
    thread::spawn(move || asker.ask_for_ever());
    Ok(())
}

fn read(reader: &BaseConsumer, begins: &Receiver<Vec<Begin>>, watched: &Watched) {
    loop {
        while let Ok(begin) = begins.try_recv() {
            let mut assignment = TopicPartitionList::new();
            for ((topic, partition), offset) in begin {
                // An offset of a partition is never one that cannot be set.
                let _ = assignment.add_partition_offset(&topic, partition, offset);
            }
            if let Err(error) = reader.incremental_assign(&assignment) {
                tracing::warn!(%error, "these partitions cannot be read");
            }
        }
        match reader.poll(POLL) {
            Some(Ok(message)) => count(&message, watched),
            // The client goes on by itself, and the asker tells what the trouble is.
            Some(Err(error)) => tracing::debug!(%error, "reading"),
            None => {}
        }
    }
}

fn count(message: &BorrowedMessage<'_>, watched: &Watched) {
    // The topic's name instead of its UUID tells messages of the plain form from each other, which is all that is asked
    // of it here.
    let (topic, millis) = (Some(message.topic()), message.timestamp().to_millis());
    let position = position(topic, message.partition(), message.offset(), millis);
    let place = (message.topic().to_owned(), message.partition());
    let seen = &mut watched.lock().seen;
    match PriceMessage::decode(message.payload(), position) {
        Ok(price) => seen.message(place, message.offset(), &price),
        Err(_) => seen.unusable(),
    }
}

struct Asker {
    cluster: Cluster,
    topics: Vec<String>,
    watched: Watched,
    begin: Sender<Vec<Begin>>,
    /// Those that are read.
    partitions: BTreeSet<Place>,
    /// When partitions were looked for.
    looked: Option<Instant>,
}

impl Asker {
    fn ask_for_ever(mut self) {
        loop {
            let asked = self.ask();
            let state = match &asked {
                Ok(()) => State::Fine(String::new()),
                Err(failed) => State::Away(self.reason(failed)),
            };
            self.watched.lock().kafka = state;
            thread::sleep(ASK_EVERY);
        }
    }

    /// Which Kafka it is stands beside the reason.
    fn reason(&self, failed: &Failed) -> String {
        let place = format!("Kafka at {} ", self.cluster.servers());
        failed.message.strip_prefix(&place).unwrap_or(&failed.message).to_owned()
    }

    fn ask(&mut self) -> Result<(), Failed> {
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) {
            self.look_for_partitions()?;
            self.looked = Some(Instant::now());
        }
        let partitions: Vec<Place> = self.partitions.iter().cloned().collect();
        // The committed offsets first, so that no lag is below 0.
        let committed = self.cluster.committed(&partitions)?;
        let newest = self.cluster.offsets(&partitions, End::Newest)?;
        let oldest = self.cluster.offsets(&lag::behind(&newest, &committed), End::Oldest)?;
        let lag = by_topic(&newest, &committed, &oldest);
        self.watched.lock().seen.progress(committed, lag);
        Ok(())
    }

    /// What is there when the watch begins is read from its end; what comes later from its beginning.
    fn look_for_partitions(&mut self) -> Result<(), Failed> {
        let known = self.cluster.describe(&self.topics)?;
        let led = cluster::led(&self.topics, &known);
        let new: Vec<Place> = led.filter(|place| !self.partitions.contains(place)).collect();
        let ends =
            if self.looked.is_none() { self.cluster.offsets(&new, End::Newest)? } else { Offsets::new() };
        let offset = |place: &Place| ends.get(place).map_or(Offset::Beginning, |end| Offset::Offset(*end));
        let begin: Vec<Begin> = new.iter().map(|place| (place.clone(), offset(place))).collect();
        if !begin.is_empty() {
            // The reader lives as long as the process.
            let _ = self.begin.send(begin);
            self.partitions.extend(new);
        }
        let missing = missing_topics(&cluster::absent(&self.topics, &known));
        self.watched.lock().notes = missing.into_iter().collect();
        Ok(())
    }
}

fn missing_topics(missing: &[&str]) -> Option<String> {
    let text =
        || format!("not there yet: topic {}; the pipeline makes it when it starts", missing.join(", "));
    (!missing.is_empty()).then(text)
}

fn by_topic(newest: &Offsets, committed: &Offsets, oldest: &Offsets) -> BTreeMap<String, u64> {
    let mut topics = BTreeMap::new();
    for ((topic, _), lag) in lag::lags(newest, committed, oldest) {
        *topics.entry(topic).or_default() += lag;
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_of_a_topic_is_that_of_its_partitions() {
        let offsets = |offsets: &[(&str, i32, i64)]| -> Offsets {
            offsets
                .iter()
                .map(|(topic, partition, offset)| (((*topic).to_owned(), *partition), *offset))
                .collect()
        };
        let newest = offsets(&[("btc", 0, 10), ("btc", 1, 5), ("eth", 0, 3)]);
        let committed = offsets(&[("btc", 0, 7), ("btc", 1, 1), ("eth", 0, 3)]);
        let lag = by_topic(&newest, &committed, &offsets(&[("btc", 0, 0), ("btc", 1, 0)]));
        assert_eq!(lag, BTreeMap::from([("btc".to_owned(), 7), ("eth".to_owned(), 0)]));
    }

    #[test]
    fn a_topic_that_is_not_there_is_named() {
        assert_eq!(missing_topics(&[]), None);
        assert!(missing_topics(&["btc", "eth"]).unwrap().contains("topic btc, eth"));
    }
}
