//! Takes messages from one Kafka client into batches, hands the batches over, and commits what came back durable.
//!
//! Runs on a thread of its own and never waits without end. While no batch can be handed over it first waits a
//! little, since pausing throws away what the client has fetched ahead, and then pauses the partitions and goes on
//! polling: the group keeps a member that polls, however long the store is away.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pricepipe_core::config::BatchConfig;
use pricepipe_service::health::Heartbeat;
use rdkafka::{Message, consumer::Consumer, error::KafkaError, message::BorrowedMessage};

use crate::{
    assignment::{Assignment, Place},
    batch::{Batch, Batches, Decoded, Record, Run},
    client::Client,
    commit::Commits,
    context::{News, Trouble},
    events::Events,
    progress::Ends,
    promise::Promise,
    routes::Routes,
    run::Stop,
    sink::{Sink, TopicId, decode},
    topic_watch::TopicWatch,
    watchdog::Watchdog,
    writer::{Report, Writers},
};

/// The longest wait for a message; the least often that the rest is looked after.
const MAX_WAIT: Duration = Duration::from_millis(100);
/// The shortest wait, as when a batch is due and waits for a writer.
const MIN_WAIT: Duration = Duration::from_millis(1);
/// How long to wait for a writer before the partitions are paused.
const WAIT_BEFORE_PAUSE: Duration = Duration::from_millis(500);
/// Offsets are committed about this often.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How long what is under way may take when partitions are revoked. Heartbeats go on meanwhile, and the group waits
/// for up to `max.poll.interval.ms`.
pub(crate) const REVOKE_DRAIN: Duration = Duration::from_secs(20);

/// Why an intake ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It was told to.
    Stopped,
    /// The client is of no use any more.
    Restart(String),
}

/// The work on one client.
pub(crate) struct Intake {
    pub(crate) assignment: Assignment,
    pub(crate) routes: Arc<Routes>,
    pub(crate) events: Arc<Events>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) watchdog: Watchdog,
    /// What the client last complained about.
    pub(crate) trouble: Option<Trouble>,
    pub(crate) paused: bool,
    pub(crate) ends: Ends,
    pub(crate) commits: Commits,
    pub(crate) topics: TopicWatch,
    batches: Batches,
    writers: Writers,
    stop: Stop,
    promise: Promise,
    heartbeat: Heartbeat,
    max_age: Duration,
    topic_ids: Vec<Option<TopicId>>,
    last_topic: usize,
    /// True when nothing more may be taken before a batch is handed over.
    pressing: bool,
    gave_up: bool,
    consumed: u64,
    now: Instant,
    next_tick: Instant,
    last_commit: Instant,
}

impl Intake {
    /// Ready for a first client.
    pub(crate) fn new(
        (sink, writers): (Arc<Sink>, Writers),
        batch: BatchConfig,
        (stop, promise): (Stop, Promise),
        heartbeat: Heartbeat,
    ) -> Self {
        let now = Instant::now();
        let (routes, events) = (Arc::clone(&sink.routes), Arc::clone(&sink.events));
        Intake {
            assignment: Assignment::default(),
            batches: Batches::new(routes.collections().len(), batch),
            topic_ids: vec![None; routes.topic_names().count()],
            routes,
            events,
            sink,
            watchdog: Watchdog::new(now),
            trouble: None,
            paused: false,
            ends: Ends::default(),
            commits: Commits::default(),
            topics: TopicWatch::default(),
            writers,
            stop,
            promise,
            heartbeat,
            max_age: Duration::from_millis(batch.max_millis.into()),
            last_topic: 0,
            pressing: false,
            gave_up: false,
            consumed: 0,
            now,
            next_tick: now,
            last_commit: now,
        }
    }

