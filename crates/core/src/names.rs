//! Names that reach Kafka and MongoDB. Each is checked by a list of what is allowed, never by what is forbidden.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Details, KlineInterval};

/// A name outside its alphabet or length; the text says what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(&'static str);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $allowed:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What is allowed, in words.
            pub const ALLOWED: &'static str = $allowed;

            /// The name as a text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok($name(text)) } else { Err(NameError($allowed)) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// The longest name of a collection.
const LONGEST_COLLECTION: usize = 120;

name! {
    /// A Kafka topic.
    TopicName,
    "a topic is 1 to 200 of A-Z, a-z, 0-9, '.', '_' and '-', and does not begin with '.' or '__'",
    |text| {
        (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            && !text.starts_with('.') && !text.starts_with("__")
    }
}

name! {
    /// A collection of a MongoDB database, or its like in the embedded store.
    CollectionName,
    "a collection is 1 to 120 of A-Z, a-z, 0-9, '_' and '-', and begins with a letter or a digit",
    |text| {
        (1..=LONGEST_COLLECTION).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
            && text.as_bytes()[0].is_ascii_alphanumeric()
    }
}

name! {
    /// A MongoDB database.
    DatabaseName,
    "a database is 1 to 38 of A-Z, a-z, 0-9, '_' and '-', begins with a letter or a digit, and is not admin, local or config",
    |text| {
        (1..=38).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
            && text.as_bytes()[0].is_ascii_alphanumeric() && !["admin", "local", "config"].contains(&text)
    }
}

name! {
    /// A pipeline; it names the consumer group, the dead-letter topic and what runs in a cluster.
    PipelineName,
    "a pipeline's name is 1 to 50 of a-z, 0-9 and '-', and begins and ends with a letter or a digit",
    |text| {
        let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        (1..=50).contains(&text.len()) && text.bytes().all(|b| edge(b) || b == b'-')
            && edge(text.as_bytes()[0]) && edge(text.as_bytes()[text.len() - 1])
    }
}

/// The topic for messages that cannot be stored.
pub fn dead_letter_topic(pipeline: &PipelineName) -> TopicName {
    TopicName(format!("{pipeline}.dead-letter"))
}

/// The topic of the holes in what was received, compacted.
pub fn gaps_topic(pipeline: &PipelineName) -> TopicName {
    TopicName(format!("{pipeline}.gaps"))
}

/// The consumer group of a pipeline.
pub fn consumer_group(namespace: &str, pipeline: &PipelineName) -> String {
    format!("pricepipe.{namespace}.{pipeline}")
}

/// The collection that a topic's messages go to unless the pipeline says otherwise: the topic's own name,
/// with what a collection may not have replaced by `_`.
pub fn default_collection(topic: &TopicName) -> String {
    topic.as_str().chars().take(LONGEST_COLLECTION).map(|c| if c == '.' { '_' } else { c }).collect()
}

/// Which of a topic's collections an observation goes to. Queries over prices read the first alone, so that candles and
/// offers, whose price is made up, do not count among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shelf {
    /// Prices and trades: the topic's collection itself.
    Prices,
    /// Candles of an interval, closed or not.
    Klines(KlineInterval),
    /// The best offers.
    Quotes,
}

impl Shelf {
    /// Where an observation goes.
    pub fn of(details: &Details) -> Self {
        match details {
            Details::Price | Details::Trade(_) => Shelf::Prices,
            Details::Kline(kline) => Shelf::Klines(kline.interval),
            Details::Quote(_) => Shelf::Quotes,
        }
    }

    /// The collection, beside that of the topic.
    pub fn collection(self, base: &CollectionName) -> CollectionName {
        let suffix = match self {
            Shelf::Prices => return base.clone(),
            Shelf::Klines(interval) => match interval.as_str() {
                // Some file systems and people do not tell `1M` from `1m`.
                "1M" => "_klines_1mo".to_owned(),
                name => format!("_klines_{name}"),
            },
            Shelf::Quotes => "_quotes".to_owned(),
        };
        let room = LONGEST_COLLECTION - suffix.len();
        if base.0.len() <= room {
            return CollectionName(format!("{base}{suffix}"));
        }
        // Long names that differ in their last letters alone still have collections of their own.
        let hash = format!("_{:08x}", fnv1a(base.as_str()));
        CollectionName(format!("{}{hash}{suffix}", &base.0[..room - hash.len()]))
    }
}

/// The 32-bit hash of Fowler, Noll and Vo: the same for ever, as a name has to be.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_names_are_refused_everywhere() {
        let long = "a".repeat(300);
        for text in [
            "",
            "$where",
            "system.x",
            "a\0b",
            "../x",
            "é",
            "a b",
            ".",
            "..",
            "__consumer_offsets",
            "{base}",
            &long,
        ] {
            assert!(text.parse::<CollectionName>().is_err(), "collection {text:?}");
            assert!(text.parse::<DatabaseName>().is_err(), "database {text:?}");
            assert!(text.parse::<PipelineName>().is_err(), "pipeline {text:?}");
            assert!(text == "system.x" || text.parse::<TopicName>().is_err(), "topic {text:?}");
        }
        assert!("admin".parse::<DatabaseName>().is_err());
        assert!("a.b".parse::<CollectionName>().is_err());
    }

    #[test]
    fn the_dead_letter_topic_of_the_longest_pipeline_name_is_a_legal_topic() {
        let pipeline: PipelineName = "a".repeat(50).parse().unwrap();
        let topic = dead_letter_topic(&pipeline);
        assert_eq!(topic.as_str().parse::<TopicName>().unwrap(), topic);
    }

    fn shelves() -> impl Iterator<Item = Shelf> {
        KlineInterval::all().map(Shelf::Klines).chain([Shelf::Prices, Shelf::Quotes])
    }

    #[test]
    fn each_shelf_is_a_collection_whose_name_differs_by_more_than_case() {
        let name = |shelf: Shelf| shelf.collection(&"btc".parse().unwrap()).to_string();
        assert_eq!(name(Shelf::Prices), "btc");
        assert_eq!(name(Shelf::Quotes), "btc_quotes");
        assert_eq!(name(Shelf::Klines("1m".parse().unwrap())), "btc_klines_1m");
        assert_eq!(name(Shelf::Klines("1M".parse().unwrap())), "btc_klines_1mo");
        let names: BTreeSet<String> = shelves().map(|shelf| name(shelf).to_lowercase()).collect();
        assert_eq!(names.len(), shelves().count());
    }

    #[test]
    fn the_shelves_of_the_longest_names_are_legal_and_apart() {
        let bases: Vec<CollectionName> =
            ["a", "b"].map(|end| format!("{}{end}", "x".repeat(119)).parse().unwrap()).into();
        let names: BTreeSet<CollectionName> =
            bases.iter().flat_map(|base| shelves().map(|shelf| shelf.collection(base))).collect();
        assert_eq!(names.len(), 2 * shelves().count());
        for name in names {
            assert_eq!(name.as_str().parse::<CollectionName>().as_ref(), Ok(&name));
        }
    }

    proptest! {
        #[test]
        fn the_default_collection_of_a_topic_is_legal_or_reported(text in "[A-Za-z0-9._-]{1,200}") {
            if let Ok(topic) = text.parse::<TopicName>() {
                let collection = default_collection(&topic).parse::<CollectionName>();
                prop_assert!(collection.is_ok() || !text.as_bytes()[0].is_ascii_alphanumeric());
            }
        }
    }
}
