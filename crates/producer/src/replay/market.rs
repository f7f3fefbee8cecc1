//! One market's replay: asks for page after page, waits where the pace says so, and offers what it has read to the sink. Nothing
//! is dropped: where there is no room, it waits.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_core::{PriceMessage, ReplayProgress, ReplayState, Timestamp, config::Pace, identity};
use pricepipe_exchange::{Record, Request};
use pricepipe_service::clock;
use tokio::{sync::Semaphore, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{
    course::{Answered, Course},
    progress::Progress,
};
use crate::{
    announcer::Announcer,
    endpoints::Endpoints,
    events::{Events, Rejection},
    observations::{Observations, ReplayEnd},
    route::Route,
    sink::Sink,
    source::{SourceError, Trouble, catalogue::Catalogue},
};

/// The first pause before something is tried again, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long to wait where nobody says.
const GEO_PAUSE: Duration = Duration::from_secs(60);
/// Within a page, which may take hours at its own pace, it is told so often how far a market is.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// What the replays of a source's markets share.
pub(crate) struct Common {
    pub(crate) name: String,
    pub(crate) pace: Pace,
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) catalogue: Catalogue,
    pub(crate) sink: Arc<Sink>,
    pub(crate) events: Arc<Events>,
    pub(crate) observations: Arc<Observations>,
    pub(crate) progress: Progress,
    pub(crate) announcer: Mutex<Announcer<Trouble>>,
    /// Markets that are read as fast as they can be, together; pages of the others would only fill memory.
    pub(crate) at_once: Semaphore,
    pub(crate) stop: CancellationToken,
}

/// The replay of one market.
pub(crate) struct Market {
    common: Arc<Common>,
    route: Arc<Route>,
    /// Its place among the source's markets.
    index: usize,
    course: Course,
    /// How far what was sent is.
    reached: Timestamp,
    /// What was sent.
    records: u64,
}

impl Market {
    pub(crate) fn new(common: Arc<Common>, route: Arc<Route>, index: usize, course: Course) -> Self {
        let reached = course.reached();
        Market { common, route, index, course, reached, records: 0 }
    }

    /// Works to the end of the history, or until told to stop.
    pub(crate) async fn run(mut self) {
        let common = self.common.clone();
        // One that waits for the time of the next record lets the others go on.
        let _turn = match common.pace {
            Pace::Unpaced => common.stop.run_until_cancelled(common.at_once.acquire()).await,
            Pace::Times(_) => None,
        };
        let tempo = Tempo { pace: common.pace, from: self.course.reached(), began: Instant::now() };
        self.report(0, None);
        while !common.stop.is_cancelled()
            && let Some(request) = self.course.request()
        {
            let Some(answered) = self.ask(&request).await else { return };
            self.tell_of_faults(&answered);
            let records = self.course.advance(answered);
            if !self.offer_all(records, &tempo).await {
                return;
            }
        }
        if self.course.request().is_none() {
            self.report(0, Some(ReplayEnd::Complete));
        }
    }

    /// Asks until it is answered. `None` at the end, or when no answer can be had.
    async fn ask(&mut self, request: &Request) -> Option<Answered> {
        let common = self.common.clone();
        while !common.stop.is_cancelled() {
            let answered = common.endpoints.get(request, |answer| self.course.read(answer));
            match common.stop.run_until_cancelled(answered).await? {
                Ok(answered) => {
                    common.announcer.lock().unwrap_or_else(PoisonError::into_inner).fine();
                    return Some(answered);
                }
                Err(error @ (SourceError::UnknownSymbol | SourceError::Refused(_))) => {
                    self.give_up(&error).await;
                    return None;
                }
                Err(error) => {
                    common.tell(&error);
                    self.rest(error.retry_in().unwrap_or(GEO_PAUSE).max(FIRST_PAUSE)).await;
                }
            }
        }
        None
    }

    async fn give_up(&mut self, error: &SourceError) {
        let (common, symbol) = (&self.common, &self.route.symbol);
        match error {
            SourceError::UnknownSymbol => {
                common.events.price_rejected(self.route.exchange, Rejection::UnknownSymbol);
                common.catalogue.tell_unknown(symbol).await;
            }
            error => common.events.replay_given_up(&self.route, error),
        }
        self.report(0, Some(ReplayEnd::GivenUp(error.to_string())));
    }

    fn tell_of_faults(&self, answered: &Answered) {
        let events = &self.common.events;
        for bad in &answered.rejected {
            events.history_rejected(&self.route, *bad);
        }
        if answered.begins_late {
            events.history_begins_late(&self.route, self.course.reached());
        }
    }

