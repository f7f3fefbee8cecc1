//! What connections tell: metrics and log lines, each event in one place.

use std::time::Duration;

use pricepipe_core::{Exchange, Symbol};
use pricepipe_exchange::BadRecord;
use pricepipe_service::metrics::Metrics;
use prometheus::{IntCounterVec, IntGaugeVec};

use super::{Events, Outcome};
use crate::source::SourceError;

labels! {
    /// What a frame turned out to be.
    FrameKind {
        Data = "data",
        Control = "control",
        Unknown = "unknown",
        Malformed = "malformed",
        Binary = "binary",
        TooLarge = "too_large",
    }
}

labels! {
    /// Why a connection ended that was open.
    Loss {
        Closed = "closed",
        TooManyRequests = "too_many_requests",
        Broken = "broken",
        Silent = "silent",
        Unacknowledged = "unacknowledged",
        TooLarge = "too_large",
        Malformed = "malformed",
        Replaced = "replaced",
        Stopped = "stopped",
    }
}

/// The metrics of connections.
pub(super) struct StreamMetrics {
    connections: IntGaugeVec,
    connects: IntCounterVec,
    disconnects: IntCounterVec,
    frames: IntCounterVec,
    conflated: IntCounterVec,
    silence: IntGaugeVec,
}

impl StreamMetrics {
    pub(super) fn new(metrics: &Metrics<'_>) -> Self {
        let made = StreamMetrics {
            connections: metrics.gauges(
                "source_connections",
                "Connections to an exchange's streams whose subscriptions are acknowledged",
                &["exchange"],
            ),
            connects: metrics.counters(
                "source_connects_total",
                "Tries to connect to an exchange's streams and to subscribe, by how they ended",
                &["exchange", "outcome"],
            ),
            disconnects: metrics.counters(
                "source_disconnects_total",
                "Connections to an exchange's streams that ended, by reason",
                &["exchange", "reason"],
            ),
            frames: metrics.counters(
                "source_frames_total",
                "Frames that an exchange's streams brought, by what they were",
                &["exchange", "kind"],
            ),
            conflated: metrics.counters(
                "source_conflated_total",
                "Prices and quotes that were left out because a later one of their symbol came while Kafka was behind",
                &["exchange", "stream"],
            ),
            silence: metrics.gauges(
                "source_symbol_silence_seconds",
                "For how long a stream has brought nothing of a symbol",
                &["exchange", "symbol"],
            ),
        };
        metrics.values("source_connects_total", "outcome", Outcome::VALUES.iter().copied());
        metrics.values("source_disconnects_total", "reason", Loss::VALUES.iter().copied());
        metrics.values("source_frames_total", "kind", FrameKind::VALUES.iter().copied());
        made
    }
}

impl Events {
    /// A try to connect and to subscribe is over.
    pub(crate) fn connect_finished(&self, exchange: Exchange, error: Option<&SourceError>) {
        let outcome = match error {
            None => Outcome::Success,
            Some(error) => {
                tracing::debug!(%exchange, %error, "connecting failed");
                let Some(outcome) = error.outcome() else { return };
                outcome
            }
        };
        self.streams.connects.with_label_values(&[exchange.as_str(), outcome.as_str()]).inc();
    }

    /// A connection is subscribed to all of its markets.
    pub(crate) fn connection_live(&self, exchange: Exchange) {
        self.streams.connections.with_label_values(&[exchange.as_str()]).inc();
    }

    /// A connection ended that was open; `live` when it had been subscribed.
    pub(crate) fn connection_ended(&self, exchange: Exchange, number: u64, loss: Loss, live: bool) {
        tracing::debug!(%exchange, connection = number, reason = loss.as_str(), "a connection ended");
        self.streams.disconnects.with_label_values(&[exchange.as_str(), loss.as_str()]).inc();
        if live {
            self.streams.connections.with_label_values(&[exchange.as_str()]).dec();
        }
    }

    pub(crate) fn frame(&self, exchange: Exchange, kind: FrameKind) {
        self.streams.frames.with_label_values(&[exchange.as_str(), kind.as_str()]).inc();
    }

    /// An observation of a frame cannot be used.
    pub(crate) fn record_rejected(&self, exchange: Exchange, bad: &BadRecord) {
        self.rejected_records.with_label_values(&[exchange.as_str(), bad.reason()]).inc();
    }

    pub(crate) fn conflated(&self, exchange: Exchange, stream: &str, records: u64) {
        self.streams.conflated.with_label_values(&[exchange.as_str(), stream]).inc_by(records);
    }

    pub(crate) fn symbol_silent_for(&self, exchange: Exchange, symbol: &Symbol, silence: Duration) {
        let seconds = i64::try_from(silence.as_secs()).unwrap_or(i64::MAX);
        self.streams.silence.with_label_values(&[exchange.as_str(), symbol.as_str()]).set(seconds);
    }

    /// The exchange says of itself that it does not trade now.
    pub(crate) fn exchange_status(&self, exchange: Exchange, status: &str) {
        tracing::warn!(status, "{exchange} says that it does not trade as usual");
    }

    /// Two symbols of a source are names of one market.
    pub(crate) fn symbols_are_one(&self, exchange: Exchange, first: &Symbol, second: &Symbol) {
        tracing::warn!(
            "symbols {first} and {second} are one market of {exchange}; it is told as {first} alone"
        );
    }

    /// A subscription is refused, in the exchange's own words.
    pub(crate) fn subscription_refused(&self, exchange: Exchange, number: u64, reason: &str) {
        tracing::debug!(%exchange, connection = number, reason, "a subscription is refused");
    }
}
