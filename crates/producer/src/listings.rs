//! Every market of an exchange, for a user who looks for one.

use std::{sync::Arc, time::Duration};

use pricepipe_core::{
    Exchange,
    config::{Feed, RestConfig, SourceConfig},
};
use pricepipe_exchange::listing::Listing;
use pricepipe_service::Process;

use crate::{Observations, ProducerError, endpoints::Exchanges, events::Events, source::catalogue};

/// Asks an exchange for every market that it has, at the first of these endpoints that answers; at its own when none is
/// named. They come in the order of their symbols.
///
/// # Errors
/// An endpoint that is no base URL, and an exchange that gives no list.
pub async fn listings(
    exchange: Exchange,
    endpoints: &[String],
    timeout: Duration,
) -> Result<Vec<Listing>, ProducerError> {
    let own = || exchange.default_endpoints().iter().map(|&url| url.to_owned()).collect();
    let rest = RestConfig {
        endpoints: if endpoints.is_empty() { own() } else { endpoints.to_vec() },
        interval_millis: 1_000,
        timeout_millis: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        max_weight_per_minute: exchange.request_weight_limit(),
    };
    let source =
        SourceConfig { name: exchange.to_string(), exchange, symbols: Vec::new(), feed: Feed::Rest(rest) };
    let process = Process::new("listings");
    let events = Arc::new(Events::new(&process.registry, Arc::<Observations>::default()));
    let endpoints = Exchanges::new(&process).endpoints(&source, &events)?;
    let listings = catalogue::ask(&endpoints).await;
    listings.map_err(|error| ProducerError::NoListings { exchange, reason: error.to_string() })
}
