//! The order and the completeness of what the connections of a source bring: each market's observations go to Kafka in the
//! order of their numbers, and what is missing is asked of history. No I/O of its own: connections, history and sink do it.

mod backlog;
pub(crate) mod market;
pub(crate) mod order;
mod steps;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use pricepipe_core::{Gap, Noticed, PriceMessage, Timestamp, identity};
use pricepipe_exchange::{Record, stream::Topic};
use pricepipe_service::{clock, health::Heartbeat};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use self::{
    backlog::Backlog,
    market::{Item, Loss, Mark, Market},
    order::{Act, Fate},
};
use super::{
    Arrival,
    gaps::Gaps,
    repair::{Page, Repair, Turn},
};
use crate::{
    events::{Events, Sorted},
    route::Route,
    sink::{Full, Sink},
};

/// So many observations of a source wait for what is missing before them, about 10 MB. History is asked for more.
const MOST_WAITING: usize = 50_000;
/// A sink without room is asked again after so long.
const BUSY: Duration = Duration::from_millis(5);
/// A market that is silent for so long after a subscription may have missed its last observations before it.
const UNHEARD: Duration = Duration::from_secs(3);
const TICK: Duration = Duration::from_secs(1);

/// What the order of a source works with.
pub(crate) struct SequenceParts {
    pub(crate) topic: Topic,
    /// Where each market's observations go, by its place.
    pub(crate) routes: Vec<Arc<Route>>,
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
    pub(crate) repair: Repair,
    pub(crate) gaps: Gaps,
    pub(crate) sink: Arc<Sink>,
    pub(crate) events: Arc<Events>,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) stop: CancellationToken,
}

/// Where the markets of a source stand when it begins.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The last observation that was sent, by the market's place.
    pub(crate) marks: std::collections::HashMap<usize, Mark>,
    /// The gaps that an earlier process left open, by the market's place.
    pub(crate) gaps: Vec<(usize, Gap)>,
}

/// The order of a source.
pub(crate) struct Sequence {
    parts: SequenceParts,
    markets: Vec<Market>,
    /// How many observations wait, in all markets.
    waiting: usize,
    /// What is to be done, in order; empty between two turns.
    acts: Vec<Act<Item>>,
    /// What is to be sent.
    outgoing: VecDeque<(usize, Item)>,
    /// What waits for topics that are not there.
    backlog: Backlog,
    /// One message, made anew for each observation.
    message: Option<PriceMessage>,
}

impl Sequence {
    /// An order that goes on where the markets stand.
    pub(crate) fn new(parts: SequenceParts, standing: Standing) -> Self {
        let market = |(place, route): (usize, &Arc<Route>)| {
            Market::new(route.clone(), &parts.topic, standing.marks.get(&place).copied())
        };
        let markets = parts.routes.iter().enumerate().map(market).collect();
        let mut sequence = Sequence {
            parts,
            markets,
            waiting: 0,
            acts: Vec::new(),
            outgoing: VecDeque::new(),
            backlog: Backlog::default(),
            message: None,
        };
        sequence.resume_gaps(standing);
        sequence
    }

