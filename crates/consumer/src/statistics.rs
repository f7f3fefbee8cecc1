//! What is needed of librdkafka's statistics, and what follows from it. Pure.

use std::{borrow::Cow, collections::HashMap};

use serde::Deserialize;

use crate::assignment::{Place, Progress};

/// The statistics that librdkafka emits once a second, as far as they are needed.
#[derive(Debug, Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default)]
    brokers: HashMap<Cow<'a, str>, RawBroker<'a>>,
    #[serde(borrow, default)]
    topics: HashMap<Cow<'a, str>, RawTopic>,
    #[serde(borrow)]
    cgrp: Option<RawGroup<'a>>,
}

#[derive(Debug, Deserialize)]
struct RawBroker<'a> {
    #[serde(borrow)]
    state: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
struct RawTopic {
    #[serde(default)]
    partitions: HashMap<i32, Partition>,
}

#[derive(Debug, Deserialize)]
struct RawGroup<'a> {
    #[serde(borrow)]
    join_state: Cow<'a, str>,
}

/// What the client knows of a partition.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Partition {
    leader: i32,
    fetchq_cnt: i64,
    next_offset: i64,
    app_offset: i64,
    committed_offset: i64,
    hi_offset: i64,
    ls_offset: i64,
}

/// One emission.
#[derive(Debug)]
pub(crate) struct Statistics {
    /// How many connections to brokers are up.
    pub(crate) brokers_up: usize,
    /// Where the client stands in joining its group: `steady` when it has joined.
    pub(crate) join_state: String,
    /// The partitions of the topics in question.
    pub(crate) partitions: Vec<(Place, Partition)>,
}

impl Statistics {
    /// Reads an emission; `topic` gives the place of a topic's name among the routes.
    pub(crate) fn parse(json: &[u8], topic: impl Fn(&str) -> Option<usize>) -> serde_json::Result<Self> {
        let raw: Raw<'_> = serde_json::from_slice(json)?;
        let partitions = raw.topics.iter().filter_map(|(name, found)| Some((topic(name)?, found)));
        let placed = |(topic, found): (usize, &RawTopic)| {
            let place = move |number: i32| Place { topic, partition: number };
            // -1 stands for what is not assigned to any partition yet.
            let real = found.partitions.iter().filter(|(number, _)| **number >= 0);
            real.map(|(number, partition)| (place(*number), *partition)).collect::<Vec<_>>()
        };
        Ok(Statistics {
            brokers_up: raw.brokers.values().filter(|broker| broker.state == "UP").count(),
            join_state: raw.cgrp.map(|group| group.join_state.into_owned()).unwrap_or_default(),
            partitions: partitions.flat_map(placed).collect(),
        })
    }
}

impl Partition {
    /// One past the last message that a reader can see; `None` until the broker said so.
    fn end(&self) -> Option<i64> {
        // The last stable offset is the end for a reader of committed messages.
        [self.ls_offset, self.hi_offset].into_iter().find(|offset| *offset >= 0)
    }

    /// Nothing is on its way from the broker to us, up to the end. (The last offsets may be no messages at all.)
    fn all_delivered(&self) -> bool {
        self.fetchq_cnt == 0 && self.end().is_some_and(|end| self.next_offset >= end)
    }

    /// How many messages are not stored; `None` when that is not known.
    pub(crate) fn lag(&self, progress: Progress) -> Option<u64> {
        let end = self.end()?;
        if progress.drained && self.all_delivered() {
            return Some(0);
        }
        let known = |offset: i64| (offset >= 0).then_some(offset);
        let fetched = known(self.next_offset).map(|next| next - self.fetchq_cnt);
        let position = progress.stored.or(known(self.committed_offset)).or(fetched)?;
        Some(u64::try_from(end - position).unwrap_or(0))
    }

    /// True when there are messages that the client could give us and does not.
    pub(crate) fn has_undelivered(&self) -> bool {
        let position = if self.app_offset >= 0 { self.app_offset } else { self.committed_offset };
        self.leader >= 0 && !self.all_delivered() && self.end().is_some_and(|end| position < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Progress = Progress { stored: None, taken: None, drained: true };

    fn partition(fetched: i64, given: i64, committed: i64, end: i64) -> Partition {
        Partition {
            leader: 1,
            fetchq_cnt: fetched - given.max(0),
            next_offset: fetched,
            app_offset: given,
            committed_offset: committed,
            hi_offset: end,
            ls_offset: end,
        }
    }

    #[test]
    fn reads_what_librdkafka_writes() {
        let json = br#"{"name":"x","brokers":{"a:1/1":{"state":"UP"},"a:1/bootstrap":{"state":"DOWN"}},
            "topics":{"btc":{"partitions":{"0":{"leader":1,"fetchq_cnt":0,"next_offset":7,"app_offset":7,
            "committed_offset":-1001,"hi_offset":9,"ls_offset":9},"-1":{"leader":-1,"fetchq_cnt":0,"next_offset":0,
            "app_offset":-1001,"committed_offset":-1001,"hi_offset":-1001,"ls_offset":-1001}}},"other":{"partitions":{}}},
            "cgrp":{"state":"up","join_state":"steady"}}"#;
        let statistics = Statistics::parse(json, |name| (name == "btc").then_some(4)).unwrap();
        assert_eq!((statistics.brokers_up, statistics.join_state.as_str()), (1, "steady"));
        let [(place, partition)] = statistics.partitions[..] else { panic!("{statistics:?}") };
        assert_eq!(place, Place { topic: 4, partition: 0 });
        assert_eq!(partition.end(), Some(9));
    }

    #[test]
    fn lag_counts_what_is_not_stored_rather_than_what_is_not_fetched() {
        let progress = Progress { stored: Some(40), taken: Some(90), drained: false };
        assert_eq!(partition(100, 90, 30, 100).lag(progress), Some(60));
    }

    #[test]
    fn unknown_is_not_zero() {
        assert_eq!(partition(0, -1001, -1001, -1001).lag(FRESH), None);
        assert_eq!(partition(-1001, -1001, -1001, 10).lag(FRESH), None);
    }

    #[test]
    fn offsets_at_the_end_that_are_no_messages_are_no_lag() {
        let partition = Partition { fetchq_cnt: 0, ..partition(100, 99, 99, 100) };
        let progress = Progress { stored: Some(99), taken: Some(99), drained: true };
        assert_eq!(partition.lag(progress), Some(0));
        assert!(!partition.has_undelivered());
    }

    #[test]
    fn a_message_that_the_client_keeps_to_itself_is_undelivered() {
        assert!(partition(100, 90, 90, 100).has_undelivered());
        assert!(!partition(100, 100, 90, 100).has_undelivered());
        assert!(!Partition { leader: -1, ..partition(90, 90, 90, 100) }.has_undelivered());
    }
}
