//! What the workers of a run say they have done, as one moment of the live view.

use std::{fmt, sync::Arc, time::Duration};

use pricepipe_consumer::{Observations as ConsumerObservations, Snapshot as Consumed};
use pricepipe_core::Pipeline;
use pricepipe_producer::{
    Observations as ProducerObservations, Observed as Produced, ObservedGaps, ObservedReplay, ReplayEnd,
    ReplayedMarket,
};
use pricepipe_service::{Process, clock};
use serde::Serialize;

use super::{places::Places, rows};
use crate::live::{Part, Phase, Row, Share, Snapshot, State, Sums};

/// What a condition says while it is not known whether it will be met.
const NOT_YET: [&str; 4] = ["starting", "stopping", "connecting to ", "joining "];

/// Where the workers of a run say what they have done. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Observers {
    /// The producer.
    pub producer: Arc<ProducerObservations>,
    /// The consumer.
    pub consumer: ConsumerObservations,
    /// What is shown before the producer has begun: every symbol, waiting.
    waiting: Vec<Row>,
    /// When a price is older than it should be.
    stale_after: Duration,
}

impl Observers {
    /// Of the workers of a pipeline that have not begun.
    pub(super) fn of(pipeline: &Pipeline) -> Self {
        let waiting = rows::waiting(pipeline);
        Observers { waiting, stale_after: crate::live::stale_after(pipeline), ..Observers::default() }
    }

    /// One moment of the run.
    pub(super) fn snapshot(&self, process: &Process, places: &Places, phase: Phase) -> Snapshot {
        let (produced, consumed, now) = (self.producer.snapshot(), self.consumer.snapshot(), clock::now());
        let rows = rows::rows(&produced.symbols, &consumed, now);
        let unmet = process.health.unmet();
        Snapshot {
            at: Some(now),
            rows: if rows.is_empty() { self.waiting.clone() } else { rows },
            parts: parts(&unmet, places),
            notes: notes(&unmet, phase).into_iter().chain(unfilled(&produced.gaps)).collect(),
            phase,
            replay: share(&produced.replays),
            sums: Sums::of(&totals(&produced, &consumed, process)),
            stale_after: self.stale_after,
        }
    }

    /// True when all history that there is was read, sent, and stored. Of nothing but replays.
    pub(super) fn is_replayed(&self, process: &Process) -> bool {
        let (produced, consumed) = (self.producer.snapshot(), self.consumer.snapshot());
        let ended = |replay: &ObservedReplay| replay.ended() == replay.markets.len();
        let totals = totals(&produced, &consumed, process);
        let sent: u64 = produced.replays.iter().map(ObservedReplay::records).sum();
        // The producer names its sources first.
        let have_begun = !produced.replays.is_empty() && produced.replays.len() == produced.sources.len();
        have_begun
            && produced.replays.iter().all(ended)
            && totals.produced + produced.totals.rejected >= sent
            && totals.settled() >= totals.produced
            && consumed.lag.values().all(|lag| *lag == 0)
    }

    /// The symbols whose history was given up, each with its exchange and the reason.
    pub(super) fn given_up(&self) -> Vec<String> {
        let given_up = |replay: &ObservedReplay| {
            let exchange = replay.exchange;
            let reason = move |market: &ReplayedMarket| match &market.end {
                Some(ReplayEnd::GivenUp(reason)) => {
                    Some(format!("{} of {exchange}: {reason}", market.symbol))
                }
                _ => None,
            };
            replay.markets.iter().filter_map(reason).collect::<Vec<_>>()
        };
        self.producer.snapshot().replays.iter().flat_map(given_up).collect()
    }

    /// The sums so far.
    pub(super) fn totals(&self, process: &Process) -> Totals {
        totals(&self.producer.snapshot(), &self.consumer.snapshot(), process)
    }
}

/// How far replays are together; nothing where there is none.
fn share(replays: &[ObservedReplay]) -> Option<Share> {
    let states = replays.iter().map(|replay| format!("{}: {}", replay.source, replay.state()));
    let fraction = replays.iter().map(ObservedReplay::fraction).sum::<f64>() / replays.len() as f64;
    (!replays.is_empty()).then(|| Share { fraction, text: states.collect::<Vec<_>>().join("; ") })
}