    /// Sorts and sends until told to stop, or until nothing can come any more.
    pub(crate) async fn run(mut self) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let stop = self.parts.stop.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                _ = tick.tick() => {
                    self.tick();
                    self.catch_up();
                }
                turn = self.parts.repair.turn() => match turn {
                    Turn::Due(place) => self.ask(place),
                    Turn::Answered(place, answer) => self.answered(place, answer),
                },
                arrival = self.parts.arrivals.recv() => match arrival {
                    Some(arrival) => self.arrived(arrival),
                    None => break,
                },
            }
            if !self.deliver(&stop).await {
                break;
            }
        }
        self.tick();
        self.parts.heartbeat.end();
    }

    /// Settles the gaps that an earlier process left open: what is still missing of them is asked for again.
    fn resume_gaps(&mut self, standing: Standing) {
        let now = clock::now();
        for (place, gap) in standing.gaps {
            let Some(mark) = standing.marks.get(&place) else { continue };
            let Some(market) = self.markets.get_mut(place) else { continue };
            market.order.exists(gap.to, Noticed::Restart, &mut self.acts);
            // The gap that begins where the market stands is told of anew, under the same key unless an earlier version wrote it.
            let same_key = gap.interval == self.parts.topic.interval;
            if market.order.wanted() != Some(gap.from) || !same_key {
                self.parts.gaps.settled(gap, mark.number, now);
            }
            self.act(place, None);
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Records { connection, records, received } => {
                let (mut known, mut postponed) = (0, 0);
                for (place, record) in records {
                    match self.take(place, record, received, connection) {
                        Some(Fate::Known) => known += 1,
                        Some(Fate::Postponed) => postponed += 1,
                        _ => {}
                    }
                }
                let exchange = self.parts.topic.exchange;
                self.parts.events.sorted(exchange, Sorted::Known, known);
                self.parts.events.sorted(exchange, Sorted::Postponed, postponed);
            }
            Arrival::LastTrade { connection, market, number } => {
                tracing::trace!(connection, market, number, "the last trade is told");
                if let Some(one) = self.markets.get_mut(market) {
                    one.order.exists(number, Noticed::Heartbeat, &mut self.acts);
                    self.act(market, None);
                }
            }
            Arrival::Subscribed { connection, markets } => {
                tracing::debug!(connection, markets = markets.len(), "markets are listened to");
                for place in markets {
                    if self.markets.get_mut(place).is_some_and(|market| market.subscribed(connection)) {
                        self.parts.repair.check(place, UNHEARD);
                    }
                }
            }
            Arrival::Lost { connection } => {
                tracing::debug!(connection, "nothing more comes from a connection");
            }
        }
    }

    fn take(&mut self, place: usize, record: Record, received: Timestamp, connection: u64) -> Option<Fate> {
        let room = self.waiting < MOST_WAITING;
        let market = self.markets.get_mut(place)?;
        let before = market.order.waiting();
        let fate = if self.backlog.is_full() && self.backlog.holds(place) {
            market.postpone(&record, connection, &mut self.acts)
        } else {
            market.take(record, received, connection, room, &mut self.acts)
        };
        self.waiting = self.waiting + market.order.waiting() - before;
        self.act(place, None);
        Some(fate)
    }

    fn ask(&mut self, place: usize) {
        let Some(market) = self.markets.get_mut(place) else { return };
        if let Some(question) = market.question(self.parts.topic.stream, clock::now()) {
            self.parts.repair.ask(place, question);
        }
    }

    fn answered(&mut self, place: usize, answer: Result<Page, String>) {
        let Some(market) = self.markets.get_mut(place) else { return };
        let before = market.order.waiting();
        let (filled, loss) = match answer {
            Ok(page) => market.fill(page, clock::now(), &mut self.acts),
            Err(words) => {
                market.order.give_up(u64::MAX, &mut self.acts);
                (0, Some(Loss::Refused(words)))
            }
        };
        self.waiting = self.waiting + market.order.waiting() - before;
        self.parts.events.sorted(self.parts.topic.exchange, Sorted::Repaired, filled);
        self.act(place, loss.as_ref());
    }

    /// Does what the order of a market says, and has history asked for what is missing.
    fn act(&mut self, place: usize, loss: Option<&Loss>) {
        let market = &mut self.markets[place];
        for act in self.acts.drain(..) {
            match act {
                Act::Send(item) => {
                    market.sent(&item);
                    self.outgoing.push_back((place, item));
                }
                Act::Opened(hole) => {
                    let missing = market.order.count(hole.from, hole.to);
                    self.parts.gaps.opened(place, &market.route, &hole, missing, clock::now());
                }
                Act::Ended(hole) => self.parts.gaps.ended(place, &hole, loss, clock::now()),
            }
        }
        // What cannot be sent is not asked for.
        if market.order.wanted().is_some() && !self.backlog.holds(place) {
            self.parts.repair.want(place, market.patience());
        }
    }

    /// Sends everything that is to be sent. Where nothing may be dropped, a message waits for room; one whose topic is not
    /// there waits aside, so that the others go on. False when told to stop.
    async fn deliver(&mut self, stop: &CancellationToken) -> bool {
        let (mut conflated, stream) = (0, self.parts.topic.stream);
        while let Some((place, item)) = self.outgoing.pop_front() {
            let route = self.markets[place].route.clone();
            self.parts.events.price_arrived(&route, item.price, item.received);
            let mut payload = self.encode(&route, item);
            loop {
                if self.backlog.holds(place) {
                    self.backlog.push(place, payload);
                    break;
                }
                match self.parts.sink.try_offer(&route, payload) {
                    Ok(()) => break,
                    Err(_) if !stream.is_complete() => {
                        conflated += 1;
                        break;
                    }
                    Err(Full::Topic(back)) => {
                        self.backlog.push(place, back);
                        break;
                    }
                    Err(Full::All(back)) => payload = back,
                }
                self.parts.heartbeat.beat();
                tokio::select! {
                    () = stop.cancelled() => return false,
                    () = sleep(BUSY) => {}
                }
            }
        }
        if conflated > 0 {
            self.parts.events.conflated(self.parts.topic.exchange, stream.as_str(), conflated);
        }
        true
    }

    /// Offers again what waits for its topic. Once nothing of a market does, history is asked for what had no room to wait.
    fn catch_up(&mut self) {
        for place in self.backlog.markets() {
            let (sink, route) = (&self.parts.sink, &self.markets[place].route);
            self.backlog.offer(place, |payload| {
                sink.try_offer(route, payload).map_err(|(Full::Topic(back) | Full::All(back))| back)
            });
            self.act(place, None);
        }
    }

    fn encode(&mut self, route: &Route, item: Item) -> Vec<u8> {
        let Item { price, details, event, time, received } = item;
        let id = identity::event(&route.key, event);
        let message = match self.message.take() {
            Some(mut message) => {
                if message.symbol != route.symbol.as_str() {
                    route.symbol.as_str().clone_into(&mut message.symbol);
                }
                PriceMessage { price, details, time, received, id, ..message }
            }
            None => PriceMessage {
                symbol: route.symbol.to_string(),
                price,
                exchange: route.exchange.as_str().into(),
                details,
                time,
                received,
                id,
            },
        };
        let payload = message.encode();
        self.message = Some(message);
        payload
    }

    fn tick(&mut self) {
        self.parts.heartbeat.beat();
        let routes = self.markets.iter().map(|market| market.route.clone());
        self.parts.gaps.tick(self.parts.topic.exchange, routes, clock::now());
    }
}
