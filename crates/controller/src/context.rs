//! What every visit shares, and what is remembered of each pipeline between two visits.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
    core::DeserializeGuard,
    runtime::reflector::{ObjectRef, Store},
};
use pricepipe_api::{PricePipeline, PricePipelineStatus};
use pricepipe_core::{Backoff, config::KafkaConnection};
use serde_json::{Value, json};
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    autoscale::History,
    build::Images,
    children::Children,
    conditions::ConditionType,
    dereference::Secrets,
    error::Error,
    events::Events,
    kafka::{Clients, Gaps, KafkaAdmin},
    labels,
    leader::Leadership,
    observations::Observations,
    settings::Settings,
};

/// A pipeline, or why it cannot be read: one that cannot never stops the others.
pub(crate) type Guarded = DeserializeGuard<PricePipeline>;

/// What every visit shares.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) images: Images,
    pub(crate) settings: Settings,
    pub(crate) kafka: Clients,
    pub(crate) secrets: Secrets,
    pub(crate) events: Events,
    pub(crate) observations: Observations,
    pub(crate) leadership: Leadership,
    /// One for all namespaces, or one for each that is named.
    pub(crate) scopes: Vec<Scope>,
    memories: Mutex<HashMap<Key, Arc<AsyncMutex<Memory>>>>,
    claims: Mutex<HashMap<String, SpecClaim>>,
}

/// What is watched together.
pub(crate) struct Scope {
    /// The namespace, or all.
    pub(crate) namespace: Option<String>,
    pub(crate) pipelines: Store<Guarded>,
    pub(crate) children: Children,
}

/// A pipeline's place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// What is remembered of a pipeline. All of it may be lost at any time.
pub(crate) struct Memory {
    /// Whose it is: a pipeline that is made anew starts with an empty one.
    pub(crate) uid: String,
    pub(crate) backoff: Backoff,
    /// When the topics were last found to be as wanted, and by which generation and Secrets.
    pub(crate) topics: Option<(Instant, i64, String)>,
    pub(crate) lag: Option<Instant>,
    /// When the gaps were last asked for, for which generation, and what was found.
    pub(crate) gaps: Option<(Instant, i64, Option<Gaps>)>,
    pub(crate) history: History,
    /// What the API server made of objects that it writes in another way than they were given.
    pub(crate) rewritten: HashMap<(String, String), Value>,
    /// The client last used, for a deletion after which the Secrets are gone.
    pub(crate) admin: Option<Arc<KafkaAdmin>>,
}

/// What the spec of a pipeline claims, kept as long as its generation holds.
#[derive(Clone)]
pub(crate) struct SpecClaim {
    pub(crate) generation: i64,
    /// `None` when nothing valid names a Kafka.
    pub(crate) connection: Option<KafkaConnection>,
    pub(crate) topics: Vec<String>,
}

impl Key {
    pub(crate) fn of(object: &impl Resource) -> Self {
        let metadata = object.meta();
        Key {
            namespace: metadata.namespace.clone().unwrap_or_default(),
            name: metadata.name.clone().unwrap_or_default(),
        }
    }
}

impl Memory {
    fn new(uid: String) -> Self {
        Memory {
            uid,
            backoff: Backoff::new(FIRST_PAUSE, crate::run::LONGEST_PAUSE),
            topics: None,
            lag: None,
            gaps: None,
            history: History::default(),
            rewritten: HashMap::new(),
            admin: None,
        }
    }
}

/// A failed visit is repeated for the first time within so long.
const FIRST_PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

impl Context {
    pub(crate) fn new(
        client: Client,
        settings: Settings,
        observations: Observations,
        scopes: Vec<Scope>,
    ) -> Self {
        Context {
            images: Images {
                producer: settings.producer_image.clone(),
                consumer: settings.consumer_image.clone(),
                pull_policy: settings.image_pull_policy.clone(),
                pull_secrets: settings.image_pull_secrets.clone(),
            },
            kafka: Clients::default(),
            secrets: Secrets::new(client.clone()),
            events: Events::new(client.clone(), &settings.identity),
            leadership: Leadership::new(observations.leader()),
            observations,
            scopes,
            client,
            settings,
            memories: Mutex::default(),
            claims: Mutex::default(),
        }
    }

