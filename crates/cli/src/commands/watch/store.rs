//! Looks at the store: whether it answers, and where no topics can be read, at the newest prices. Reads only.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use pricepipe_core::{PriceMessage, names::CollectionName};
use pricepipe_store::{History, Market, OpenError, Period, StoreError};
use tokio::time::{Instant, sleep, timeout};

use super::watched::Watched;
use crate::{
    exit::{Exit, Failed},
    live::State,
    parts::{INVENTED, StorePart},
    run::places,
};

const EVERY: Duration = Duration::from_secs(1);
/// How long a store may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Counting takes no more than one part in so many of the time: a large store is counted now and then.
const COUNT_SHARE: u32 = 50;

/// The stores that the pipeline may use, and what is asked of the first that is there.
pub(super) struct StoreWatch {
    candidates: Vec<StorePart>,
    history: Option<Arc<dyn History>>,
    /// What is asked for, of each collection.
    wanted: BTreeMap<CollectionName, Vec<Market>>,
    count_at: Option<Instant>,
    watched: Watched,
}

impl StoreWatch {
    /// A watch of the first of these stores that is there. Refuses what cannot be used at all; a file that is not
    /// there yet may come.
    pub(super) fn new(
        candidates: Vec<StorePart>,
        wanted: BTreeMap<CollectionName, Vec<Market>>,
        watched: Watched,
    ) -> Result<Self, Failed> {
        let mut watch = StoreWatch { candidates, history: None, wanted, count_at: None, watched };
        match watch.open() {
            Ok(()) | Err(OpenError::NoSuchFile { .. }) => Ok(watch),
            Err(error) => Err(Failed::because(Exit::Invalid, &error)),
        }
    }

    /// Looks again and again.
    pub(super) async fn look_for_ever(mut self) {
        loop {
            let state = match self.look().await {
                Ok(()) => State::Fine(String::new()),
                Err(reason) => State::Away(reason),
            };
            self.watched.lock().store = state;
            sleep(EVERY).await;
        }
    }

    fn open(&mut self) -> Result<(), OpenError> {
        let mut first = None;
        for (index, part) in self.candidates.iter().enumerate() {
            match pricepipe_store::open_for_reading(&part.config, part.connection_string.as_ref()) {
                Ok(history) => {
                    let mut findings = self.watched.lock();
                    findings.store_place = places::store(&part.config);
                    findings.notes.extend((index > 0).then(|| INVENTED.to_owned()));
                    self.history = Some(history);
                    return Ok(());
                }
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    async fn look(&mut self) -> Result<(), String> {
        if self.history.is_none() {
            self.open().map_err(|error| error.to_string())?;
        }
        let Some(history) = self.history.clone() else { return Ok(()) };
        answered(history.ping()).await?;
        if self.wanted.is_empty() {
            return Ok(());
        }
        // Of a symbol in several collections, or of several exchanges, the price that came last.
        let mut latest: BTreeMap<String, PriceMessage> = BTreeMap::new();
        for (collection, markets) in &self.wanted {
            for price in answered(history.latest(collection, markets)).await? {
                let known = latest.get(&price.symbol).is_some_and(|known| known.received >= price.received);
                if !known {
                    latest.insert(price.symbol.clone(), price);
                }
            }
        }
        let documents = self.documents(&*history).await?;
        // At once, or a price would be seen of which no document is counted.
        let seen = &mut self.watched.lock().seen;
        latest.values().for_each(|price| seen.latest(&price.symbol, price.price, price.received));
        documents.iter().for_each(|(symbol, documents)| seen.documents(symbol, *documents));
        Ok(())
    }

    /// How many documents there are of each symbol; nothing while it would cost too much to count again.
    async fn documents(&mut self, history: &dyn History) -> Result<BTreeMap<String, u64>, String> {
        let mut documents = BTreeMap::new();
        if self.count_at.is_some_and(|at| at > Instant::now()) {
            return Ok(documents);
        }
        let start = Instant::now();
        for collection in self.wanted.keys() {
            let counts = history.count(collection, Period::default()).await;
            for count in counts.map_err(|error| error.to_string())? {
                *documents.entry(count.symbol).or_default() += count.documents;
            }
        }
        self.count_at = Some(Instant::now() + start.elapsed() * COUNT_SHARE);
        Ok(documents)
    }
}

async fn answered<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match timeout(PATIENCE, answer).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer for {} s", PATIENCE.as_secs())),
    }
}
