//! Counts what is seen of a pipeline's topics: messages, duplicates, and what of them is stored. Pure.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
};

use pricepipe_core::{Price, PriceMessage, Timestamp};
use pricepipe_service::kafka::native::Offsets;

use crate::live::{Row, age};

/// As many ids are remembered, to find duplicates by.
const MOST_IDS: usize = 100_000;
/// As many messages are remembered that are not stored yet. Of more the oldest are never counted as stored.
const MOST_PENDING: usize = 500_000;

/// Everything that was seen since the watch began.
pub(super) struct Seen {
    symbols: Vec<Symbol>,
    places: HashMap<String, usize>,
    /// What was seen of each partition and is not below the committed offset: offset and symbol.
    pending: BTreeMap<(String, i32), VecDeque<(i64, usize)>>,
    pending_messages: usize,
    committed: Offsets,
    lag: BTreeMap<String, u64>,
    ids: Ids,
    unusable: u64,
}

struct Symbol {
    name: String,
    topic: String,
    first: Option<Price>,
    last: Option<(Price, Timestamp)>,
    messages: u64,
    stored: u64,
    duplicates: u64,
}

/// The sums over all symbols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) messages: u64,
    pub(super) stored: u64,
    pub(super) duplicates: u64,
    pub(super) unusable: u64,
}

impl Seen {
    /// Nothing yet of these symbols, each with its topic.
    pub(super) fn of(symbols: impl Iterator<Item = (String, String)>) -> Self {
        let symbol = |(name, topic)| Symbol {
            name,
            topic,
            first: None,
            last: None,
            messages: 0,
            stored: 0,
            duplicates: 0,
        };
        let symbols: Vec<Symbol> = symbols.map(symbol).collect();
        let places = symbols.iter().enumerate().map(|(index, symbol)| (symbol.name.clone(), index)).collect();
        Seen {
            symbols,
            places,
            pending: BTreeMap::new(),
            pending_messages: 0,
            committed: Offsets::new(),
            lag: BTreeMap::new(),
            ids: Ids::default(),
            unusable: 0,
        }
    }

    /// Counts a message. One of a symbol that nobody asked for counts for nothing.
    pub(super) fn message(&mut self, place: (String, i32), offset: i64, message: &PriceMessage) {
        let Some(&index) = self.places.get(&message.symbol) else { return };
        let known = self.ids.knew(&message.id);
        let symbol = &mut self.symbols[index];
        symbol.messages += 1;
        symbol.duplicates += u64::from(known);
        symbol.first.get_or_insert(message.price);
        if symbol.last.is_none_or(|(_, received)| message.received >= received) {
            symbol.last = Some((message.price, message.received));
        }
        if self.committed.get(&place).is_some_and(|committed| offset < *committed) {
            symbol.stored += 1;
            return;
        }
        self.pending.entry(place).or_default().push_back((offset, index));
        self.pending_messages += 1;
        self.forget_some();
    }

    /// Counts a message that no consumer will store.
    pub(super) fn unusable(&mut self) {
        self.unusable += 1;
    }

    /// What a store says is the newest price of a symbol.
    pub(super) fn latest(&mut self, symbol: &str, price: Price, received: Timestamp) {
        let Some(&index) = self.places.get(symbol) else { return };
        let symbol = &mut self.symbols[index];
        symbol.first.get_or_insert(price);
        symbol.last = Some((price, received));
    }

    /// How many documents of a symbol a store has.
    pub(super) fn documents(&mut self, symbol: &str, documents: u64) {
        if let Some(&index) = self.places.get(symbol) {
            self.symbols[index].stored = documents;
        }
    }

    /// How far the consumers are.
    pub(super) fn progress(&mut self, committed: Offsets, lag: BTreeMap<String, u64>) {
        for (place, pending) in &mut self.pending {
            let Some(committed) = committed.get(place) else { continue };
            while let Some((offset, index)) = pending.front().copied()
                && offset < *committed
            {
                pending.pop_front();
                self.pending_messages -= 1;
                self.symbols[index].stored += 1;
            }
        }
        self.committed = committed;
        self.lag = lag;
    }

    fn forget_some(&mut self) {
        while self.pending_messages > MOST_PENDING {
            let longest = self.pending.values_mut().max_by_key(|pending| pending.len());
            if longest.and_then(VecDeque::pop_front).is_none() {
                return;
            }
            self.pending_messages -= 1;
        }
    }

    /// A row for each symbol. Only a topic tells how many messages there were.
    pub(super) fn rows(&self, now: Timestamp, from_topics: bool) -> Vec<Row> {
        let row = |symbol: &Symbol| Row {
            symbol: symbol.name.clone(),
            price: symbol.last.map(|(price, _)| price),
            first: symbol.first,
            received: symbol.last.map(|(_, received)| received),
            age: symbol.last.map(|(_, received)| age(received, now)),
            messages: from_topics.then_some(symbol.messages),
            stored: Some(symbol.stored),
            duplicates: from_topics.then_some(symbol.duplicates),
            lag: self.lag.get(&symbol.topic).copied(),
        };
        self.symbols.iter().map(row).collect()
    }

    /// When the newest price came.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        self.symbols.iter().filter_map(|symbol| symbol.last.map(|(_, received)| received)).max()
    }

    /// What was counted.
    pub(super) fn counts(&self) -> Counts {
        let sum = |count: fn(&Symbol) -> u64| self.symbols.iter().map(count).sum();
        Counts {
            messages: sum(|symbol| symbol.messages),
            stored: sum(|symbol| symbol.stored),
            duplicates: sum(|symbol| symbol.duplicates),
            unusable: self.unusable,
        }
    }

    /// The lag of all topics, once it is known.
    pub(super) fn lag(&self) -> Option<u64> {
        (!self.lag.is_empty()).then(|| self.lag.values().sum())
    }
}

