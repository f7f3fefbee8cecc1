//! Writes batches, and removes documents that are past their time.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use pricepipe_core::{PriceMessage, names::CollectionName};
use rusqlite::{Connection, TransactionBehavior, params};

use super::read;
use crate::{StoreError, Written};

/// How often old documents are looked for; MongoDB does it once a minute too.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many documents one transaction removes: a writer waits no longer than that takes.
const SWEEP_STEP: usize = 1_000;

// A second document of one id is ignored; any other fault still is an error.
const INSERT: &str =
    "INSERT INTO price (collection, id, symbol, price, exchange, kind, time, received, details)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (collection, id) DO NOTHING";

const DELETE: &str = "DELETE FROM price WHERE (collection, id) IN (
    SELECT collection, id FROM price WHERE collection = ?1 AND symbol = ?2 AND time < ?3 LIMIT ?4)";

/// The connection that writes.
pub(super) struct Writer {
    connection: Connection,
    retention: Option<Duration>,
    collections: BTreeSet<CollectionName>,
    next_sweep: Instant,
}

impl Writer {
    pub(super) fn new(connection: Connection, retention_seconds: u32) -> Self {
        let retention = (retention_seconds > 0).then(|| Duration::from_secs(retention_seconds.into()));
        Writer { connection, retention, collections: BTreeSet::new(), next_sweep: Instant::now() }
    }

    /// Remembers the collections whose old documents are to be removed, besides those before, and begins with it.
    pub(super) fn prepare(&mut self, collections: Vec<CollectionName>) -> Result<(), StoreError> {
        self.collections.extend(collections);
        self.next_sweep = Instant::now();
        self.sweep_when_due()
    }

    /// Stores a batch in one transaction.
    pub(super) fn write(
        &mut self,
        collection: &CollectionName,
        batch: &[PriceMessage],
    ) -> Result<Written, StoreError> {
        let mut inserted = 0;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for message in batch {
                inserted += insert.execute(params![
                    collection.as_str(),
                    message.id,
                    message.symbol,
                    message.price.to_string(),
                    message.exchange,
                    message.kind().as_str(),
                    message.time.as_millis(),
                    message.received.as_millis(),
                    message.details.to_json(),
                ])?;
            }
        }
        transaction.commit()?;
        if let Err(error) = self.sweep_when_due() {
            // The batch is stored; old documents can wait.
            tracing::warn!(%error, "could not remove old documents");
        }
        let duplicates = (batch.len() - inserted) as u64;
        Ok(Written { inserted: inserted as u64, duplicates, rejected: Vec::new() })
    }

    /// How long to wait for another process that writes.
    #[cfg(test)]
    pub(super) fn wait_for_others(&mut self, limit: Duration) -> Result<(), StoreError> {
        Ok(self.connection.busy_timeout(limit)?)
    }

    /// Removes one step of old documents of each symbol; more of them are removed after the next write.
    fn sweep_when_due(&mut self) -> Result<(), StoreError> {
        let Some(retention) = self.retention.filter(|_| Instant::now() >= self.next_sweep) else {
            return Ok(());
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let oldest = i64::try_from(now.saturating_sub(retention).as_millis()).unwrap_or(i64::MAX);
        // Also after a failure, so that it is not repeated with each batch.
        self.next_sweep = Instant::now() + SWEEP_EVERY;
        for collection in &self.collections {
            for symbol in read::symbols(&self.connection, collection)? {
                let mut delete = self.connection.prepare_cached(DELETE)?;
                let removed =
                    delete.execute(params![collection.as_str(), symbol, oldest, SWEEP_STEP as i64])?;
                if removed == SWEEP_STEP {
                    self.next_sweep = Instant::now();
                }
            }
        }
        Ok(())
    }
}
