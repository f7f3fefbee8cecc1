//! `pricepipe audit`: compares what lies in the topics with what is stored. Reads both, changes nothing.
//!
//! # Why nothing is called missing that is not
//!
//! The committed offsets are asked for first. Whatever lies below them was stored, or became a dead letter, before they
//! were committed; so it is found afterwards, unless somebody has removed it.

pub(crate) mod args;
mod messages;
mod report;
mod tally;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::stdout,
    sync::Arc,
    time::Duration,
};

use pricepipe_core::{Pipeline, Slots, Timestamp, config::SourceConfig, names::CollectionName};
use pricepipe_service::{clock, kafka::lag, kafka::native::Offsets};
use pricepipe_store::{Doubled, History, Period, StoreError};

use self::{
    args::AuditArgs,
    messages::{DeadLetters, Topic},
    report::{COLUMNS, Finding},
    tally::{EXAMPLES, Terms},
};
use crate::{
    cluster::{self, Cluster, scan::Ranges},
    commands::query,
    exit::{Exit, Failed},
    file, output,
    rows::{Output, Printer},
};

/// How long the store may take to remove a document that is past its time, and the clocks may differ.
const SLACK: Duration = Duration::from_secs(120);

/// Audits a pipeline.
pub(crate) async fn audit(args: &AuditArgs) -> Result<(), Failed> {
    let pipeline = file::pipeline(&args.file)?;
    let period = args.period.period(clock::now()).map_err(|problem| Failed::new(Exit::Usage, problem))?;
    let cluster = if args.read.simulated { None } else { Cluster::of(&pipeline)? };
    let history = query::open(&pipeline, &args.read)?;
    let audit = Audit { pipeline: &pipeline, history: &*history, period };
    let findings = match cluster {
        Some(cluster) => audit.of_topics(&Arc::new(cluster)).await,
        None => {
            output::note(
                "Kafka is embedded and its topics are gone: only what is doubled in the store can be seen",
            );
            audit.of_collections().await
        }
    };
    history.close().await;
    let findings = findings?;
    let mut printer = Printer::new(stdout(), args.output, COLUMNS);
    let written = findings.iter().try_for_each(|finding| printer.row(finding.row()));
    output::written(written.and_then(|()| printer.finish().map(drop)))?;
    if args.output == Output::Table {
        findings.iter().flat_map(Finding::lines).for_each(output::note);
    }
    report::verdict(&findings)
}

/// What is compared with what.
struct Audit<'a> {
    pipeline: &'a Pipeline,
    history: &'a dyn History,
    period: Period,
}

/// What Kafka says before any message is read.
struct Kafka {
    committed: Offsets,
    dead_letters: DeadLetters,
}