/// The last ids, each as its hash: two that differ share one in 10⁹ watches.
#[derive(Default)]
struct Ids {
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Ids {
    /// Whether an id is known, which it is from now on.
    fn knew(&mut self, id: &str) -> bool {
        let hash = self.hasher.hash_one(id);
        if !self.known.insert(hash) {
            return true;
        }
        self.order.push_back(hash);
        if self.order.len() > MOST_IDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use pricepipe_core::message::Position;

    use super::*;

    fn message(symbol: &str, price: &str, second: u32) -> PriceMessage {
        let time = format!("2026-11-23T06:00:{second:02}Z");
        let json = format!(
            r#"{{"symbol":"{symbol}","price":{price},"time":"{time}","received":"{time}","id":"{symbol}{second}"}}"#
        );
        let position = Position { topic_id: None, partition: 0, offset: 0, timestamp: None };
        PriceMessage::decode(Some(json.as_bytes()), position).unwrap()
    }

    fn seen() -> Seen {
        let symbols = [("A", "all"), ("B", "all"), ("C", "c")];
        Seen::of(symbols.into_iter().map(|(symbol, topic)| (symbol.to_owned(), topic.to_owned())))
    }

    fn all(partition: i32) -> (String, i32) {
        ("all".to_owned(), partition)
    }

    fn committed(offset: i64) -> Offsets {
        Offsets::from([(all(0), offset)])
    }

    fn rows(seen: &Seen) -> Vec<Row> {
        seen.rows("2026-11-23T06:00:10Z".parse().unwrap(), true)
    }

    #[test]
    fn what_is_below_the_committed_offset_of_its_partition_is_stored() {
        let mut seen = seen();
        seen.message(all(0), 10, &message("A", "1", 1));
        seen.message(all(0), 11, &message("B", "2", 1));
        seen.message(all(1), 5, &message("A", "1.5", 2));
        let stored = |seen: &Seen| rows(seen).iter().map(|row| row.stored.unwrap()).collect::<Vec<_>>();
        assert_eq!(stored(&seen), [0, 0, 0]);
        seen.progress(committed(11), BTreeMap::new());
        assert_eq!(stored(&seen), [1, 0, 0]);
        seen.progress(committed(12), BTreeMap::from([("all".to_owned(), 7)]));
        assert_eq!(stored(&seen), [1, 1, 0]);
        assert_eq!(rows(&seen).iter().map(|row| row.lag).collect::<Vec<_>>(), [Some(7), Some(7), None]);
        // The consumers may be ahead of this reader.
        seen.progress(committed(20), BTreeMap::new());
        seen.message(all(0), 19, &message("B", "2", 3));
        assert_eq!(stored(&seen), [1, 2, 0]);
        assert_eq!(seen.counts(), Counts { messages: 4, stored: 3, duplicates: 0, unusable: 0 });
    }

    #[test]
    fn a_message_of_an_observation_that_was_told_is_a_duplicate() {
        let mut seen = seen();
        seen.message(all(0), 1, &message("A", "1", 1));
        seen.message(all(0), 2, &message("A", "1", 1));
        seen.message(all(0), 3, &message("A", "1", 2));
        seen.message(all(0), 4, &message("OTHER", "1", 2));
        let row = &rows(&seen)[0];
        assert_eq!((row.messages, row.duplicates), (Some(3), Some(1)));
        assert_eq!(seen.counts().messages, 3, "other symbols count for nothing");
    }

    #[test]
    fn the_change_is_since_the_first_price_and_an_old_price_does_not_replace_a_newer_one() {
        let mut seen = seen();
        for (offset, price, second) in [(1, "100", 1), (2, "110", 3), (3, "50", 2)] {
            seen.message(all(0), offset, &message("A", price, second));
        }
        let row = &rows(&seen)[0];
        assert_eq!((row.price_text().as_str(), row.change_text().as_str()), ("110", "+10.00%"));
        assert_eq!(row.age.map(|age| age.as_secs()), Some(7));
        assert_eq!(seen.newest(), "2026-11-23T06:00:03Z".parse().ok());
    }

    #[test]
    fn memory_is_bounded() {
        let mut ids = Ids::default();
        assert!((0..MOST_IDS + 10).all(|id| !ids.knew(&id.to_string())));
        assert_eq!((ids.known.len(), ids.order.len()), (MOST_IDS, MOST_IDS));
        assert!(ids.knew("100") && !ids.knew("3"), "the newest are known, the oldest forgotten");
        let (mut seen, message) = (seen(), message("A", "1", 1));
        for offset in 0..MOST_PENDING as i64 + 5 {
            seen.message(all(0), offset, &message);
        }
        assert_eq!(seen.pending_messages, MOST_PENDING);
        seen.progress(committed(8), BTreeMap::new());
        assert_eq!(seen.counts().stored, 3, "of the 8 messages 5 were forgotten");
    }

    #[test]
    fn a_store_tells_prices_and_documents_but_no_messages() {
        let mut seen = seen();
        seen.latest("A", "2".parse().unwrap(), "2026-11-23T06:00:01Z".parse().unwrap());
        seen.documents("A", 40);
        let row = seen.rows("2026-11-23T06:00:10Z".parse().unwrap(), false).remove(0);
        assert_eq!((row.messages, row.stored, row.duplicates, row.lag), (None, Some(40), None, None));
        assert_eq!(row.price_text(), "2");
    }
}
