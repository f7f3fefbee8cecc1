//! The ConfigMap: what each worker is told, as JSON. Nothing secret is in it. Pure.

use std::{collections::BTreeMap, path::Path};

use k8s_openapi::api::core::v1::ConfigMap;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::labels::Component;

use super::Plan;

/// Where the authorities that Kafka's certificates are checked against are mounted.
pub(super) const CA_FOLDER: &str = "/etc/pricepipe/kafka-ca";
/// Their file.
pub(super) const CA_FILE: &str = "ca.crt";

/// The workers' configurations.
pub(super) struct Config {
    producer: String,
    consumer: String,
}

impl Config {
    pub(super) fn of(plan: &Plan<'_>) -> Self {
        let mut kafka = plan.surroundings.kafka.clone();
        if plan.surroundings.kafka_secrets.ca.is_some() {
            kafka.ca_file = Some(Path::new(CA_FOLDER).join(CA_FILE));
        }
        let store = plan.pipeline.mongodb_store();
        Config {
            producer: json(&plan.pipeline.producer_config(kafka.clone())),
            consumer: json(&plan.pipeline.consumer_config(kafka, store)),
        }
    }

    /// The ConfigMap's name.
    pub(super) fn name(plan: &Plan<'_>) -> String {
        format!("{}-config", plan.pipeline.name)
    }

    /// The key of a worker's configuration, which is its file's name too.
    pub(super) fn file(component: Component) -> String {
        format!("{}.json", component.as_str())
    }

    /// Changes with whatever a worker is told, Secrets included, and with nothing else.
    pub(super) fn hash(&self, component: Component, secrets_hash: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.text(component));
        hash.update([0]);
        hash.update(secrets_hash);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn into_object(self, plan: &Plan<'_>) -> ConfigMap {
        let data = Component::ALL.map(|component| (Self::file(component), self.text(component).to_owned()));
        ConfigMap {
            metadata: plan.metadata(Self::name(plan), None),
            data: Some(BTreeMap::from(data)),
            ..ConfigMap::default()
        }
    }

    fn text(&self, component: Component) -> &str {
        match component {
            Component::Producer => &self.producer,
            Component::Consumer => &self.consumer,
        }
    }
}

/// A worker's configuration consists of texts and numbers, which always can be written.
fn json(config: &impl Serialize) -> String {
    serde_json::to_string_pretty(config).unwrap_or_default() + "\n"
}
