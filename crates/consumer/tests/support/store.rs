//! A store in memory that can be told to fail.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use pricepipe_core::{PriceMessage, names::CollectionName};
use pricepipe_store::{
    BoxFuture, Market, MarketCount, Period, Rejected, Store, StoreError, StoreErrorKind, Written,
};
use tokio::sync::watch;

/// Documents by collection and id, with faults on request.
pub(crate) struct MemoryStore {
    pub(crate) documents: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
    pub(crate) failing: AtomicBool,
    /// The next write panics.
    pub(crate) panics: AtomicBool,
    pub(crate) largest: AtomicUsize,
    /// The one collection whose writes fail.
    pub(crate) broken: Mutex<Option<String>>,
    prepared: Mutex<BTreeSet<CollectionName>>,
    hanging: watch::Sender<bool>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore {
            documents: Mutex::default(),
            failing: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            largest: AtomicUsize::new(0),
            broken: Mutex::default(),
            prepared: Mutex::default(),
            hanging: watch::Sender::new(false),
        }
    }
}

impl MemoryStore {
    /// While it hangs, no write and no ping returns.
    pub(crate) fn hang(&self, hanging: bool) {
        self.hanging.send_replace(hanging);
    }

    pub(crate) fn count(&self) -> usize {
        self.documents.lock().unwrap().values().map(BTreeMap::len).sum()
    }

    pub(crate) fn ids(&self, collection: &str) -> BTreeSet<String> {
        let documents = self.documents.lock().unwrap();
        documents.get(collection).map(|found| found.keys().cloned().collect()).unwrap_or_default()
    }

    async fn answer(&self) -> Result<(), StoreError> {
        let mut hanging = self.hanging.subscribe();
        hanging.wait_for(|hanging| !hanging).await.unwrap();
        if self.failing.load(SeqCst) { Err(refusal()) } else { Ok(()) }
    }
}

impl Store for MemoryStore {
    fn prepare<'a>(&'a self, collections: &'a [CollectionName]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.answer().await?;
            self.prepared.lock().unwrap().extend(collections.iter().cloned());
            Ok(())
        })
    }

    /// A price of 666 is what this store never takes.
    fn write<'a>(
        &'a self,
        collection: &'a CollectionName,
        batch: Arc<[PriceMessage]>,
    ) -> BoxFuture<'a, Result<Written, StoreError>> {
        Box::pin(async move {
            self.answer().await?;
            assert!(!self.panics.swap(false, SeqCst), "the test says so");
            assert!(self.prepared.lock().unwrap().contains(collection), "{collection} is not prepared");
            if self.broken.lock().unwrap().as_deref() == Some(collection.as_str()) {
                return Err(refusal());
            }
            self.largest.fetch_max(batch.len(), SeqCst);
            let mut written = Written::default();
            let mut documents = self.documents.lock().unwrap();
            let held = documents.entry(collection.to_string()).or_default();
            for (index, message) in batch.iter().enumerate() {
                if message.price.to_string() == "666" {
                    written.rejected.push(Rejected { index, reason: "a validator says no".to_owned() });
                } else if held.insert(message.id.clone(), message.price.to_string()).is_some() {
                    written.duplicates += 1;
                } else {
                    written.inserted += 1;
                }
            }
            Ok(written)
        })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.answer())
    }

    fn latest<'a>(
        &'a self,
        _: &'a CollectionName,
        _: &'a [Market],
    ) -> BoxFuture<'a, Result<Vec<PriceMessage>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn count<'a>(
        &'a self,
        _: &'a CollectionName,
        _: Period,
    ) -> BoxFuture<'a, Result<Vec<MarketCount>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

fn refusal() -> StoreError {
    StoreError { kind: StoreErrorKind::Unavailable, message: "the test says no".to_owned() }
}
