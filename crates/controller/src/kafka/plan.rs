//! What has to be done so that topics become what a pipeline wants, and what cannot be done. Pure.

use std::collections::{BTreeMap, BTreeSet};

use pricepipe_api::TopicStatus;
use pricepipe_core::pipeline::{Topic, TopicSettings};

use super::KafkaError;

/// Configuration by which Kafka deletes messages. -1 stands for never.
const RETENTION: [&str; 2] = ["retention.ms", "retention.bytes"];

/// A topic as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Observed {
    pub(super) id: Option<String>,
    pub(super) partitions: u32,
    pub(super) replicas: u32,
    /// Every entry that applies to it, wherever it was set. `None`: Kafka does not tell.
    pub(super) config: Option<BTreeMap<String, String>>,
}

/// What has to be done, and what cannot be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Topics to create.
    pub(super) create: Vec<Topic>,
    /// Topics that need more partitions: this many.
    pub(super) grow: Vec<Topic>,
    /// Configuration entries to set.
    pub(super) set: BTreeMap<String, BTreeMap<String, String>>,
    /// What is not as wanted and stays so.
    pub(super) refused: Vec<KafkaError>,
    /// The topics that are there already and stay in `status.topics`.
    pub(super) there: Vec<TopicStatus>,
}

/// Compares what is wanted with what is there. `known` is the pipeline's `status.topics`.
pub(super) fn plan(
    wanted: &[Topic],
    settings: &TopicSettings,
    observed: &BTreeMap<String, Observed>,
    known: &[TopicStatus],
) -> Plan {
    let mut plan = Plan::default();
    for topic in wanted {
        let (name, entries) = (topic.name.as_str(), settings.entries(topic.compacted));
        let Some(found) = observed.get(name) else {
            plan.create.push(topic.clone());
            continue;
        };
        let created = known.iter().any(|known| known.name == name && is_same(known, found, &entries));
        plan.compare(topic, settings, &entries, found, created);
        plan.there.push(status(name, found, created));
    }
    plan.keep_what_was_created(wanted, observed, known, &settings.entries(false));
    plan
}

impl Plan {
    fn compare(
        &mut self,
        topic: &Topic,
        settings: &TopicSettings,
        entries: &BTreeMap<String, String>,
        found: &Observed,
        created: bool,
    ) {
        let name = topic.name.as_str();
        if found.partitions < topic.partitions {
            self.grow.push(topic.clone());
        } else if found.partitions > topic.partitions && created {
            self.refused.push(fewer_partitions(topic, found));
        }
        if found.replicas < settings.replication_factor {
            self.refused.push(more_replicas(name, settings, found));
        }
        let Some(config) = &found.config else { return };
        for (key, value) in entries.iter().filter(|(key, value)| config.get(*key) != Some(value)) {
            match config.get(key).filter(|now| !created && loses_messages(key, now, value)) {
                Some(now) => self.refused.push(shorter_retention(name, key, now, value)),
                None => {
                    self.set.entry(name.to_owned()).or_default().insert(key.clone(), value.clone());
                }
            }
        }
    }

    /// A topic whose symbol was removed stays, and so does the knowledge of who created it.
    fn keep_what_was_created(
        &mut self,
        wanted: &[Topic],
        observed: &BTreeMap<String, Observed>,
        known: &[TopicStatus],
        entries: &BTreeMap<String, String>,
    ) {
        let wanted: BTreeSet<&str> = wanted.iter().map(|topic| topic.name.as_str()).collect();
        for known in known.iter().filter(|known| !wanted.contains(known.name.as_str())) {
            if let Some(found) = observed.get(&known.name).filter(|found| is_same(known, found, entries)) {
                self.there.push(status(&known.name, found, true));
            }
        }
    }
}

/// Whether a topic is the one that this pipeline created.
///
/// When the process ended between the creation and the next status, there is only the intention: no id. A topic that is
/// exactly what was intended came from it; somebody else's would differ in something.
fn is_same(known: &TopicStatus, found: &Observed, entries: &BTreeMap<String, String>) -> bool {
    let as_intended = || {
        let config = found.config.as_ref();
        i64::from(known.partitions) == i64::from(found.partitions)
            && config.is_some_and(|config| entries.iter().all(|(key, value)| config.get(key) == Some(value)))
    };
    known.created && if known.id.is_some() { known.id == found.id } else { as_intended() }
}

fn status(name: &str, found: &Observed, created: bool) -> TopicStatus {
    let partitions = i32::try_from(found.partitions).unwrap_or(i32::MAX);
    TopicStatus { name: name.to_owned(), id: found.id.clone(), partitions, created }
}

fn loses_messages(key: &str, now: &str, wanted: &str) -> bool {
    let amount = |text: &str| text.parse::<i64>().map(|n| if n < 0 { i64::MAX } else { n });
    RETENTION.contains(&key) && matches!((amount(now), amount(wanted)), (Ok(now), Ok(wanted)) if wanted < now)
}

fn fewer_partitions(topic: &Topic, found: &Observed) -> KafkaError {
    KafkaError::Refused {
        topic: topic.name.to_string(),
        what: format!(
            "it has {} partitions and the pipeline asks for {}, but Kafka cannot take partitions away",
            found.partitions, topic.partitions
        ),
        remedy: format!(
            "ask for {} (spec.kafka.topics.partitions, or partitions of the symbol)",
            found.partitions
        ),
    }
}

fn more_replicas(topic: &str, settings: &TopicSettings, found: &Observed) -> KafkaError {
    KafkaError::Refused {
        topic: topic.to_owned(),
        what: format!(
            "it has a replication factor of {} and the pipeline asks for {}",
            found.replicas, settings.replication_factor
        ),
        remedy: format!(
            "move its partitions with kafka-reassign-partitions, or make the pipeline anew with replicationFactor {}",
            found.replicas
        ),
    }
}

fn shorter_retention(topic: &str, key: &str, now: &str, wanted: &str) -> KafkaError {
    KafkaError::Refused {
        topic: topic.to_owned(),
        what: format!(
            "it was there before this pipeline with {key}={now}; {wanted}, which the pipeline asks for, would delete \
             messages"
        ),
        remedy: format!(
            "ask for at least as much (spec.kafka.topics), or set {key}={wanted} with kafka-configs, if they may go"
        ),
    }
}

#[cfg(test)]
mod tests;
