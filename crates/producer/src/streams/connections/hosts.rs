//! Opens connections at an exchange's hosts, in order of preference, within its limits. This file performs the I/O.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use pricepipe_core::Exchange;
use reqwest::Url;
use tokio_tungstenite::Connector;

use super::Gate;
use crate::{
    ProducerError,
    endpoints::{Endpoint, Exchanges, resting},
    events::Events,
    penalty::Limit,
    source::SourceError,
    streams::client::{self, Client},
};

/// A host whose breaker is open is tried about this often, by one connection of a source alone.
const TRY_EVERY: Duration = Duration::from_secs(5);

/// The hosts of one source.
pub(super) struct Hosts {
    list: Vec<Host>,
    path: &'static str,
    connector: Connector,
    gate: Arc<Gate>,
    events: Arc<Events>,
    exchange: Exchange,
}

struct Host {
    endpoint: Endpoint,
    tried: Mutex<Option<Instant>>,
}

/// Which host, by its place in the order of preference.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostId(usize);

impl Hosts {
    pub(super) fn new(
        exchange: Exchange,
        bases: Vec<Url>,
        path: &'static str,
        gate: Arc<Gate>,
        exchanges: &Exchanges,
        events: &Arc<Events>,
    ) -> Result<Self, ProducerError> {
        let connector = client::connector(&bases)?;
        let host = |base| Host { endpoint: exchanges.endpoint(base), tried: Mutex::default() };
        let list = bases.into_iter().map(host).collect();
        Ok(Hosts { list, path, connector, gate, events: events.clone(), exchange })
    }

    /// Opens a connection at the first host that is well, and at the next one when it fails.
    pub(super) async fn open(&self) -> Result<(Client, HostId), SourceError> {
        let mut failure = None;
        for (place, host) in self.list.iter().enumerate() {
            if !host.may_be_tried() {
                continue;
            }
            self.gate.pass().await?;
            match client::open(self.exchange, &host.endpoint.base, self.path, &self.connector).await {
                Ok(client) => {
                    self.gate.lift();
                    return Ok((client, HostId(place)));
                }
                Err(error) => {
                    self.failed(HostId(place), &error);
                    match error {
                        SourceError::Limited(..) => return Err(error),
                        SourceError::GeoBlocked => failure = None,
                        error => failure = Some(error.at(host.endpoint.name())),
                    }
                }
            }
        }
        Err(failure.unwrap_or_else(|| resting(self.list.iter().map(|host| &host.endpoint))))
    }

    /// A connection to this host is subscribed to what it should be.
    pub(super) fn succeeded(&self, host: HostId) {
        self.events.connect_finished(self.exchange, None);
        self.list[host.0].endpoint.succeeded();
    }

    /// A connection to this host could not be opened, or not be subscribed.
    pub(super) fn failed(&self, host: HostId, error: &SourceError) {
        self.events.connect_finished(self.exchange, Some(error));
        let endpoint = &self.list[host.0].endpoint;
        match error {
            SourceError::Limited(limit, length) => self.gate.impose(limit.clone(), *length),
            SourceError::GeoBlocked => endpoint.geo_blocked(self.exchange, &self.events),
            error => endpoint.failed(error, Instant::now()),
        }
    }

    /// The exchange says in other words than a status that it was too much: so it is said.
    pub(super) fn too_much(&self, said: &str, length: Duration) {
        self.gate.impose(Limit::Rate(said.into()), length);
    }
}

impl Host {
    /// A breaker that is open keeps a host from being tried for a minute; a connection that may be had again is worth
    /// an earlier try now and then.
    fn may_be_tried(&self) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let long_ago = tried.is_none_or(|tried| now.saturating_duration_since(tried) >= TRY_EVERY);
        let may = self.endpoint.may_be_asked() || (self.endpoint.is_away() && long_ago);
        if may {
            *tried = Some(now);
        }
        may
    }
}
