//! Reads a part of a topic from its beginning to its end as it is now. Network I/O; blocks.

use std::{
    collections::BTreeMap,
    ops::{ControlFlow, Range},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_service::kafka::native::End;
use rdkafka::{
    ClientContext, Message, Offset, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext},
    error::{KafkaError, RDKafkaErrorCode as Code},
    message::BorrowedMessage,
};

use super::Cluster;
use crate::exit::Failed;

/// Without a message for this long the reading has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// With trouble for this long, too.
const PATIENCE_IN_TROUBLE: Duration = Duration::from_secs(6);
const POLL: Duration = Duration::from_millis(100);

/// The offsets of each partition that are read.
pub(crate) type Ranges = BTreeMap<i32, Range<i64>>;

impl Cluster {
    /// What these partitions of a topic hold now.
    pub(crate) fn ranges(
        &self,
        topic: &str,
        partitions: impl Iterator<Item = i32>,
    ) -> Result<Ranges, Failed> {
        let partitions: Vec<(String, i32)> =
            partitions.map(|partition| (topic.to_owned(), partition)).collect();
        let newest = self.offsets(&partitions, End::Newest)?;
        let oldest = self.offsets(&partitions, End::Oldest)?;
        let range = |((topic, partition), newest): ((String, i32), i64)| {
            let oldest = oldest.get(&(topic, partition)).copied().unwrap_or(newest);
            (partition, oldest..newest)
        };
        Ok(newest.into_iter().map(range).collect())
    }

    /// Gives each message of the ranges to `each`, those of a partition in their order, until it wants no more.
    pub(crate) fn scan(
        &self,
        topic: &str,
        ranges: &Ranges,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failed> {
        let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
        let mut assignment = TopicPartitionList::new();
        for (partition, range) in ranges.iter().filter(|(_, range)| !range.is_empty()) {
            ends.insert(*partition, range.end);
            // An offset of a range is never one that cannot be set.
            let _ = assignment.add_partition_offset(topic, *partition, Offset::Offset(range.start));
        }
        if ends.is_empty() {
            return Ok(());
        }
        let unusable = |error: KafkaError| self.trouble(code_of(&error), &error.to_string());
        let consumer: BaseConsumer<Listener> =
            self.reader().create_with_context(Listener::default()).map_err(unusable)?;
        consumer.assign(&assignment).map_err(unusable)?;
        let mut heard = Instant::now();
        while !ends.is_empty() {
            match consumer.poll(POLL) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(end) = ends.get(&partition).copied() else { continue };
                    if offset < end && each(&message).is_break() {
                        return Ok(());
                    }
                    if offset + 1 >= end {
                        ends.remove(&partition);
                    }
                }
                // Its last messages may be a transaction's own, or have been removed meanwhile.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    heard = Instant::now();
                    ends.remove(&partition);
                }
                Some(Err(error)) => consumer.context().note(code_of(&error), &error.to_string()),
                None => {}
            }
            self.still_heard(&consumer, heard.elapsed())?;
        }
        Ok(())
    }

    fn still_heard(&self, consumer: &BaseConsumer<Listener>, silence: Duration) -> Result<(), Failed> {
        if silence < PATIENCE_IN_TROUBLE {
            return Ok(());
        }
        match consumer.context().trouble() {
            Some((code, text)) => Err(self.trouble(code, &text)),
            None if silence < PATIENCE => Ok(()),
            None => Err(self.trouble(Code::OperationTimedOut, "no message came in time")),
        }
    }
}

fn code_of(error: &KafkaError) -> Code {
    error.rdkafka_error_code().unwrap_or(Code::Fail)
}

/// Remembers what the client met first.
#[derive(Default)]
struct Listener(Mutex<Option<(Code, String)>>);

impl Listener {
    fn note(&self, code: Code, text: &str) {
        // That all brokers are down says nothing of the reason.
        if code != Code::AllBrokersDown {
            let mut trouble = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            trouble.get_or_insert_with(|| (code, text.to_owned()));
        }
    }

    fn trouble(&self) -> Option<(Code, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Listener {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(code_of(&error), reason);
    }
}

impl ConsumerContext for Listener {}

#[cfg(test)]
mod tests {
    use rdkafka::{
        mocking::MockCluster,
        producer::{BaseProducer, BaseRecord, Producer},
    };

    use super::{super::tests::cluster, *};

    fn filled() -> (MockCluster<'static, rdkafka::producer::DefaultProducerContext>, Cluster) {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic("btc", 3, 1).unwrap();
        let cluster = cluster(&mock.bootstrap_servers(), None);
        let producer: BaseProducer = cluster.writer().create().unwrap();
        for n in 0..30 {
            let value = n.to_string();
            let record = BaseRecord::<(), str>::to("btc").partition(n % 2).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_secs(10)).unwrap();
        (mock, cluster)
    }

    fn values(cluster: &Cluster, ranges: &Ranges, most: usize) -> Vec<u32> {
        let mut values = Vec::new();
        let take = |message: &BorrowedMessage<'_>| {
            values.push(std::str::from_utf8(message.payload().unwrap()).unwrap().parse().unwrap());
            if values.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        cluster.scan("btc", ranges, take).unwrap();
        values.sort_unstable();
        values
    }

    #[test]
    fn everything_is_read_once_and_an_empty_partition_ends_at_once() {
        let (_mock, cluster) = filled();
        let ranges = cluster.ranges("btc", 0..3).unwrap();
        assert_eq!(ranges, Ranges::from([(0, 0..15), (1, 0..15), (2, 0..0)]));
        assert!(values(&cluster, &ranges, usize::MAX).into_iter().eq(0..30));
    }

    #[test]
    fn a_part_is_read_and_reading_ends_when_enough_was_seen() {
        let (_mock, cluster) = filled();
        assert_eq!(values(&cluster, &Ranges::from([(0, 3..5)]), usize::MAX), [6, 8]);
        assert_eq!(values(&cluster, &Ranges::from([(1, 0..15)]), 2), [1, 3]);
    }
}