    /// Offers the records of a page, the oldest first. False when told to stop before.
    async fn offer_all(&mut self, records: Vec<Record>, tempo: &Tempo) -> bool {
        let (mut count, mut reported) = (0, Instant::now());
        for record in records {
            let time = record.time;
            if !self.offer(record, tempo).await {
                return false;
            }
            count += 1;
            if reported.elapsed() >= REPORT_EVERY {
                self.reached = time.unwrap_or(self.reached);
                self.report(count, None);
                (count, reported) = (0, Instant::now());
            }
        }
        self.reached = self.course.reached();
        self.report(count, None);
        true
    }

    /// Offers a record when its time has come, until it is accepted. False when told to stop before.
    async fn offer(&self, record: Record, tempo: &Tempo) -> bool {
        let common = &self.common;
        if let Some(time) = record.time {
            self.rest(tempo.wait(time, Instant::now())).await;
        }
        let message = message(&self.route, record);
        let mut pause = FIRST_PAUSE;
        while !common.stop.is_cancelled() {
            if common.sink.refuses(1).is_none() && common.sink.offer(&self.route, message.encode()).is_ok() {
                common.events.price_arrived(&self.route, message.price, message.received);
                return true;
            }
            self.rest(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        false
    }

    /// Sleeps until the time is over or the end comes.
    async fn rest(&self, wait: Duration) {
        if !wait.is_zero() {
            self.common.stop.run_until_cancelled(sleep(wait)).await;
        }
    }

    /// Tells how far it is after so many records more.
    fn report(&mut self, records: u64, end: Option<ReplayEnd>) {
        self.records += records;
        let at = (self.reached, self.course.fraction(self.reached));
        let common = &self.common;
        common.progress.note(self.index, self.progress(end.as_ref()));
        common.events.replay_progress(&self.route, at.1);
        common.observations.replayed(&common.name, self.index, records, at, end);
    }

    fn progress(&self, end: Option<&ReplayEnd>) -> ReplayProgress {
        let range = self.course.range();
        ReplayProgress {
            source: self.common.name.clone(),
            exchange: self.route.exchange,
            symbol: self.route.symbol.clone(),
            interval: self.course.interval(),
            start: range.start,
            end: range.end,
            reached: self.reached,
            records: self.records,
            state: match end {
                None => ReplayState::Running,
                Some(ReplayEnd::Complete) => ReplayState::Complete,
                Some(ReplayEnd::GivenUp(reason)) => ReplayState::Failed { reason: reason.clone() },
            },
        }
    }
}

impl Common {
    /// Tells the user of a failure, where it is one that he can do something about.
    fn tell(&self, error: &SourceError) {
        let Some(trouble) = error.trouble() else { return };
        let text = format!("{} gives no history: {error}; retrying", self.endpoints.exchange());
        self.observations.source_state(&self.name, &text);
        self.announcer.lock().unwrap_or_else(PoisonError::into_inner).trouble(trouble, &text);
    }
}

/// When what has happened then is told now.
struct Tempo {
    pace: Pace,
    from: Timestamp,
    began: Instant,
}

impl Tempo {
    /// How long to wait for a record of this time.
    fn wait(&self, time: Timestamp, now: Instant) -> Duration {
        let Pace::Times(times) = self.pace else { return Duration::ZERO };
        let since = u64::try_from(time.as_millis() - self.from.as_millis()).unwrap_or(0);
        (self.began + Duration::from_millis(since) / times).saturating_duration_since(now)
    }
}

/// A record as a message. What tells no time is of the moment at which it came.
fn message(route: &Route, record: Record) -> PriceMessage {
    let received = clock::now();
    PriceMessage {
        symbol: route.symbol.to_string(),
        price: record.price,
        exchange: route.exchange.as_str().into(),
        id: identity::event(&route.key, record.event),
        time: record.time.unwrap_or(received),
        details: record.details,
        received,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_an_hour_takes_a_minute_at_60x_and_nothing_unpaced() {
        let (from, began): (Timestamp, _) = ("2026-11-01T00:00:00Z".parse().unwrap(), Instant::now());
        let tempo = |pace: &str| Tempo { pace: pace.parse().unwrap(), from, began };
        let hour = Timestamp::from_millis(from.as_millis() + 3_600_000).unwrap();
        assert_eq!(tempo("60x").wait(hour, began), Duration::from_secs(60));
        assert_eq!(tempo("60x").wait(hour, began + Duration::from_secs(20)), Duration::from_secs(40));
        assert_eq!(tempo("60x").wait(hour, began + Duration::from_secs(61)), Duration::ZERO);
        assert_eq!(tempo("realTime").wait(hour, began), Duration::from_secs(3_600));
        assert_eq!(tempo("unpaced").wait(hour, began), Duration::ZERO);
        assert_eq!(tempo("60x").wait(Timestamp::MIN, began), Duration::ZERO, "what is before the beginning");
    }
}
