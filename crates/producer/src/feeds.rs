//! What each source does all the time, by its kind of feed: one file a kind. A source is one or more loops that run
//! until they are told to stop.

mod replay;
mod rest;
mod websocket;

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use pricepipe_core::{
    Symbol,
    config::{Feed, KafkaCredentials, ProducerConfig, SourceConfig},
};
use pricepipe_service::Process;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    Options, ProducerError,
    announcer::Announcer,
    endpoints::{Endpoints, Exchanges},
    events::Events,
    route::Route,
    sink::Sink,
    teller::{Teller, Words},
};

/// A loop that shows no sign of life for so long is dead, unless a request may take longer.
pub(crate) const ALIVE: Duration = Duration::from_secs(60);
/// Hosts whose breaker is open are pinged about this often.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// Work that ends when the producer's `stop` is cancelled.
pub(crate) type Loop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the loops of all sources share.
pub(crate) struct Shared<'a> {
    pub(crate) config: &'a ProducerConfig,
    pub(crate) credentials: Option<&'a KafkaCredentials>,
    pub(crate) process: &'a Process,
    pub(crate) options: &'a Options,
    pub(crate) routes: &'a [Arc<Route>],
    pub(crate) sink: &'a Arc<Sink>,
    pub(crate) events: &'a Arc<Events>,
    pub(crate) stop: &'a CancellationToken,
}

impl Shared<'_> {
    /// The loops of a source.
    ///
    /// # Errors
    /// A configuration that cannot be used.
    pub(crate) fn loops(
        &self,
        source: &SourceConfig,
        exchanges: &mut Exchanges,
    ) -> Result<Vec<Loop>, ProducerError> {
        match &source.feed {
            Feed::Rest(rest) => self.rest(source, rest, exchanges),
            Feed::Websocket(websocket) => self.websocket(source, websocket, exchanges),
            Feed::Replay(replay) => self.replay(source, replay, exchanges),
        }
    }

    /// Where the prices of a source go, by symbol.
    fn routes_of(&self, source: &SourceConfig) -> HashMap<Symbol, Arc<Route>> {
        let own = |route: &&Arc<Route>| route.exchange == source.exchange && source.serves(&route.symbol);
        self.routes.iter().filter(own).map(|route| (route.symbol.clone(), route.clone())).collect()
    }

    /// What tells how a source is.
    pub(crate) fn teller(&self, source: &SourceConfig, words: Words) -> Teller {
        let condition = self.process.health.condition(&self.label("exchange", source));
        Teller {
            source: source.name.clone(),
            exchange: source.exchange,
            words,
            announcer: Announcer::new(condition, ""),
            observations: self.options.observations.clone(),
            hint: self.options.unreachable_hint.clone(),
        }
    }

    /// What a condition or heartbeat of a source is called: it is named where there are several.
    pub(crate) fn label(&self, what: &str, source: &SourceConfig) -> String {
        match self.config.sources.len() {
            1 => what.to_owned(),
            _ => format!("{what} {}", source.name),
        }
    }
}

/// Pings the hosts of a source that are away, so that they are used again soon after they are back.
async fn probe_for_ever(endpoints: Arc<Endpoints>, stop: CancellationToken) {
    let probe = async {
        loop {
            sleep(PROBE_EVERY.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            endpoints.probe().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = probe => {}
    }
}
