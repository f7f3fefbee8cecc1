//! Sends requests to an exchange's hosts, in order of preference, within its limits. This file performs the I/O;
//! what an answer means is said by `pricepipe_exchange`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_core::{BreakerState, Exchange, config::SourceConfig};
use pricepipe_exchange::{
    Answer, BadRecord, Refusal, Request, last,
    listing::{self, Listing},
    stream,
};
use pricepipe_service::{Guard, Process, clock};
use reqwest::{Client, Url};
use tokio::time::sleep;

use crate::{
    ProducerError,
    budget::{Budget, Pace},
    events::Events,
    http::{self, Reply},
    penalty::Penalty,
    source::SourceError,
    streams::connections::Gate,
};

/// No answer with prices is nearly as large.
const LARGEST_ANSWER: usize = 4 << 20;
/// A list of every market, with all that there is to say of each.
const LARGEST_LIST: usize = 32 << 20;
/// As long as an exchange itself takes at most.
const LISTING_PATIENCE: Duration = Duration::from_secs(10);
/// Of its limit, what is ours to use where an exchange counts by weight: at the whole of it Binance answers 429.
const USABLE_PERCENT: u64 = 95;

/// What all sources of one process share: an exchange counts by address, so they spend from one purse.
pub(crate) struct Exchanges {
    process: Process,
    limits: BTreeMap<Exchange, Arc<Mutex<Limits>>>,
    gates: BTreeMap<Exchange, Arc<Gate>>,
}

struct Limits {
    budget: Budget,
    penalty: Penalty,
    pace: Option<Pace>,
}

impl Limits {
    fn of(exchange: Exchange) -> Self {
        let pace = match exchange {
            Exchange::Binance => None,
            // 10 a second; a burst of 15 is borne.
            Exchange::Coinbase => Some(Pace::new(Duration::from_millis(100), 10)),
            Exchange::Kraken => Some(Pace::new(Duration::from_secs(1), 1)),
        };
        Limits { budget: Budget::default(), penalty: Penalty::default(), pace }
    }
}

/// The hosts of one source.
pub(crate) struct Endpoints {
    client: Client,
    list: Vec<Endpoint>,
    limits: Arc<Mutex<Limits>>,
    max_weight: u64,
    timeout: Duration,
    events: Arc<Events>,
    exchange: Exchange,
}

/// How long a request may take, and how large its answer may be.
#[derive(Clone, Copy)]
struct Bounds {
    bytes: usize,
    time: Duration,
}

/// A host of an exchange and how it did lately.
pub(crate) struct Endpoint {
    pub(crate) base: Url,
    guard: Arc<Guard>,
    state: Mutex<EndpointState>,
}

#[derive(Default)]
struct EndpointState {
    geo_blocked: bool,
    /// Not before this moment: it failed a moment ago.
    rest_until: Option<Instant>,
    last_failure: Option<SourceError>,
}

impl Exchanges {
    pub(crate) fn new(process: &Process) -> Self {
        Exchanges { process: process.clone(), limits: BTreeMap::new(), gates: BTreeMap::new() }
    }

    /// The hosts of a source.
    pub(crate) fn endpoints(
        &mut self,
        source: &SourceConfig,
        events: &Arc<Events>,
    ) -> Result<Endpoints, ProducerError> {
        let bases = http::base_urls(source)?;
        let timeout = Duration::from_millis(source.timeout_millis().max(1));
        let client = http::client(&bases).map_err(ProducerError::HttpClient)?;
        let exchange = source.exchange;
        let limits = || Arc::new(Mutex::new(Limits::of(exchange)));
        Ok(Endpoints {
            client,
            list: bases.into_iter().map(|base| self.endpoint(base)).collect(),
            limits: self.limits.entry(exchange).or_insert_with(limits).clone(),
            max_weight: u64::from(source.max_weight_per_minute()).min(usable_weight(exchange)),
            timeout,
            events: events.clone(),
            exchange,
        })
    }

    /// The gate that every connection to an exchange's streams passes.
    pub(crate) fn gate(&mut self, exchange: Exchange, limits: &stream::Limits) -> Arc<Gate> {
        self.gates.entry(exchange).or_insert_with(|| Arc::new(Gate::new(limits))).clone()
    }

