//! The markets of a source: their names at the exchange and their places.

use std::collections::HashMap;

/// Names by place, and places by name.
#[derive(Debug)]
pub(super) struct Markets {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Markets {
    /// Markets in the order of their places.
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<String> = names.into_iter().collect();
        let places = names.iter().cloned().zip(0..).collect();
        Markets { names, places }
    }

    /// What the exchange calls it. A place that there is not has no name.
    pub(super) fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }

    /// Where it stands, if it is one of ours.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}
