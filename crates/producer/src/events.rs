//! Everything that the producer tells: metrics and log lines, each event in one place.

use std::{sync::Arc, time::Duration};

use pricepipe_core::{Exchange, Price, Symbol, Timestamp};
use pricepipe_exchange::BadRecord;
use pricepipe_service::metrics::{Metrics, Registry};
use prometheus::{Histogram, IntCounterVec, IntGaugeVec};

use crate::{observations::Observations, route::Route, source::SourceError};

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $name { $($variant),+ }

        impl $name {
            /// Every value of the label.
            pub(crate) const VALUES: &'static [&'static str] = &[$($text),+];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
        }
    };
}

mod gaps;
mod streams;

use gaps::GapMetrics;
pub(crate) use gaps::Sorted;
use streams::StreamMetrics;
pub(crate) use streams::{FrameKind, Loss};

labels! {
    /// How a request ended.
    Outcome {
        Success = "success",
        Timeout = "timeout",
        Unreachable = "unreachable",
        Interrupted = "interrupted",
        Unavailable = "unavailable",
        Forbidden = "forbidden",
        UnexpectedStatus = "unexpected_status",
        Malformed = "malformed",
        TooLarge = "too_large",
        RateLimited = "rate_limited",
        Banned = "banned",
        GeoBlocked = "geo_blocked",
        UnknownSymbol = "unknown_symbol",
        Refused = "refused",
    }
}

labels! {
    /// Why a slot brought no price, or not all of them.
    SkipReason {
        RequestUnderWay = "request_under_way",
        RequestFailed = "request_failed",
        ExchangeUnavailable = "exchange_unavailable",
        RateLimited = "rate_limited",
        GeoBlocked = "geo_blocked",
        WeightBudget = "weight_budget",
        UnknownSymbols = "unknown_symbols",
        KafkaUnavailable = "kafka_unavailable",
        KafkaQueueFull = "kafka_queue_full",
        ClockSteppedBack = "clock_stepped_back",
        Late = "late",
    }
}

labels! {
    /// Why a symbol's price could not be used.
    Rejection {
        NotANumber = "not_a_number",
        NotPositive = "not_positive",
        TooPrecise = "too_precise",
        Missing = "missing",
        UnknownSymbol = "unknown_symbol",
        Refused = "refused",
    }
}

labels! {
    /// What became of a message.
    Delivery {
        Delivered = "delivered",
        Retried = "retried",
        Rejected = "rejected",
        Refused = "refused",
    }
}

/// The closed sets of the labels below.
const LABEL_VALUES: &[(&str, &str, &[&str])] = &[
    ("source_requests_total", "outcome", Outcome::VALUES),
    ("source_slots_skipped_total", "reason", SkipReason::VALUES),
    ("source_rejected_prices_total", "reason", Rejection::VALUES),
    ("source_rejected_records_total", "reason", BadRecord::REASONS),
    ("produced_messages_total", "outcome", Delivery::VALUES),
];

const REQUEST_SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
const PRODUCE_SECONDS: &[f64] =
    &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0];

/// Where events go.
pub(crate) struct Events {
    observations: Arc<Observations>,
    requests: IntCounterVec,
    request_seconds: Histogram,
    used_weight: IntGaugeVec,
    interval: prometheus::GaugeVec,
    skipped: IntCounterVec,
    rejected: IntCounterVec,
    replay_progress: prometheus::GaugeVec,
    rejected_records: IntCounterVec,
    price: prometheus::GaugeVec,
    price_time: prometheus::GaugeVec,
    produced: IntCounterVec,
    produce_seconds: Histogram,
    streams: StreamMetrics,
    gaps: GapMetrics,
}

