//! Brings one pipeline to the state that its spec describes.
//!
//! # Expected flow
//! 1. The pipeline is read afresh: what is watched may be older than our own last write.
//! 2. One that is going is [finalized](crate::finalize), one that is paused is left alone.
//! 3. The finalizer fits the policy, and the spec is validated: an invalid one waits for a change.
//! 4. [Secrets are read](crate::dereference), then [topics are made](crate::topics), then
//!    [objects are built](crate::build) and [applied](crate::apply): topics before the workers that use them.
//! 5. Gaps and the progress of replays are read, then the lag, and the consumers are [scaled](crate::scale) by it.
//! 6. The [status](crate::visit) says what was found out, whatever went wrong before.
//!
//! # Guarantees
//! Nothing is written when nothing changed. A visit may be cut short anywhere and be repeated: names are
//! deterministic, and what was created is in the status before it is created.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kube::{Resource, runtime::controller::Action};
use pricepipe_api::{PricePipeline, TopicStatus};
use pricepipe_core::Pipeline;

use crate::{
    apply::Apply,
    build::{self, Surroundings},
    conditions::{ConditionType, Finding, Reason},
    context::{Context, Key, Memory},
    dereference::{self, Needs},
    error::Error,
    events,
    kafka::{self, KafkaAdmin},
    labels, scale,
    status::{Lag, set_aside},
    topics::Outcome,
    unreadable,
    visit::Visit,
};

/// A pipeline in good order is visited so often: its lag and its Secrets are not watched.
const VISIT_EVERY: Duration = Duration::from_secs(15);
/// Gaps are few and of interest to people: their topic is looked at so often.
const GAPS_EVERY: Duration = Duration::from_secs(60);
/// One that only a change can help is looked at again nevertheless, should that change have been missed.
const SELDOM: Duration = Duration::from_secs(300);

/// Visits a pipeline. Says how it ended in the metrics, and when to come again.
pub(crate) async fn reconcile(key: Key, context: Arc<Context>) -> Result<Action, Error> {
    let began = Instant::now();
    let memory = context.memory(&key);
    let mut memory = memory.lock().await;
    let result = visit(&context, &key, &mut memory).await;
    let outcome = result.as_ref().map_or_else(Error::category, |_| "success");
    context.observations.visited(outcome, began.elapsed());
    if result.is_ok() {
        memory.backoff.reset();
    }
    result
}

async fn visit(context: &Context, key: &Key, memory: &mut Memory) -> Result<Action, Error> {
    context.must_lead()?;
    let found = context.pipelines(&key.namespace).get_opt(&key.name).await;
    let Some(guard) = found.map_err(Error::api(Vec::new(), "read the pipeline"))? else {
        context.forget(key);
        return Ok(Action::await_change());
    };
    memory.belong_to(guard.meta().uid.as_deref().unwrap_or_default());
    let resource = match &guard.0 {
        Ok(resource) => resource,
        Err(invalid) => return unreadable::report(context, &guard, key, &invalid.error).await,
    };
    let mut visit = Visit::new(context, &guard, resource, key, memory);
    if guard.meta().deletion_timestamp.is_some() {
        return visit.finalize().await;
    }
    if is_paused(resource) {
        return visit.pause().await;
    }
    let worked = visit.work().await;
    if let Err(error) = &worked {
        visit.found(error);
    }
    visit.report().await?;
    worked.map(|()| Action::requeue(VISIT_EVERY.mul_f64(1.0 + fastrand::f64() / 10.0)))
}

