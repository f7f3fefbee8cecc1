//! What a spectator may look at while the consumer runs: the live table of `pricepipe run`.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pricepipe_core::{Price, PriceMessage, Timestamp, names::CollectionName};
use pricepipe_store::Written;

/// What the consumer has done so far. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Observations(Arc<Mutex<Snapshot>>);

/// What the consumer has done up to a moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Every symbol that was stored, by name.
    pub symbols: BTreeMap<String, SymbolStored>,
    /// Every collection that was written to, by name.
    pub collections: BTreeMap<String, CollectionStored>,
    /// Messages of each topic that are not stored yet; a topic whose lag is not known is absent.
    pub lag: BTreeMap<String, u64>,
}

/// What was stored of a symbol.
#[derive(Clone, Debug)]
pub struct SymbolStored {
    /// The collection that it was first seen in.
    pub collection: CollectionName,
    /// How many messages of it are stored, those that were there already included.
    pub stored: u64,
    /// How many of them were there already. Exact unless symbols share a collection: the store does not say which
    /// documents of a mixed batch it knew, so there they are counted for the collection alone.
    pub duplicates: u64,
    /// The latest price.
    pub price: Price,
    /// When it was so.
    pub time: Timestamp,
}

/// What was stored in a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectionStored {
    /// Documents that were new.
    pub inserted: u64,
    /// Documents that were there already.
    pub duplicates: u64,
    /// Documents that the store refused.
    pub rejected: u64,
}

impl Observations {
    /// What there is to see now.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().clone()
    }

    pub(crate) fn stored(&self, collection: &CollectionName, batch: &[PriceMessage], written: &Written) {
        let mut seen = self.lock();
        let total = seen.collections.entry(collection.to_string()).or_default();
        total.inserted += written.inserted;
        total.duplicates += written.duplicates;
        total.rejected += written.rejected.len() as u64;
        let one_symbol = batch.iter().all(|message| message.symbol == batch[0].symbol);
        let duplicates = if one_symbol { written.duplicates } else { 0 };
        let refused = |index: usize| written.rejected.iter().any(|rejected| rejected.index == index);
        for (_, message) in batch.iter().enumerate().filter(|(index, _)| !refused(*index)) {
            seen.count(collection, message);
        }
        if let Some(symbol) = batch.first().and_then(|message| seen.symbols.get_mut(&message.symbol)) {
            symbol.duplicates += duplicates;
        }
    }

    pub(crate) fn lag(&self, lag: BTreeMap<String, u64>) {
        self.lock().lag = lag;
    }

    fn lock(&self) -> MutexGuard<'_, Snapshot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    fn count(&mut self, collection: &CollectionName, message: &PriceMessage) {
        // Most messages are of a symbol that is known, and then nothing is copied.
        match self.symbols.get_mut(&message.symbol) {
            Some(symbol) => {
                symbol.stored += 1;
                if message.time >= symbol.time {
                    (symbol.price, symbol.time) = (message.price, message.time);
                }
            }
            None => {
                let PriceMessage { price, time, .. } = *message;
                let symbol =
                    SymbolStored { collection: collection.clone(), stored: 1, duplicates: 0, price, time };
                self.symbols.insert(message.symbol.clone(), symbol);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pricepipe_core::message::Position;

    use super::*;

    fn message(symbol: &str, price: &str, second: u32) -> PriceMessage {
        let time = format!("2026-11-23T06:00:{second:02}Z");
        let json = format!(
            r#"{{"symbol":"{symbol}","price":{price},"time":"{time}","received":"{time}","id":"{second}"}}"#
        );
        let position = Position { topic_id: None, partition: 0, offset: 0, timestamp: None };
        PriceMessage::decode(Some(json.as_bytes()), position).unwrap()
    }

    #[test]
    fn the_newest_price_is_shown_whatever_the_order_of_arrival() {
        let (observations, btc) = (Observations::default(), "btc".parse().unwrap());
        let batch = [message("BTCUSDT", "3", 3), message("BTCUSDT", "2", 2)];
        observations.stored(&btc, &batch, &Written { inserted: 1, duplicates: 1, rejected: Vec::new() });
        let snapshot = observations.snapshot();
        let symbol = &snapshot.symbols["BTCUSDT"];
        assert_eq!((symbol.stored, symbol.duplicates, symbol.price.to_string().as_str()), (2, 1, "3"));
        assert_eq!(snapshot.collections["btc"], CollectionStored { inserted: 1, duplicates: 1, rejected: 0 });
    }

    #[test]
    fn duplicates_of_a_mixed_batch_are_counted_for_the_collection_alone() {
        let (observations, all) = (Observations::default(), "all".parse().unwrap());
        let batch = [message("BTCUSDT", "3", 3), message("ETHUSDT", "2", 2)];
        observations.stored(&all, &batch, &Written { inserted: 1, duplicates: 1, rejected: Vec::new() });
        let snapshot = observations.snapshot();
        assert!(snapshot.symbols.values().all(|symbol| symbol.duplicates == 0 && symbol.stored == 1));
        assert_eq!(snapshot.collections["all"].duplicates, 1);
    }
}
