//! Writes messages that cannot be stored to the dead-letter topic, with their origin and the reason.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use pricepipe_core::{config::KafkaConnection, config::KafkaCredentials, names::TopicName};
use pricepipe_service::{Guard, kafka};
use rdkafka::{
    ClientConfig, ClientContext,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    message::{Header, OwnedHeaders},
    producer::{DeliveryFuture, FutureProducer, FutureRecord},
};
use tokio_util::sync::CancellationToken;

use crate::{batch::Record, events::Events, letter::header, sink::TopicId, writer::watched};

/// Values and keys are cut to these sizes, below the largest message that a topic takes by default.
const MAX_VALUE: usize = 900_000;
const MAX_KEY: usize = 32_768;
/// The text of a reason is cut to this many characters.
const MAX_DETAIL: usize = 500;

/// A message that cannot be stored, and why.
#[derive(Clone, Debug)]
pub(crate) struct DeadLetter<'a> {
    /// The message as it came.
    pub(crate) record: Record<'a>,
    /// Its topic.
    pub(crate) topic: &'a str,
    /// The topic's UUID, where it could be learned: with it a message without an id can be sent again and stored once.
    pub(crate) topic_id: TopicId,
    /// The reason, of a closed set.
    pub(crate) reason: &'static str,
    /// The reason in words.
    pub(crate) detail: String,
}

/// Why dead letters could not be written. Every kind is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeadLetterError {
    /// No client could be made.
    #[error("cannot create a producer: {0}")]
    Client(KafkaError),
    /// A letter was not taken by the client or the broker.
    #[error("{0}")]
    Refused(KafkaError),
    /// The client went away.
    #[error("the producer was closed")]
    Closed,
}

/// The dead-letter topic. Its producer is made with the first letter.
pub(crate) struct DeadLetters {
    topic: TopicName,
    pipeline: String,
    config: ClientConfig,
    producer: OnceLock<FutureProducer<Quiet>>,
    guard: Arc<Guard>,
    events: Arc<Events>,
}

/// Complaints of the producer are told by whoever waits for it.
struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(facility, text, "librdkafka, dead letters");
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "dead letters");
    }
}

impl DeadLetters {
    /// Nothing is connected yet.
    pub(crate) fn new(
        (topic, pipeline): (TopicName, String),
        (connection, credentials): (&KafkaConnection, Option<&KafkaCredentials>),
        guard: Arc<Guard>,
        events: Arc<Events>,
    ) -> Self {
        let mut config =
            kafka::producer(connection, credentials, &format!("pricepipe-{pipeline}-dead-letter"));
        // Unlike prices, letters can be given again by us, who then know that they were not taken.
        config.set("message.timeout.ms", "10000").set("statistics.interval.ms", "0");
        DeadLetters { topic, pipeline, config, producer: OnceLock::new(), guard, events }
    }

