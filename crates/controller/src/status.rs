//! The status that follows from what was seen. Pure.
//!
//! # Guarantees
//! - The same observations make the same status, so that nothing is written when nothing changed: callers compare.
//! - What was not looked at stays as it was. An unknown lag is absent, never zero.
//! - Messages under way are no lag: while consumers are ready, a lag of no more than what is sent within
//!   [`UNDER_WAY_MILLIS`] counts as zero, so that a pipeline in good order changes nothing.

mod replays;

use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentStatus},
    jiff::Timestamp,
};
use pricepipe_api::{
    ConsumerStatus, EstimateStatus, GapsStatus, PricePipelineStatus, ProducerStatus, TopicStatus,
};
use pricepipe_core::{
    Estimate, Pipeline, ReplayProgress,
    config::{Feed, SourceConfig},
};

use crate::{
    build::worker_name,
    conditions::{self, ConditionType, Finding, Reason, State},
    labels::{self, Component, Worker},
};

/// What one visit has seen.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The generation of the spec that was looked at.
    pub generation: i64,
    /// The pipeline, or `None` when its spec is invalid: then all but the findings stays as it was.
    pub pipeline: Option<&'a Pipeline>,
    /// What was found out. A finding about a worker wins over what its Deployment says.
    pub findings: Vec<Finding>,
    /// The topics, or `None` when Kafka did not tell.
    pub topics: Option<Vec<TopicStatus>>,
    /// The producers' Deployment of each shard, when there is one.
    pub producers: Vec<Option<&'a Deployment>>,
    /// The consumers' Deployment, when there is one.
    pub consumer: Option<&'a Deployment>,
    /// The consumers' lag.
    pub lag: Lag,
    /// The holes in what was received, or `None` when they were not asked for: what is known stays.
    pub gaps: Option<GapsStatus>,
    /// What producers say of their replays, or `None` when it was not asked for: what is known stays.
    pub replays: Option<Vec<ReplayProgress>>,
}

/// What is known of the lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lag {
    /// It was not asked for; what is known stays.
    NotAsked,
    /// It was asked for in vain.
    Unknown,
    /// So many messages.
    Messages(u64),
}

/// The status after a visit. Equal to `previous` when there is nothing to write.
pub fn status(
    previous: &PricePipelineStatus,
    observed: &Observed<'_>,
    now: Timestamp,
) -> PricePipelineStatus {
    let mut status = previous.clone();
    status.observed_generation = Some(observed.generation);
    let mut findings = observed.findings.clone();
    if let Some(pipeline) = observed.pipeline {
        describe(&mut status, pipeline, observed);
        let workers = Component::ALL.map(|component| worker(pipeline, observed, component));
        findings.extend(
            workers
                .into_iter()
                .filter(|worker| observed.findings.iter().all(|finding| finding.about != worker.about)),
        );
    }
    for finding in &findings {
        conditions::set(&mut status.conditions, finding, observed.generation, now);
    }
    let suspended = observed.pipeline.is_some_and(|pipeline| pipeline.suspend);
    let ready = conditions::ready(&status.conditions, suspended);
    conditions::set(&mut status.conditions, &ready, observed.generation, now);
    status
}

/// The status of a pipeline that the controller was told to leave alone, or that is going away: all but `Ready` stays.
pub fn set_aside(
    previous: &PricePipelineStatus,
    reason: Reason,
    message: &str,
    generation: i64,
    now: Timestamp,
) -> PricePipelineStatus {
    let mut status = previous.clone();
    let ready =
        Finding { about: ConditionType::Ready, state: State::Unknown, reason, message: message.to_owned() };
    conditions::set(&mut status.conditions, &ready, generation, now);
    status
}

/// Everything but the conditions.
fn describe(status: &mut PricePipelineStatus, pipeline: &Pipeline, observed: &Observed<'_>) {
    status.symbols = Some(count(pipeline.symbols.len()));
    status.estimate = Some(estimate(&pipeline.estimate()));
    if let Some(topics) = &observed.topics {
        status.topics = topics.clone();
        status.topics.sort_by(|a, b| a.name.cmp(&b.name));
    }
    if pipeline.gaps_topic().is_none() {
        status.gaps = None;
    } else if let Some(gaps) = &observed.gaps {
        status.gaps = Some(gaps.clone());
    }
    match &observed.replays {
        Some(words) => status.replays = replays::replays(pipeline, words),
        None => replays::retain(&mut status.replays, pipeline),
    }
    let producers = Seen::of(&observed.producers);
    status.producer = Some(ProducerStatus {
        replicas: producers.replicas,
        ready_replicas: producers.ready,
        shards: Some(count(observed.producers.len())),
    });
    let consumers = Seen::of(&[observed.consumer]);
    let lag = match observed.lag {
        Lag::NotAsked => status.consumer.as_ref().and_then(|consumer| consumer.lag),
        Lag::Unknown => None,
        Lag::Messages(messages) => Some(without_what_is_under_way(messages, pipeline, consumers.ready)),
    };
    status.consumer = Some(ConsumerStatus {
        replicas: consumers.replicas,
        ready_replicas: consumers.ready,
        selector: Some(labels::selector_text(pipeline, Worker::Consumer)),
        lag,
    });
}

/// How long a message is under way at most when all is well: fetched, waiting for others, written, committed.
const UNDER_WAY_MILLIS: u64 = 5_000;