impl Events {
    pub(crate) fn new(registry: &Registry, observations: Arc<Observations>) -> Self {
        let metrics = Metrics(registry);
        let events = Events {
            observations,
            requests: metrics.counters(
                "source_requests_total",
                "Requests to an exchange, by how they ended",
                &["exchange", "outcome"],
            ),
            request_seconds: metrics.histogram(
                "source_request_duration_seconds",
                "From a request to the end of its answer",
                REQUEST_SECONDS,
            ),
            used_weight: metrics.gauges(
                "source_used_weight",
                "Request weight used in the present minute, by our count or the exchange's",
                &["exchange"],
            ),
            interval: metrics.float_gauges(
                "source_interval_seconds",
                "How often prices are asked for; the longest pause where an exchange is asked by several sources",
                &["exchange"],
            ),
            skipped: metrics.counters(
                "source_slots_skipped_total",
                "Poll slots that brought no price or not all of them, by reason",
                &["reason"],
            ),
            rejected: metrics.counters(
                "source_rejected_prices_total",
                "Prices that were asked for and could not be used, by reason",
                &["exchange", "reason"],
            ),
            replay_progress: metrics.float_gauges(
                "source_replay_progress_ratio",
                "How much of the time that is replayed is behind, from 0 to 1",
                &["exchange", "symbol"],
            ),
            rejected_records: metrics.counters(
                "source_rejected_records_total",
                "Observations of streams and of history that cannot be used, by reason",
                &["exchange", "reason"],
            ),
            price: metrics.float_gauges("price", "The last price", &["exchange", "symbol"]),
            price_time: metrics.float_gauges(
                "last_price_timestamp_seconds",
                "When the last price arrived",
                &["exchange", "symbol"],
            ),
            produced: metrics.counters(
                "produced_messages_total",
                "Messages for Kafka, by what became of them",
                &["topic", "outcome"],
            ),
            produce_seconds: metrics.histogram(
                "produce_duration_seconds",
                "From a message's acceptance to Kafka's acknowledgement",
                PRODUCE_SECONDS,
            ),
            streams: StreamMetrics::new(&metrics),
            gaps: GapMetrics::new(&metrics),
        };
        for (name, label, values) in LABEL_VALUES {
            metrics.values(name, label, values.iter().copied());
        }
        events
    }

    /// A source will ask so often.
    pub(crate) fn source_begins(&self, exchange: Exchange, interval: Duration) {
        let known = self.interval.with_label_values(&[exchange.as_str()]);
        known.set(known.get().max(interval.as_secs_f64()));
    }

