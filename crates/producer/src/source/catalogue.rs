//! What markets an exchange has, for a user who has named one that it has not. Asked for when that happens, and kept for a
//! while.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use pricepipe_core::Symbol;
use pricepipe_exchange::listing::{self, Listing};
use tokio::{sync::Mutex, time::sleep};

use crate::{endpoints::Endpoints, events::Events, source::SourceError};

/// A list that is older is asked for again.
const KEPT: Duration = Duration::from_secs(600);
/// So often the list is asked for before it is done without.
const TRIES: usize = 3;
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(2);
/// The most markets that are suggested.
const SUGGESTIONS: usize = 3;

/// The markets of one exchange.
pub(crate) struct Catalogue {
    endpoints: Arc<Endpoints>,
    events: Arc<Events>,
    known: Mutex<Option<(Instant, Arc<[Listing]>)>>,
}

impl Catalogue {
    pub(crate) fn new(endpoints: Arc<Endpoints>, events: Arc<Events>) -> Self {
        Catalogue { endpoints, events, known: Mutex::default() }
    }

    /// Tells that the exchange does not have a symbol, and which ones may have been meant.
    pub(crate) async fn tell_unknown(&self, symbol: &Symbol) {
        let near = self.near(symbol).await;
        self.events.symbol_unknown(self.endpoints.exchange(), symbol, &near);
    }

    /// Whether the exchange lists a market, as far as it can be told.
    pub(crate) async fn lists(&self, market: &str) -> bool {
        let listings = self.listings().await;
        listings.is_ok_and(|listings| listings.iter().any(|listing| listing.market == market))
    }

    /// The symbols that somebody may have meant by one that the exchange does not have; none when they cannot be told.
    async fn near(&self, symbol: &Symbol) -> Vec<String> {
        let Ok(listings) = self.listings().await else { return Vec::new() };
        let near = listing::near_matches(symbol, &listings, SUGGESTIONS);
        // In the form in which it was asked for: the neutral one, or the exchange's own.
        let form = |listing: &Listing| match symbol.pair() {
            Some(_) => listing.symbol.clone(),
            None => listing.market.clone(),
        };
        near.into_iter().map(form).collect()
    }

    /// Every market. Whoever asks meanwhile waits for the same answer.
    async fn listings(&self) -> Result<Arc<[Listing]>, SourceError> {
        let mut known = self.known.lock().await;
        if let Some((_, listings)) = known.as_ref().filter(|(asked, _)| asked.elapsed() < KEPT) {
            return Ok(listings.clone());
        }
        let listings: Arc<[Listing]> = ask(&self.endpoints).await?.into();
        *known = Some((Instant::now(), listings.clone()));
        Ok(listings)
    }
}

/// Asks for every market, a few times when it fails.
pub(crate) async fn ask(endpoints: &Endpoints) -> Result<Vec<Listing>, SourceError> {
    for _ in 1..TRIES {
        match endpoints.listings().await {
            Err(error) if !error.is_certain() => {
                sleep(error.retry_in().unwrap_or(PAUSE).clamp(PAUSE / 10, PAUSE)).await;
            }
            settled => return settled,
        }
    }
    endpoints.listings().await
}
