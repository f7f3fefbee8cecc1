//! Sends requests to an exchange's hosts, in order of preference, within its limits. This file performs the I/O;
//! what an answer means is the [`Dialect`]'s to say.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_core::{BreakerState, Exchange, Timestamp, config::SourceConfig};
use pricepipe_exchange::stream;
use pricepipe_service::{Guard, Process, clock};
use reqwest::{Client, Url, header::HeaderMap};

use crate::{
    ProducerError, budget::Budget, events::Events, http, penalty::Penalty, source::SourceError,
    streams::connections::Gate,
};

/// What is asked.
#[derive(Debug)]
pub(crate) struct Request {
    /// The path and the query, encoded.
    pub(crate) path_and_query: String,
    /// What it costs.
    pub(crate) weight: u32,
}

/// What was answered, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// When the last byte arrived.
    pub(crate) received: Timestamp,
}

/// The weight that everybody behind our address has used in a minute, as an exchange reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UsedWeight {
    pub(crate) weight: u64,
    /// The exchange's own time, which says what minute it speaks of.
    pub(crate) time: Option<Timestamp>,
}

/// How an exchange is spoken to.
pub(crate) struct Dialect {
    /// The cheapest request.
    pub(crate) ping: fn() -> Request,
    /// Its answer.
    pub(crate) read_ping: fn(&Reply) -> Result<(), SourceError>,
    /// The used weight that an answer tells.
    pub(crate) used_weight: fn(&HeaderMap) -> Option<UsedWeight>,
    /// The weight of a minute that may be used at all.
    pub(crate) weight_limit: u64,
}

/// What all sources of one process share: an exchange counts by address, so they spend from one purse.
pub(crate) struct Exchanges {
    process: Process,
    limits: BTreeMap<Exchange, Arc<Mutex<Limits>>>,
    gates: BTreeMap<Exchange, Arc<Gate>>,
}

#[derive(Default)]
struct Limits {
    budget: Budget,
    penalty: Penalty,
}

/// The hosts of one source.
pub(crate) struct Endpoints {
    client: Client,
    dialect: &'static Dialect,
    list: Vec<Endpoint>,
    limits: Arc<Mutex<Limits>>,
    max_weight: u64,
    timeout: Duration,
    events: Arc<Events>,
    exchange: Exchange,
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
        dialect: &'static Dialect,
        events: &Arc<Events>,
    ) -> Result<Endpoints, ProducerError> {
        let bases = http::base_urls(source)?;
        let timeout = Duration::from_millis(source.timeout_millis().max(1));
        let client = http::client(&bases).map_err(ProducerError::HttpClient)?;
        Ok(Endpoints {
            client,
            dialect,
            list: bases.into_iter().map(|base| self.endpoint(base)).collect(),
            limits: self.limits.entry(source.exchange).or_default().clone(),
            max_weight: u64::from(source.max_weight_per_minute()).min(dialect.weight_limit),
            timeout,
            events: events.clone(),
            exchange: source.exchange,
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
        read: impl Fn(&Reply) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let mut failure = None;
        for endpoint in self.list.iter().filter(|endpoint| endpoint.may_be_asked()) {
            self.admit(request)?;
            match self.ask(endpoint, request, &read).await {
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
            let ping = (self.dialect.ping)();
            if endpoint.lock().geo_blocked || self.admit(&ping).is_err() {
                continue;
            }
            let reply = self.send(endpoint, &ping).await;
            match reply.and_then(|reply| (self.dialect.read_ping)(&reply)) {
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
        read: impl Fn(&Reply) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        let start = Instant::now();
        let result = self.send(endpoint, request).await.and_then(|reply| read(&reply));
        self.events.request_finished(self.exchange, result.as_ref().err(), start.elapsed());
        let now = Instant::now();
        match &result {
            Ok(_) | Err(SourceError::UnknownSymbol) => {
                self.lock().penalty.lift(now);
                endpoint.succeeded();
            }
            Err(SourceError::Limited(limit, length)) => self.lock().penalty.impose(*limit, *length, now),
            Err(SourceError::GeoBlocked) => endpoint.geo_blocked(self.exchange, &self.events),
            Err(error) => endpoint.failed(error, now),
        }
        result
    }

    /// One exchange of request and answer. Takes its weight from the budget, and the exchange's own count with it.
    async fn send(&self, endpoint: &Endpoint, request: &Request) -> Result<Reply, SourceError> {
        self.lock().budget.spent(request.weight, clock::now());
        let reply = http::get(&self.client, &endpoint.base, request, self.timeout).await;
        let mut limits = self.lock();
        if let Some(used) = reply.as_ref().ok().and_then(|r| (self.dialect.used_weight)(&r.headers)) {
            limits.budget.reported(used.weight, used.time, clock::now());
        }
        self.events.used_weight(limits.budget.used());
        reply
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

    pub(crate) fn may_be_asked(&self) -> bool {
        let now = Instant::now();
        let state = self.lock();
        !state.geo_blocked && state.rest_until.is_none_or(|until| until <= now) && self.guard.wait().is_none()
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
