//! Makes a pipeline's objects what they should be, by server-side apply. Writes only what is not so already.

use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Api, Resource,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    build::{Child, Children as Wanted},
    children::Children,
    conditions::ConditionType,
    context::{Context, Memory},
    drift,
    error::{Error, WORKERS},
    labels,
};

/// Where objects are applied, and for whom.
pub(crate) struct Apply<'a> {
    pub(crate) context: &'a Context,
    pub(crate) namespace: &'a str,
    /// The pipeline that owns them.
    pub(crate) owner: &'a str,
    /// What is there.
    pub(crate) live: &'a Children,
}

impl Apply<'_> {
    /// Applies every object in order, and deletes what is no longer wanted. Ends at the first that fails: what a pod
    /// needs comes before the pod.
    pub(crate) async fn all(&self, wanted: &Wanted, memory: &mut Memory) -> Result<(), Error> {
        for child in wanted.iter() {
            self.one(child, memory).await?;
        }
        let deployments = wanted.unwanted_deployments.iter().map(|name| ("Deployment", name));
        let budgets = wanted.unwanted_budgets.iter().map(|name| ("PodDisruptionBudget", name));
        for (kind, name) in deployments.chain(budgets) {
            self.delete(kind, name).await?;
        }
        Ok(())
    }

    async fn one(&self, child: Child, memory: &mut Memory) -> Result<(), Error> {
        let Child { resource, name, object } = child;
        let object = drift::hashed(object);
        let key = (resource.kind.clone(), name.clone());
        let live = self.live.get(&resource.kind, self.namespace, &name);
        if let Some(live) = &live
            && is_ours(&live.metadata, self.owner)
            && as_wanted(live, &object, memory.rewritten.get(&key))
        {
            return Ok(());
        }
        let about = about(&name);
        let api = self.api(&resource);
        self.may_take(&api, &resource, &name).await?;
        self.context.must_lead()?;
        tracing::info!(kind = resource.kind, namespace = self.namespace, name, "applying");
        let parameters = PatchParams::apply(labels::CONTROLLER).force();
        let applied = api.patch(&name, &parameters, &Patch::Apply(&object)).await;
        if live.is_some() && is_invalid(&applied) && would_be_valid(&api, &object).await {
            delete(self.context, &api, &resource.kind, &name).await?;
            return Err(Error::Leftover { about, kind: resource.kind, name });
        }
        let applied = applied.map_err(Error::api(about, format!("apply {} {name}", resource.kind)))?;
        remember(memory, key, &applied, &object);
        Ok(())
    }

    /// Whether the name is free or ours. A name that was seen as ours a moment ago may have become somebody else's, but
    /// not without our object's deletion.
    async fn may_take(
        &self,
        api: &Api<DynamicObject>,
        resource: &ApiResource,
        name: &str,
    ) -> Result<(), Error> {
        let (kind, about) = (resource.kind.clone(), about(name));
        let found = api.get_metadata_opt(name).await;
        let found = found.map_err(Error::api(about.clone(), format!("read {kind} {name}")))?;
        let Some(metadata) = found.map(|found| found.metadata) else { return Ok(()) };
        let name = name.to_owned();
        match claim(&metadata, self.owner) {
            Claim::Ours => Ok(()),
            Claim::Leftover => Err(Error::Leftover { about, kind, name }),
            Claim::Foreign => Err(Error::ObjectConflict { about, kind, name }),
        }
    }

    /// Deletes one of our objects, when it is there and not on its way already.
    async fn delete(&self, kind: &str, name: &str) -> Result<(), Error> {
        let Some(live) = self.live.get(kind, self.namespace, name) else { return Ok(()) };
        let known = self.live.kinds.iter().find(|known| known.resource.kind == kind);
        let Some(known) = known.filter(|_| is_ours(&live.metadata, self.owner)) else { return Ok(()) };
        delete(self.context, &self.api(&known.resource), kind, name).await
    }

    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.context.client.clone(), self.namespace, resource)
    }
}

