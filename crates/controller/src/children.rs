//! The objects that belong to pipelines, as the API server last told: a watched store for each kind.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use kube::{
    Resource,
    api::{ApiResource, DynamicObject},
    runtime::reflector::{ObjectRef, Store, store::Writer},
};
use serde_json::Value;
use tokio::time::timeout;

/// A visit waits so long for the first list of each kind, and goes on without it then: better to apply what is there
/// already than to do nothing because one kind cannot be listed.
const PATIENCE: Duration = Duration::from_secs(10);

/// One kind of objects.
pub(crate) struct Kind {
    pub(crate) resource: ApiResource,
    store: Store<DynamicObject>,
    /// Why the kind cannot be watched at the moment.
    trouble: Mutex<Option<String>>,
}

impl Kind {
    pub(crate) fn new(resource: ApiResource, writer: &Writer<DynamicObject>) -> Self {
        Kind { resource, store: writer.as_reader(), trouble: Mutex::new(None) }
    }

    /// The watch works, or does not.
    pub(crate) fn watched(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// All kinds of one scope.
pub(crate) struct Children {
    pub(crate) kinds: Vec<Kind>,
}

impl Children {
    /// Waits until every kind was listed, but not for ever.
    pub(crate) async fn ready(&self) {
        let all = join_all(self.kinds.iter().map(|kind| kind.store.wait_until_ready()));
        if timeout(PATIENCE, all).await.is_err() {
            tracing::debug!("not every kind of object could be listed yet");
        }
    }

    /// An object, when it is there and is known.
    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<DynamicObject> {
        let kind = self.kinds.iter().find(|known| known.resource.kind == kind)?;
        let reference = ObjectRef::new_with(name, kind.resource.clone()).within(namespace);
        kind.store.get(&reference).map(|object| (*object).clone())
    }

    /// A Deployment, when it is there and belongs to this owner.
    pub(crate) fn deployment(&self, namespace: &str, name: &str, owner: &str) -> Option<Deployment> {
        let object = self.get("Deployment", namespace, name)?;
        let owned = object.metadata.owner_references.iter().flatten().any(|reference| reference.uid == owner);
        owned.then(|| object.try_parse().ok()).flatten()
    }

    /// Why some kind cannot be watched, in the words of the API server.
    pub(crate) fn trouble(&self) -> Option<String> {
        let trouble = |kind: &Kind| kind.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.kinds.iter().find_map(trouble)
    }
}

/// Removes what nobody reads and what would double the memory.
pub(crate) fn strip(object: &mut impl Resource) {
    let metadata = object.meta_mut();
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
}

/// The same for a child, of whose status only a Deployment's is read.
pub(crate) fn strip_child(object: &mut DynamicObject) {
    strip(object);
    if let Value::Object(data) = &mut object.data {
        // A Deployment has an observedGeneration; what else may be in a status is not needed.
        if data.get("status").is_some_and(|status| status.get("observedGeneration").is_none()) {
            data.remove("status");
        }
    }
}
