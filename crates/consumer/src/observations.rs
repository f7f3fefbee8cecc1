//! What a spectator may look at while the consumer runs: the live table of `pricepipe run`.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pricepipe_core::{PriceMessage, names::CollectionName};
use pricepipe_store::Written;

/// What the consumer has done so far. Cheap to clone; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Observations(Arc<Mutex<Snapshot>>);

/// What the consumer has done up to a moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What was stored of each symbol, by its name and then by its exchange's.
    pub symbols: BTreeMap<String, BTreeMap<Cow<'static, str>, MarketStored>>,
    /// Every collection that was written to, by name.
    pub collections: BTreeMap<String, CollectionStored>,
    /// Messages of each topic that are not stored yet; a topic whose lag is not known is absent.
    pub lag: BTreeMap<String, u64>,
}

/// What was stored of a symbol of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarketStored {
    /// How many messages of it are stored, those that were there already included.
    pub stored: u64,
    /// How many of them were there already. Exact unless it shares a collection: the store does not say which documents
    /// of a mixed batch it knew, so where it knew some of them they are counted for the collection alone.
    pub duplicates: u64,
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
        let refused = |index: usize| written.rejected.iter().any(|rejected| rejected.index == index);
        let stored =
            batch.iter().enumerate().filter(|(index, _)| !refused(*index)).map(|(_, message)| message);
        let all_known = written.inserted == 0;
        for message in stored {
            seen.count(message, |market| {
                market.stored += 1;
                market.duplicates += u64::from(all_known);
            });
        }
        let one_market = batch.iter().all(|message| market(message) == market(&batch[0]));
        if let Some(first) = batch.first().filter(|_| one_market && !all_known) {
            seen.count(first, |market| market.duplicates += written.duplicates);
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
    /// What was stored of a symbol of an exchange.
    pub fn market(&self, symbol: &str, exchange: &str) -> MarketStored {
        self.symbols.get(symbol).and_then(|exchanges| exchanges.get(exchange)).copied().unwrap_or_default()
    }

    fn count(&mut self, message: &PriceMessage, change: impl FnOnce(&mut MarketStored)) {
        // Most messages are of a symbol that is known, and then its name is not copied.
        match self.symbols.get_mut(&message.symbol) {
            Some(exchanges) => change(exchanges.entry(message.exchange.clone()).or_default()),
            None => {
                let mut market = MarketStored::default();
                change(&mut market);
                let exchanges = BTreeMap::from([(message.exchange.clone(), market)]);
                self.symbols.insert(message.symbol.clone(), exchanges);
            }
        }
    }
}

fn market(message: &PriceMessage) -> (&str, &str) {
    (&message.symbol, &message.exchange)
}

#[cfg(test)]
mod tests {
    use pricepipe_core::message::Position;

    use super::*;

    fn message(exchange: &str, symbol: &str, second: u32) -> PriceMessage {
        let time = format!("2026-11-23T06:00:{second:02}Z");
        let json = format!(
            r#"{{"symbol":"{symbol}","price":1,"exchange":"{exchange}","time":"{time}","received":"{time}","id":"{second}"}}"#
        );
        let position = Position { topic_id: None, partition: 0, offset: 0, timestamp: None };
        PriceMessage::decode(Some(json.as_bytes()), position).unwrap()
    }

    fn written(inserted: u64, duplicates: u64) -> Written {
        Written { inserted, duplicates, rejected: Vec::new() }
    }

    #[test]
    fn what_is_stored_of_a_symbol_is_counted_for_each_exchange() {
        let (observations, btc) = (Observations::default(), "btc".parse().unwrap());
        let batch = [message("kraken", "BTC/USD", 3), message("kraken", "BTC/USD", 2)];
        observations.stored(&btc, &batch, &written(1, 1));
        observations.stored(&btc, &[message("coinbase", "BTC/USD", 4), batch[0].clone()], &written(2, 0));
        let snapshot = observations.snapshot();
        assert_eq!(snapshot.market("BTC/USD", "kraken"), MarketStored { stored: 3, duplicates: 1 });
        assert_eq!(snapshot.market("BTC/USD", "coinbase"), MarketStored { stored: 1, duplicates: 0 });
        assert_eq!(snapshot.market("BTC/USD", "binance"), MarketStored::default());
        assert_eq!(snapshot.collections["btc"], CollectionStored { inserted: 3, duplicates: 1, rejected: 0 });
    }

    #[test]
    fn which_of_a_mixed_batch_were_there_already_is_known_when_all_were() {
        let (observations, all) = (Observations::default(), "all".parse().unwrap());
        let batch = [message("binance", "BTCUSDT", 3), message("binance", "ETHUSDT", 2)];
        let duplicates = || {
            let snapshot = observations.snapshot();
            ["BTCUSDT", "ETHUSDT"].map(|symbol| snapshot.market(symbol, "binance").duplicates)
        };
        observations.stored(&all, &batch, &written(1, 1));
        assert_eq!((duplicates(), observations.snapshot().collections["all"].duplicates), ([0, 0], 1));
        observations.stored(&all, &batch, &written(0, 2));
        assert_eq!((duplicates(), observations.snapshot().collections["all"].duplicates), ([1, 1], 3));
    }

    #[test]
    fn what_the_store_refuses_is_not_stored() {
        let (observations, btc) = (Observations::default(), "btc".parse().unwrap());
        let rejected = vec![pricepipe_store::Rejected { index: 0, reason: "no".to_owned() }];
        let batch = [message("binance", "BTCUSDT", 3), message("binance", "ETHUSDT", 2)];
        observations.stored(&btc, &batch, &Written { inserted: 1, duplicates: 0, rejected });
        let stored = |symbol| observations.snapshot().market(symbol, "binance").stored;
        assert_eq!((stored("BTCUSDT"), stored("ETHUSDT")), (0, 1));
    }
}
