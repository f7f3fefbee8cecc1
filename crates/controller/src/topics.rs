//! The step in which a pipeline's topics become what it wants. Kafka I/O, and the intention written to its status.

use std::time::{Duration, Instant};

use pricepipe_api::PricePipelineStatus;
use pricepipe_core::Pipeline;

use crate::{
    claims,
    conditions::{ConditionType, Finding, Reason},
    dereference::Needs,
    error::{self, Error},
    kafka::{
        self, Ensured, KafkaAdmin,
        ownership::{self, Conflict},
    },
    visit::Visit,
};

/// Topics that were as wanted are looked at again after so long.
const CHECK_EVERY: Duration = Duration::from_secs(30);

/// What the step came to.
pub(crate) enum Outcome {
    /// The topics are as wanted, or were a moment ago.
    Good,
    /// Something is amiss, but workers may run.
    Tolerable(Error),
    /// Workers must not be changed to use these topics.
    Blocked(Error),
}

impl Visit<'_> {
    /// Makes the topics what the pipeline wants.
    ///
    /// # Errors
    /// The intention to create topics could not be written.
    pub(crate) async fn topics(
        &mut self,
        pipeline: &Pipeline,
        needs: &Needs,
        admin: &KafkaAdmin,
    ) -> Result<Outcome, Error> {
        if self.topics_are_fresh(&needs.secrets_hash) {
            return Ok(Outcome::Good);
        }
        if let Some(conflict) = self.conflict(pipeline) {
            return Ok(Outcome::Blocked(conflict));
        }
        let wanted = pipeline.all_topics();
        let visit: &Visit<'_> = self;
        let write = |topics| async move {
            visit.write(&PricePipelineStatus { topics, ..visit.previous.clone() }).await
        };
        let Ensured { health, topics, problems } =
            kafka::ensure(admin, &wanted, &pipeline.topic_settings, &self.previous.topics, write).await?;
        self.context.observations.topics(&self.key.namespace, &self.key.name, health.as_ref());
        let complete =
            wanted.iter().all(|wanted| topics.iter().any(|topic| topic.name == wanted.name.as_str()));
        let outcome = self.judge(problems, complete);
        self.created(&topics).await;
        // What Kafka did not tell stays as it was.
        if complete || !matches!(&outcome, Outcome::Tolerable(Error::Kafka(error)) if error.is_about_access())
        {
            self.topics = Some(topics);
        }
        if matches!(outcome, Outcome::Good) {
            self.memory.topics = Some((Instant::now(), self.generation, needs.secrets_hash.clone()));
        }
        Ok(outcome)
    }

    fn topics_are_fresh(&self, secrets_hash: &str) -> bool {
        self.memory.topics.as_ref().is_some_and(|(when, generation, hash)| {
            when.elapsed() < CHECK_EVERY && *generation == self.generation && hash == secrets_hash
        })
    }

    fn conflict(&self, pipeline: &Pipeline) -> Option<Error> {
        let mine = claims::claim(self.context, self.resource);
        let others = claims::others(self.context, self.resource);
        let conflict = ownership::conflicts(&mine, &others).into_iter().next()?;
        let Conflict { topic, owner } = conflict;
        let has_prices = pipeline.topics().iter().any(|own| own.name.as_str() == topic);
        let remedy = if !has_prices {
            "the topics of dead letters and of gaps have the name of their pipeline: rename one of the two"
        } else {
            "choose another name, as with spec.kafka.topics.nameTemplate \"{pipeline}-{base}\""
        };
        Some(Error::TopicConflict { topic, owner, remedy })
    }

    /// What problems come to, and the findings about them.
    fn judge(&mut self, problems: Vec<kafka::KafkaError>, complete: bool) -> Outcome {
        self.memory.topics = None;
        let access = problems.iter().find(|problem| problem.is_about_access());
        if access.is_none_or(|problem| error::kafka(problem).0 != ConditionType::KafkaReachable) {
            let reachable = Finding::good(ConditionType::KafkaReachable, Reason::Reachable, "Kafka answers");
            self.findings.push(reachable);
        }
        if problems.is_empty() {
            let message = "all topics are as the spec says";
            self.findings.push(Finding::good(ConditionType::TopicsReady, Reason::InSync, message));
            return Outcome::Good;
        }
        let problem = access.unwrap_or(&problems[0]).clone();
        let (about, _) = error::kafka(&problem);
        if about == ConditionType::KafkaReachable && !complete {
            let message = "Kafka could not be asked";
            self.findings.push(Finding::unknown(ConditionType::TopicsReady, Reason::NotChecked, message));
        }
        if complete || problem.is_about_access() {
            Outcome::Tolerable(problem.into())
        } else {
            Outcome::Blocked(problem.into())
        }
    }
}