    /// Writes letters, however long it takes. Returns false when `abandon` ended it before all were written.
    pub(crate) async fn write(&self, letters: &[DeadLetter<'_>], abandon: &CancellationToken) -> bool {
        let mut waiting: Vec<(&DeadLetter<'_>, usize)> =
            letters.iter().map(|letter| (letter, MAX_VALUE)).collect();
        while !waiting.is_empty() {
            match self.try_write(&mut waiting).await {
                Ok(()) => self.guard.succeeded(),
                Err(error) => {
                    self.events.dead_letter_failed(self.topic.as_str(), &error.to_string());
                    let wait = self.guard.failed().max(Duration::from_millis(100));
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = abandon.cancelled() => return false,
                    }
                }
            }
        }
        true
    }

    /// One try. What was written is taken off `waiting`; what was too large is cut for the next try.
    async fn try_write(&self, waiting: &mut Vec<(&DeadLetter<'_>, usize)>) -> Result<(), DeadLetterError> {
        let producer = self.producer()?;
        let sent: Vec<_> = waiting.iter().map(|(letter, most)| self.send(producer, letter, *most)).collect();
        let mut failure = None;
        let (mut kept, mut counts) = (Vec::new(), BTreeMap::new());
        for ((letter, most), sent) in waiting.drain(..).zip(sent) {
            let slow = |waited| self.events.dead_letter_failed(self.topic.as_str(), &no_answer(waited));
            let delivered = match sent {
                Ok(delivery) => watched(delivered(delivery), slow).await,
                Err(error) => Err(DeadLetterError::Refused(error)),
            };
            match delivered {
                Ok(()) => *counts.entry(letter.reason).or_insert(0) += 1,
                Err(error) => {
                    kept.push((letter, if error.is_too_large() { most / 4 } else { most }));
                    failure = Some(error);
                }
            }
        }
        *waiting = kept;
        counts.into_iter().for_each(|(reason, count)| self.events.dead_lettered(reason, count));
        failure.map_or(Ok(()), Err)
    }

    fn send(
        &self,
        producer: &FutureProducer<Quiet>,
        letter: &DeadLetter<'_>,
        most: usize,
    ) -> Result<DeliveryFuture, KafkaError> {
        let (key, value) = (letter.record.key, letter.record.value);
        let mut record: FutureRecord<'_, [u8], [u8]> =
            FutureRecord::to(self.topic.as_str()).headers(self.headers(letter, most));
        record.key = key.map(|key| &key[..key.len().min(MAX_KEY)]);
        record.payload = value.map(|value| &value[..value.len().min(most)]);
        producer.send_result(record).map_err(|(error, _)| error)
    }

    fn headers(&self, letter: &DeadLetter<'_>, most: usize) -> OwnedHeaders {
        let record = &letter.record;
        let mut headers = vec![
            (header::REASON, letter.reason.to_owned()),
            (header::DETAIL, sanitized(&letter.detail)),
            (header::TOPIC, letter.topic.to_owned()),
            (header::PARTITION, record.place.partition.to_string()),
            (header::OFFSET, record.offset.to_string()),
            (header::PIPELINE, self.pipeline.clone()),
        ];
        headers.extend(letter.topic_id.as_ref().map(|id| (header::TOPIC_ID, id.to_string())));
        headers.extend(record.timestamp.map(|millis| (header::TIMESTAMP, millis.to_string())));
        let cut = |bytes: Option<&[u8]>, most| bytes.map(<[u8]>::len).filter(|length| *length > most);
        headers.extend(cut(record.value, most).map(|whole| (header::TRUNCATED, whole.to_string())));
        headers.extend(cut(record.key, MAX_KEY).map(|whole| (header::TRUNCATED_KEY, whole.to_string())));
        let insert = |made: OwnedHeaders, (key, value): (&str, String)| {
            made.insert(Header { key, value: Some(value.as_bytes()) })
        };
        headers.into_iter().fold(OwnedHeaders::new(), insert)
    }

    fn producer(&self) -> Result<&FutureProducer<Quiet>, DeadLetterError> {
        if self.producer.get().is_none() {
            let made = self.config.create_with_context(Quiet).map_err(DeadLetterError::Client)?;
            // Of two that were made at once one is enough.
            drop(self.producer.set(made));
        }
        self.producer.get().ok_or(DeadLetterError::Closed)
    }
}

impl DeadLetterError {
    fn is_too_large(&self) -> bool {
        let DeadLetterError::Refused(error) = self else { return false };
        error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
    }
}

async fn delivered(delivery: DeliveryFuture) -> Result<(), DeadLetterError> {
    match delivery.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err((error, _))) => Err(DeadLetterError::Refused(error)),
        Err(_) => Err(DeadLetterError::Closed),
    }
}

fn no_answer(waited: Duration) -> String {
    format!("no answer for {} s", waited.as_secs())
}

/// Without control characters, which have no place in a header, and not too long.
fn sanitized(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DETAIL).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_in_words_is_one_short_line() {
        let text = sanitized(&format!("line\nline\0{}", "x".repeat(10_000)));
        assert!(text.starts_with("line line x") && text.len() == MAX_DETAIL, "{text}");
    }
}
