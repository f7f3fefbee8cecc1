//! Holes in what a source brings: each is told when it opens and when it ends, in the gaps topic, the metrics, the log and
//! the observations.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use pricepipe_core::{Exchange, Gap, GapOutcome, Timestamp, names::TopicName};
use pricepipe_exchange::stream;

use super::sequence::{market::Loss, order::Hole};
use crate::{events::Events, route::Route, sink::Sink};

/// So many wait for a gaps topic that is missing; the oldest of more are forgotten, which metrics and log have told.
const MOST_UNSENT: usize = 10_000;

/// The gaps of one source.
pub(crate) struct Gaps {
    /// What is listened to.
    heard: stream::Topic,
    topic: TopicName,
    sink: Arc<Sink>,
    events: Arc<Events>,
    /// Those that are open, by the market's place and the first that is missing.
    open: BTreeMap<(usize, u64), Gap>,
    /// What is still to be written.
    unsent: VecDeque<Gap>,
}

impl Gaps {
    pub(crate) fn new(heard: stream::Topic, topic: TopicName, sink: Arc<Sink>, events: Arc<Events>) -> Self {
        Gaps { heard, topic, sink, events, open: BTreeMap::new(), unsent: VecDeque::new() }
    }

    /// A hole was found.
    pub(crate) fn opened(&mut self, market: usize, route: &Route, hole: &Hole, missing: u64, now: Timestamp) {
        let gap = Gap {
            exchange: route.exchange,
            symbol: route.symbol.clone(),
            stream: self.heard.stream,
            interval: self.heard.interval,
            from: hole.from,
            to: hole.to,
            noticed: hole.noticed,
            since: now,
            outcome: GapOutcome::Open,
            missing,
            reason: None,
            ended: None,
        };
        self.open.insert((market, hole.from), gap.clone());
        self.tell(gap);
    }

    /// A hole was filled, or what is left of it was given up.
    pub(crate) fn ended(&mut self, market: usize, hole: &Hole, loss: Option<&Loss>, now: Timestamp) {
        let Some(open) = self.open.remove(&(market, hole.from)) else { return };
        let outcome = match loss {
            _ if hole.is_filled() => GapOutcome::Filled,
            Some(Loss::NoTrade) => GapOutcome::Filled,
            _ => GapOutcome::Unfillable,
        };
        let reason = loss.filter(|_| !hole.is_filled()).map(ToString::to_string);
        self.tell(Gap { to: hole.to, outcome, missing: hole.given_up, reason, ended: Some(now), ..open });
    }

    /// A gap that an earlier process left open is settled: everything of it was sent before, or it is part of another one.
    pub(crate) fn settled(&mut self, gap: Gap, last: u64, now: Timestamp) {
        let is_past = gap.from <= last;
        let reason = (!is_past).then(|| "part of an earlier gap".to_owned());
        let to = if is_past { gap.to.min(last) } else { gap.to };
        self.tell(Gap { to, outcome: GapOutcome::Filled, missing: 0, reason, ended: Some(now), ..gap });
    }

    /// Tells how long gaps have been open, and writes what is still to be written.
    pub(crate) fn tick(
        &mut self,
        exchange: Exchange,
        routes: impl Iterator<Item = Arc<Route>>,
        now: Timestamp,
    ) {
        for (market, route) in routes.enumerate() {
            let open = self.open.range((market, 0)..=(market, u64::MAX));
            let oldest = open.map(|(_, gap)| gap.since).min();
            let millis = oldest.map_or(0, |since| now.as_millis() - since.as_millis());
            self.events.gap_open_for(exchange, &route.symbol, millis);
        }
        self.write();
    }

    fn tell(&mut self, gap: Gap) {
        self.events.gap(&gap);
        if self.unsent.len() >= MOST_UNSENT {
            self.unsent.pop_front();
        }
        self.unsent.push_back(gap);
        self.write();
    }

    /// A gaps topic that is missing or full holds no trade up.
    fn write(&mut self) {
        while let Some(gap) = self.unsent.front() {
            let route = Route::of_gaps(gap.exchange, &gap.symbol, &self.topic, gap.key());
            if self.sink.try_offer(&Arc::new(route), gap.encode()).is_err() {
                return;
            }
            self.unsent.pop_front();
        }
    }
}