fn totals(produced: &Produced, consumed: &Consumed, process: &Process) -> Totals {
    let collections = || consumed.collections.values();
    Totals {
        produced: produced.totals.produced,
        stored: collections().map(|collection| collection.inserted + collection.duplicates).sum(),
        duplicates: collections().map(|collection| collection.duplicates).sum(),
        dead_letters: dead_letters(process),
        skipped_slots: produced.totals.skipped_slots,
        gaps: GapTotals::of(&produced.gaps),
    }
}

/// The sum of the metric over all reasons.
fn dead_letters(process: &Process) -> u64 {
    let families = process.registry.gather();
    let reasons = families.iter().filter(|family| family.name() == "pricepipe_dead_letters_total");
    reasons.flat_map(|family| family.get_metric()).map(|metric| metric.get_counter().get_value() as u64).sum()
}

/// How the exchange, Kafka and the store are, by what is not at hand: `name: reason`, or `exchange b: reason` where
/// there are several.
fn parts(unmet: &[String], places: &Places) -> Vec<Part> {
    let parts = [
        ("exchange", "exchange", &places.exchange),
        ("Kafka", "kafka", &places.kafka),
        ("store", "store", &places.store),
    ];
    let part = |(name, condition, place): (&'static str, &str, &String)| {
        let reasons =
            unmet.iter().filter(|unmet| is_about(unmet, condition)).filter_map(|unmet| reason(unmet));
        let reasons: Vec<&str> = reasons.collect();
        let not_yet = |reason: &&&str| NOT_YET.iter().any(|text| reason.starts_with(text));
        let state = match (reasons.iter().find(|reason| !not_yet(reason)), reasons.first()) {
            (Some(reason), _) => State::Away((*reason).to_owned()),
            (None, Some(reason)) => State::Waiting((*reason).to_owned()),
            (None, None) => State::Fine(String::new()),
        };
        Part { name, place: place.clone(), state }
    };
    parts.map(part).into()
}

fn is_about(unmet: &str, condition: &str) -> bool {
    unmet.strip_prefix(condition).is_some_and(|rest| rest.starts_with([':', ' ']))
}

fn reason(unmet: &str) -> Option<&str> {
    unmet.split_once(": ").map(|(_, reason)| reason)
}

/// What is not at hand besides.
fn notes(unmet: &[String], phase: Phase) -> Vec<String> {
    let others =
        unmet.iter().filter(|unmet| !["exchange", "kafka", "store"].iter().any(|c| is_about(unmet, c)));
    // What starts or stops does so by itself.
    let worth_telling = |unmet: &&String| {
        let reason = reason(unmet).unwrap_or_default();
        reason != "starting" && !(phase == Phase::Draining && reason == "stopping")
    };
    others.filter(worth_telling).cloned().collect()
}

/// What a user must know of holes in streams while they are there.
fn unfilled(gaps: &ObservedGaps) -> Option<String> {
    let text = match (gaps.open, gaps.unfillable) {
        (0, 0) => return None,
        (open, 0) => format!("gaps: {open} being repaired"),
        (0, lost) => format!("gaps: {lost} not in the exchange's history; `pricepipe gaps` lists them"),
        (open, lost) => format!("gaps: {open} being repaired, {lost} not in the exchange's history"),
    };
    Some(text)
}

/// Sums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Totals {
    /// Messages that Kafka has acknowledged.
    pub produced: u64,
    /// Messages whose document is in the store, also where it was there already.
    pub stored: u64,
    /// Those of them whose document was there already.
    pub duplicates: u64,
    /// Messages that could not be stored.
    pub dead_letters: u64,
    /// Poll slots that passed without a price.
    pub skipped_slots: u64,
    /// Holes in streams, where there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gaps: Option<GapTotals>,
}

/// Holes in streams, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct GapTotals {
    /// Filled from history.
    pub filled: u64,
    /// Being repaired.
    pub open: u64,
    /// Not in the exchange's history.
    pub unfillable: u64,
}

impl GapTotals {
    fn of(gaps: &ObservedGaps) -> Option<Self> {
        let ObservedGaps { filled, open, unfillable, .. } = *gaps;
        (filled + open + unfillable > 0).then_some(GapTotals { filled, open, unfillable })
    }
}