impl Audit<'_> {
    /// Of the store alone.
    async fn of_collections(&self) -> Result<Vec<Finding>, Failed> {
        let mut findings = Vec::new();
        for collection in self.pipeline.collections() {
            let doubled = Some(self.doubled(&collection).await?);
            findings.push(Finding { topic: None, collection: collection.to_string(), doubled });
        }
        Ok(findings)
    }

    async fn of_topics(&self, cluster: &Arc<Cluster>) -> Result<Vec<Finding>, Failed> {
        let routes = self.routes();
        let dead_letter_topic = self.pipeline.dead_letter_topic().name.to_string();
        let names: Vec<String> = routes.iter().map(|(topic, _)| topic.clone()).collect();
        let all: Vec<String> = names.iter().cloned().chain([dead_letter_topic.clone()]).collect();
        let known = tokio::task::block_in_place(|| cluster.existing(&all))?;
        let topics: Vec<Topic<'_>> = routes
            .iter()
            .zip(&known)
            .map(|((name, collection), known)| Topic { name: name.clone(), known, collection })
            .collect();
        let kafka = tokio::task::block_in_place(|| {
            let partitions: Vec<(String, i32)> = topics
                .iter()
                .flat_map(|topic| {
                    cluster::partitions(topic.known).map(|partition| (topic.name.clone(), partition))
                })
                .collect();
            let committed = cluster.committed(&partitions)?;
            if committed.is_empty() {
                // Of a pipeline in a cluster the namespace is part of the name.
                let group = cluster.group();
                output::note(format!(
                    "the group {group} has committed nothing, so nothing can be missing yet"
                ));
            }
            let letters =
                cluster.ranges(&dead_letter_topic, known.last().into_iter().flat_map(cluster::partitions))?;
            say_what_is_removed(
                &dead_letter_topic,
                &letters,
                ", so that what seems missing may have been among them",
            );
            let dead_letters = messages::dead_letters(cluster, (&dead_letter_topic, &letters), &topics)?;
            Ok::<_, Failed>(Kafka { committed, dead_letters })
        });
        let mut kafka = kafka?;
        let (mut findings, mut looked_at) = (Vec::new(), BTreeSet::new());
        for topic in &topics {
            let ranges = tokio::task::block_in_place(|| {
                cluster.ranges(&topic.name, cluster::partitions(topic.known))
            })?;
            say_what_is_removed(&topic.name, &ranges, "; they are not looked at");
            let terms = self.terms(&topic.name, &ranges, &mut kafka);
            let horizon = || horizon(self.pipeline.retention_seconds, clock::now());
            let counts = messages::count(cluster, self.history, topic, (ranges, terms), horizon).await?;
            let first = looked_at.insert(topic.collection.clone());
            let doubled = if first { Some(self.doubled(topic.collection).await?) } else { None };
            let collection = topic.collection.to_string();
            findings.push(Finding { topic: Some((topic.name.clone(), counts)), collection, doubled });
        }
        Ok(findings)
    }

    /// The topics in the order of the symbols, each with its collection.
    fn routes(&self) -> Vec<(String, CollectionName)> {
        let mut routes: Vec<(String, CollectionName)> = Vec::new();
        for symbol in &self.pipeline.symbols {
            if !routes.iter().any(|(topic, _)| topic == symbol.topic.as_str()) {
                routes.push((symbol.topic.to_string(), symbol.collection.clone()));
            }
        }
        routes
    }

    fn terms(&self, topic: &str, ranges: &Ranges, kafka: &mut Kafka) -> Terms {
        let committed = ranges.iter().filter_map(|(partition, range)| {
            let committed = kafka.committed.get(&(topic.to_owned(), *partition)).copied();
            // An offset of a topic that was made anew since says nothing of this one.
            committed.map(|_| (*partition, lag::next(committed, range.start, range.end)))
        });
        Terms {
            period: self.period,
            committed: committed.collect(),
            dead_letters: kafka.dead_letters.remove(topic).unwrap_or_default(),
            slots: slots(&self.pipeline.sources),
        }
    }

    async fn doubled(&self, collection: &CollectionName) -> Result<Doubled, Failed> {
        let doubled = self.history.doubled(collection, self.period, EXAMPLES).await;
        doubled.map_err(|error| store_failed(&error))
    }
}

fn store_failed(error: &StoreError) -> Failed {
    Failed::new(Exit::Unreachable, format!("the store: {error}"))
}

/// Documents before this moment may be removed while we look for them.
fn horizon(retention_seconds: u32, now: Timestamp) -> Option<Timestamp> {
    let kept = i64::from(retention_seconds).checked_mul(1_000).filter(|millis| *millis > 0)?;
    let slack = i64::try_from(SLACK.as_millis()).unwrap_or(i64::MAX);
    Some(Timestamp::from_millis(now.as_millis() - kept + slack).unwrap_or(Timestamp::MIN))
}

/// How often each exchange is polled; one that several sources poll has no slots of its own.
fn slots(sources: &[SourceConfig]) -> BTreeMap<&'static str, Slots> {
    let mut slots = BTreeMap::new();
    for source in sources {
        let same = sources.iter().filter(|other| other.exchange == source.exchange).count();
        if let Some(rest) = source.rest().filter(|_| same == 1) {
            let every = Slots::every(Duration::from_millis(rest.interval_millis));
            slots.insert(source.exchange.as_str(), every);
        }
    }
    slots
}

/// Says how many messages a topic no longer holds.
fn say_what_is_removed(topic: &str, ranges: &Ranges, consequence: &str) {
    let removed: i64 = ranges.values().map(|range| range.start).sum();
    if removed > 0 {
        output::note(format!("{topic} no longer holds its first {removed} messages{consequence}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_expires_in_a_store_that_keeps_everything() {
        let now: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
        assert_eq!(horizon(0, now), None);
        assert_eq!(horizon(3_600, now), Some("2026-11-23T05:02:00Z".parse().unwrap()));
        assert_eq!(horizon(u32::MAX, now), Some(Timestamp::MIN));
    }
}