impl Visit<'_> {
    /// The steps, in their order.
    async fn work(&mut self) -> Result<(), Error> {
        self.hold().await?;
        let settings = &self.context.settings;
        let pipeline = Arc::new(settings.pipeline(self.resource).map_err(Error::Invalid)?);
        self.findings.push(Finding::good(
            ConditionType::SpecValid,
            Reason::Valid,
            "the spec can be followed",
        ));
        self.pipeline = Some(pipeline.clone());
        if pipeline.suspend {
            let needs = dereference::without_secrets(&pipeline, settings)?;
            return self.apply(&pipeline, &needs).await;
        }
        let needs = dereference::dereference(&pipeline, settings, &self.context.secrets).await?;
        let (credentials, ca) = (needs.credentials.as_ref(), needs.ca_pem.as_deref());
        let admin = self.context.kafka.admin(&needs.connection, credentials, ca)?;
        self.memory.admin = Some(admin.clone());
        let tolerable = match self.topics(&pipeline, &needs, &admin).await? {
            Outcome::Good => None,
            Outcome::Tolerable(error) => {
                self.found(&error);
                Some(error).filter(|error| error.longest_pause().is_some())
            }
            Outcome::Blocked(error) => return Err(error),
        };
        self.apply(&pipeline, &needs).await?;
        match tolerable {
            None => {
                self.follow_gaps(&pipeline, &admin).await;
                self.follow_lag(&pipeline, &admin).await
            }
            Some(error) => Err(error),
        }
    }

    /// Builds the objects and applies them.
    async fn apply(&mut self, pipeline: &Pipeline, needs: &Needs) -> Result<(), Error> {
        let context = self.context;
        let Some(scope) = context.scope(&self.key.namespace) else { return Ok(()) };
        let surroundings = Surroundings {
            images: &context.images,
            kafka: &needs.connection,
            kafka_secrets: &needs.kafka_secrets,
            mongodb: &needs.mongodb,
            secrets_hash: &needs.secrets_hash,
        };
        let wanted = build::build(pipeline, self.owner(), &surroundings);
        scope.children.ready().await;
        context.must_lead()?;
        let apply = Apply { context, namespace: &self.key.namespace, owner: self.uid, live: &scope.children };
        apply.all(&wanted, self.memory).await?;
        match scope.children.trouble() {
            None => Ok(()),
            Some(trouble) => Err(Error::Watch(trouble)),
        }
    }

    /// Reads the lag, not too often, and scales by it.
    async fn follow_lag(&mut self, pipeline: &Pipeline, admin: &KafkaAdmin) -> Result<(), Error> {
        let asked = self.memory.lag.is_some_and(|when| when.elapsed() < VISIT_EVERY);
        if asked || self.has_new_partitions() {
            return Ok(());
        }
        self.memory.lag = Some(Instant::now());
        let group = pricepipe_core::names::consumer_group(&pipeline.namespace, &pipeline.name);
        let known = self.topics.as_deref().unwrap_or(&self.previous.topics);
        let lag = kafka::lag(admin, &group, &pipeline.topics(), known).await;
        self.lag = lag.as_ref().map_or(Lag::Unknown, |lag| Lag::Messages(*lag));
        let lag = lag.map_err(|error| {
            // Whether Kafka is back is found out by the topics, which are fine until then.
            self.memory.topics = None;
            Error::Kafka(error)
        });
        let scaled = scale::by_lag(self.context, pipeline, lag.as_ref().ok().copied(), self.memory).await?;
        if let Some(replicas) = scaled {
            let note = format!(
                "scaled the consumers from {} to {replicas} by their lag",
                pipeline.consumer_replicas
            );
            self.say(events::Reason::Scaled, &note).await;
        }
        lag.map(|_| ())
    }

    /// Reads what became of holes and how far replays are: now and then, and for another spec at once. Where that fails
    /// the lag, which is asked for next, says why.
    async fn follow_gaps(&mut self, pipeline: &Pipeline, admin: &KafkaAdmin) {
        let Some(topic) = pipeline.gaps_topic() else { return };
        let asked = self.memory.gaps.as_ref().is_some_and(|(when, generation, _)| {
            when.elapsed() < GAPS_EVERY && *generation == self.generation
        });
        if asked || self.has_new_partitions() {
            return;
        }
        let known = self.memory.gaps.take().and_then(|(_, _, gaps)| gaps);
        let found = kafka::gaps(admin, topic.name.to_string(), known.clone()).await;
        let gaps = found.inspect_err(|error| tracing::debug!(%error, "the gaps could not be read")).ok();
        self.gaps = gaps.clone();
        self.memory.gaps = Some((Instant::now(), self.generation, gaps.or(known)));
    }

    /// A partition that was just created may have no leader yet, and then nobody can tell how far it goes.
    fn has_new_partitions(&self) -> bool {
        let is_known = |new: &TopicStatus| {
            let same = |old: &TopicStatus| (&old.name, old.partitions) == (&new.name, new.partitions);
            self.previous.topics.iter().any(same)
        };
        self.topics.iter().flatten().any(|topic| !is_known(topic))
    }

    /// Leaves a pipeline alone, and says so.
    async fn pause(&mut self) -> Result<Action, Error> {
        let message = format!("left alone: remove the annotation {} to go on", labels::PAUSED);
        let now = k8s_openapi::jiff::Timestamp::now();
        let next = set_aside(&self.previous, Reason::Paused, &message, self.generation, now);
        self.tell(next).await?;
        Ok(Action::requeue(SELDOM))
    }
}

fn is_paused(resource: &PricePipeline) -> bool {
    resource
        .metadata
        .annotations
        .iter()
        .flatten()
        .any(|(name, value)| name == labels::PAUSED && value == "true")
}

/// When a visit that failed is repeated.
pub(crate) fn pause_after(error: &Error, memory: &mut Memory) -> Duration {
    match error.longest_pause() {
        None => SELDOM.mul_f64(1.0 + fastrand::f64() / 10.0),
        Some(longest) => memory.backoff.next_wait(fastrand::f64()).min(longest).max(SHORTEST_PAUSE),
    }
}

/// Full jitter may come to nothing at all.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests;
