//! Where prices are kept: MongoDB, or one SQLite file with the same meaning.
//!
//! What this crate decides:
//!
//! - **Stored** means durable. A write returns only when every document is durable, was there already, or is
//!   named as rejected. MongoDB is asked for a journalled majority, SQLite for a flush at each commit.
//! - **Once**: a document's `_id` is the observation's id, so writing a batch twice stores it once. That is why
//!   a write whose fate is unknown may simply be tried again.
//! - **Rejected or retried**: only what the store says of one document (a validator, somebody's own unique
//!   index) rejects that document. Everything else is a [`StoreError`], which may pass and is tried again.
//! - **Exact**: a price is stored and read back digit for digit, as `Decimal128` or as text.
//! - **Nothing is forced**: indexes are made and time-to-live settings changed, but an index or a collection that
//!   is in the way is reported as [`StoreErrorKind::Conflict`] and left alone.
//!
//! [`open`] does not touch the network, so a server that is away is no reason not to start.

mod audit;
mod embedded;
mod history;
mod mongodb;
mod open;

use std::{pin::Pin, sync::Arc};

pub use audit::{Double, Doubled, Period};
pub use history::{History, Selection, Series, Shortcut, beginning_with, candles, stats};
pub use open::{OpenError, open, open_for_reading};
use pricepipe_core::{PriceMessage, Timestamp, names::CollectionName};

/// A boxed future: what a trait object can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A place where prices are kept.
pub trait Store: Send + Sync + 'static {
    /// Makes collections and indexes ready. May be called again; never drops data.
    fn prepare<'a>(&'a self, collections: &'a [CollectionName]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Stores a batch. `Ok` means that every message of it is durable, a duplicate, or listed as rejected.
    ///
    /// After an error nothing is known of the batch: write it again.
    fn write<'a>(
        &'a self,
        collection: &'a CollectionName,
        batch: Arc<[PriceMessage]>,
    ) -> BoxFuture<'a, Result<Written, StoreError>>;

    /// Whether the store answers: the cheapest request there is.
    fn ping(&self) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The newest price of each of these markets in a collection, in their order; of every symbol when there are none.
    fn latest<'a>(
        &'a self,
        collection: &'a CollectionName,
        markets: &'a [Market],
    ) -> BoxFuture<'a, Result<Vec<PriceMessage>, StoreError>>;

    /// How much a collection holds of a period, by symbol and exchange. One that it holds nothing of is left out.
    fn count<'a>(
        &'a self,
        collection: &'a CollectionName,
        period: Period,
    ) -> BoxFuture<'a, Result<Vec<MarketCount>, StoreError>>;

    /// Closes connections and files; waits for what is under way.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// A symbol of one exchange, or of whichever there are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Market {
    /// The symbol.
    pub symbol: String,
    /// The exchange; none for all of them.
    pub exchange: Option<String>,
}

impl Market {
    /// Of whichever exchange.
    pub fn of_any(symbol: impl Into<String>) -> Self {
        Market { symbol: symbol.into(), exchange: None }
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Documents that are new.
    pub inserted: u64,
    /// Documents that were there already.
    pub duplicates: u64,
    /// Documents that the store will never take.
    pub rejected: Vec<Rejected>,
}

/// A message that the store will never take, such as one that a collection's validator refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the batch.
    pub index: usize,
    /// Why, in the store's words.
    pub reason: String,
}

/// What a collection holds of one symbol of one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketCount {
    /// The symbol.
    pub symbol: String,
    /// The exchange.
    pub exchange: String,
    /// How many documents.
    pub documents: u64,
    /// The event time of the oldest.
    pub first: Timestamp,
    /// The event time of the newest.
    pub last: Timestamp,
}

/// Why a store could not do what it was asked. Every kind may pass, so every kind is tried again; the kind says
/// what to tell the user. The text never holds a connection string or a password.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What kind of trouble it is.
    pub kind: StoreErrorKind,
    /// What happened, and where it helps, what to do.
    pub message: String,
}

impl StoreError {
    fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        StoreError { kind, message: message.into() }
    }
}

/// The kinds of trouble with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreErrorKind {
    /// It cannot be reached, or it said that it cannot serve now.
    Unavailable,
    /// It did not answer in time.
    TimedOut,
    /// It refuses this user.
    Unauthorized,
    /// It is set up in a way that we cannot work with, and that we will not change by force.
    Conflict,
}

impl StoreErrorKind {
    /// The kind in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            StoreErrorKind::Unavailable => "unavailable",
            StoreErrorKind::TimedOut => "timed out",
            StoreErrorKind::Unauthorized => "unauthorized",
            StoreErrorKind::Conflict => "conflict",
        }
    }
}
