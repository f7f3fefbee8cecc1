//! The judge of loss and doubling: what the exchange served, held against what was stored.

use std::collections::BTreeMap;

/// Prices of each symbol, in order of time.
pub type Sequences = BTreeMap<String, Vec<String>>;

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
