//! The markets of a source: their names at the exchange and their places.

use std::collections::HashMap;

/// Names by place, and places by name.
#[derive(Debug)]
pub(super) struct Markets {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Markets {
    /// Markets in the order of their places. Of two that are the same to the exchange the first one has the name.
    pub(super) fn new(names: impl IntoIterator<Item = String>) -> Self {
        let names: Vec<String> = names.into_iter().collect();
        let mut places = HashMap::new();
        for (place, name) in names.iter().enumerate() {
            places.entry(name.clone()).or_insert(place);
        }
        Markets { names, places }
    }

    /// What the exchange calls it. A place that there is not has no name.
    pub(super) fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }

    /// Places whose market is that of an earlier place under another name, with the earlier one.
    pub(super) fn doubles(&self) -> impl Iterator<Item = (usize, usize)> {
        let first = |place: usize| self.place(self.name(place)).unwrap_or(place);
        (0..self.names.len()).map(move |place| (first(place), place)).filter(|(first, place)| first != place)
    }

    /// Every place whose market has its name, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        (0..self.names.len()).filter(|place| self.place(self.name(*place)) == Some(*place))
    }

    /// Where it stands, if it is one of ours.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}
