//! Reads the prices, or the candles, of a symbol in their order.

use std::{sync::Arc, time::Duration};

use ::mongodb::{
    Cursor, Database,
    action::Action,
    bson::{Document, RawDocument, RawDocumentBuf, doc},
};
use pricepipe_core::{
    Timestamp,
    analytics::{Candle, PricePoint},
    names::CollectionName,
};

use super::{client::Connection, document, horizon::horizons, read::collection_of};
use crate::{
    Market, StoreError,
    history::{CHUNK, Feed, Selection, closed_candle},
};

/// A long time: what ends a reading that hangs is the reader's patience for the next prices.
const READING_LIMIT: Duration = Duration::from_secs(24 * 3_600);
/// Documents in one reply of the server: a megabyte, about.
const BATCH: u32 = 10_000;

/// What a document is read as.
pub(super) trait Read: Sized {
    /// Narrows a filter to documents of the kind.
    fn narrow(filter: &mut Document);

    /// The fields that this takes.
    fn fields() -> Option<Document>;

    /// With its id, which orders what is of one moment.
    fn read(raw: &RawDocument) -> Result<(String, Self), document::DecodeError>;

    /// When it was.
    fn time(&self) -> Timestamp;
}

impl Read for PricePoint {
    fn narrow(_: &mut Document) {}

    fn fields() -> Option<Document> {
        Some(doc! {"time": 1, "price": 1})
    }

    fn read(raw: &RawDocument) -> Result<(String, Self), document::DecodeError> {
        document::decode_point(raw)
    }

    fn time(&self) -> Timestamp {
        self.time
    }
}

impl Read for Candle {
    fn narrow(filter: &mut Document) {
        filter.insert("closed", doc! {"$ne": false});
    }

    fn fields() -> Option<Document> {
        None
    }

    fn read(raw: &RawDocument) -> Result<(String, Self), document::DecodeError> {
        let message = document::decode(raw)?;
        let candle = closed_candle(&message).ok_or(document::DecodeError::Field("closed"))?;
        Ok((message.id, candle))
    }

    fn time(&self) -> Timestamp {
        self.start
    }
}

/// Feeds a selection to a reader, until there is no more or it wants no more.
pub(super) async fn feed<T: Read + Send + 'static>(
    connection: &Arc<Connection>,
    collection: CollectionName,
    selection: Selection,
    feed: Feed<T>,
) -> Result<(), StoreError> {
    let operation = async move |database: Database| match selection.newest {
        None => oldest_first(&database, &collection, &selection, &feed).await,
        Some(newest) => newest_of_all(&database, &collection, &selection, newest, &feed).await,
    };
    connection.run("a query", READING_LIMIT, operation).await
}

/// The documents of a selection.
pub(super) fn filter(market: &Market, since: Option<Timestamp>, until: Option<Timestamp>) -> Document {
    let mut filter = doc! {"symbol": &market.symbol};
    if let Some(exchange) = &market.exchange {
        filter.insert("exchange", exchange);
    }
    filter.extend(of_time(since, until));
    filter
}

/// The documents of a time; all of them where it has neither beginning nor end.
pub(super) fn of_time(since: Option<Timestamp>, until: Option<Timestamp>) -> Document {
    let time = within(since, until);
    if time.is_empty() {
        Document::new()
    } else {
        doc! {"time": time}
    }
}

/// What a filter says of the time.
pub(super) fn within(since: Option<Timestamp>, until: Option<Timestamp>) -> Document {
    let date = |time: Timestamp| ::mongodb::bson::DateTime::from_millis(time.as_millis());
    let mut time = Document::new();
    if let Some(since) = since {
        time.insert("$gte", date(since));
    }
    if let Some(until) = until {
        time.insert("$lt", date(until));
    }
    time
}

async fn oldest_first<T: Read>(
    database: &Database,
    name: &CollectionName,
    selection: &Selection,
    feed: &Feed<T>,
) -> Result<(), StoreError> {
    let filter = filter(&selection.market, selection.since, selection.until);
    let mut cursor = open::<T>(database, name, filter, 1, BATCH).await?;
    let (mut arranged, mut moment, mut strangers) = (Vec::with_capacity(CHUNK), Moment::<T>::new(), 0);
    while cursor.advance().await? {
        let Some((id, point)) = known(cursor.current(), &mut strangers) else { continue };
        if moment.ends_with(&point) {
            arranged.extend(moment.take());
            if arranged.len() >= CHUNK && feed.give(std::mem::take(&mut arranged)).await.is_err() {
                return Ok(());
            }
        }
        moment.points.push((id, point));
    }
    arranged.extend(moment.take());
    if !arranged.is_empty() {
        let _ = feed.give(arranged).await;
    }
    tell_of(strangers, name);
    Ok(())
}

