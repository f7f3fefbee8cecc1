//! Which topic goes to which collection. Pure.

use std::collections::HashMap;

use pricepipe_core::{
    config::TopicRoute,
    names::{CollectionName, TopicName},
};

/// The topics and collections of a pipeline; everywhere else they are numbers.
#[derive(Debug)]
pub(crate) struct Routes {
    topics: Vec<(TopicName, usize)>,
    collections: Vec<CollectionName>,
    numbers: HashMap<String, usize>,
}

impl Routes {
    /// Several topics may go to one collection. Of a topic that is named twice the first mention counts.
    pub(crate) fn new(routes: &[TopicRoute]) -> Self {
        let mut made = Routes { topics: Vec::new(), collections: Vec::new(), numbers: HashMap::new() };
        for route in routes {
            if made.numbers.contains_key(route.topic.as_str()) {
                continue;
            }
            let known = made.collections.iter().position(|collection| *collection == route.collection);
            let collection = known.unwrap_or_else(|| {
                made.collections.push(route.collection.clone());
                made.collections.len() - 1
            });
            made.numbers.insert(route.topic.as_str().to_owned(), made.topics.len());
            made.topics.push((route.topic.clone(), collection));
        }
        made
    }

    /// The number of a topic.
    pub(crate) fn topic(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// The name of a topic.
    pub(crate) fn topic_name(&self, topic: usize) -> &str {
        self.topics[topic].0.as_str()
    }

    /// Every topic's name.
    pub(crate) fn topic_names(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().map(|(topic, _)| topic.as_str())
    }

    /// The collection of a topic, as its place among the collections.
    pub(crate) fn collection(&self, topic: usize) -> usize {
        self.topics[topic].1
    }

    /// Every collection, once.
    pub(crate) fn collections(&self) -> &[CollectionName] {
        &self.collections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_may_share_a_collection() {
        let route = |topic: &str, collection: &str| TopicRoute {
            topic: topic.parse().unwrap(),
            collection: collection.parse().unwrap(),
        };
        let routes = Routes::new(&[route("btc", "btc"), route("eth", "all"), route("sol", "all")]);
        assert_eq!(routes.collections().len(), 2);
        assert_eq!(["btc", "eth", "sol"].map(|t| routes.collection(routes.topic(t).unwrap())), [0, 1, 1]);
        assert_eq!(routes.topic("xrp"), None);
    }
}
