//! Reads a topic backwards from where it ends, part by part. Network I/O; blocks.

use std::{
    collections::BTreeMap,
    ops::Range,
    time::{Duration, Instant},
};

use rdkafka::{
    Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Message},
};
use tokio_util::sync::CancellationToken;

const POLL: Duration = Duration::from_millis(100);

/// What is still unread of a topic: of each partition what lies before that which was read.
pub(crate) struct Tail<'a> {
    consumer: &'a BaseConsumer,
    topic: &'a str,
    /// How long each answer, and the next message, may be in coming.
    patience: Duration,
    stop: &'a CancellationToken,
    unread: BTreeMap<i32, Range<i64>>,
}

impl<'a> Tail<'a> {
    /// A topic as it is now; nothing when it does not exist.
    pub(crate) fn of(
        consumer: &'a BaseConsumer,
        topic: &'a str,
        patience: Duration,
        stop: &'a CancellationToken,
    ) -> Result<Option<Self>, KafkaError> {
        let metadata = consumer.fetch_metadata(Some(topic), patience)?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
            return Ok(None);
        };
        match found.error().map(RDKafkaErrorCode::from) {
            // Nothing was sent to it yet.
            Some(RDKafkaErrorCode::UnknownTopicOrPartition) => return Ok(None),
            Some(code) => return Err(KafkaError::MetadataFetch(code)),
            None => {}
        }
        let mut unread = BTreeMap::new();
        for partition in found.partitions() {
            let (low, high) = consumer.fetch_watermarks(topic, partition.id(), patience)?;
            unread.insert(partition.id(), low..high);
        }
        Ok(Some(Tail { consumer, topic, patience, stop, unread }))
    }

    /// Reads the last so many offsets of each partition that are still unread, those of a partition in their order.
    /// False when nothing was left to read, or when told to stop.
    pub(crate) fn read_back(
        &mut self,
        count: i64,
        mut each: impl FnMut(&BorrowedMessage<'_>) -> Option<()>,
    ) -> Result<bool, KafkaError> {
        let mut ends = BTreeMap::new();
        let mut assignment = TopicPartitionList::new();
        for (partition, unread) in self.unread.iter_mut().filter(|(_, unread)| !unread.is_empty()) {
            let start = unread.start.max(unread.end.saturating_sub(count));
            ends.insert(*partition, unread.end);
            assignment.add_partition_offset(self.topic, *partition, Offset::Offset(start))?;
            unread.end = start;
        }
        if ends.is_empty() {
            return Ok(false);
        }
        self.consumer.assign(&assignment)?;
        let mut heard = Instant::now();
        while !ends.is_empty() {
            if self.stop.is_cancelled() {
                return Ok(false);
            }
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    heard = Instant::now();
                    let (partition, offset) = (message.partition(), message.offset());
                    let Some(end) = ends.get(&partition).copied() else { continue };
                    if offset < end {
                        let _ = each(&message);
                    }
                    if offset + 1 >= end {
                        ends.remove(&partition);
                    }
                }
                // Its last messages may have been removed meanwhile.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    heard = Instant::now();
                    ends.remove(&partition);
                }
                Some(Err(error)) if heard.elapsed() > self.patience => return Err(error),
                None if heard.elapsed() > self.patience => {
                    return Err(KafkaError::MessageConsumption(RDKafkaErrorCode::OperationTimedOut));
                }
                Some(Err(_)) | None => {}
            }
        }
        self.consumer.assign(&TopicPartitionList::new())?;
        Ok(true)
    }
}
