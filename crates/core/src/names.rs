//! Names that reach Kafka and MongoDB. Each is checked by a list of what is allowed, never by what is forbidden.

use std::fmt;

use serde::{Deserialize, Serialize};

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
        (1..=120).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
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
    topic.as_str().chars().take(120).map(|c| if c == '.' { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
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