    /// A host and its breaker.
    pub(crate) fn endpoint(&self, base: Url) -> Endpoint {
        let guard = self.process.guard(&http::host_and_port(&base));
        Endpoint { base, guard, state: Mutex::default() }
    }
}

impl Endpoints {
    /// Sends a request to the first host that may be asked, and to the next one when it fails.
    pub(crate) async fn get<T>(
        &self,
        request: &Request,
        read: impl Fn(&Answer<'_>) -> Result<T, Refusal>,
    ) -> Result<T, SourceError> {
        self.get_bounded(request, self.bounds(), read).await
    }

    /// The cheapest request, to see whether somebody answers.
    pub(crate) async fn ping(&self) -> Result<(), SourceError> {
        let read = |answer: &Answer<'_>| last::read_ping(self.exchange, answer);
        self.get(&last::ping(self.exchange), read).await
    }

    /// Every market of the exchange.
    pub(crate) async fn listings(&self) -> Result<Vec<Listing>, SourceError> {
        let bounds = Bounds { bytes: LARGEST_LIST, time: LISTING_PATIENCE.max(self.timeout) };
        let read = |answer: &Answer<'_>| listing::read_listings(self.exchange, answer);
        self.get_bounded(&listing::listings(self.exchange), bounds, read).await
    }

    /// An observation out of an answer cannot be used.
    pub(crate) fn record_rejected(&self, bad: &BadRecord) {
        self.events.record_rejected(self.exchange, bad);
    }

    /// Whose hosts they are.
    pub(crate) fn exchange(&self) -> Exchange {
        self.exchange
    }

    async fn get_bounded<T>(
        &self,
        request: &Request,
        bounds: Bounds,
        read: impl Fn(&Answer<'_>) -> Result<T, Refusal>,
    ) -> Result<T, SourceError> {
        let mut failure = None;
        for endpoint in self.list.iter().filter(|endpoint| endpoint.may_be_asked()) {
            self.wait_for_turn().await;
            self.admit(request)?;
            match self.ask(endpoint, request, bounds, &read).await {
                Ok(value) => return Ok(value),
                Err(error) if error.is_final() => return Err(error),
                Err(SourceError::GeoBlocked) => failure = None,
                Err(error) => failure = Some(error.at(endpoint.guard.target())),
            }
        }
        Err(failure.unwrap_or_else(|| resting(&self.list)))
    }

    /// Pings every host whose breaker is open, so that it is used again soon after it is back.
    pub(crate) async fn probe(&self) {
        for endpoint in self.list.iter().filter(|endpoint| endpoint.guard.state() == BreakerState::Open) {
            let ping = last::ping(self.exchange);
            if endpoint.lock().geo_blocked || self.admit(&ping).is_err() {
                continue;
            }
            self.wait_for_turn().await;
            let reply = self.send(endpoint, &ping, self.bounds()).await;
            let read = |reply: Reply| Ok(last::read_ping(self.exchange, &reply.answer())?);
            match reply.and_then(read) {
                Ok(()) => {
                    self.lock().penalty.lift(Instant::now());
                    endpoint.lock().rest_until = None;
                    endpoint.guard.probe_succeeded();
                }
                Err(SourceError::Limited(limit, length)) => {
                    self.lock().penalty.impose(limit, length, Instant::now());
                }
                Err(_) => {}
            }
        }
    }

    /// Asks one host and remembers how it went.
    async fn ask<T>(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        bounds: Bounds,
        read: impl Fn(&Answer<'_>) -> Result<T, Refusal>,
    ) -> Result<T, SourceError> {
        let start = Instant::now();
        let reply = self.send(endpoint, request, bounds).await;
        let result = reply.and_then(|reply| Ok(read(&reply.answer())?));
        self.events.request_finished(self.exchange, result.as_ref().err(), start.elapsed());
        let now = Instant::now();
        match &result {
            Ok(_) | Err(SourceError::UnknownSymbol) => {
                self.lock().penalty.lift(now);
                endpoint.succeeded();
            }
            Err(SourceError::Limited(limit, length)) => {
                self.lock().penalty.impose(limit.clone(), *length, now);
            }
            Err(SourceError::GeoBlocked) => endpoint.geo_blocked(self.exchange, &self.events),
            Err(error) => endpoint.failed(error, now),
        }
        result
    }

    /// One exchange of request and answer. Takes its weight from the budget, and the exchange's own count with it.
    async fn send(
        &self,
        endpoint: &Endpoint,
        request: &Request,
        bounds: Bounds,
    ) -> Result<Reply, SourceError> {
        self.lock().budget.spent(request.weight, clock::now());
        let url = http::url(&endpoint.base, &request.path_and_query);
        let reply = http::get(&self.client, url, bounds.time, bounds.bytes).await;
        let mut limits = self.lock();
        let headers = reply.as_ref().ok().map(|reply| &reply.headers);
        if let Some(used) = headers.and_then(|headers| last::used_weight(self.exchange, headers)) {
            limits.budget.reported(used.weight, used.time, clock::now());
        }
        self.events.used_weight(self.exchange, limits.budget.used());
        reply
    }

    /// Waits until the exchange bears another request, where it counts them by the second.
    async fn wait_for_turn(&self) {
        let wait = self.lock().pace.as_mut().map_or(Duration::ZERO, |pace| pace.take(Instant::now()));
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds { bytes: LARGEST_ANSWER, time: self.timeout }
    }

    fn admit(&self, request: &Request) -> Result<(), SourceError> {
        let mut limits = self.lock();
        if !limits.budget.admits(request.weight, self.max_weight, clock::now()) {
            return Err(SourceError::BudgetUsedUp);
        }
        let held = limits.penalty.admits(Instant::now());
        held.map_err(|(limit, left)| SourceError::Limited(limit, left))
    }

    fn lock(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why no host may be asked now.
pub(crate) fn resting<'a>(endpoints: impl IntoIterator<Item = &'a Endpoint>) -> SourceError {
    let now = Instant::now();
    let waits = endpoints.into_iter().filter_map(|endpoint| endpoint.rest(now));
    let Some((left, failure)) = waits.min_by_key(|(left, _)| *left) else {
        return SourceError::GeoBlocked;
    };
    SourceError::Resting { failure: failure.map(Box::new), left }
}

/// The weight of a minute that is ours to use.
fn usable_weight(exchange: Exchange) -> u64 {
    let limit = u64::from(exchange.request_weight_limit());
    match exchange {
        Exchange::Binance => limit * USABLE_PERCENT / 100,
        // Their requests are paced by the second besides.
        Exchange::Coinbase | Exchange::Kraken => limit,
    }
}

impl SourceError {
    /// True when another host would answer the same.
    fn is_final(&self) -> bool {
        matches!(self, SourceError::UnknownSymbol | SourceError::Limited(..) | SourceError::Refused(_))
    }
}

impl Endpoint {
    /// How it is named in metrics and logs.
    pub(crate) fn name(&self) -> &str {
        self.guard.target()
    }

    /// True when only the breaker's patience stands between it and another try.
    pub(crate) fn is_away(&self) -> bool {
        self.guard.state() == BreakerState::Open && !self.lock().geo_blocked
    }

    /// Permanent: the block is of our place, so only another configuration changes it.
    pub(crate) fn geo_blocked(&self, exchange: Exchange, events: &Events) {
        self.lock().geo_blocked = true;
        events.endpoint_geo_blocked(exchange, self.name());
    }

    pub(crate) fn may_be_asked(&self) -> bool {
        let now = Instant::now();
        let state = self.lock();
        !state.geo_blocked && state.rest_until.is_none_or(|until| until <= now) && self.guard.wait().is_none()
    }

    pub(crate) fn succeeded(&self) {
        self.lock().rest_until = None;
        self.guard.succeeded();
    }

    pub(crate) fn failed(&self, error: &SourceError, now: Instant) {
        let wait = self.guard.failed();
        let mut state = self.lock();
        state.rest_until = Some(now + wait);
        state.last_failure = Some(error.clone());
    }

    /// How long it rests, and why; `None` when it is blocked for good. An open breaker may half-open at any moment.
    fn rest(&self, now: Instant) -> Option<(Duration, Option<SourceError>)> {
        let state = self.lock();
        let left = match self.guard.state() {
            BreakerState::Open => Duration::from_secs(1),
            _ => state.rest_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now)),
        };
        let failure = state.last_failure.clone().map(|failure| failure.at(self.guard.target()));
        (!state.geo_blocked).then_some((left, failure))
    }

    fn lock(&self) -> MutexGuard<'_, EndpointState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
