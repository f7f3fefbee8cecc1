//! Runs the controller: waits for leadership, watches, and visits what changed.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, StreamExt, future, stream};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::{
        PredicateConfig, WatchStreamExt, applier,
        controller::{self, Action, ReconcileRequest, trigger_self, trigger_with},
        reflector::{ObjectRef, store::Writer},
        utils::StreamBackoff,
        watcher::{self, DefaultBackoff},
    },
};
use pricepipe_service::{
    Process,
    health::{Condition, Heartbeat},
};
use tokio_util::sync::CancellationToken;

use crate::{
    build,
    children::{self, Children, Kind},
    context::{Context, Guarded, Key, Scope},
    error::Error,
    labels,
    leader::Candidate,
    observations::Observations,
    reconcile::{pause_after, reconcile},
    settings::Settings,
};

/// The longest pause between two visits that failed.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Below what load balancers cut without a word.
const WATCH_SECONDS: u32 = 200;
/// Events of one pipeline within so long make one visit.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Visits at the same time, of one scope.
const CONCURRENCY: u16 = 32;
/// How often what is gone is forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// The heart beats with the sweep.
const ALIVE: Duration = Duration::from_secs(60);

/// Why the controller ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another controller may lead now: this one must not write any more.
    #[error("{0}; stopping at once")]
    LostLease(String),
}

/// The controller, ready to run.
pub struct Controller {
    client: Client,
    settings: Settings,
    observations: Observations,
    condition: Condition,
    heartbeat: Heartbeat,
}

impl Controller {
    /// Registers the controller's metrics and conditions.
    pub fn new(client: Client, settings: Settings, process: &Process) -> Self {
        Controller {
            client,
            settings,
            observations: Observations::new(&process.registry),
            condition: process.health.condition("controller"),
            heartbeat: process.health.heartbeat("controller", ALIVE),
        }
    }

    /// Leads and works until `stop`; then ends the visits under way and lets go of the lease. One that waits for
    /// leadership is ready: it can take over.
    ///
    /// # Errors
    /// The lease was lost. The caller must end the process.
    pub async fn run(self, stop: CancellationToken) -> Result<(), RunError> {
        let Controller { client, settings, observations, condition, heartbeat } = self;
        let namespace = settings.lease_namespace.clone();
        let namespace = namespace.unwrap_or_else(|| client.default_namespace().to_owned());
        let candidate = Candidate::new(client.clone(), &namespace, &settings.identity);
        let (scopes, writers) = scopes(&settings);
        let context = Arc::new(Context::new(client, settings, observations, scopes));
        condition.ready();
        let beating = tokio::spawn(sweep_for_ever(context.clone(), heartbeat.clone()));
        let result = lead(&candidate, &context, writers, &condition, &stop).await;
        beating.abort();
        heartbeat.end();
        result
    }
}

async fn lead(
    candidate: &Candidate,
    context: &Arc<Context>,
    writers: Vec<Writers>,
    condition: &Condition,
    stop: &CancellationToken,
) -> Result<(), RunError> {
    let Some(lease) = candidate.acquire(&context.leadership, stop).await else { return Ok(()) };
    let scopes = context.scopes.iter().zip(writers);
    let work: Vec<_> =
        (0..).zip(scopes).map(|(index, (_, writers))| work(context.clone(), index, writers, stop)).collect();
    let drained = CancellationToken::new();
    let working = async {
        future::join_all(work).await;
        drained.cancel();
    };
    let keeping = candidate.keep(lease, &context.leadership, &drained);
    let stopping = async {
        stop.cancelled().await;
        condition.not_ready("stopping");
    };
    tokio::pin!(working, keeping, stopping);
    let mut asked = false;
    loop {
        tokio::select! {
            () = &mut working, if !drained.is_cancelled() => {}
            () = &mut stopping, if !asked => asked = true,
            kept = &mut keeping => {
                let lease = kept.map_err(|lost| RunError::LostLease(lost.to_string()))?;
                candidate.release(lease, &context.leadership).await;
                return Ok(());
            }
        }
    }
}

/// The writing ends of a scope's stores.
struct Writers {
    pipelines: Writer<Guarded>,
    children: Vec<(ApiResource, Writer<DynamicObject>)>,
}

fn scopes(settings: &Settings) -> (Vec<Scope>, Vec<Writers>) {
    let named = settings.namespaces.iter().cloned().map(Some);
    let namespaces: Vec<Option<String>> =
        if settings.namespaces.is_empty() { vec![None] } else { named.collect() };
    namespaces.into_iter().map(scope).unzip()
}

fn scope(namespace: Option<String>) -> (Scope, Writers) {
    let pipelines = Writer::new(());
    let children: Vec<_> = build::kinds().into_iter().map(|kind| (kind.clone(), Writer::new(kind))).collect();
    let kinds = children.iter().map(|(kind, writer)| Kind::new(kind.clone(), writer)).collect();
    let scope = Scope { namespace, pipelines: pipelines.as_reader(), children: Children { kinds } };
    (scope, Writers { pipelines, children })
}

/// Watches one scope and visits its pipelines until `stop`, and ends the visits under way.
fn work(
    context: Arc<Context>,
    index: usize,
    writers: Writers,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + use<> {
    let stop = stop.clone();
    let scope = &context.scopes[index];
    let store = scope.pipelines.clone();
    let mut triggers = vec![pipelines(&context, scope, writers.pipelines)];
    for (position, (kind, writer)) in writers.children.into_iter().enumerate() {
        triggers.push(owned(context.clone(), index, position, &kind, writer));
    }
    let triggers = StreamBackoff::new(stream::select_all(triggers), DefaultBackoff::default());
    let config = controller::Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY);
    let visits =
        applier(visit, error_policy, context, store, triggers.take_until(stop.cancelled_owned()), config);
    visits.for_each(|ended| {
        log(ended);
        future::ready(())
    })
}