    /// The pipelines of a namespace.
    pub(crate) fn pipelines(&self, namespace: &str) -> Api<Guarded> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Writes the status of a pipeline, the one with this uid and no later one of the same name. The field manager owns
    /// all of it, so what is left out is removed.
    pub(crate) async fn write_status(
        &self,
        key: &Key,
        uid: &str,
        status: &PricePipelineStatus,
    ) -> Result<(), Error> {
        self.must_lead()?;
        let patch = json!({
            "apiVersion": pricepipe_api::API_VERSION,
            "kind": pricepipe_api::KIND,
            "metadata": {"name": key.name, "uid": uid},
            "status": status,
        });
        let pipelines = self.pipelines(&key.namespace);
        let parameters = PatchParams::apply(labels::CONTROLLER).force();
        let written = pipelines.patch_status(&key.name, &parameters, &Patch::Apply(patch)).await;
        written.map(|_| ()).map_err(Error::api(Vec::new(), "write the pipeline's status"))
    }

    /// The scope that a namespace belongs to.
    pub(crate) fn scope(&self, namespace: &str) -> Option<&Scope> {
        self.scopes.iter().find(|scope| scope.namespace.as_deref().is_none_or(|own| own == namespace))
    }

    /// # Errors
    /// This process must not write any more.
    pub(crate) fn must_lead(&self) -> Result<(), Error> {
        if self.leadership.holds() { Ok(()) } else { Err(Error::NotLeading) }
    }

    /// What is remembered of a pipeline. Visits to the same one do not overlap, so nobody waits for it.
    pub(crate) fn memory(&self, key: &Key) -> Arc<AsyncMutex<Memory>> {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories
            .entry(key.clone())
            .or_insert_with(|| Arc::new(AsyncMutex::new(Memory::new(String::new()))))
            .clone()
    }

    /// What a pipeline's spec claims, worked out once for each generation.
    pub(crate) fn claim(&self, uid: &str, generation: i64, work: impl FnOnce() -> SpecClaim) -> SpecClaim {
        let known = self.claims.lock().unwrap_or_else(PoisonError::into_inner).get(uid).cloned();
        if let Some(known) = known.filter(|known| known.generation == generation) {
            return known;
        }
        let claim = work();
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).insert(uid.to_owned(), claim.clone());
        claim
    }

    /// Forgets the pipelines that are gone: memories, claims and metrics.
    pub(crate) fn sweep(&self) {
        let stored = self.scopes.iter().flat_map(|scope| scope.pipelines.state());
        let (mut keys, mut uids) = (HashSet::new(), HashSet::new());
        for pipeline in stored {
            keys.insert(Key::of(&*pipeline));
            uids.extend(pipeline.meta().uid.clone());
        }
        self.claims.lock().unwrap_or_else(PoisonError::into_inner).retain(|uid, _| uids.contains(uid));
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<Key> = memories.keys().filter(|key| !keys.contains(*key)).cloned().collect();
        for key in gone {
            memories.remove(&key);
            self.forget_metrics(&key);
        }
    }

    /// A pipeline is gone.
    pub(crate) fn forget(&self, key: &Key) {
        self.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        self.forget_metrics(key);
    }

    fn forget_metrics(&self, key: &Key) {
        let types: Vec<&str> = ConditionType::ALL.iter().map(|kind| kind.as_str()).collect();
        self.observations.forget(&key.namespace, &key.name, &types);
    }
}

impl Memory {
    /// Starts anew when the pipeline is another than the one that is remembered.
    pub(crate) fn belong_to(&mut self, uid: &str) {
        if self.uid != uid {
            *self = Memory::new(uid.to_owned());
        }
    }
}

/// A pipeline as events refer to it.
pub(crate) fn reference(object: &Guarded) -> ObjectReference {
    ObjectRef::from_obj(object).into()
}
