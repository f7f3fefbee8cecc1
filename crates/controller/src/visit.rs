//! One visit to a pipeline: what is known of it and what was found out.

use std::sync::Arc;

use k8s_openapi::{
    api::apps::v1::Deployment, apimachinery::pkg::apis::meta::v1::OwnerReference, jiff::Timestamp,
};
use pricepipe_api::{PricePipeline, PricePipelineStatus, TopicStatus};
use pricepipe_core::Pipeline;

use crate::{
    build,
    conditions::{self, ConditionType, Finding, Reason, State},
    context::{Context, Guarded, Key, Memory, reference},
    error::Error,
    events,
    kafka::Gaps,
    labels::Worker,
    status::{Lag, Observed, status},
};

/// One visit to a pipeline that can be read.
pub(crate) struct Visit<'a> {
    pub(crate) context: &'a Context,
    pub(crate) guard: &'a Guarded,
    pub(crate) resource: &'a PricePipeline,
    pub(crate) key: &'a Key,
    pub(crate) uid: &'a str,
    pub(crate) generation: i64,
    pub(crate) memory: &'a mut Memory,
    /// The status as it is in the cluster.
    pub(crate) previous: PricePipelineStatus,
    pub(crate) pipeline: Option<Arc<Pipeline>>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) topics: Option<Vec<TopicStatus>>,
    pub(crate) lag: Lag,
    /// What the gaps topic says, when it was read.
    pub(crate) gaps: Option<Gaps>,
}

impl<'a> Visit<'a> {
    pub(crate) fn new(
        context: &'a Context,
        guard: &'a Guarded,
        resource: &'a PricePipeline,
        key: &'a Key,
        memory: &'a mut Memory,
    ) -> Self {
        Visit {
            context,
            guard,
            resource,
            key,
            uid: resource.metadata.uid.as_deref().unwrap_or_default(),
            generation: resource.metadata.generation.unwrap_or_default(),
            memory,
            previous: resource.status.clone().unwrap_or_default(),
            pipeline: None,
            findings: Vec::new(),
            topics: None,
            lag: Lag::NotAsked,
            gaps: None,
        }
    }

    /// The pipeline as the owner of its objects.
    pub(crate) fn owner(&self) -> OwnerReference {
        OwnerReference {
            api_version: pricepipe_api::API_VERSION.to_owned(),
            kind: pricepipe_api::KIND.to_owned(),
            name: self.key.name.clone(),
            uid: self.uid.to_owned(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }

    /// Says what was found out: in the status when it changed, in the metrics, and in an event when the pipeline
    /// became ready or stopped being so for a new reason.
    pub(crate) async fn report(&mut self) -> Result<(), Error> {
        let shards = self.pipeline.as_ref().map_or(1, |pipeline| pipeline.shard_count());
        let producers: Vec<_> = (0..shards).map(|shard| self.deployment(Worker::Producer(shard))).collect();
        let consumer = self.deployment(Worker::Consumer);
        let (gaps, replays) = self.gaps.take().map(|gaps| (gaps.status, gaps.replays)).unzip();
        let observed = Observed {
            generation: self.generation,
            pipeline: self.pipeline.as_deref(),
            findings: std::mem::take(&mut self.findings),
            topics: self.topics.take(),
            producers: producers.iter().map(Option::as_ref).collect(),
            consumer: consumer.as_ref(),
            lag: self.lag,
            gaps,
            replays,
        };
        let next = status(&self.previous, &observed, Timestamp::now());
        self.tell(next).await
    }

    /// Writes a status when it differs from the one that is there.
    pub(crate) async fn tell(&mut self, next: PricePipelineStatus) -> Result<(), Error> {
        self.context.observations.conditions(&self.key.namespace, &self.key.name, &next.conditions);
        if next == self.previous {
            return Ok(());
        }
        self.write(&next).await?;
        let before = std::mem::replace(&mut self.previous, next);
        self.announce(&before).await;
        Ok(())
    }

    pub(crate) async fn write(&self, status: &PricePipelineStatus) -> Result<(), Error> {
        self.context.write_status(self.key, self.uid, status).await
    }

    pub(crate) async fn say(&self, reason: events::Reason, note: &str) {
        self.context.events.say(&reference(self.guard), reason, note).await;
    }

    async fn announce(&self, before: &PricePipelineStatus) {
        let ready =
            |status: &PricePipelineStatus| conditions::get(&status.conditions, ConditionType::Ready).cloned();
        let Some(now) = ready(&self.previous) else { return };
        let same = ready(before).is_some_and(|before| before.reason == now.reason);
        let reason = Reason::ALL.iter().copied().find(|reason| reason.as_str() == now.reason);
        if let Some(reason) = reason.filter(|_| !same) {
            self.say(events::Reason::Condition(reason), &now.message).await;
        }
    }

    /// Tells of topics that this visit created.
    pub(crate) async fn created(&self, topics: &[TopicStatus]) {
        let known = |name: &str| self.previous.topics.iter().any(|topic| topic.name == name && topic.created);
        let new = topics.iter().filter(|topic| topic.created && !known(&topic.name));
        let names: Vec<&str> = new.map(|topic| topic.name.as_str()).collect();
        if !names.is_empty() {
            self.say(events::Reason::TopicsCreated, &format!("created topics {}", names.join(", "))).await;
        }
    }

    fn deployment(&self, worker: Worker) -> Option<Deployment> {
        let name = build::worker_name(self.pipeline.as_deref()?, worker);
        let scope = self.context.scope(&self.key.namespace)?;
        scope.children.deployment(&self.key.namespace, &name, self.uid)
    }

    /// Adds what an error means, where no earlier finding says more.
    pub(crate) fn found(&mut self, error: &Error) {
        for finding in error.findings() {
            if self.findings.iter().all(|known| known.about != finding.about || known.state == State::True) {
                self.findings.retain(|known| known.about != finding.about);
                self.findings.push(finding);
            }
        }
    }
}