/// The lag without the messages that are under way, as long as somebody is there to store them.
fn without_what_is_under_way(messages: u64, pipeline: &Pipeline, ready_consumers: i32) -> i64 {
    let sent: u64 = pipeline.sources.iter().map(|source| sent_under_way(source, pipeline)).sum();
    let sent = sent * u64::from(pipeline.producer_replicas);
    let under_way = ready_consumers > 0 && messages <= sent;
    if under_way { 0 } else { i64::try_from(messages).unwrap_or(i64::MAX) }
}

/// What a source sends of all its symbols within [`UNDER_WAY_MILLIS`].
fn sent_under_way(source: &SourceConfig, pipeline: &Pipeline) -> u64 {
    let of_each = match &source.feed {
        Feed::Rest(rest) => UNDER_WAY_MILLIS.div_ceil(rest.interval_millis.max(1)),
        Feed::Websocket(_) => UNDER_WAY_MILLIS.div_ceil(1_000) * BUSY_SECOND,
        // A replay sends as much as there is: its backlog is one.
        Feed::Replay(_) => 0,
    };
    of_each * pipeline.symbols.iter().filter(|s| source.serves(&s.symbol)).count() as u64
}

/// How many messages of a stream of a market in a second are no news.
const BUSY_SECOND: u64 = 20;

/// Whether a worker runs as the pipeline says.
fn worker(pipeline: &Pipeline, observed: &Observed<'_>, component: Component) -> Finding {
    let (about, deployments, replicas) = match component {
        Component::Producer => {
            (ConditionType::ProducerAvailable, observed.producers.as_slice(), pipeline.producer_replicas)
        }
        Component::Consumer => (
            ConditionType::ConsumerAvailable,
            std::slice::from_ref(&observed.consumer),
            pipeline.consumer_replicas,
        ),
    };
    let wanted = u64::from(replicas) * deployments.len() as u64;
    let name = component.as_str();
    if pipeline.suspend {
        return Finding::bad(about, Reason::Suspended, format!("no {name} runs: spec.suspend is true"));
    }
    if wanted == 0 {
        let message = format!("no {name} is wanted: spec.{name}.replicas is 0");
        return Finding::bad(about, Reason::ScaledToZero, message);
    }
    if deployments.iter().any(Option::is_none) {
        return Finding::bad(about, Reason::Progressing, format!("the {name}'s Deployment is not there yet"));
    }
    let mut statuses = deployments.iter().flatten().filter_map(|deployment| deployment.status.as_ref());
    if let Some(trouble) = statuses.find_map(trouble) {
        return Finding::bad(about, Reason::Failed, trouble);
    }
    let ready: u64 = deployments.iter().map(|one| Seen::of(&[*one]).ready_and_current()).sum();
    let message = format!("{ready} of {wanted} ready");
    let Some(behind) = deployments.iter().position(|one| !Seen::of(&[*one]).is_as_wanted(replicas)) else {
        return Finding::good(about, Reason::Available, message);
    };
    let worker = match component {
        Component::Producer => Worker::Producer(u32::try_from(behind).unwrap_or_default()),
        Component::Consumer => Worker::Consumer,
    };
    let logs = format!("kubectl logs -n {} deployment/{}", pipeline.namespace, worker_name(pipeline, worker));
    Finding::bad(about, Reason::Progressing, format!("{message}; {logs} says what a {name} waits for"))
}

/// Why a Deployment cannot come to its end.
fn trouble(status: &DeploymentStatus) -> Option<String> {
    let conditions = status.conditions.iter().flatten();
    let mut troubles = conditions.filter_map(|condition| {
        let message = condition.message.as_deref().unwrap_or_default();
        match (condition.type_.as_str(), condition.status.as_str()) {
            ("ReplicaFailure", "True") => Some(format!("pods cannot be created: {message}")),
            ("Progressing", "False") => {
                Some(format!("pods do not become ready: {message} Their logs and events say why."))
            }
            _ => None,
        }
    });
    troubles.next()
}

/// What the statuses of Deployments say of their pods.
#[derive(Default)]
struct Seen {
    replicas: i32,
    ready: i32,
    updated: i32,
    /// The Deployments' controller has not seen the latest spec of each, or some of the earlier pods are left.
    unsettled: bool,
}

impl Seen {
    fn of(deployments: &[Option<&Deployment>]) -> Self {
        let mut seen = Seen::default();
        for deployment in deployments {
            let status = deployment.and_then(|deployment| deployment.status.clone()).unwrap_or_default();
            let generation = deployment.and_then(|deployment| deployment.metadata.generation);
            let (replicas, updated) = (status.replicas.unwrap_or(0), status.updated_replicas.unwrap_or(0));
            seen.replicas += replicas;
            seen.ready += status.ready_replicas.unwrap_or(0);
            seen.updated += updated;
            seen.unsettled |= status.observed_generation < generation || replicas != updated;
        }
        seen
    }

    /// Pods that are ready and run what they should; told exactly once no earlier pod is left.
    fn ready_and_current(&self) -> u64 {
        u64::try_from(self.ready.min(self.updated)).unwrap_or_default()
    }

    fn is_as_wanted(&self, replicas: u32) -> bool {
        !self.unsettled && self.ready_and_current() >= u64::from(replicas)
    }
}

fn estimate(estimate: &Estimate) -> EstimateStatus {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    EstimateStatus {
        messages_per_day: number(estimate.messages_per_day),
        kafka_bytes_per_day: number(estimate.kafka_bytes_per_day),
        mongodb_bytes_per_day: Some(number(estimate.mongodb_bytes_per_day)),
        request_weight_per_minute: number(estimate.request_weight_per_minute),
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
