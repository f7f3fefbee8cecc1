//! What happens in the consumer, told in one place: log line, metric and readiness together.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use pricepipe_core::{Details, PriceMessage};
use pricepipe_service::{Process, clock, health::Condition, metrics::Metrics};
use pricepipe_store::{StoreError, StoreErrorKind, Written};
use prometheus::{Histogram, IntCounterVec, IntGaugeVec};

use crate::{letter, repetition::Repetition, run::Summary};

const BATCH_BUCKETS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0];
const WRITE_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
const AGE_BUCKETS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// Trouble of one kind with Kafka or the store is told again after this long.
const REPEAT: Duration = Duration::from_secs(30);

/// The reason of a dead letter that the store refused.
pub(crate) const REJECTED_BY_STORE: &str = "rejected_by_store";

/// What became of a document.
const INSERTED: &str = "inserted";
const DUPLICATE: &str = "duplicate";
const REJECTED: &str = "rejected";

/// Metrics, counters and conditions of one consumer.
pub(crate) struct Events {
    kafka: Condition,
    store: Condition,
    dead_letter: Condition,
    topic_id: Condition,
    lag: IntGaugeVec,
    batch_documents: Histogram,
    write_duration: Histogram,
    documents: IntCounterVec,
    dead_letters: IntCounterVec,
    price_age: Histogram,
    totals: Totals,
    kafka_troubles: Mutex<Repetition>,
    store_troubles: Mutex<Repetition>,
}

#[derive(Default)]
struct Totals {
    consumed: AtomicU64,
    stored: AtomicU64,
    duplicates: AtomicU64,
    dead_letters: AtomicU64,
}

impl Events {
    /// Registers the metrics and the conditions of a consumer.
    pub(crate) fn new(process: &Process) -> Self {
        let metrics = Metrics(&process.registry);
        let condition = |name| process.health.condition(name);
        let (dead_letter, topic_id) = (condition("dead-letter"), condition("topic-id"));
        // Neither is asked for anything unless there is a need.
        [&dead_letter, &topic_id].into_iter().for_each(Condition::ready);
        let events = Events {
            kafka: condition("kafka"),
            store: condition("store"),
            dead_letter,
            topic_id,
            lag: metrics.gauges(
                "consumer_lag_messages",
                "Messages of a partition that are not stored yet; absent when unknown",
                &["topic", "partition"],
            ),
            batch_documents: metrics.histogram(
                "sink_batch_documents",
                "Documents of one write",
                BATCH_BUCKETS,
            ),
            write_duration: metrics.histogram(
                "sink_write_duration_seconds",
                "Duration of one write to the store",
                WRITE_BUCKETS,
            ),
            documents: metrics.counters(
                "sink_documents_total",
                "Documents by what the store did with them: inserted, duplicate or rejected",
                &["collection", "outcome"],
            ),
            dead_letters: metrics.counters(
                "dead_letters_total",
                "Messages in the dead-letter topic, by reason",
                &["reason"],
            ),
            price_age: metrics.histogram(
                "price_age_seconds",
                "Time from the event at the exchange until it was stored",
                AGE_BUCKETS,
            ),
            totals: Totals::default(),
            kafka_troubles: Mutex::default(),
            store_troubles: Mutex::default(),
        };
        metrics.values("sink_documents_total", "outcome", [INSERTED, DUPLICATE, REJECTED]);
        metrics.values("dead_letters_total", "reason", letter::reasons());
        events
    }

    /// Messages arrived. Counted many at a time.
    pub(crate) fn consumed(&self, messages: u64) {
        self.totals.consumed.fetch_add(messages, Relaxed);
    }

    /// A write succeeded.
    pub(crate) fn written(
        &self,
        collection: &str,
        batch: &[PriceMessage],
        written: &Written,
        took: Duration,
    ) {
        self.store_answers();
        self.batch_documents.observe(batch.len() as f64);
        self.write_duration.observe(took.as_secs_f64());
        let rejected = written.rejected.len() as u64;
        for (outcome, count) in
            [(INSERTED, written.inserted), (DUPLICATE, written.duplicates), (REJECTED, rejected)]
        {
            self.documents.with_label_values(&[collection, outcome]).inc_by(count);
        }
        self.totals.stored.fetch_add(written.inserted, Relaxed);
        self.totals.duplicates.fetch_add(written.duplicates, Relaxed);
        // The age of what was there already says nothing about this pipeline.
        if written.inserted > 0 {
            let (now, ages) = (clock::now().as_secs_f64(), self.price_age.local());
            let happened = batch.iter().filter_map(happened);
            happened.for_each(|happened| ages.observe((now - happened).max(0.0)));
        }
    }

    /// A write, the preparation or a ping failed; it is tried again. The condition always has the latest words; the log
    /// has a line once in a while, or one alone for what needs somebody's decision.
    pub(crate) fn store_failed(&self, step: &str, error: &StoreError) {
        let (text, kind, now) = (error.to_string(), error.kind.as_str(), Instant::now());
        if error.kind == StoreErrorKind::Conflict {
            if lock(&self.store_troubles).is_due(&text, None, now) {
                let what = "the store is set up in a way that needs somebody's decision; trying on";
                tracing::error!(step, error = text, "{what}");
            }
        } else if lock(&self.store_troubles).is_due(kind, Some(REPEAT), now) {
            tracing::warn!(step, error = text, kind, "the store failed; trying again");
        }
        self.store.not_ready(text);
    }

