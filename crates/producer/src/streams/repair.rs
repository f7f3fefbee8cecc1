//! Asks an exchange's history for what streams have missed: market by market, a page each in turn, within the request
//! weight. Network I/O.

use std::{
    collections::{BTreeSet, HashSet},
    future,
    sync::Arc,
    time::Duration,
};

use pricepipe_core::{Backoff, Timestamp, config::Stream};
use pricepipe_exchange::{
    Record,
    history::{self, From, Klines, Trades},
    stream::Topic,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use crate::{endpoints::Endpoints, source::SourceError};

/// So many requests are under way at once.
const AT_ONCE: usize = 4;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Where history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Trades, or aggregate trades.
    Trades(From),
    /// Candles that begin from `start` on and before `end`.
    Candles { start: Timestamp, end: Timestamp },
}

/// What history told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The oldest first.
    pub(crate) records: Vec<Record>,
    /// Where it goes on.
    pub(crate) next: Option<Place>,
    /// True when it does not hold any more what comes before the records.
    pub(crate) begins_late: bool,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It is this market's turn to ask.
    Due(usize),
    /// A market's question was answered, or history will not answer it, in words.
    Answered(usize, Result<Page, String>),
}

/// The questions of a source's markets.
pub(crate) struct Repair {
    endpoints: Arc<Endpoints>,
    topic: Topic,
    /// The markets as history knows them, by their places.
    markets: Arc<[String]>,
    /// When each market may ask, the one that has waited longest first.
    queue: BTreeSet<(Instant, usize)>,
    /// The same for markets of which nothing is known to be missing: they ask when nobody else does.
    checks: BTreeSet<(Instant, usize)>,
    /// The markets that are in the queue or are asking.
    wanting: HashSet<usize>,
    asking: JoinSet<(usize, Result<Page, String>)>,
    fault: bool,
}

impl Repair {
    pub(crate) fn new(endpoints: Arc<Endpoints>, topic: Topic, markets: Vec<String>) -> Self {
        Repair {
            endpoints,
            topic,
            markets: markets.into(),
            queue: BTreeSet::new(),
            checks: BTreeSet::new(),
            wanting: HashSet::new(),
            asking: JoinSet::new(),
            fault: is_switched_off(),
        }
    }

    /// A market wants something of history, after so long. It has to be said but once.
    pub(crate) fn want(&mut self, market: usize, wait: Duration) {
        if self.wanting.insert(market) {
            self.queue.insert((Instant::now() + wait, market));
        }
    }

    /// A market is to be asked about in case something is missing, after so long and when nothing is that is known.
    pub(crate) fn check(&mut self, market: usize, wait: Duration) {
        self.checks.insert((Instant::now() + wait, market));
    }

    /// Waits for what comes next. May be given up at any time.
    pub(crate) async fn turn(&mut self) -> Turn {
        let wanted = self.queue.first().filter(|_| self.asking.len() < AT_ONCE).copied();
        let check = self.checks.first().filter(|_| self.queue.is_empty() && self.asking.is_empty()).copied();
        tokio::select! {
            Some(answered) = self.asking.join_next() => {
                // A task that died has said so; its market asks again when the next hole is found.
                let Ok((market, answer)) = answered else { return future::pending().await };
                self.wanting.remove(&market);
                Turn::Answered(market, answer)
            }
            market = at(wanted) => {
                self.queue.pop_first();
                self.wanting.remove(&market);
                Turn::Due(market)
            }
            market = at(check) => {
                self.checks.pop_first();
                Turn::Due(market)
            }
        }
    }

    /// Asks for a market. The answer comes by [`Repair::turn`], however long it takes.
    pub(crate) fn ask(&mut self, market: usize, place: Place) {
        self.wanting.insert(market);
        let (endpoints, topic, markets) = (self.endpoints.clone(), self.topic, self.markets.clone());
        let fault = self.fault;
        self.asking.spawn(async move {
            if fault {
                return (market, Err("repair is switched off".to_owned()));
            }
            let name = markets.get(market).map_or("", String::as_str);
            (market, persist(&endpoints, topic, name, place).await)
        });
    }
}

/// The market, at its moment.
async fn at(due: Option<(Instant, usize)>) -> usize {
    match due {
        Some((moment, market)) => {
            sleep_until(moment).await;
            market
        }
        None => future::pending().await,
    }
}

/// Asks until there is an answer, or none is to be expected.
async fn persist(endpoints: &Endpoints, topic: Topic, market: &str, place: Place) -> Result<Page, String> {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    loop {
        let error = match ask(endpoints, topic, market, place).await {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        if is_final(&error) {
            return Err(error.to_string());
        }
        tracing::debug!(market, %error, "history does not answer");
        let wait = backoff.next_wait(fastrand::f64());
        sleep(error.retry_in().unwrap_or_default().max(wait)).await;
    }
}

async fn ask(endpoints: &Endpoints, topic: Topic, market: &str, place: Place) -> Result<Page, SourceError> {
    let exchange = topic.exchange;
    match place {
        Place::Candles { start, end } => {
            let klines = Klines { exchange, market, interval: topic.kline_interval(), start, end };
            let page =
                endpoints.get(&klines.request(), |answer| klines.read(answer.received, answer)).await?;
            Ok(Page::from(page, endpoints, |start| Place::Candles { start, end }))
        }
        Place::Trades(from) => {
            let trades = Trades { exchange, aggregate: topic.stream == Stream::AggTrade, market, from };
            let page = endpoints.get(&trades.request(), |answer| trades.read(answer)).await?;
            Ok(Page::from(page, endpoints, Place::Trades))
        }
    }
}

impl Page {
    /// What cannot be used of it is counted, and is missing.
    fn from<Next>(page: history::Page<Next>, endpoints: &Endpoints, place: impl Fn(Next) -> Place) -> Self {
        page.rejected.iter().for_each(|bad| endpoints.record_rejected(bad));
        Page { records: page.records, next: page.next.map(place), begins_late: page.begins_late }
    }
}

/// True when asking again brings the same answer.
fn is_final(error: &SourceError) -> bool {
    match error {
        SourceError::GeoBlocked | SourceError::UnknownSymbol | SourceError::Refused(_) => true,
        SourceError::At { error, .. } => is_final(error),
        _ => false,
    }
}

/// Never, in every build that is shipped. A test that finds nothing missing is worth nothing if it cannot fail, so it may
/// ask for it from a build that has the feature `fault-injection`.
fn is_switched_off() -> bool {
    #[cfg(feature = "fault-injection")]
    return std::env::var("PRICEPIPE_FAULT").as_deref() == Ok("no-repair");
    #[cfg(not(feature = "fault-injection"))]
    false
}