    /// Works on a client until told to stop or until the client is of no use any more.
    pub(crate) fn run(&mut self, client: &Client) -> End {
        self.reset();
        loop {
            let idle = match client.poll(self.next_tick.saturating_duration_since(self.now)) {
                Some(Ok(message)) => {
                    self.take(&message);
                    false
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return End::Restart(format!("the client failed for good: {code}"));
                }
                // Other errors were told already, by the context, and pass.
                Some(Err(_)) | None => true,
            };
            self.now = Instant::now();
            if let Some(news) = client.context().news() {
                self.learn(client, news);
            }
            if self.pressing && !self.paused {
                self.relieve(client);
            }
            if (idle || self.now >= self.next_tick)
                && let Some(end) = self.tick(client)
            {
                return end;
            }
        }
    }

    /// A new client knows nothing of what the one before it gave: that will be read again.
    fn reset(&mut self) {
        let places: Vec<Place> = self.assignment.places().collect();
        places.into_iter().for_each(|place| self.forget(place));
        self.batches.clear();
        self.now = Instant::now();
        self.watchdog = Watchdog::new(self.now);
        (self.paused, self.pressing, self.gave_up, self.trouble) = (false, false, false, None);
        (self.ends, self.commits) = (Ends::default(), Commits::default());
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let Some(topic) = self.topic(message.topic()) else { return };
        let place = Place { topic, partition: message.partition() };
        let Some(taken) = self.assignment.take(place, message.offset()) else { return };
        if taken.restarted {
            self.events.offsets_restarted(message.topic(), place.partition, message.offset());
            self.forget_topic_id(topic);
        }
        let record = Record {
            place,
            offset: message.offset(),
            timestamp: message.timestamp().to_millis(),
            key: message.key(),
            value: message.payload(),
        };
        let decoded = decode(record, self.topic_ids[topic].as_ref().and_then(|id| id.as_deref()));
        if matches!(decoded, Decoded::Unnamed) {
            self.topic_ids[topic] = self.sink.topic_ids.known(topic);
        }
        self.consumed += 1;
        self.next_tick = self.next_tick.min(self.now + self.max_age);
        self.pressing |= self.batches.push(self.routes.collection(topic), taken.tenure, record, decoded);
    }

    /// Mostly the topic of the message before.
    fn topic(&mut self, name: &str) -> Option<usize> {
        if self.routes.topic_name(self.last_topic) != name {
            self.last_topic = self.routes.topic(name)?;
        }
        Some(self.last_topic)
    }

    /// Looks after everything that is due by the clock.
    fn tick(&mut self, client: &Client) -> Option<End> {
        self.count();
        while let Some(report) = self.writers.report() {
            self.settle(report);
        }
        self.hand_over();
        self.resume(client);
        // A broken promise is broken at once, so that a test need not be lucky to see it.
        let broken = self.promise != Promise::Kept;
        if broken || self.now.saturating_duration_since(self.last_commit) >= COMMIT_EVERY {
            self.last_commit = self.now;
            self.heartbeat.beat();
            self.commit(client);
            self.commit_starts(client);
            self.watch_topics(client);
        }
        let due = self.batches.next_deadline(self.now).unwrap_or(MAX_WAIT);
        self.next_tick = self.now + due.clamp(MIN_WAIT, MAX_WAIT);
        self.end(client)
    }

    fn end(&mut self, client: &Client) -> Option<End> {
        if self.stop.now.is_cancelled() {
            return Some(End::Stopped);
        }
        if self.gave_up {
            return Some(End::Restart("a batch was given up; it is read again".to_owned()));
        }
        if let Some(reason) = self.watchdog.verdict(self.now) {
            return Some(End::Restart(reason.to_owned()));
        }
        (self.stop.when_drained.is_cancelled() && self.has_reached_the_end(client)).then_some(End::Stopped)
    }

    fn count(&mut self) {
        if self.consumed > 0 {
            self.watchdog.message();
            self.events.consumed(std::mem::take(&mut self.consumed));
        }
    }