async fn newest_of_all<T: Read>(
    database: &Database,
    name: &CollectionName,
    selection: &Selection,
    newest: usize,
    feed: &Feed<T>,
) -> Result<(), StoreError> {
    let mut found: Vec<T> = Vec::new();
    for since in horizons(selection.since, selection.until) {
        let filter = filter(&selection.market, since, selection.until);
        found = newest_first(database, name, filter, newest).await?;
        if found.len() >= newest {
            break;
        }
    }
    found.reverse();
    let mut found = found.into_iter().peekable();
    while found.peek().is_some() {
        if feed.give(found.by_ref().take(CHUNK).collect()).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// So many prices, the newest first. There is no limit in the query: which prices of the last moment belong to them
/// is known once that moment has been read to its end.
async fn newest_first<T: Read>(
    database: &Database,
    name: &CollectionName,
    filter: Document,
    newest: usize,
) -> Result<Vec<T>, StoreError> {
    let batch = u32::try_from(newest.saturating_add(1)).unwrap_or(BATCH).min(BATCH);
    let mut cursor = open::<T>(database, name, filter, -1, batch).await?;
    let (mut found, mut moment, mut strangers) = (Vec::new(), Moment::new(), 0);
    while cursor.advance().await? {
        let Some((id, point)) = known(cursor.current(), &mut strangers) else { continue };
        if moment.ends_with(&point) {
            found.extend(moment.take().rev());
            if found.len() >= newest {
                break;
            }
        }
        moment.points.push((id, point));
    }
    found.extend(moment.take().rev());
    found.truncate(newest);
    tell_of(strangers, name);
    Ok(found)
}

async fn open<T: Read>(
    database: &Database,
    name: &CollectionName,
    mut filter: Document,
    order: i32,
    batch: u32,
) -> Result<Cursor<RawDocumentBuf>, StoreError> {
    T::narrow(&mut filter);
    let collection = collection_of(database, name);
    let find = collection.find(filter).optional(T::fields(), |find, fields| find.projection(fields));
    Ok(find.sort(doc! {"time": order}).batch_size(batch).allow_disk_use(true).await?)
}

/// What is of one moment, which the index leaves in any order.
struct Moment<T> {
    points: Vec<(String, T)>,
}

impl<T: Read> Moment<T> {
    fn new() -> Self {
        Moment { points: Vec::new() }
    }

    /// Whether this point is of another moment.
    fn ends_with(&self, next: &T) -> bool {
        self.points.last().is_some_and(|(_, last)| last.time() != next.time())
    }

    /// All of it by id.
    fn take(&mut self) -> impl DoubleEndedIterator<Item = T> {
        self.points.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        self.points.drain(..).map(|(_, point)| point)
    }
}

fn known<T: Read>(raw: &RawDocument, strangers: &mut u64) -> Option<(String, T)> {
    let found = T::read(raw).ok();
    *strangers += u64::from(found.is_none());
    found
}

fn tell_of(strangers: u64, collection: &CollectionName) {
    if strangers > 0 {
        tracing::warn!(%collection, documents = strangers, "left out documents that are not prices");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(millis: i64, price: &str) -> PricePoint {
        PricePoint { time: Timestamp::from_millis(millis).unwrap(), price: price.parse().unwrap() }
    }

    #[test]
    fn the_prices_of_a_moment_are_ordered_by_id() {
        let mut moment = Moment::new();
        assert!(!moment.ends_with(&point(1, "1")));
        for (id, price) in [("b", "2"), ("c", "3"), ("a", "1")] {
            assert!(!moment.ends_with(&point(7, price)));
            moment.points.push((id.to_owned(), point(7, price)));
        }
        assert!(moment.ends_with(&point(8, "1")));
        assert!(moment.take().eq([point(7, "1"), point(7, "2"), point(7, "3")]));
        assert!(moment.take().eq([]));
    }

    #[test]
    fn a_filter_names_only_what_was_asked_for() {
        assert_eq!(filter(&Market::of_any("BTCUSDT"), None, None), doc! {"symbol": "BTCUSDT"});
        let date = ::mongodb::bson::DateTime::from_millis(7);
        let seven = Timestamp::from_millis(7).ok();
        let any = Market::of_any("A");
        assert_eq!(filter(&any, seven, None), doc! {"symbol": "A", "time": {"$gte": date}});
        assert_eq!(filter(&any, None, seven), doc! {"symbol": "A", "time": {"$lt": date}});
        let kraken = Market { exchange: Some("kraken".to_owned()), ..any };
        assert_eq!(filter(&kraken, None, None), doc! {"symbol": "A", "exchange": "kraken"});
    }
}