impl Totals {
    /// Messages that need nothing more: stored, or in the dead-letter topic.
    pub(super) fn settled(&self) -> u64 {
        self.stored + self.dead_letters
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "produced {}, stored {} (duplicates {}), dead letters {}, skipped slots {}",
            self.produced, self.stored, self.duplicates, self.dead_letters, self.skipped_slots
        )?;
        match self.gaps {
            None => Ok(()),
            Some(GapTotals { filled, open, unfillable }) => {
                write!(f, ", gaps filled {filled}, open {open}, unfillable {unfillable}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_waits_in_the_table_before_the_workers_have_begun() {
        let text = "{apiVersion: pricepipe.dev/v1alpha1, kind: PricePipeline, metadata: {name: a}, \
                    spec: {symbols: [{symbol: BTCUSDT}, {symbol: ETHUSDT}]}}";
        let pipeline = pricepipe_api::parse(text).unwrap().remove(0).1;
        let observers = Observers::of(&pipeline);
        let snapshot = observers.snapshot(&Process::new("test"), &Places::default(), Phase::Running);
        let rows: Vec<_> = snapshot.rows.iter().map(|row| (row.symbol.as_str(), row.price_text())).collect();
        assert_eq!(rows, [("BTCUSDT", "waiting".to_owned()), ("ETHUSDT", "waiting".to_owned())]);
    }

    #[test]
    fn a_part_is_away_for_a_reason_and_waits_while_it_starts_or_stops() {
        let state = |unmet: &[&str]| {
            let unmet: Vec<String> = unmet.iter().map(|&unmet| unmet.to_owned()).collect();
            parts(&unmet, &Places::default()).into_iter().map(|part| part.state).collect::<Vec<_>>()
        };
        let (away, waiting) =
            (|text: &str| State::Away(text.into()), |text: &str| State::Waiting(text.into()));
        let fine = State::Fine(String::new());
        assert_eq!(state(&[]), [fine.clone(), fine.clone(), fine.clone()]);
        let unmet = ["exchange b: no route", "kafka: starting", "kafka: connecting to a:1", "stores: x"];
        assert_eq!(state(&unmet), [away("no route"), waiting("starting"), fine.clone()]);
        assert_eq!(
            state(&["kafka: stopping", "kafka: refused", "store: away"]),
            [fine, away("refused"), away("away")]
        );
    }

    #[test]
    fn what_starts_or_stops_by_itself_is_no_note() {
        let unmet = ["producer: stopping", "workers: starting", "kafka: away", "topic-id: no answer"];
        let unmet = unmet.map(str::to_owned);
        assert_eq!(notes(&unmet, Phase::Draining), ["topic-id: no answer"]);
        assert_eq!(notes(&unmet, Phase::Running), ["producer: stopping", "topic-id: no answer"]);
    }

    #[test]
    fn what_is_stored_holds_what_was_there_already() {
        let totals = Totals { produced: 5, stored: 4, duplicates: 3, dead_letters: 1, ..Totals::default() };
        assert_eq!(totals.settled(), totals.produced);
        assert!(totals.to_string().starts_with("produced 5, stored 4 (duplicates 3), dead letters 1"));
    }

    #[test]
    fn holes_are_summed_up_where_there_were_any_and_noted_while_they_are_not_filled() {
        let gaps = |open, filled, unfillable| ObservedGaps { open, filled, unfillable, ..Default::default() };
        let text = |gaps| Totals { gaps: GapTotals::of(&gaps), ..Totals::default() }.to_string();
        assert!(text(gaps(0, 0, 0)).ends_with("skipped slots 0"));
        assert!(text(gaps(1, 2, 3)).ends_with(", gaps filled 2, open 1, unfillable 3"));
        assert_eq!(unfilled(&gaps(0, 5, 0)), None);
        assert_eq!(unfilled(&gaps(2, 5, 0)).as_deref(), Some("gaps: 2 being repaired"));
        assert!(unfilled(&gaps(0, 0, 1)).unwrap().starts_with("gaps: 1 not in the exchange's history"));
    }
}
