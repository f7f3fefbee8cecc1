//! What the order of streams tells: gaps, what was repaired, what came twice.

use pricepipe_core::{Exchange, Gap, GapOutcome, Symbol};
use pricepipe_service::metrics::Metrics;
use prometheus::{GaugeVec, IntCounterVec};

use super::Events;

labels! {
    /// What became of an observation that a stream or its history brought.
    Sorted {
        Repaired = "repaired",
        Known = "known",
        Postponed = "postponed",
    }
}

/// The metrics of the order of streams.
pub(super) struct GapMetrics {
    gaps: IntCounterVec,
    open_seconds: GaugeVec,
    sorted: IntCounterVec,
}

impl GapMetrics {
    pub(super) fn new(metrics: &Metrics<'_>) -> Self {
        let made = GapMetrics {
            gaps: metrics.counters(
                "source_gaps_total",
                "Holes in what streams brought, by what became of them; each counts once as open and once as it ends",
                &["exchange", "symbol", "outcome"],
            ),
            open_seconds: metrics.float_gauges(
                "source_gap_open_seconds",
                "How long the oldest hole that is not repaired yet has been open; 0 without one",
                &["exchange", "symbol"],
            ),
            sorted: metrics.counters(
                "source_sorted_records_total",
                "Observations that did not just follow: repaired from history, known already, postponed for lack of \
                 room",
                &["exchange", "outcome"],
            ),
        };
        metrics.values("source_gaps_total", "outcome", GapOutcome::NAMES.iter().copied());
        metrics.values("source_sorted_records_total", "outcome", Sorted::VALUES.iter().copied());
        made
    }
}

impl Events {
    /// A gap opened or ended.
    pub(crate) fn gap(&self, gap: &Gap) {
        let Gap { exchange, symbol, stream, from, to, missing, .. } = gap;
        let (stream, noticed) = (stream.as_str(), gap.noticed.as_str());
        match gap.outcome {
            GapOutcome::Open => {
                tracing::info!(%exchange, %symbol, stream, from, to, noticed, "a gap is being repaired");
            }
            GapOutcome::Filled => tracing::info!(%exchange, %symbol, stream, from, to, "a gap is repaired"),
            GapOutcome::Unfillable => {
                let reason = gap.reason.as_deref().unwrap_or_default();
                tracing::error!(%exchange, %symbol, stream, from, to, missing, reason, "a gap stays open");
            }
        }
        let labels = [exchange.as_str(), symbol.as_str(), gap.outcome.as_str()];
        self.gaps.gaps.with_label_values(&labels).inc();
        self.observations.gap(gap);
    }

    /// The oldest gap of a symbol has been open for so long; 0 without one.
    pub(crate) fn gap_open_for(&self, exchange: Exchange, symbol: &Symbol, millis: i64) {
        let gauge = self.gaps.open_seconds.with_label_values(&[exchange.as_str(), symbol.as_str()]);
        gauge.set(millis.max(0) as f64 / 1e3);
    }

    /// So many observations did not just follow.
    pub(crate) fn sorted(&self, exchange: Exchange, outcome: Sorted, records: u64) {
        if records > 0 {
            self.gaps.sorted.with_label_values(&[exchange.as_str(), outcome.as_str()]).inc_by(records);
            if outcome == Sorted::Repaired {
                self.observations.repaired(records);
            }
        }
    }
}
