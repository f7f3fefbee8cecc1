//! The topics of a pipeline and how each is configured.

use std::collections::BTreeMap;

use crate::{
    config::Feed,
    names::{self, TopicName},
};

use super::Pipeline;

/// How topics are created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// Partitions of each topic.
    pub partitions: u32,
    /// Copies of each partition.
    pub replication_factor: u32,
    /// Copies that must have a message before it counts as written.
    pub min_in_sync_replicas: u32,
    /// How long messages are kept.
    pub retention_seconds: u64,
    /// Further topic configuration, in Kafka's own words.
    pub config: BTreeMap<String, String>,
}

/// A topic that the pipeline needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: TopicName,
    /// Its partitions.
    pub partitions: u32,
    /// True when it keeps the last message of each key for ever instead of all of them for a while.
    pub compacted: bool,
}

/// What a compacted topic of few messages has besides. Only closed segments are compacted, so one is closed each day
/// and does not grow large; what stands in it twice is soon cleared away.
const COMPACTION: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("min.cleanable.dirty.ratio", "0.1"),
    ("segment.bytes", "16777216"),
    ("segment.ms", "86400000"),
];

impl TopicSettings {
    /// Every configuration entry of a topic, the named ones included; those of a compacted one differ.
    pub fn entries(&self, compacted: bool) -> BTreeMap<String, String> {
        let mut entries = self.config.clone();
        entries.insert("min.insync.replicas".to_owned(), self.min_in_sync_replicas.to_string());
        if compacted {
            // What is kept for ever has no retention, and the pipeline's own words are about prices.
            entries.retain(|key, _| !key.starts_with("retention."));
            entries.extend(COMPACTION.map(|(key, value)| (key.to_owned(), value.to_owned())));
        } else {
            let millis = self.retention_seconds.saturating_mul(1_000);
            entries.insert("retention.ms".to_owned(), millis.to_string());
        }
        entries
    }
}

impl Pipeline {
    /// The topics that prices go to, in the order of the symbols, each once.
    pub fn topics(&self) -> Vec<Topic> {
        let mut topics: Vec<Topic> = Vec::new();
        for symbol in &self.symbols {
            let partitions = symbol.partitions.unwrap_or(self.topic_settings.partitions);
            match topics.iter_mut().find(|topic| topic.name == symbol.topic) {
                Some(topic) => topic.partitions = topic.partitions.max(partitions),
                None => topics.push(Topic { name: symbol.topic.clone(), partitions, compacted: false }),
            }
        }
        topics
    }

    /// The partitions of all topics with prices: more consumers than these would have nothing to do.
    pub fn total_partitions(&self) -> u32 {
        self.topics().iter().fold(0, |total, topic| total.saturating_add(topic.partitions))
    }

    /// The topic for messages that cannot be stored.
    pub fn dead_letter_topic(&self) -> Topic {
        Topic { name: names::dead_letter_topic(&self.name), partitions: 1, compacted: false }
    }

    /// The topic of the holes in what was received, where a source can notice any: polls have no numbers.
    pub fn gaps_topic(&self) -> Option<Topic> {
        let notices = self.sources.iter().any(|source| !matches!(source.feed, Feed::Rest(_)));
        notices.then(|| Topic { name: names::gaps_topic(&self.name), partitions: 1, compacted: true })
    }

    /// Every topic that has to be there: those with prices, and those beside them.
    pub fn all_topics(&self) -> Vec<Topic> {
        let mut topics = self.topics();
        topics.push(self.dead_letter_topic());
        topics.extend(self.gaps_topic());
        topics
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        config::{HistoryConfig, Stream, WebsocketConfig},
        pipeline::tests::majors,
    };

    use super::*;

    #[test]
    fn symbols_that_share_a_topic_make_one_topic_with_the_larger_number_of_partitions() {
        let mut pipeline = majors();
        pipeline.symbols[1].partitions = Some(6);
        let topics: Vec<(String, u32)> =
            pipeline.topics().into_iter().map(|t| (t.name.into(), t.partitions)).collect();
        assert_eq!(topics, [("btc".to_owned(), 6), ("eth".to_owned(), 3)]);
        assert_eq!(pipeline.total_partitions(), 9);
    }

    #[test]
    fn gaps_have_a_topic_where_a_source_can_notice_them_and_it_keeps_the_last_word_on_each() {
        let mut pipeline = majors();
        assert_eq!((pipeline.gaps_topic(), pipeline.all_topics().len()), (None, 3));
        pipeline.sources[0].feed = Feed::Websocket(WebsocketConfig {
            endpoints: vec!["wss://a.example".to_owned()],
            stream: Stream::Trade,
            interval: None,
            partial: false,
            silence_millis: 30_000,
            history: HistoryConfig {
                endpoints: vec!["https://a.example".to_owned()],
                timeout_millis: 2_000,
                max_weight_per_minute: 1_200,
            },
        });
        let gaps = pipeline.gaps_topic().unwrap();
        assert_eq!((gaps.name.as_str(), gaps.partitions), ("majors.gaps", 1));
        assert_eq!(pipeline.all_topics().last(), Some(&gaps));
        let config = [("retention.bytes", "1"), ("compression.type", "zstd"), ("cleanup.policy", "delete")];
        pipeline.topic_settings.config = config.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let entries = pipeline.topic_settings.entries(true);
        assert_eq!(
            (entries["cleanup.policy"].as_str(), entries["compression.type"].as_str()),
            ("compact", "zstd")
        );
        assert!(entries.keys().all(|key| !key.starts_with("retention.")), "{entries:?}");
        assert_eq!(pipeline.topic_settings.entries(false)["retention.ms"], "604800000");
    }
}
