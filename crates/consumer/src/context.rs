//! What librdkafka calls while it is polled. It only notes what happened; the intake acts on it after the poll.
//!
//! A rebalance too: librdkafka waits for the answer, so the intake can hand over what it holds, wait for it, commit
//! and only then let the partitions go, with no lock and nothing done inside of a callback.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use pricepipe_core::config::KafkaCredentials;
use rdkafka::{
    ClientContext, TopicPartitionList,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol},
    error::{KafkaError, RDKafkaErrorCode},
    types::RDKafkaRespErr,
};

use crate::{events::Events, routes::Routes, statistics::Statistics};

/// The context of one client.
pub(crate) struct Context {
    routes: Arc<Routes>,
    events: Arc<Events>,
    credentials: Option<KafkaCredentials>,
    news: Mutex<News>,
    has_news: AtomicBool,
    closing: AtomicBool,
}

/// What happened since the intake last asked.
#[derive(Default)]
pub(crate) struct News {
    /// Partitions that come or go, in order.
    pub(crate) rebalances: Vec<Rebalance>,
    /// The latest statistics.
    pub(crate) statistics: Option<Statistics>,
    /// What the client last complained about.
    pub(crate) trouble: Option<Trouble>,
}

/// A complaint of the client.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// In its words.
    pub(crate) text: String,
    /// True when it only says that nothing works, and not why.
    vague: bool,
}

impl Trouble {
    /// Becomes the complaint to show, unless the one before says more.
    pub(crate) fn take_over(self, shown: &mut Option<Trouble>) {
        if !self.vague || shown.as_ref().is_none_or(|shown| shown.vague) {
            *shown = Some(self);
        }
    }
}

/// A change that the client waits for us to confirm.
pub(crate) enum Rebalance {
    /// These partitions come.
    Assign(TopicPartitionList),
    /// These partitions go.
    Revoke(TopicPartitionList),
}

impl Context {
    /// The context of a new client.
    pub(crate) fn new(
        routes: Arc<Routes>,
        events: Arc<Events>,
        credentials: Option<KafkaCredentials>,
    ) -> Self {
        let (has_news, closing) = (AtomicBool::new(false), AtomicBool::new(false));
        Context { routes, events, credentials, news: Mutex::default(), has_news, closing }
    }

    /// What happened, if anything did. Costs next to nothing when nothing did.
    pub(crate) fn news(&self) -> Option<News> {
        self.has_news.swap(false, Relaxed).then(|| std::mem::take(&mut *self.lock()))
    }

    /// The client is about to be dropped: partitions are let go as soon as they are asked for.
    pub(crate) fn close(&self) {
        self.closing.store(true, Relaxed);
    }

    fn note(&self, change: impl FnOnce(&mut News)) {
        change(&mut self.lock());
        self.has_news.store(true, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// librdkafka's words, without the password should it ever be in there, and with the user who is refused.
    fn describe(&self, error: &KafkaError, reason: &str) -> String {
        let Some(credentials) = &self.credentials else { return format!("{reason} ({error})") };
        let reason = reason.replace(credentials.password.expose(), "***");
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => {
                format!("user {:?} is refused: {reason}", credentials.username)
            }
            _ => format!("{reason} ({error})"),
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        // A failed connection is also reported as an error, where the same is not told over and over.
        match level {
            _ if matches!(facility, "FAIL" | "ERROR") => tracing::debug!(facility, text, "librdkafka"),
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, text, "librdkafka"),
            _ => tracing::debug!(facility, text, "librdkafka"),
        }
    }

    fn stats_raw(&self, json: &[u8]) {
        match Statistics::parse(json, |topic| self.routes.topic(topic)) {
            Ok(statistics) => self.note(|news| news.statistics = Some(statistics)),
            Err(error) => tracing::error!(%error, "librdkafka's statistics cannot be read"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let (code, text) = (error.rdkafka_error_code(), self.describe(&error, reason));
        // Connections that end with the client are no trouble.
        if self.closing.load(Relaxed) {
            tracing::debug!(text, "Kafka, while closing");
            return;
        }
        self.events.kafka_trouble(&format!("{code:?}"), &text);
        let vague = code == Some(RDKafkaErrorCode::AllBrokersDown);
        self.note(|news| Trouble { text, vague }.take_over(&mut news.trouble));
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let assign = kind == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Relaxed) {
            // Nobody takes messages any more, so nothing is assigned either.
            let nothing = TopicPartitionList::new();
            confirm(consumer, assign, if assign { &nothing } else { partitions });
            return;
        }
        let partitions = partitions.clone();
        self.note(|news| {
            let rebalance = if assign { Rebalance::Assign } else { Rebalance::Revoke };
            news.rebalances.push(rebalance(partitions));
        });
    }
}

/// Tells the client that a change of the assignment is done with.
pub(crate) fn confirm(consumer: &BaseConsumer<Context>, assign: bool, partitions: &TopicPartitionList) {
    let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
    let confirmed = match (assign, cooperative) {
        (true, true) => consumer.incremental_assign(partitions),
        (true, false) => consumer.assign(partitions),
        (false, true) => consumer.incremental_unassign(partitions),
        (false, false) => consumer.unassign(),
    };
    if let Err(error) = confirmed {
        tracing::warn!(%error, assign, "the client does not take the assignment");
    }
}
