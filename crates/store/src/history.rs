//! Reading series of prices: what a [`History`] is asked for, and how it answers.

use std::{ops::Range, time::Duration};

use pricepipe_core::{
    Details, PriceMessage, Timestamp,
    analytics::{Candle, Candles, Interval, PricePoint, Stats, StatsFold, Totals},
    message::Kline,
    names::CollectionName,
};
use tokio::{sync::mpsc, time::timeout};

use crate::{BoxFuture, Doubled, Market, Period, Store, StoreError, StoreErrorKind};

/// Prices that travel together: enough that the channel costs nothing, few enough that memory stays flat.
pub(crate) const CHUNK: usize = 1_000;
/// Chunks that may wait for a slow reader.
const QUEUE: usize = 4;
/// The longest wait for the next prices. A server may first have to sort what its index does not.
const PATIENCE: Duration = Duration::from_secs(120);

/// A store that is read. What it does not compute itself is folded from [`History::prices`], and both ways give the
/// same answer to the last digit.
pub trait History: Store {
    /// The prices of a symbol, oldest first; those of one moment by id.
    fn prices(&self, collection: &CollectionName, selection: Selection) -> Series;

    /// The candles of a collection of candles that do not change any more, oldest first. Each counts as one.
    fn klines(&self, collection: &CollectionName, selection: Selection) -> Series<Candle>;

    /// The totals of a symbol's prices, when the store can compute them exactly.
    fn totals<'a>(
        &'a self,
        collection: &'a CollectionName,
        selection: &'a Selection,
    ) -> BoxFuture<'a, Result<Shortcut<Option<Totals>>, StoreError>>;

    /// The candles of a symbol's prices in order, when the store can compute them exactly.
    fn candles<'a>(
        &'a self,
        collection: &'a CollectionName,
        selection: &'a Selection,
        interval: Interval,
    ) -> BoxFuture<'a, Result<Shortcut<Vec<Candle>>, StoreError>>;

    /// Those of these ids, some thousands at most, that no document of the collection has; in their order.
    fn missing<'a>(
        &'a self,
        collection: &'a CollectionName,
        ids: Vec<String>,
    ) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// The id and the time of the newest document of a symbol with an id of this range; see [`beginning_with`].
    fn newest<'a>(
        &'a self,
        collection: &'a CollectionName,
        symbol: &'a str,
        ids: Range<String>,
    ) -> BoxFuture<'a, Result<Option<(String, Timestamp)>, StoreError>>;

    /// The observations of a period that are stored under more than one id, and some of them as examples.
    fn doubled<'a>(
        &'a self,
        collection: &'a CollectionName,
        period: Period,
        examples: usize,
    ) -> BoxFuture<'a, Result<Doubled, StoreError>>;
}

/// The range of the ids that begin so.
pub fn beginning_with(prefix: &str) -> Range<String> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    prefix.to_owned()..String::from_utf8_lossy(&end).into_owned()
}

/// Which prices are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Of this symbol, and of this exchange or of all.
    pub market: Market,
    /// Of this moment or later ones.
    pub since: Option<Timestamp>,
    /// Of earlier moments than this.
    pub until: Option<Timestamp>,
    /// Of all these the newest, so many. They are kept in memory, 24 bytes each.
    pub newest: Option<usize>,
}

impl Selection {
    /// Every price of a symbol, whatever the exchange.
    pub fn all(symbol: impl Into<String>) -> Self {
        Selection { market: Market::of_any(symbol), since: None, until: None, newest: None }
    }
}

/// An answer that a store may be able to compute itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shortcut<T> {
    /// It could.
    Answer(T),
    /// It could not, or not exactly: fold the prices.
    Fold,
}

/// A stored candle as analytics has them; none that may still change.
pub(crate) fn closed_candle(message: &PriceMessage) -> Option<Candle> {
    match &message.details {
        Details::Kline(kline) if kline.closed => {
            let Kline { open, high, low, close, .. } = **kline;
            Some(Candle { start: message.time, open, high, low, close, count: 1 })
        }
        _ => None,
    }
}

/// Prices, or candles, on their way, some at a time. Dropping it ends the reading.
#[derive(Debug)]
pub struct Series<T = PricePoint> {
    chunks: mpsc::Receiver<Result<Vec<T>, StoreError>>,
}

impl<T> Series<T> {
    /// A series that a task of its own feeds; where that fails, the reader is told.
    pub(crate) fn fed<Fed>(feeding: impl FnOnce(Feed<T>) -> Fed) -> Series<T>
    where
        T: Send + 'static,
        Fed: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let (sender, chunks) = mpsc::channel(QUEUE);
        let feed = Feed { sender };
        let fed = feeding(feed.clone());
        tokio::spawn(async move {
            if let Err(error) = fed.await {
                feed.fail(error).await;
            }
        });
        Series { chunks }
    }

    /// The next ones; none at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, StoreError> {
        match timeout(PATIENCE, self.chunks.recv()).await {
            Ok(chunk) => chunk.transpose(),
            Err(_) => Err(StoreError::new(
                StoreErrorKind::TimedOut,
                format!("no prices came within {} s", PATIENCE.as_secs()),
            )),
        }
    }
}

/// The store's end of a series.
#[derive(Debug)]
pub(crate) struct Feed<T = PricePoint> {
    sender: mpsc::Sender<Result<Vec<T>, StoreError>>,
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Feed { sender: self.sender.clone() }
    }
}

/// Nobody wants more.
#[derive(Debug)]
pub(crate) struct Unwanted;

impl<T> Feed<T> {
    /// Gives a chunk to the reader, and waits until there is room for it.
    pub(crate) async fn give(&self, chunk: Vec<T>) -> Result<(), Unwanted> {
        self.sender.send(Ok(chunk)).await.map_err(|_| Unwanted)
    }

    /// The same on a thread that may block.
    pub(crate) fn give_blocking(&self, chunk: Vec<T>) -> Result<(), Unwanted> {
        self.sender.blocking_send(Ok(chunk)).map_err(|_| Unwanted)
    }

    /// Ends the series with an error.
    pub(crate) async fn fail(&self, error: StoreError) {
        // Nobody may be listening any more.
        let _ = self.sender.send(Err(error)).await;
    }
}

/// Statistics of a symbol's prices; none without a price.
pub async fn stats(
    history: &dyn History,
    collection: &CollectionName,
    selection: Selection,
) -> Result<Option<Stats>, StoreError> {
    if let Shortcut::Answer(totals) = history.totals(collection, &selection).await? {
        return Ok(totals.map(|totals| totals.stats()));
    }
    let (mut fold, mut series) = (StatsFold::default(), history.prices(collection, selection));
    while let Some(chunk) = series.next().await? {
        chunk.into_iter().for_each(|point| fold.push(point));
    }
    Ok(fold.finish())
}

/// Gives the candles of a symbol's prices to `each`, oldest first, until it says that it wants no more.
pub async fn candles(
    history: &dyn History,
    collection: &CollectionName,
    selection: Selection,
    interval: Interval,
    mut each: impl FnMut(Candle) -> bool,
) -> Result<(), StoreError> {
    if let Shortcut::Answer(candles) = history.candles(collection, &selection, interval).await? {
        let _ = candles.into_iter().all(each);
        return Ok(());
    }
    let (mut fold, mut series) = (Candles::of(interval), history.prices(collection, selection));
    while let Some(chunk) = series.next().await? {
        if !chunk.into_iter().filter_map(|point| fold.push(point)).all(&mut each) {
            return Ok(());
        }
    }
    if let Some(last) = fold.finish() {
        each(last);
    }
    Ok(())
}