    /// A request was sent, and answered or not.
    pub(crate) fn request_finished(&self, exchange: Exchange, error: Option<&SourceError>, took: Duration) {
        let outcome = match error {
            None => Outcome::Success,
            Some(error) => {
                tracing::debug!(%exchange, %error, "a request failed");
                let Some(outcome) = error.outcome() else { return };
                outcome
            }
        };
        self.requests.with_label_values(&[exchange.as_str(), outcome.as_str()]).inc();
        self.request_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn used_weight(&self, exchange: Exchange, used: u64) {
        let used = i64::try_from(used).unwrap_or(i64::MAX);
        self.used_weight.with_label_values(&[exchange.as_str()]).set(used);
    }

    pub(crate) fn endpoint_geo_blocked(&self, exchange: Exchange, endpoint: &str) {
        tracing::error!(%exchange, endpoint, "geo-blocked (HTTP 451): this endpoint is not used again");
    }

    pub(crate) fn slots_skipped(&self, reason: SkipReason, slots: u64) {
        if slots > 0 {
            tracing::debug!(reason = reason.as_str(), slots, "slots skipped");
            self.skipped.with_label_values(&[reason.as_str()]).inc_by(slots);
            self.observations.slots_skipped(slots);
        }
    }

    /// The clock stepped back, and slots begin that were polled before.
    pub(crate) fn clock_stepped_back(&self, slots: u64) {
        if slots > 0 {
            tracing::warn!(slots, "the clock stepped back; slots that were polled before are skipped");
            self.slots_skipped(SkipReason::ClockSteppedBack, slots);
        }
    }

    /// A price arrived and is on its way to Kafka.
    pub(crate) fn price_arrived(&self, route: &Route, price: Price, received: Timestamp) {
        let labels = [route.exchange.as_str(), route.symbol.as_str()];
        self.price.with_label_values(&labels).set(price.to_f64());
        self.price_time.with_label_values(&labels).set(received.as_secs_f64());
        self.observations.price_arrived(route.index, price, received);
    }

    /// A symbol's price could not be used.
    pub(crate) fn price_rejected(&self, exchange: Exchange, rejection: Rejection) {
        self.rejected.with_label_values(&[exchange.as_str(), rejection.as_str()]).inc();
    }

    /// A symbol that the exchange has brings no price that can be used, or the reason changed.
    pub(crate) fn symbol_failing(&self, exchange: Exchange, symbol: &Symbol, rejection: Rejection) {
        match rejection {
            Rejection::Missing => tracing::warn!("{exchange} sends no price for symbol {symbol}"),
            _ => {
                let reason = rejection.as_str();
                tracing::warn!(reason, "{exchange} sends a price for symbol {symbol} that cannot be used");
            }
        }
    }

    /// The exchange does not have a symbol; it may have others that are much like it.
    pub(crate) fn symbol_unknown(&self, exchange: Exchange, symbol: &Symbol, near: &[String]) {
        match near {
            [] => tracing::error!("symbol {symbol} is unknown to {exchange}; the others go on without it"),
            near => {
                let near = near.join(", ");
                tracing::error!("symbol {symbol} is unknown to {exchange}; did you mean {near}?");
            }
        }
    }

    /// The exchange has a symbol and refuses it, in these words.
    pub(crate) fn symbol_refused(&self, exchange: Exchange, symbol: &Symbol, words: &str) {
        tracing::error!("{exchange} refuses symbol {symbol}: {words}; the others go on without it");
    }

    /// The exchange takes a symbol that it did not have before.
    pub(crate) fn symbol_accepted(&self, exchange: Exchange, symbol: &Symbol) {
        tracing::info!("{exchange} has symbol {symbol} by now; it is listened to");
    }

    pub(crate) fn symbol_recovered(&self, exchange: Exchange, symbol: &Symbol) {
        tracing::info!("{exchange} sends a price for symbol {symbol} again");
    }

    /// So much of a market's history is replayed.
    pub(crate) fn replay_progress(&self, route: &Route, fraction: f64) {
        let labels = [route.exchange.as_str(), route.symbol.as_str()];
        self.replay_progress.with_label_values(&labels).set(fraction);
    }

    /// The exchange will not answer for a market, however often it is asked.
    pub(crate) fn replay_given_up(&self, route: &Route, error: &SourceError) {
        let Route { exchange, symbol, .. } = route;
        tracing::error!("the history of symbol {symbol} is given up: {exchange}: {error}; the others go on");
    }

    /// An observation out of history cannot be used; it is left out.
    pub(crate) fn history_rejected(&self, route: &Route, bad: BadRecord) {
        let Route { exchange, symbol, .. } = route;
        tracing::warn!("{exchange} sends an observation of symbol {symbol} that is left out: {bad}");
        self.rejected_records.with_label_values(&[exchange.as_str(), bad.reason()]).inc();
    }

    /// The exchange does not hold the beginning of what is to be replayed.
    pub(crate) fn history_begins_late(&self, route: &Route, reached: Timestamp) {
        let Route { exchange, symbol, .. } = route;
        tracing::warn!(
            "{exchange} does not hold all history of symbol {symbol} after {reached}; what it holds comes"
        );
    }

    /// Kafka acknowledged a message.
    pub(crate) fn delivered(&self, route: &Route, took: Duration) {
        self.count(route, Delivery::Delivered);
        self.produce_seconds.observe(took.as_secs_f64());
        self.observations.delivered(route.index);
    }

    /// A message came back from Kafka and will be sent again.
    pub(crate) fn retried(&self, route: &Route) {
        self.count(route, Delivery::Retried);
    }

    /// A message can never be stored in Kafka.
    pub(crate) fn rejected(&self, route: &Route, reason: &str) {
        self.count(route, Delivery::Rejected);
        self.observations.rejected();
        tracing::error!(topic = %route.topic, symbol = %route.symbol, reason, "Kafka rejects a message; it is dropped");
    }

    /// A price was not accepted because too many messages wait for Kafka.
    pub(crate) fn refused(&self, route: &Route) {
        self.count(route, Delivery::Refused);
    }

    fn count(&self, route: &Route, delivery: Delivery) {
        self.produced.with_label_values(&[route.topic.as_str(), delivery.as_str()]).inc();
    }
}
