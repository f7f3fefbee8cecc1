//! What streams have sent, counted per connection and per symbol: the oracle of tests about reconnects and faults.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use serde::Serialize;

use crate::locked;

/// Counts of data frames. Answers, heartbeats and pings are not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamCounts {
    /// Frames handed to the network, repeated ones included.
    pub sent: u64,
    /// Frames that a fault kept back.
    pub dropped: u64,
    /// Frames among those sent that repeat another.
    pub duplicated: u64,
    /// Frames that a fault has put after the next one.
    pub reordered: u64,
}

/// A connection that was ever opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamConnection {
    /// 1, 2, 3 … in the order in which they were opened.
    pub number: u64,
    /// `binance`, `coinbase` or `kraken`.
    pub exchange: String,
    /// The path and query that were asked for.
    pub target: String,
    /// When it was opened, in milliseconds since 1970.
    pub opened_millis: i64,
    /// Why it ended; none while it is open.
    pub ended: Option<String>,
    /// Its data frames.
    #[serde(flatten)]
    pub counts: StreamCounts,
    /// Messages of the client, pings and pongs not among them.
    pub requests: u64,
    /// Pings that the server sent.
    pub pings: u64,
    /// Pongs that came back with the payload of one of them.
    pub pongs: u64,
}

/// What streams have sent. Clones share one ledger.
#[derive(Clone, Debug)]
pub struct StreamLedger {
    book: Arc<Mutex<Book>>,
}

#[derive(Debug)]
struct Book {
    connections: VecDeque<StreamConnection>,
    symbols: BTreeMap<Arc<str>, StreamCounts>,
    capacity: usize,
    opened: u64,
}

impl StreamLedger {
    pub(crate) fn new(capacity: usize) -> Self {
        let book = Book { connections: VecDeque::new(), symbols: BTreeMap::new(), capacity, opened: 0 };
        StreamLedger { book: Arc::new(Mutex::new(book)) }
    }

    /// Notes a new connection. Gives its number.
    pub(super) fn opened(&self, exchange: &str, target: &str, opened_millis: i64) -> u64 {
        let mut book = locked(&self.book);
        book.opened += 1;
        let number = book.opened;
        let (exchange, target) = (exchange.to_owned(), target.to_owned());
        let connection =
            StreamConnection { number, exchange, target, opened_millis, ..StreamConnection::default() };
        book.connections.push_back(connection);
        if book.connections.len() > book.capacity {
            book.connections.pop_front();
        }
        number
    }

    /// Changes what is known of a connection, if it is still held.
    pub(super) fn note(&self, number: u64, change: impl FnOnce(&mut StreamConnection)) {
        let mut book = locked(&self.book);
        let first = book.connections.front().map_or(0, |connection| connection.number);
        let place = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        book.connections.get_mut(place).filter(|connection| connection.number == number).map(change);
    }

    /// Adds to the counts of a connection and of its symbols.
    pub(super) fn count(&self, number: u64, news: &[(Arc<str>, StreamCounts)]) {
        for (_, counts) in news {
            self.note(number, |connection| connection.counts.add(counts));
        }
        let mut book = locked(&self.book);
        for (symbol, counts) in news {
            book.symbols.entry(symbol.clone()).or_default().add(counts);
        }
    }

    /// The connections, the oldest first.
    pub fn connections(&self) -> Vec<StreamConnection> {
        locked(&self.book).connections.iter().cloned().collect()
    }

    /// How many connections were ever opened.
    pub fn opened_total(&self) -> u64 {
        locked(&self.book).opened
    }

    /// How many of the connections that it still holds are open.
    pub fn open_now(&self) -> usize {
        locked(&self.book).connections.iter().filter(|connection| connection.ended.is_none()).count()
    }

    /// What was sent of each symbol that was ever subscribed to, by the symbol as it is listed.
    pub fn symbols(&self) -> BTreeMap<String, StreamCounts> {
        locked(&self.book).symbols.iter().map(|(symbol, counts)| (symbol.to_string(), *counts)).collect()
    }

    /// What was sent of all symbols together.
    pub fn totals(&self) -> StreamCounts {
        let mut totals = StreamCounts::default();
        locked(&self.book).symbols.values().for_each(|counts| totals.add(counts));
        totals
    }
}

impl StreamCounts {
    pub(super) fn add(&mut self, more: &StreamCounts) {
        self.sent += more.sent;
        self.dropped += more.dropped;
        self.duplicated += more.duplicated;
        self.reordered += more.reordered;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_counted_for_itself_and_for_its_symbols_and_in_time_forgotten() {
        let ledger = StreamLedger::new(2);
        for _ in 0..3 {
            ledger.opened("binance", "/ws", 5);
        }
        let two = StreamCounts { sent: 2, duplicated: 1, ..StreamCounts::default() };
        let one = StreamCounts { dropped: 1, ..StreamCounts::default() };
        ledger.count(1, &[("A".into(), two)]);
        ledger.count(3, &[("A".into(), two), ("B".into(), one)]);
        ledger.note(2, |connection| connection.ended = Some("cut".to_owned()));
        let connections = ledger.connections();
        let sent: Vec<_> = connections.iter().map(|c| (c.number, c.counts.sent, c.counts.dropped)).collect();
        assert_eq!(sent, [(2, 0, 0), (3, 2, 1)]);
        assert_eq!((ledger.opened_total(), ledger.open_now(), ledger.totals().sent), (3, 1, 4));
        assert_eq!(ledger.symbols()["B"], one);
        let json = serde_json::to_value(&connections[1]).unwrap();
        assert_eq!((&json["sent"], &json["openedMillis"]), (&2.into(), &5.into()));
    }
}