type Triggers = stream::BoxStream<'static, Result<ReconcileRequest<Guarded>, watcher::Error>>;

/// The pipelines themselves. Our own writes to their status are no reason for a visit.
fn pipelines(context: &Context, scope: &Scope, writer: Writer<Guarded>) -> Triggers {
    let api: Api<Guarded> = match &scope.namespace {
        Some(namespace) => Api::namespaced(context.client.clone(), namespace),
        None => Api::all(context.client.clone()),
    };
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    let stream = watcher::watcher(api, config)
        .modify(children::strip)
        .reflect(writer)
        .applied_objects()
        .predicate_filter(wish, PredicateConfig::default());
    trigger_self(stream, ()).boxed()
}

/// What of a pipeline is not ours.
fn wish(pipeline: &Guarded) -> Option<u64> {
    let metadata = pipeline.meta();
    let mut hasher = DefaultHasher::new();
    (&metadata.uid, metadata.generation, pipeline.annotations(), pipeline.finalizers()).hash(&mut hasher);
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    Some(hasher.finish())
}

/// Objects of one kind, each a reason to visit its pipeline.
fn owned(
    context: Arc<Context>,
    scope: usize,
    position: usize,
    kind: &ApiResource,
    writer: Writer<DynamicObject>,
) -> Triggers {
    let client = context.client.clone();
    let api: Api<DynamicObject> = match &context.scopes[scope].namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, kind),
        None => Api::all_with(client, kind),
    };
    let config = watcher::Config::default().timeout(WATCH_SECONDS).labels(&labels::managed());
    let stream = watcher::watcher(api, config)
        .modify(children::strip_child)
        .reflect(writer)
        .inspect(move |event| {
            let trouble = event.as_ref().err().and_then(refusal);
            context.scopes[scope].children.kinds[position].watched(trouble);
        })
        .touched_objects();
    trigger_with(stream, |object| belongs_to(&object)).boxed()
}

/// The pipeline of an object, by its owner and by its label: either may be what somebody has just taken away.
fn belongs_to(object: &DynamicObject) -> HashSet<ObjectRef<Guarded>> {
    let namespace = object.namespace().unwrap_or_default();
    let owners = object.owner_references().iter().filter(|owner| owner.kind == pricepipe_api::KIND);
    let names = owners.map(|owner| &owner.name).chain(object.labels().get(labels::PIPELINE));
    names.map(|name| ObjectRef::new(name).within(&namespace)).collect()
}

/// What the API server says when it does not allow a watch. That it is away shows elsewhere.
fn refusal(error: &watcher::Error) -> Option<String> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
            if status.is_forbidden() =>
        {
            Some(status.message.clone())
        }
        watcher::Error::WatchError(status) if status.is_forbidden() => Some(status.message.clone()),
        _ => None,
    }
}

/// In a task of its own: a visit that panics is an error of that pipeline alone.
fn visit(
    pipeline: Arc<Guarded>,
    context: Arc<Context>,
) -> impl Future<Output = Result<Action, Error>> + Unpin {
    let visiting = tokio::spawn(reconcile(Key::of(&*pipeline), context));
    visiting.map(|ended| ended.unwrap_or_else(|error| Err(Error::Interrupted(error.to_string()))))
}

#[allow(clippy::needless_pass_by_value, reason = "the form that the applier wants")]
fn error_policy(pipeline: Arc<Guarded>, error: &Error, context: Arc<Context>) -> Action {
    let memory = context.memory(&Key::of(&*pipeline));
    // Nobody else has it: visits to one pipeline do not overlap.
    let pause = memory.try_lock().map_or(LONGEST_PAUSE, |mut memory| pause_after(error, &mut memory));
    Action::requeue(pause)
}

type Ended = Result<(ObjectRef<Guarded>, Action), controller::Error<Error, watcher::Error>>;

fn log(ended: Ended) {
    match ended {
        Ok((pipeline, _)) => tracing::debug!(%pipeline, "visited"),
        // It is gone already, or a child told of an owner that is.
        Err(controller::Error::ObjectNotFound(_)) => {}
        Err(controller::Error::ReconcilerFailed(error, pipeline)) => {
            tracing::warn!(%pipeline, category = error.category(), %error, "a visit failed");
        }
        Err(controller::Error::QueueError(error)) => {
            tracing::warn!(%error, "a watch failed; it is begun anew")
        }
        Err(error) => tracing::error!(%error, "the controller's queue failed"),
    }
}

async fn sweep_for_ever(context: Arc<Context>, heartbeat: Heartbeat) {
    loop {
        heartbeat.beat();
        tokio::time::sleep(SWEEP_EVERY).await;
        context.sweep();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_a_reason_to_visit_its_pipeline_without_its_owner_and_without_its_label_too() {
        let owner = json!([{"apiVersion": pricepipe_api::API_VERSION, "kind": "PricePipeline", "name": "majors", "uid": "1"}]);
        let labels = json!({"pricepipe.dev/pipeline": "majors"});
        let expected = HashSet::from([ObjectRef::new("majors").within("prod")]);
        for (owner, labels) in [(&owner, &labels), (&json!([]), &labels), (&owner, &json!({}))] {
            let metadata =
                json!({"name": "o", "namespace": "prod", "ownerReferences": owner, "labels": labels});
            let object = serde_json::from_value(json!({"metadata": metadata})).expect("an object");
            assert_eq!(belongs_to(&object), expected, "{metadata}");
        }
        let foreign = json!({"metadata": {"name": "o", "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "majors", "uid": "1"},
        ]}});
        assert!(belongs_to(&serde_json::from_value(foreign).expect("an object")).is_empty());
    }
}
