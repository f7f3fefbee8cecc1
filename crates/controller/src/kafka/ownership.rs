//! Which pipeline a topic belongs to. Pure.
//!
//! Two pipelines on one Kafka must not use the same topic. It belongs to the pipeline that was there first: the older
//! resource, and of two that are equally old the one whose namespace and name come first.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// A pipeline and the topics that it claims.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// Its namespace.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
    /// When it was created.
    pub(crate) created: Timestamp,
    /// Its Kafka, as [`super::Clients::cluster`] knows it.
    pub(crate) cluster: BTreeSet<String>,
    /// The topics of its spec, when that is valid, the dead-letter topic too, and those of its status.
    pub(crate) topics: BTreeSet<String>,
}

impl Claim {
    fn rank(&self) -> (Timestamp, &str, &str) {
        (self.created, &self.namespace, &self.name)
    }

    fn is_same(&self, other: &Claim) -> bool {
        (&self.namespace, &self.name) == (&other.namespace, &other.name)
    }

    /// The pipelines among these, except this one, that are on the same Kafka.
    fn neighbours<'a>(&self, others: impl IntoIterator<Item = &'a Claim>) -> impl Iterator<Item = &'a Claim> {
        others.into_iter().filter(|other| !self.is_same(other) && !self.cluster.is_disjoint(&other.cluster))
    }
}

/// A topic that belongs to another pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// The topic.
    pub(crate) topic: String,
    /// `namespace/name` of the pipeline that has it.
    pub(crate) owner: String,
}

/// Which of the topics that `mine` claims belong to another pipeline. `others` may hold `mine` too.
pub(crate) fn conflicts<'a>(mine: &Claim, others: impl IntoIterator<Item = &'a Claim>) -> Vec<Conflict> {
    let mut first: Vec<&Claim> = mine.neighbours(others).filter(|other| other.rank() < mine.rank()).collect();
    first.sort_by_key(|other| other.rank());
    let owner = |topic: &String| first.iter().find(|other| other.topics.contains(topic));
    let conflict = |topic: &String| {
        let owner = owner(topic)?;
        Some(Conflict { topic: topic.clone(), owner: format!("{}/{}", owner.namespace, owner.name) })
    };
    mine.topics.iter().filter_map(conflict).collect()
}

/// Which topics other pipelines on the same Kafka claim too, whoever was first: none of them may be deleted.
pub(crate) fn claimed_by_others<'a>(
    mine: &Claim,
    others: impl IntoIterator<Item = &'a Claim>,
) -> BTreeSet<String> {
    mine.neighbours(others).flat_map(|other| other.topics.intersection(&mine.topics)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(name: &str, second: i64, cluster: &str, topics: &[&str]) -> Claim {
        Claim {
            namespace: "markets".to_owned(),
            name: name.to_owned(),
            created: Timestamp::from_second(second).unwrap(),
            cluster: [cluster.to_owned()].into(),
            topics: topics.iter().map(|&topic| topic.to_owned()).collect(),
        }
    }

    fn owners(mine: &Claim, others: &[Claim]) -> Vec<(String, String)> {
        conflicts(mine, others).into_iter().map(|conflict| (conflict.topic, conflict.owner)).collect()
    }

    #[test]
    fn a_topic_belongs_to_the_pipeline_that_was_there_first() {
        let (old, new) = (claim("z", 1, "k", &["btc", "eth"]), claim("a", 2, "k", &["btc", "sol"]));
        let all = [old.clone(), new.clone()];
        assert_eq!(owners(&old, &all), []);
        assert_eq!(owners(&new, &all), [("btc".to_owned(), "markets/z".to_owned())]);
    }

    #[test]
    fn of_two_that_are_equally_old_the_first_by_name_has_it() {
        let (a, b) = (claim("a", 1, "k", &["btc"]), claim("b", 1, "k", &["btc"]));
        let all = [b.clone(), a.clone()];
        assert_eq!(owners(&a, &all), []);
        assert_eq!(owners(&b, &all), [("btc".to_owned(), "markets/a".to_owned())]);
    }

    #[test]
    fn of_several_older_ones_the_oldest_is_named() {
        let all = [claim("second", 2, "k", &["btc"]), claim("first", 1, "k", &["btc"])];
        assert_eq!(owners(&claim("third", 3, "k", &["btc"]), &all)[0].1, "markets/first");
    }

    #[test]
    fn the_same_name_on_another_kafka_is_no_conflict() {
        let other = [claim("first", 1, "elsewhere", &["btc"])];
        assert_eq!(owners(&claim("second", 2, "here", &["btc"]), &other), []);
    }

    #[test]
    fn pipelines_of_one_name_in_two_namespaces_are_two() {
        let mut other = claim("majors", 1, "k", &["btc"]);
        other.namespace = "archive".to_owned();
        let mine = claim("majors", 2, "k", &["btc"]);
        assert_eq!(owners(&mine, &[other])[0].1, "archive/majors");
    }

    #[test]
    fn what_a_younger_pipeline_waits_for_is_not_deleted_either() {
        let (old, new) = (claim("old", 1, "k", &["btc", "eth"]), claim("new", 2, "k", &["btc"]));
        assert_eq!(claimed_by_others(&old, &[old.clone(), new.clone()]), ["btc".to_owned()].into());
        assert_eq!(claimed_by_others(&new, [&old, &new]), ["btc".to_owned()].into());
    }
}
