//! Every price that was ever served: the oracle of tests that prove nothing is lost and nothing doubled.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Serialize, Serializer};

use crate::locked;

/// A price that was served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// 1, 2, 3 … in the order in which prices were served.
    pub seq: u64,
    /// The symbol.
    #[serde(serialize_with = "as_text")]
    pub symbol: Arc<str>,
    /// The price, digit for digit as in the answer.
    #[serde(serialize_with = "as_text")]
    pub price: Arc<str>,
    /// When, in milliseconds since 1970.
    pub time_millis: i64,
    /// The number of the request that it answered.
    pub request: u64,
    /// True when the last byte of an intact answer was handed to the network. When false, the client may not
    /// have the price: a fault spoilt the answer, or the connection ended first.
    pub delivered: bool,
}

fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// Every price that was ever served, or the latest of them when it is bounded. Clones share one ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    book: Arc<Mutex<Book>>,
}

#[derive(Debug)]
struct Book {
    entries: VecDeque<Entry>,
    capacity: usize,
    total: u64,
}

#[derive(Debug)]
struct Entry {
    symbol: Arc<str>,
    price: Arc<str>,
    time_millis: i64,
    request: u64,
    delivery: Option<Delivery>,
}

/// Whether an answer reached the network as a whole; shared by the prices in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery(Arc<AtomicBool>);

impl Delivery {
    pub(crate) fn set(&self, delivered: bool) {
        self.0.store(delivered, Ordering::SeqCst);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Ledger {
    pub(crate) fn new(capacity: Option<usize>) -> Self {
        let book = Book { entries: VecDeque::new(), capacity: capacity.unwrap_or(usize::MAX), total: 0 };
        Ledger { book: Arc::new(Mutex::new(book)) }
    }

    /// Adds the prices of one answer. A price with no delivery is one that no client can use.
    pub(crate) fn record(
        &self,
        request: u64,
        time_millis: i64,
        prices: impl Iterator<Item = (Arc<str>, Arc<str>, Option<Delivery>)>,
    ) {
        let mut book = locked(&self.book);
        for (symbol, price, delivery) in prices {
            book.total += 1;
            book.entries.push_back(Entry { symbol, price, time_millis, request, delivery });
            if book.entries.len() > book.capacity {
                book.entries.pop_front();
            }
        }
    }

    /// How many prices were ever served, those included that a bounded ledger has forgotten.
    pub fn total(&self) -> u64 {
        locked(&self.book).total
    }

    /// The prices that it still holds, the oldest first.
    pub fn entries(&self) -> Vec<Served> {
        self.entries_after(0)
    }

    /// The prices after this `seq`, the oldest first: for readers who follow along.
    pub fn entries_after(&self, seq: u64) -> Vec<Served> {
        let book = locked(&self.book);
        let forgotten = book.total - book.entries.len() as u64;
        let known = usize::try_from(seq.saturating_sub(forgotten)).unwrap_or(usize::MAX);
        let numbered = (forgotten + 1..).zip(&book.entries);
        numbered.skip(known).map(|(seq, entry)| entry.to_served(seq)).collect()
    }

    /// The prices that a client must have: those of intact answers that went out as a whole.
    pub fn delivered(&self) -> Vec<Served> {
        self.entries().into_iter().filter(|served| served.delivered).collect()
    }
}

impl Entry {
    fn to_served(&self, seq: u64) -> Served {
        Served {
            seq,
            symbol: self.symbol.clone(),
            price: self.price.clone(),
            time_millis: self.time_millis,
            request: self.request,
            delivered: self.delivery.as_ref().is_some_and(Delivery::is_done),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(ledger: &Ledger, request: u64, prices: &[&str], delivery: Option<Delivery>) {
        let prices = prices.iter().map(|price| ("BTCUSDT".into(), Arc::from(*price), delivery.clone()));
        ledger.record(request, 5, prices);
    }

    #[test]
    fn prices_are_numbered_and_delivered_once_their_answer_is() {
        let ledger = Ledger::new(None);
        let delivery = Delivery::default();
        record(&ledger, 1, &["1.0", "2.0"], Some(delivery.clone()));
        record(&ledger, 2, &["3.0"], None);
        assert!(ledger.delivered().is_empty());
        delivery.set(true);
        let numbers: Vec<_> = ledger.delivered().iter().map(|s| (s.seq, s.price.to_string())).collect();
        assert_eq!(numbers, [(1, "1.0".to_owned()), (2, "2.0".to_owned())]);
        assert_eq!(ledger.entries_after(2).iter().map(|s| s.seq).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_bounded_ledger_forgets_the_oldest_and_goes_on_counting() {
        let ledger = Ledger::new(Some(2));
        record(&ledger, 1, &["1", "2", "3", "4", "5"], None);
        assert_eq!(ledger.total(), 5);
        assert_eq!(ledger.entries().iter().map(|s| s.seq).collect::<Vec<_>>(), [4, 5]);
        assert_eq!(ledger.entries_after(4).len(), 1);
        assert!(ledger.entries_after(5).is_empty() && ledger.entries_after(9).is_empty());
    }

    #[test]
    fn an_entry_is_one_line_of_json() {
        let ledger = Ledger::new(None);
        record(&ledger, 7, &["0.00141342"], None);
        assert_eq!(
            serde_json::to_string(&ledger.entries()[0]).unwrap(),
            r#"{"seq":1,"symbol":"BTCUSDT","price":"0.00141342","timeMillis":5,"request":7,"delivered":false}"#
        );
    }
}
