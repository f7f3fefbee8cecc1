//! Asks for the last price at every slot.

use std::{collections::HashMap, sync::Arc, time::Duration};

use pricepipe_core::config::{RestConfig, SourceConfig};

use super::{ALIVE, Loop, Shared, probe_for_ever};
use crate::{
    ProducerError,
    endpoints::Exchanges,
    poller::Poller,
    schedule::Schedule,
    source::{catalogue::Catalogue, last_prices::LastPrices},
    teller::Words,
};

impl Shared<'_> {
    /// The loops of a source that is polled.
    pub(super) fn rest(
        &self,
        source: &SourceConfig,
        rest: &RestConfig,
        exchanges: &mut Exchanges,
    ) -> Result<Vec<Loop>, ProducerError> {
        let endpoints = Arc::new(exchanges.endpoints(source, self.events)?);
        self.events.source_begins(source.exchange, Duration::from_millis(rest.interval_millis));
        let symbols = self.config.symbols.iter().map(|route| route.symbol.clone());
        let symbols = symbols.filter(|symbol| source.serves(symbol));
        let prices = LastPrices::new(endpoints.clone(), symbols);
        let catalogue = Catalogue::new(endpoints.clone(), self.events.clone());
        let poller = self.poller(source, rest, prices, catalogue);
        let probe = probe_for_ever(endpoints, self.stop.clone());
        Ok(vec![Box::pin(probe), Box::pin(poller.run())])
    }

    fn poller(
        &self,
        source: &SourceConfig,
        rest: &RestConfig,
        prices: LastPrices,
        catalogue: Catalogue,
    ) -> Poller {
        let hosts = u32::try_from(rest.endpoints.len()).unwrap_or(u32::MAX);
        let longest_poll = Duration::from_millis(rest.timeout_millis).saturating_mul(hosts);
        let health = &self.process.health;
        Poller {
            exchange: source.exchange,
            source: prices,
            catalogue: Arc::new(catalogue),
            schedule: Schedule::every(Duration::from_millis(rest.interval_millis)),
            routes: self.routes_of(source),
            sink: self.sink.clone(),
            events: self.events.clone(),
            teller: self.teller(source, Words { part: "", fails: "gives no prices" }),
            heartbeat: health
                .heartbeat(&self.label("poll", source), ALIVE.max(longest_poll.saturating_mul(2))),
            failing: HashMap::new(),
            stop: self.stop.clone(),
        }
    }
}
