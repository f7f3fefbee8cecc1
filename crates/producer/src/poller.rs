//! Polls one source, slot by slot, and offers what it brings to the sink.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use pricepipe_core::{Details, Exchange, PriceMessage, Symbol, Timestamp, identity};
use pricepipe_service::{clock, health::Heartbeat};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    events::{Events, Rejection, SkipReason},
    route::Route,
    schedule::{Schedule, Turn},
    sink::Sink,
    source::{Poll, catalogue::Catalogue, last_prices::LastPrices},
    teller::Teller,
};

/// Sleeps are cut into pieces: for the heartbeat, and to notice a clock that was set.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// How long the last request may take once the end has come.
const LAST_ANSWER: Duration = Duration::from_secs(3);
/// So many failures within one slot are no hiccup any more; the user is told.
const TELLING_FAILURES: u32 = 3;

/// One source and everything that its slots need.
pub(crate) struct Poller {
    pub(crate) exchange: Exchange,
    pub(crate) source: LastPrices,
    /// What to suggest for a symbol that is unknown.
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) schedule: Schedule,
    pub(crate) routes: HashMap<Symbol, Arc<Route>>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) events: Arc<Events>,
    pub(crate) teller: Teller,
    pub(crate) heartbeat: Heartbeat,
    /// Symbols that bring no price, and why.
    pub(crate) failing: HashMap<Symbol, Rejection>,
    pub(crate) stop: CancellationToken,
}

impl Poller {
    /// Runs until told to stop.
    pub(crate) async fn run(mut self) {
        match self.until_stopped(async |source| source.warm_up().await).await {
            Some(Ok(())) => self.teller.fine("waiting for the first slot"),
            Some(Err(error)) => self.teller.trouble(&error, ""),
            None => {}
        }
        let mut was_polling = false;
        while !self.stop.is_cancelled() {
            was_polling = self.take_turn(was_polling).await;
        }
        self.heartbeat.end();
    }

    /// One turn of the loop. Returns true when a slot was polled in it.
    async fn take_turn(&mut self, was_polling: bool) -> bool {
        match self.schedule.turn(clock::now()) {
            Turn::Poll { slot, left, passed } => {
                let reason = if was_polling { SkipReason::RequestUnderWay } else { SkipReason::Late };
                self.events.slots_skipped(reason, passed);
                self.poll_slot(slot, Instant::now() + left).await;
                return true;
            }
            Turn::Repeated { slots, wait } => {
                self.events.clock_stepped_back(slots);
                self.rest(wait.min(LONGEST_SLEEP)).await;
            }
            Turn::Wait(wait) => self.rest(wait.min(LONGEST_SLEEP)).await,
        }
        false
    }

    /// Asks for everything that is due in a slot, until it is answered or the slot is over.
    async fn poll_slot(&mut self, slot: Timestamp, end: Instant) {
        self.heartbeat.beat();
        let expected = self.source.begin();
        if let Some(reason) = self.sink.refuses(expected) {
            return self.events.slots_skipped(reason, 1);
        }
        let (mut failures, mut refused) = (0, None);
        while let Some(polled) = self.until_stopped(async |source| source.poll().await).await.flatten() {
            self.heartbeat.beat();
            match polled {
                Ok(poll) => refused = self.publish(slot, poll).or(refused),
                Err(error) => {
                    failures += u32::from(error.may_be_a_hiccup());
                    let retry = error.retry_in().filter(|wait| Instant::now() + *wait < end);
                    if retry.is_none() || failures >= TELLING_FAILURES || error.is_certain() {
                        self.teller.trouble(&error, "");
                    }
                    let Some(wait) = retry else {
                        return self.events.slots_skipped(error.skip_reason(), 1);
                    };
                    self.rest(wait).await;
                }
            }
            if self.stop.is_cancelled() {
                break;
            }
            if Instant::now() >= end && !self.source.is_done() {
                refused.get_or_insert(SkipReason::RequestUnderWay);
                break;
            }
        }
        if expected == 0 && self.failing.len() == self.routes.len() {
            self.teller.no_symbols(None);
            refused.get_or_insert(SkipReason::UnknownSymbols);
        }
        if let Some(reason) = refused {
            self.events.slots_skipped(reason, 1);
        }
    }

    /// Offers the prices of an answer to the sink. Returns why some were not accepted.
    fn publish(&mut self, slot: Timestamp, poll: Poll) -> Option<SkipReason> {
        let received = poll.received.unwrap_or_else(clock::now);
        let mut refused = None;
        for quote in &poll.quotes {
            let Some(route) = self.routes.get(&quote.symbol) else { continue };
            let message = PriceMessage {
                symbol: quote.symbol.to_string(),
                price: quote.price,
                exchange: self.exchange.as_str().into(),
                details: Details::Price,
                time: slot,
                received,
                id: identity::poll(self.exchange, &quote.symbol, slot),
            };
            match self.sink.offer(route, message.encode()) {
                Ok(()) => self.events.price_arrived(route, quote.price, received),
                Err(reason) => refused = Some(reason),
            }
            if self.failing.remove(&quote.symbol).is_some() {
                self.events.symbol_recovered(self.exchange, &quote.symbol);
            }
        }
        if !poll.quotes.is_empty() {
            self.teller.fine("prices arrive");
        }
        let missing = poll.missing.into_iter().map(|symbol| (symbol, Rejection::Missing));
        let unknown = poll.unknown.into_iter().map(|symbol| (symbol, Rejection::UnknownSymbol));
        for (symbol, rejection) in poll.rejected.into_iter().chain(missing).chain(unknown) {
            self.events.price_rejected(self.exchange, rejection);
            if self.failing.insert(symbol.clone(), rejection) != Some(rejection) {
                self.tell_of_symbol(symbol, rejection);
            }
        }
        refused
    }

    /// Tells that a symbol brings nothing. For one that is unknown the exchange is asked first what may have been meant.
    fn tell_of_symbol(&self, symbol: Symbol, rejection: Rejection) {
        if rejection != Rejection::UnknownSymbol {
            return self.events.symbol_failing(self.exchange, &symbol, rejection);
        }
        let catalogue = self.catalogue.clone();
        tokio::spawn(async move { catalogue.tell_unknown(&symbol).await });
    }

    /// Does something with the source. A request that is under way when the end comes may still be answered: what
    /// an exchange has sent is not thrown away.
    async fn until_stopped<T>(&mut self, work: impl AsyncFnOnce(&mut LastPrices) -> T) -> Option<T> {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            result = work(&mut self.source) => Some(result),
            () = async { stop.cancelled().await; sleep(LAST_ANSWER).await } => None,
        }
    }

    /// Sleeps until the time is over or the end comes, with a heartbeat.
    async fn rest(&self, mut wait: Duration) {
        while !wait.is_zero() && !self.stop.is_cancelled() {
            let piece = wait.min(LONGEST_SLEEP);
            self.heartbeat.beat();
            tokio::select! {
                () = sleep(piece) => {}
                () = self.stop.cancelled() => {}
            }
            wait -= piece;
        }
    }
}
