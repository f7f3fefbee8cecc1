//! What a dead letter says of its message, in its headers: for the consumer, which writes them, and for readers. Pure.

use pricepipe_core::message::BadMessage;

use crate::events::REJECTED_BY_STORE;

/// The names of the headers.
pub mod header {
    /// Why the message could not be stored, of the closed set of [`super::reasons`].
    pub const REASON: &str = "pricepipe.reason";
    /// The same in words.
    pub const DETAIL: &str = "pricepipe.detail";
    /// The topic that the message came from.
    pub const TOPIC: &str = "pricepipe.topic";
    /// That topic's UUID.
    pub const TOPIC_ID: &str = "pricepipe.topic-id";
    /// The partition that it came from.
    pub const PARTITION: &str = "pricepipe.partition";
    /// The offset that it had there.
    pub const OFFSET: &str = "pricepipe.offset";
    /// The timestamp that it had there, in milliseconds.
    pub const TIMESTAMP: &str = "pricepipe.timestamp";
    /// The pipeline that could not store it.
    pub const PIPELINE: &str = "pricepipe.pipeline";
    /// How many bytes the value had before it was cut.
    pub const TRUNCATED: &str = "pricepipe.truncated";
    /// How many bytes the key had before it was cut.
    pub const TRUNCATED_KEY: &str = "pricepipe.truncated-key";

    /// All of them, with what they say, for the documentation.
    pub const MEANINGS: &[(&str, &str)] = &[
        (
            REASON,
            "why it could not be stored: one of a closed set, the label of `pricepipe_dead_letters_total`",
        ),
        (DETAIL, "the same in words"),
        (TOPIC, "the topic that it came from"),
        (TOPIC_ID, "that topic's UUID, if the brokers told it; what has no id of its own is named by it"),
        (PARTITION, "the partition that it came from"),
        (OFFSET, "the offset that it had there"),
        (TIMESTAMP, "the timestamp that it had there, in milliseconds"),
        (PIPELINE, "the pipeline that could not store it"),
        (TRUNCATED, "how many bytes the value had, where it was too large for a letter and was cut"),
        (TRUNCATED_KEY, "the same of the key"),
    ];
}

/// Every reason that a dead letter can have.
pub fn reasons() -> impl Iterator<Item = &'static str> {
    BadMessage::REASONS.iter().copied().chain([REJECTED_BY_STORE])
}

/// What a dead letter says of its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// Why it could not be stored.
    pub reason: Option<String>,
    /// The same in words.
    pub detail: Option<String>,
    /// Where it lay.
    pub origin: Option<Origin>,
    /// How many bytes its value had before it was cut.
    pub truncated: Option<u64>,
    /// How many bytes its key had before it was cut.
    pub truncated_key: Option<u64>,
}

/// Where the message of a dead letter lay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The topic.
    pub topic: String,
    /// The topic's UUID; letters of older versions do not tell it.
    pub topic_id: Option<String>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The timestamp in milliseconds.
    pub timestamp: Option<i64>,
}

impl Label {
    /// Reads the headers of a dead letter. What somebody else wrote has no origin.
    pub fn read<'a>(headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) -> Label {
        let mut label = Label::default();
        let (mut topic, mut topic_id, mut partition, mut offset, mut timestamp) =
            (None, None, None, None, None);
        for (name, value) in headers {
            let Some(text) = value.and_then(|value| std::str::from_utf8(value).ok()) else { continue };
            match name {
                header::REASON => label.reason = Some(text.to_owned()),
                header::DETAIL => label.detail = Some(text.to_owned()),
                header::TOPIC => topic = Some(text.to_owned()),
                header::TOPIC_ID => topic_id = Some(text.to_owned()),
                header::PARTITION => partition = text.parse().ok(),
                header::OFFSET => offset = text.parse().ok(),
                header::TIMESTAMP => timestamp = text.parse().ok(),
                header::TRUNCATED => label.truncated = text.parse().ok(),
                header::TRUNCATED_KEY => label.truncated_key = text.parse().ok(),
                _ => {}
            }
        }
        label.origin = topic.zip(partition).zip(offset).map(|((topic, partition), offset)| Origin {
            topic,
            topic_id,
            partition,
            offset,
            timestamp,
        });
        label
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_without_a_whole_origin_has_none() {
        let read = |headers: &[(&'static str, &'static str)]| {
            Label::read(headers.iter().map(|(name, value)| (*name, Some(value.as_bytes()))))
        };
        let whole = [("pricepipe.topic", "btc"), ("pricepipe.partition", "2"), ("pricepipe.offset", "41")];
        let origin =
            Origin { topic: "btc".to_owned(), topic_id: None, partition: 2, offset: 41, timestamp: None };
        assert_eq!(read(&whole).origin, Some(origin));
        assert_eq!(read(&whole[..2]), Label::default());
        assert_eq!(read(&[("pricepipe.offset", "many"), whole[0], whole[1]]).origin, None);
        assert_eq!(
            Label::read([("pricepipe.reason", Some(&b"\xff"[..])), ("other", None)]),
            Label::default()
        );
    }

    #[test]
    fn every_reason_is_known_once() {
        let reasons: Vec<_> = reasons().collect();
        assert!(reasons.contains(&"not_json") && reasons.contains(&"rejected_by_store"));
        assert_eq!(reasons.iter().collect::<std::collections::BTreeSet<_>>().len(), reasons.len());
    }
}
