//! The judge of loss and doubling: what the exchange served, held against what was stored.

use std::collections::BTreeMap;

/// Prices of each symbol, in order of time.
pub type Sequences = BTreeMap<String, Vec<String>>;

/// How many of the prices that were served are not stored. Panics when one is stored that was not served after those
/// before it: a doubled one, or one that nobody has quoted.
pub fn missing(served: &Sequences, stored: &Sequences) -> usize {
    assert!(!served.is_empty(), "nothing was served: the test proves nothing");
    for (symbol, stored) in stored {
        let mut served = served.get(symbol).into_iter().flatten();
        for (at, price) in stored.iter().enumerate() {
            assert!(
                served.any(|one| one == price),
                "{symbol}: stored price {at}, {price}, was not served then"
            );
        }
    }
    let count = |sequences: &Sequences| sequences.values().map(Vec::len).sum::<usize>();
    count(served) - count(stored)
}

/// Panics with the first difference when a symbol's stored prices are not exactly those served, in order, digit for
/// digit. Two equal prices in a row are two observations, so a lost or doubled one shows in the length at the latest.
pub fn assert_same(served: &Sequences, stored: &Sequences) {
    let symbols: Vec<&String> = served.keys().chain(stored.keys()).collect();
    assert!(!symbols.is_empty(), "nothing was served: the test proves nothing");
    for symbol in symbols {
        let (none, empty) = (Vec::new(), Vec::new());
        let (served, stored) = (served.get(symbol).unwrap_or(&none), stored.get(symbol).unwrap_or(&empty));
        let difference = served.iter().zip(stored).position(|(a, b)| a != b);
        if let Some(at) = difference {
            panic!("{symbol}: observation {at} was served as {} and stored as {}", served[at], stored[at]);
        }
        assert_eq!(stored.len(), served.len(), "{symbol}: stored and served observations");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(prices: &[&str]) -> Sequences {
        [("BTCUSDT".to_owned(), prices.iter().map(|price| (*price).to_owned()).collect())].into()
    }

    #[test]
    fn prices_that_are_missing_are_counted() {
        assert_eq!(missing(&sequences(&["1", "2", "2", "3"]), &sequences(&["1", "2", "3"])), 1);
        assert_eq!(missing(&sequences(&["1"]), &sequences(&["1"])), 0);
    }

    #[test]
    #[should_panic(expected = "stored price 1, 1, was not served then")]
    fn a_doubled_price_is_found() {
        missing(&sequences(&["1", "2"]), &sequences(&["1", "1", "2"]));
    }
}