fn is_invalid<T>(applied: &kube::Result<T>) -> bool {
    matches!(applied, Err(kube::Error::Api(status)) if status.code == 422)
}

/// Whether an object that cannot be applied is right by itself, and only what somebody has made of the live one is in its
/// way: an entry of a list, say, that bears the name of ours under another key. Server-side apply cannot remove that.
async fn would_be_valid(api: &Api<DynamicObject>, object: &Value) -> bool {
    let Ok(object) = serde_json::from_value(object.clone()) else { return false };
    let trial = PostParams { dry_run: true, ..PostParams::default() };
    // The API server looks at what an object says before it looks whether there is one.
    matches!(api.create(&trial, &object).await, Err(kube::Error::Api(status)) if status.is_already_exists())
}

/// Deletes an object in the foreground: a Deployment is gone only when its pods are.
pub(crate) async fn delete<K>(context: &Context, api: &Api<K>, kind: &str, name: &str) -> Result<(), Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    context.must_lead()?;
    tracing::info!(kind, namespace = api.namespace(), name, "deleting");
    match api.delete(name, &DeleteParams::foreground()).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(Error::api(about(name), format!("delete {kind} {name}"))(error)),
    }
}

enum Claim {
    Ours,
    /// It belonged to a pipeline that is gone, or is being deleted.
    Leftover,
    Foreign,
}

fn claim(metadata: &ObjectMeta, owner: &str) -> Claim {
    let controller = metadata.owner_references.iter().flatten().find(|o| o.controller == Some(true));
    let managed = metadata
        .labels
        .iter()
        .flatten()
        .any(|(label, value)| label == labels::MANAGED_BY && value == labels::CONTROLLER);
    match controller {
        _ if metadata.deletion_timestamp.is_some() => Claim::Leftover,
        Some(controller) if controller.uid == owner => Claim::Ours,
        Some(controller) if controller.kind == pricepipe_api::KIND => Claim::Leftover,
        // A pipeline's object that was left behind on purpose, by `kubectl delete --cascade=orphan`.
        None if managed => Claim::Ours,
        _ => Claim::Foreign,
    }
}

fn is_ours(metadata: &ObjectMeta, owner: &str) -> bool {
    matches!(claim(metadata, owner), Claim::Ours)
        && metadata.owner_references.iter().flatten().any(|reference| reference.uid == owner)
}

fn as_wanted(live: &DynamicObject, wanted: &Value, rewritten: Option<&Value>) -> bool {
    let Ok(live) = serde_json::to_value(live) else { return false };
    let now = comparable(drift::projection(&live, wanted));
    // What was rewritten is the answer to what was applied last, which may not be what is wanted now.
    let is_answer = || drift::applied(&now) == drift::applied(wanted) && rewritten == Some(&now);
    now == comparable(wanted.clone()) || is_answer()
}

/// Items of a list do not carry their kind.
fn comparable(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    object
}

/// Keeps what the API server answered, where it writes our values in another way.
fn remember(memory: &mut Memory, key: (String, String), applied: &DynamicObject, wanted: &Value) {
    let Ok(applied) = serde_json::to_value(applied) else { return };
    let answered = comparable(drift::projection(&applied, wanted));
    if answered == comparable(wanted.clone()) {
        memory.rewritten.remove(&key);
    } else {
        memory.rewritten.insert(key, answered);
    }
}

/// The conditions that an object matters to.
fn about(name: &str) -> Vec<ConditionType> {
    let of_shard = name.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('-').unwrap_or(name);
    if name.ends_with("-producer") || of_shard.ends_with("-producer") {
        vec![ConditionType::ProducerAvailable]
    } else if name.ends_with("-consumer") {
        vec![ConditionType::ConsumerAvailable]
    } else {
        WORKERS.to_vec()
    }
}
