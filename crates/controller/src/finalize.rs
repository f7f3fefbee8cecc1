//! What happens before a pipeline may go: with `deletionPolicy: Delete` its workers go first, then its topics.
//!
//! # Expected flow
//! 1. While the policy is `Delete` the pipeline carries the finalizer [`FINALIZER`], and only then.
//! 2. It is deleted: its Deployments are deleted in the foreground, and awaited until their pods are gone.
//! 3. The topics that its status says it created are deleted, unless another pipeline claims them or their identity
//!    has changed.
//! 4. The finalizer is removed; Kubernetes removes the rest.
//!
//! # Guarantees
//! Nothing here lasts longer than [`DEADLINE`] from the deletion: then the topics are left, a Warning says which, and
//! the finalizer goes. A Kafka that is away never leaves a namespace stuck.

use std::{cmp::Reverse, sync::Arc, time::Duration};

use k8s_openapi::{api::apps::v1::Deployment, jiff::Timestamp};
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams},
    runtime::controller::Action,
};
use pricepipe_core::pipeline::DeletionPolicy;
use serde_json::json;

use crate::{
    apply, claims,
    conditions::Reason,
    context::{Context, Guarded, Key, reference},
    dereference,
    error::{Error, WORKERS},
    events,
    kafka::{self, Deleted, KafkaAdmin, ownership},
    labels,
    status::set_aside,
    visit::Visit,
};

/// Carried by pipelines whose topics are to be deleted with them.
pub(crate) const FINALIZER: &str = "pricepipe.dev/topics";
/// How long a deletion may wait for workers and for Kafka.
const DEADLINE: Duration = Duration::from_secs(60);
/// How often a deletion is tried.
const PAUSE: Duration = Duration::from_secs(2);

impl Visit<'_> {
    /// Makes the finalizer fit the policy, before anything is created.
    pub(crate) async fn hold(&self) -> Result<(), Error> {
        let wanted = self.resource.spec.deletion_policy == DeletionPolicy::Delete;
        if wanted == carries(self.guard) {
            Ok(())
        } else {
            set_finalizer(self.context, self.guard, self.key, wanted).await
        }
    }

    /// Ends a pipeline that is being deleted.
    pub(crate) async fn finalize(&mut self) -> Result<Action, Error> {
        if !carries(self.guard) {
            self.context.forget(self.key);
            return Ok(Action::await_change());
        }
        if self.resource.spec.deletion_policy == DeletionPolicy::Delete {
            let late = overdue(self.guard);
            match self.clean_up().await {
                Ok(true) => {}
                Ok(false) if !late => return Ok(Action::requeue(PAUSE)),
                Ok(false) => self.give_up("its workers did not end in time").await,
                Err(Error::NotLeading) => return Err(Error::NotLeading),
                Err(error) if late => self.give_up(&error.to_string()).await,
                Err(error) => return self.postpone(&error).await,
            }
        }
        set_finalizer(self.context, self.guard, self.key, false).await?;
        self.context.forget(self.key);
        Ok(Action::await_change())
    }

    /// Workers, then topics. False while workers are still there.
    async fn clean_up(&mut self) -> Result<bool, Error> {
        self.context.must_lead()?;
        if self.workers_remain().await? {
            self.set_aside("its workers end, then its topics are deleted").await?;
            return Ok(false);
        }
        if self.previous.topics.iter().all(|topic| !topic.created) {
            return Ok(true);
        }
        let claimed = ownership::claimed_by_others(
            &claims::claim(self.context, self.resource),
            &claims::others(self.context, self.resource),
        );
        let admin = self.admin_for_deletion().await?;
        let Deleted { deleted, left } = kafka::delete(&admin, &self.previous.topics, &claimed).await?;
        if !deleted.is_empty() {
            let note = format!("deleted topics {}", deleted.join(", "));
            self.say(events::Reason::TopicsDeleted, &note).await;
        }
        if !left.is_empty() {
            let left: Vec<String> = left.into_iter().map(|(topic, why)| format!("{topic} ({why})")).collect();
            self.say(events::Reason::TopicsLeft, &format!("left topics {}", left.join(", "))).await;
        }
        Ok(true)
    }

    /// Ends the workers. They are asked for afresh: what is watched may not tell yet of one that was just made.
    async fn workers_remain(&self) -> Result<bool, Error> {
        let api: Api<Deployment> = Api::namespaced(self.context.client.clone(), &self.key.namespace);
        let mut remain = false;
        let of_this = ListParams::default().labels(&labels::of_pipeline(&self.key.name));
        let found = api.list_metadata(&of_this).await;
        let mut found = found.map_err(Error::api(WORKERS, "list the workers' Deployments"))?.items;
        // Producers first: what they send is stored while consumers are there.
        found.sort_by_key(|worker| Reverse(worker.name_any()));
        for worker in found.iter().filter(|worker| self.owns(*worker)) {
            remain = true;
            if worker.metadata.deletion_timestamp.is_none() {
                apply::delete(self.context, &api, "Deployment", &worker.name_any()).await?;
            }
        }
        Ok(remain)
    }

    fn owns(&self, object: &impl ResourceExt) -> bool {
        object.owner_references().iter().any(|owner| owner.uid == self.uid)
    }

    /// A client with the Secrets as they are, or, when these are gone already as in a namespace that is being deleted,
    /// the one that was used last.
    async fn admin_for_deletion(&mut self) -> Result<Arc<KafkaAdmin>, Error> {
        let settings = &self.context.settings;
        let pipeline = settings.pipeline(self.resource).map_err(Error::Invalid)?;
        let needs = dereference::for_kafka(&pipeline, settings, &self.context.secrets).await;
        match (needs, &self.memory.admin) {
            (Ok(needs), _) => Ok(self.context.kafka.admin(
                &needs.connection,
                needs.credentials.as_ref(),
                needs.ca_pem.as_deref(),
            )?),
            (Err(Error::Secret { .. }), Some(admin)) => Ok(admin.clone()),
            (Err(error), _) => Err(error),
        }
    }

    async fn postpone(&mut self, error: &Error) -> Result<Action, Error> {
        tracing::info!(pipeline = ?self.key, %error, "the topics cannot be deleted yet");
        // A namespace that is being deleted takes no new status: that is no reason to stop.
        let told = self.set_aside(&format!("its topics cannot be deleted yet: {error}")).await;
        if let Err(error) = told {
            tracing::debug!(%error, "the deletion's state could not be written");
        }
        Ok(Action::requeue(PAUSE))
    }

    async fn set_aside(&mut self, message: &str) -> Result<(), Error> {
        let next = set_aside(&self.previous, Reason::Deleting, message, self.generation, Timestamp::now());
        self.tell(next).await
    }

    async fn give_up(&self, why: &str) {
        let created = self.previous.topics.iter().filter(|topic| topic.created);
        let names: Vec<&str> = created.map(|topic| topic.name.as_str()).collect();
        if names.is_empty() {
            tracing::warn!(pipeline = ?self.key, why, "gave up waiting; no topics are left");
            return;
        }
        let seconds = DEADLINE.as_secs();
        let note = format!(
            "gave up after {seconds} s and left topics {}: {why}. Delete them by hand.",
            names.join(", ")
        );
        tracing::warn!(pipeline = ?self.key, note);
        self.say(events::Reason::TopicsLeft, &note).await;
    }
}