    fn settle(&mut self, report: Report) {
        if !report.durable {
            self.gave_up = true;
            return;
        }
        report.sealed.into_iter().for_each(|sealed| self.assignment.done(sealed));
    }

    /// Hands over every batch that is due, as far as there are writers.
    fn hand_over(&mut self) {
        while let Some(messages) = self.batches.next_len(self.now)
            && self.writers.has_room(messages)
            && let Some(batch) = self.batches.next(self.now)
        {
            self.submit(batch);
        }
        self.pressing = self.batches.is_pressing();
    }

    fn submit(&mut self, batch: Batch) {
        let seal = |run: &Run| self.assignment.seal(run.tenure, run.last_offset);
        let sealed: Vec<_> = batch.runs.iter().filter_map(seal).collect();
        if self.promise != Promise::Kept {
            sealed.iter().for_each(|sealed| self.assignment.done(*sealed));
        }
        self.writers.submit(batch, sealed);
    }

    /// Makes room for more messages: by a short wait, else by a pause.
    fn relieve(&mut self, client: &Client) {
        let deadline = self.now + WAIT_BEFORE_PAUSE;
        while let Some(report) = self.writers.report() {
            self.settle(report);
        }
        self.hand_over();
        while self.pressing {
            let Some(report) = self.writers.wait(deadline.saturating_duration_since(Instant::now())) else {
                return self.pause(client);
            };
            self.settle(report);
            self.hand_over();
        }
    }

    fn pause(&mut self, client: &Client) {
        let paused = client.assignment().and_then(|partitions| client.pause(&partitions));
        match paused {
            Ok(()) => self.paused = true,
            Err(error) => tracing::warn!(%error, "partitions cannot be paused; trying again"),
        }
    }

    fn resume(&mut self, client: &Client) {
        if !self.paused || self.pressing {
            return;
        }
        match client.assignment().and_then(|partitions| client.resume(&partitions)) {
            Ok(()) => self.paused = false,
            Err(error) => tracing::warn!(%error, "partitions cannot be resumed; trying again"),
        }
    }

    /// Hands everything over, due or not, and waits until `enough` of it is durable. False when it took too long.
    pub(crate) fn drain(&mut self, patience: Duration, enough: impl Fn(&Assignment) -> bool) -> bool {
        let deadline = Instant::now() + patience;
        loop {
            while self.writers.has_room(0)
                && let Some(batch) = self.batches.any()
            {
                self.submit(batch);
            }
            if enough(&self.assignment) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.writers.is_idle() {
                return false;
            }
            if let Some(report) = self.writers.wait(left.min(Duration::from_secs(1))) {
                self.settle(report);
            }
            self.heartbeat.beat();
        }
    }

    /// Nothing more is taken: what was taken becomes durable and is committed, as far as the time allows.
    pub(crate) fn finish(&mut self, client: &Client, patience: Duration) {
        self.events.stopping();
        self.count();
        if !self.drain(patience, Assignment::is_drained) {
            tracing::warn!(
                "not everything could be stored in time; its offsets are not committed, so it is read again as long as Kafka keeps it"
            );
        }
        self.sink.abandon.cancel();
        self.commit_now(client);
        self.heartbeat.end();
    }

    /// The partition is not ours any more.
    pub(crate) fn forget(&mut self, place: Place) {
        self.assignment.forget(place);
        self.events.lag(self.routes.topic_name(place.topic), place.partition, None);
    }

    /// A topic may be another one than before.
    pub(crate) fn forget_topic_id(&mut self, topic: usize) {
        self.topic_ids[topic] = None;
        self.sink.topic_ids.forget(topic);
    }

    fn learn(&mut self, client: &Client, news: News) {
        for rebalance in news.rebalances {
            self.rebalance(client, rebalance);
        }
        if let Some(trouble) = news.trouble {
            trouble.take_over(&mut self.trouble);
        }
        if let Some(statistics) = news.statistics {
            self.learn_statistics(&statistics);
        }
    }
}
