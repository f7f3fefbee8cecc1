//! A PricePipeline of a test: written as a user writes it, seen as a user sees it.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use mongodb::{Collection, bson::Document};
use pricepipe_api::PricePipeline;
use serde_json::{Value, json};

use super::{TestNamespace, until};
use crate::{documents, servers};

const SECRET: &str = "mongo";

/// A pipeline in a test's namespace.
pub struct Pipeline<'a> {
    namespace: &'a TestNamespace,
    /// Its name.
    pub name: String,
    /// What was applied last. Change it and [`Pipeline::apply`] it again.
    pub manifest: Value,
}

impl<'a> Pipeline<'a> {
    /// A pipeline of these symbols that polls `endpoint` every second, writes to the testbed's servers, and shares
    /// neither topics nor database with another test. Nothing is applied yet but the Secret that it names.
    pub fn new(namespace: &'a TestNamespace, name: &str, endpoint: &str, symbols: &[&str]) -> Pipeline<'a> {
        namespace.secret(SECRET, "uri", &servers::mongodb());
        let symbols: Vec<Value> = symbols.iter().map(|symbol| json!({"symbol": symbol})).collect();
        let manifest = json!({
            "apiVersion": "pricepipe.dev/v1alpha1", "kind": "PricePipeline", "metadata": {"name": name},
            "spec": {
                "symbols": symbols,
                "sources": [{"exchange": "binance", "rest": {"endpoints": [endpoint], "intervalSeconds": 1}}],
                "kafka": {
                    "bootstrapServers": [servers::kafka()],
                    "topics": {"nameTemplate": format!("{}.{{pipeline}}.{{base}}", namespace.name)},
                },
                "mongodb": {"uriSecretRef": {"name": SECRET, "key": "uri"}, "database": namespace.name},
            },
        });
        Pipeline { namespace, name: name.to_owned(), manifest }
    }

    /// `kubectl apply` of the manifest.
    pub fn apply(&self) {
        self.namespace.apply(&self.manifest.to_string());
    }

    /// The topic of one asset, whose name the collection has too.
    pub fn topic(&self, asset: &str) -> String {
        format!("{}.{}.{asset}", self.namespace.name, self.name)
    }

    /// The collection of one asset.
    pub async fn collection(&self, asset: &str) -> Collection<Document> {
        documents::collection(&servers::mongodb(), &self.namespace.name, &self.topic(asset)).await
    }

    /// The resource as it is now, if it is there.
    pub async fn get(&self) -> Option<PricePipeline> {
        self.namespace.api::<PricePipeline>().get_opt(&self.name).await.expect("the API server answers")
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
