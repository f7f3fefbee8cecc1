//! What the Kafka client calls back: delivery reports, errors, log lines.

use std::{sync::Arc, time::Instant};

use rdkafka::{
    ClientContext, Message,
    config::RDKafkaLogLevel,
    error::{KafkaError, RDKafkaErrorCode},
    producer::{DeliveryResult, ProducerContext},
};

use super::Shared;
use crate::{ledger::Record, route::Route};

/// Travels with a message through the client.
pub(super) struct Ticket {
    pub(super) number: u64,
    pub(super) accepted: Instant,
    pub(super) route: Arc<Route>,
}

/// Receives the client's calls.
pub(super) struct Reports(pub(super) Arc<Shared>);

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(?level, facility, message, "librdkafka");
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(code) = error.rdkafka_error_code() {
            self.0.complain(code, reason);
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let Ticket { number, accepted, route } = *ticket;
        match result {
            Ok(_) => self.0.delivered(number, accepted, &route),
            Err((error, message)) => {
                let payload = message.payload().unwrap_or_default().to_vec();
                self.0.came_back(Record { number, accepted, route, payload }, error);
            }
        }
    }
}

impl Shared {
    fn delivered(&self, number: u64, accepted: Instant, route: &Route) {
        let now = Instant::now();
        self.ledger().delivered(number, now);
        let mut signals = self.signals();
        signals.delivered = true;
        signals.complaint = None;
        drop(signals);
        self.guard.succeeded();
        self.events.delivered(route, now.saturating_duration_since(accepted));
    }

    /// A message was not taken: it is dropped when it never will be, else kept to be sent again.
    pub(super) fn came_back(&self, record: Record, error: &KafkaError) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        if is_permanent(code) {
            self.ledger().forget(record.number);
            self.events.rejected(&record.route, &in_words(code));
            return;
        }
        self.events.retried(&record.route);
        if !is_our_own_doing(code) {
            self.complain(code, &format!("topic {}: {}", record.route.topic, in_words(code)));
            self.signals().came_back = true;
        }
        self.ledger().hold(record);
    }

    /// Remembers what the client complains of. That all brokers are down says less than what was said before it.
    fn complain(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut signals = self.signals();
        if code == RDKafkaErrorCode::AllBrokersDown && signals.complaint.is_some() {
            return;
        }
        let text = match (code, &self.username) {
            (RDKafkaErrorCode::Authentication, Some(user)) => {
                format!("authentication failed for user {user}: {reason}")
            }
            _ => reason.to_owned(),
        };
        signals.complaint = Some((code, text));
    }
}

/// What a code means, without its name: `UnknownTopic (Local: Unknown topic)` is `Unknown topic`.
pub(super) fn in_words(code: RDKafkaErrorCode) -> String {
    let text = code.to_string();
    let inner = text.split_once(" (").and_then(|(_, rest)| rest.strip_suffix(')'));
    let words = inner.map(|inner| inner.split_once(": ").map_or(inner, |(_, words)| words));
    words.map_or_else(|| text.clone(), str::to_owned)
}

/// True when this very message will never be taken, whatever else changes.
fn is_permanent(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::*;
    matches!(
        code,
        MessageSizeTooLarge | MessageBatchTooLarge | InvalidMessageSize | InvalidTimestamp | InvalidRecord
    )
}

/// True when it came back because we put an end to its client.
fn is_our_own_doing(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_told_in_words() {
        assert_eq!(in_words(RDKafkaErrorCode::UnknownTopic), "Unknown topic");
        assert_eq!(in_words(RDKafkaErrorCode::UnknownTopicOrPartition), "Unknown topic or partition");
    }
}
