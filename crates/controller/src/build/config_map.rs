//! The ConfigMap: what each worker is told, as JSON. Nothing secret is in it. Pure.

use std::path::Path;

use k8s_openapi::api::core::v1::ConfigMap;
use pricepipe_core::pipeline::Shard;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::labels::Worker;

use super::Plan;

/// Where the authorities that Kafka's certificates are checked against are mounted.
pub(super) const CA_FOLDER: &str = "/etc/pricepipe/kafka-ca";
/// Their file.
pub(super) const CA_FILE: &str = "ca.crt";

/// The workers' configurations, in the order of the Deployments.
pub(super) struct Config(Vec<(Worker, String)>);

impl Config {
    pub(super) fn of(plan: &Plan<'_>) -> Self {
        let mut kafka = plan.surroundings.kafka.clone();
        if plan.surroundings.kafka_secrets.ca.is_some() {
            kafka.ca_file = Some(Path::new(CA_FOLDER).join(CA_FILE));
        }
        let producer = |shard: &Shard| {
            (Worker::Producer(shard.index), json(&shard.producer_config(plan.pipeline, kafka.clone())))
        };
        let mut told: Vec<(Worker, String)> = plan.shards.iter().map(producer).collect();
        let store = plan.pipeline.mongodb_store();
        told.push((Worker::Consumer, json(&plan.pipeline.consumer_config(kafka, store))));
        Config(told)
    }

    /// The ConfigMap's name.
    pub(super) fn name(plan: &Plan<'_>) -> String {
        format!("{}-config", plan.pipeline.name)
    }

    /// The key of a worker's configuration, which is its file's name too.
    pub(super) fn file(worker: Worker) -> String {
        format!("{}.json", worker.label())
    }

    /// Changes with whatever a worker is told, Secrets included, and with nothing else.
    pub(super) fn hash(&self, worker: Worker, secrets_hash: &str) -> String {
        let mut hash = Sha256::new();
        let told = self.0.iter().filter(|(of, _)| *of == worker);
        told.for_each(|(_, text)| hash.update(text));
        hash.update([0]);
        hash.update(secrets_hash);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn into_object(self, plan: &Plan<'_>) -> ConfigMap {
        ConfigMap {
            metadata: plan.metadata(Self::name(plan), None),
            data: Some(self.0.into_iter().map(|(worker, text)| (Self::file(worker), text)).collect()),
            ..ConfigMap::default()
        }
    }
}

/// A worker's configuration consists of texts and numbers, which always can be written.
fn json(config: &impl Serialize) -> String {
    serde_json::to_string_pretty(config).unwrap_or_default() + "\n"
}