    /// The store has not answered for long.
    pub(crate) fn store_hangs(&self, waited: Duration) {
        tracing::warn!(seconds = waited.as_secs(), "the store has not answered; still waiting");
        self.store.not_ready(format!("no answer for {} s", waited.as_secs()));
    }

    /// The store answered.
    pub(crate) fn store_answers(&self) {
        lock(&self.store_troubles).forget();
        self.store.ready();
    }

    /// Messages are in the dead-letter topic.
    pub(crate) fn dead_lettered(&self, reason: &str, count: u64) {
        self.dead_letter.ready();
        self.dead_letters.with_label_values(&[reason]).inc_by(count);
        self.totals.dead_letters.fetch_add(count, Relaxed);
        tracing::warn!(reason, count, "messages that cannot be stored are in the dead-letter topic");
    }

    /// The dead-letter topic cannot be written; the partitions in question wait.
    pub(crate) fn dead_letter_failed(&self, topic: &str, problem: &str) {
        tracing::error!(
            topic,
            problem,
            "cannot write dead letters; their partitions wait, nothing is skipped"
        );
        self.dead_letter.not_ready(format!("{topic}: {problem}"));
    }

    /// A topic's UUID is not known; its plain messages wait.
    pub(crate) fn topic_id_failed(&self, problem: &str) {
        tracing::warn!(problem, "messages without an id wait until the topic's id is known");
        self.topic_id.not_ready(problem);
    }

    /// A topic's UUID is known.
    pub(crate) fn topic_id_known(&self) {
        self.topic_id.ready();
    }

    /// The consumer is a member of the group and a broker is reached.
    pub(crate) fn kafka_ready(&self) {
        self.kafka.ready();
    }

    /// Kafka is not at hand.
    pub(crate) fn kafka_not_ready(&self, reason: &str) {
        self.kafka.not_ready(reason);
    }

    /// Kafka reported trouble. Trouble of one kind is told once in a while.
    pub(crate) fn kafka_trouble(&self, kind: &str, problem: &str) {
        if lock(&self.kafka_troubles).is_due(kind, Some(REPEAT), Instant::now()) {
            tracing::warn!(problem, "Kafka");
        }
    }

    /// The client is replaced.
    pub(crate) fn client_restarts(&self, reason: &str) {
        tracing::error!(reason, "the Kafka client is closed and made anew");
        self.kafka.not_ready(reason);
    }

    /// Partitions came or went.
    pub(crate) fn rebalanced(&self, what: &str, partitions: &[String]) {
        tracing::info!(partitions = partitions.join(" "), "partitions {what}");
    }

    /// Offsets of a partition start again.
    pub(crate) fn offsets_restarted(&self, topic: &str, partition: i32, offset: i64) {
        tracing::error!(
            topic,
            partition,
            offset,
            "offsets start again: the topic was created anew, or the group was reset; reading on from there"
        );
    }

    /// A topic is another one under the same name.
    pub(crate) fn topic_created_anew(&self, topic: &str) {
        tracing::error!(topic, "the topic was deleted and created anew; reading it from its beginning");
    }

    /// Offsets were not committed; they will be.
    pub(crate) fn commit_failed(&self, problem: &str) {
        tracing::warn!(problem, "offsets were not committed; what is read twice is stored once");
    }

    /// The lag of a partition; `None` when it is not known or not ours any more.
    pub(crate) fn lag(&self, topic: &str, partition: i32, lag: Option<u64>) {
        let labels = [topic, &partition.to_string()];
        match lag {
            Some(lag) => {
                self.lag.with_label_values(&labels).set(i64::try_from(lag).unwrap_or(i64::MAX));
            }
            // An error means that it is absent already.
            None => {
                let _ = self.lag.remove_label_values(&labels);
            }
        }
    }

    /// The consumer stops taking messages.
    pub(crate) fn stopping(&self) {
        tracing::info!("stopping: what was taken is stored and committed first");
        self.kafka.not_ready("stopping");
    }

    /// What was done so far.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            consumed: self.totals.consumed.load(Relaxed),
            stored: self.totals.stored.load(Relaxed),
            duplicates: self.totals.duplicates.load(Relaxed),
            dead_letters: self.totals.dead_letters.load(Relaxed),
        }
    }
}

/// When it was over what a message tells, in seconds; none of a candle that may change yet.
fn happened(message: &PriceMessage) -> Option<f64> {
    let time = message.time.as_secs_f64();
    match &message.details {
        Details::Kline(kline) => {
            let length = kline.interval.as_millis().filter(|_| kline.closed)?;
            Some(time + length as f64 / 1_000.0)
        }
        Details::Price | Details::Trade(_) | Details::Quote(_) => Some(time),
    }
}

fn lock(troubles: &Mutex<Repetition>) -> MutexGuard<'_, Repetition> {
    troubles.lock().unwrap_or_else(PoisonError::into_inner)
}