/// Lets a pipeline go that cannot be read: nobody knows which topics it created.
pub(crate) async fn release_unreadable(context: &Context, guard: &Guarded, key: &Key) -> Result<(), Error> {
    if carries(guard) {
        let note =
            "it is deleted and cannot be read: the topics that it created are left. Delete them by hand.";
        context.events.say(&reference(guard), events::Reason::TopicsLeft, note).await;
        set_finalizer(context, guard, key, false).await?;
    }
    context.forget(key);
    Ok(())
}

fn carries(guard: &Guarded) -> bool {
    guard.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

fn overdue(guard: &Guarded) -> bool {
    let deleted = guard.meta().deletion_timestamp.as_ref();
    let since = deleted.map(|deleted| Timestamp::now().duration_since(deleted.0).unsigned_abs());
    since.is_some_and(|since| since >= DEADLINE)
}

async fn set_finalizer(context: &Context, guard: &Guarded, key: &Key, wanted: bool) -> Result<(), Error> {
    context.must_lead()?;
    let mut finalizers = guard.finalizers().to_vec();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    if wanted {
        finalizers.push(FINALIZER.to_owned());
    }
    // The version keeps a finalizer that somebody else has just added or removed.
    let patch = json!({"metadata": {"finalizers": finalizers, "resourceVersion": guard.resource_version()}});
    let parameters =
        PatchParams { field_manager: Some(labels::CONTROLLER.to_owned()), ..PatchParams::default() };
    let patched = context.pipelines(&key.namespace).patch(&key.name, &parameters, &Patch::Merge(patch)).await;
    match patched {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        // Until it is there nothing is made. These conditions, unlike those of Kafka, are found anew at every visit.
        patched => patched.map(|_| ()).map_err(Error::api(WORKERS, "set the pipeline's finalizer")),
    }
}
