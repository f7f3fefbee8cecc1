//! A PricePipeline of a test: written as a user writes it, seen as a user sees it.

use std::time::Duration;

use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Condition};
use kube::api::ListParams;
use mongodb::{Collection, bson::Document};
use pricepipe_api::{PricePipeline, PricePipelineStatus};
use serde_json::{Value, json};

use super::{ClusterExchange, TestNamespace, until};
use crate::{documents, oracle, servers};

/// The Secret that every pipeline of a test names, with the connection string under `uri`.
pub const SECRET: &str = "mongo";

/// An exchange that is not there, for tests that need no prices.
pub const NOWHERE: &str = "http://nowhere:9";

/// A pipeline in a test's namespace.
pub struct Pipeline<'a> {
    namespace: &'a TestNamespace,
    /// Its name.
    pub name: String,
    /// What was applied last. Change it and [`Pipeline::apply`] it again.
    pub manifest: Value,
    /// The connection string of the store, as the test reaches it.
    pub store: String,
}

impl<'a> Pipeline<'a> {
    /// A pipeline of these symbols that polls `endpoint` every second, writes to the testbed's servers, and shares
    /// neither topics nor database with another test. It has the name of its namespace. Nothing is applied yet but the
    /// Secret that it names.
    pub fn new(namespace: &'a TestNamespace, endpoint: &str, symbols: &[&str]) -> Pipeline<'a> {
        Pipeline::named(namespace, &namespace.name, endpoint, symbols)
    }

    /// One of several in a namespace. `name` has to differ from that of every other pipeline, in other namespaces too:
    /// they share a Kafka.
    pub fn named(namespace: &'a TestNamespace, name: &str, endpoint: &str, symbols: &[&str]) -> Pipeline<'a> {
        namespace.secret(SECRET, "uri", &servers::mongodb());
        let symbols: Vec<Value> = symbols.iter().map(|symbol| json!({"symbol": symbol})).collect();
        let manifest = json!({
            "apiVersion": "pricepipe.dev/v1alpha1", "kind": "PricePipeline", "metadata": {"name": name},
            "spec": {
                "symbols": symbols,
                "sources": [{"exchange": "binance", "rest": {"endpoints": [endpoint], "intervalSeconds": 1}}],
                "kafka": {
                    "bootstrapServers": [servers::kafka()],
                    "topics": {"nameTemplate": "{pipeline}-{base}"},
                },
                "mongodb": {"uriSecretRef": {"name": SECRET, "key": "uri"}, "database": namespace.name},
            },
        });
        Pipeline { namespace, name: name.to_owned(), manifest, store: servers::mongodb() }
    }

    /// `kubectl apply` of the manifest.
    pub fn apply(&self) {
        self.namespace.apply(&self.manifest.to_string());
    }

    /// The topic of one asset, whose name the collection has too.
    pub fn topic(&self, asset: &str) -> String {
        format!("{}-{asset}", self.name)
    }

    /// The collection of one asset.
    pub async fn collection(&self, asset: &str) -> Collection<Document> {
        documents::collection(&self.store, &self.namespace.name, &self.topic(asset)).await
    }

    /// The resource as it is now, if it is there.
    pub async fn get(&self) -> Option<PricePipeline> {
        self.namespace.api::<PricePipeline>().get_opt(&self.name).await.expect("the API server answers")
    }

    /// The status as it is now; an empty one when there is none.
    pub async fn status(&self) -> PricePipelineStatus {
        self.get().await.and_then(|resource| resource.status).unwrap_or_default()
    }

    /// `kubectl patch`, as a merge.
    pub fn patch(&self, patch: &Value) {
        let patch = patch.to_string();
        self.namespace.kubectl(&["patch", "pp", &self.name, "--type", "merge", "-p", &patch]);
    }

    /// The pods of its workers, those that are about to end included.
    pub async fn pods(&self) -> Vec<Pod> {
        let selector = ListParams::default().labels(&format!("pricepipe.dev/pipeline={}", self.name));
        self.namespace.api::<Pod>().list(&selector).await.expect("the API server answers").items
    }

    /// A condition as it is now. One that speaks of an older spec is none.
    pub async fn condition(&self, kind: &str) -> Option<Condition> {
        let resource = self.get().await?;
        let generation = resource.metadata.generation;
        let found = resource.status?.conditions.into_iter().find(|condition| condition.type_ == kind);
        found.filter(|condition| condition.observed_generation == generation)
    }

    /// Waits until a condition has this status for the spec as it is, and returns it.
    pub async fn until(&self, kind: &str, status: &str, patience: Duration) -> Condition {
        until(&format!("{} is {kind}={status}", self.name), patience, async || {
            match self.condition(kind).await {
                Some(condition) if condition.status == status => Ok(condition),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// Waits until a condition has this reason for the spec as it is, and returns it.
    pub async fn until_because(&self, kind: &str, reason: &str, patience: Duration) -> Condition {
        until(&format!("{kind} of {} is {reason}", self.name), patience, async || {
            match self.condition(kind).await {
                Some(condition) if condition.reason == reason => Ok(condition),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// Waits until so many consumers are ready.
    pub async fn until_consumers(&self, ready: i32, patience: Duration) {
        until(&format!("{ready} consumers are ready"), patience, async || {
            match self.status().await.consumer {
                Some(consumer) if (consumer.ready_replicas, consumer.replicas) == (ready, ready) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Waits until the documents are what `exchange` served: each price once, digit for digit. The exchange must be
    /// closed, and Kafka be back from every outage.
    pub async fn until_stored_as_served(
        &self,
        exchange: &ClusterExchange,
        assets: &[&str],
        patience: Duration,
    ) {
        exchange.close();
        let mut collections = Vec::new();
        for asset in assets {
            collections.push(self.collection(asset).await);
        }
        let served = until("as much is stored as was served", patience, async || {
            let served = exchange.served().await;
            let (count, mut stored) = (served.values().map(Vec::len).sum::<usize>() as u64, 0);
            for collection in &collections {
                stored += documents::count(collection).await;
            }
            if stored >= count { Ok(served) } else { Err(format!("{stored} of {count}")) }
        })
        .await;
        oracle::assert_same(&served, &documents::sequences(&collections).await);
    }

    /// Waits until an asset has more documents than it has now, which shows that prices flow.
    pub async fn until_prices_arrive(&self, asset: &str, patience: Duration) {
        let collection = self.collection(asset).await;
        let before = documents::count(&collection).await;
        until(&format!("prices of {asset} arrive"), patience, async || {
            let now = documents::count(&collection).await;
            if now > before { Ok(()) } else { Err(format!("{now} documents")) }
        })
        .await;
    }
}
