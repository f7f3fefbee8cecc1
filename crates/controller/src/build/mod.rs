//! The objects of a pipeline in a cluster, one Kubernetes kind a file. Pure.
//!
//! # Guarantees
//! - Names follow from the pipeline's alone, and the same pipeline makes the same objects, byte for byte.
//! - Only fields with a meaning of ours are set; all others are the API server's, so that applying again changes nothing.
//! - No secret is copied: pods refer to the Secrets that the pipeline names.

mod config_map;
mod deployment;
mod network_policy;
mod pod_disruption_budget;
mod service;
mod service_account;

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        core::v1::{ConfigMap, Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Resource, api::ApiResource};
use pricepipe_core::{
    Pipeline,
    config::KafkaConnection,
    pipeline::{MOST_SHARDS, SecretKey, Shard},
};
use serde::Serialize;
use serde_json::Value;

use crate::labels::{self, Component, Worker};

/// What a pipeline's objects need beyond the pipeline.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// What the workers run.
    pub images: &'a Images,
    /// The Kafka cluster in effect: the pipeline's own, or the operator's default.
    pub kafka: &'a KafkaConnection,
    /// The Secrets of that connection.
    pub kafka_secrets: &'a KafkaSecrets,
    /// Where the MongoDB connection string is.
    pub mongodb: &'a SecretKey,
    /// Changes whenever the content of a Secret does, so that pods are replaced.
    pub secrets_hash: &'a str,
}

/// What the workers run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// The producer's image.
    pub producer: String,
    /// The consumer's image.
    pub consumer: String,
    /// `Always`, `IfNotPresent` or `Never`.
    pub pull_policy: String,
    /// Secrets of the pipeline's namespace with the registry's credentials.
    pub pull_secrets: Vec<String>,
}

/// The Secrets of a Kafka connection, in the pipeline's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KafkaSecrets {
    /// The authorities to trust.
    pub ca: Option<SecretKey>,
    /// The Secret with `username` and `password`.
    pub credentials: Option<String>,
}

/// The objects of a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Children {
    /// What the workers are told.
    pub config_map: ConfigMap,
    /// Identities without rights: producer, consumer.
    pub service_accounts: [ServiceAccount; 2],
    /// Who may reach the workers.
    pub network_policy: NetworkPolicy,
    /// Where metrics are read.
    pub service: Service,
    /// One for each Deployment with more than one replica.
    pub pod_disruption_budgets: Vec<PodDisruptionBudget>,
    /// Names of budgets that are not wanted now and may be there from before.
    pub unwanted_budgets: Vec<String>,
    /// The workers: the producers of each shard, then the consumers.
    pub deployments: Vec<Deployment>,
    /// Names of Deployments that may be there from a time with more shards.
    pub unwanted_deployments: Vec<String>,
}

/// One object, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    /// Its kind, and where the API serves it.
    pub resource: ApiResource,
    /// Its name.
    pub name: String,
    /// The object, `apiVersion` and `kind` included.
    pub object: Value,
}

impl Children {
    /// Every object, in the order in which they are applied: what a pod needs is there before the pod.
    pub fn iter(&self) -> impl Iterator<Item = Child> + '_ {
        let before = [child(&self.config_map)].into_iter().chain(self.service_accounts.iter().map(child));
        let around = [child(&self.network_policy), child(&self.service)];
        let budgets = self.pod_disruption_budgets.iter().map(child);
        before.chain(around).chain(budgets).chain(self.deployments.iter().map(child))
    }
}

/// The kinds of objects that a pipeline has.
pub fn kinds() -> [ApiResource; 6] {
    [
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<NetworkPolicy>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
        ApiResource::erase::<Deployment>(&()),
    ]
}

/// The name of a Deployment and of its PodDisruptionBudget; the first ones' ServiceAccounts are called so, too.
pub fn worker_name(pipeline: &Pipeline, worker: Worker) -> String {
    format!("{}-{}", pipeline.name, worker.label())
}

/// The objects of a pipeline.
pub fn build(pipeline: &Pipeline, owner: OwnerReference, surroundings: &Surroundings<'_>) -> Children {
    let plan = Plan { pipeline, owner, surroundings, shards: pipeline.shards() };
    let config = config_map::Config::of(&plan);
    let producers = plan.shards.iter().map(|shard| Worker::Producer(shard.index));
    let workers: Vec<Worker> = producers.chain([Worker::Consumer]).collect();
    let surplus = (0..MOST_SHARDS).map(Worker::Producer).filter(|worker| !workers.contains(worker));
    let surplus: Vec<Worker> = surplus.collect();
    let (several, single): (Vec<Worker>, Vec<Worker>) =
        workers.iter().partition(|worker| plan.replicas(worker.component()) > 1);
    let names = |workers: &[Worker]| workers.iter().map(|worker| worker_name(pipeline, *worker)).collect();
    Children {
        service_accounts: Worker::FIRST.map(|worker| service_account::build(&plan, worker)),
        network_policy: network_policy::build(&plan),
        service: service::build(&plan),
        pod_disruption_budgets: several.iter().map(|w| pod_disruption_budget::build(&plan, *w)).collect(),
        unwanted_budgets: names(&[single, surplus.clone()].concat()),
        deployments: workers.iter().map(|worker| deployment::build(&plan, &config, *worker)).collect(),
        unwanted_deployments: names(&surplus),
        config_map: config.into_object(&plan),
    }
}

/// What every file here builds from.
struct Plan<'a> {
    pipeline: &'a Pipeline,
    owner: OwnerReference,
    surroundings: &'a Surroundings<'a>,
    shards: Vec<Shard>,
}

impl Plan<'_> {
    fn metadata(&self, name: String, worker: Option<Worker>) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.pipeline.namespace.clone()),
            labels: Some(labels::object(self.pipeline, worker)),
            owner_references: Some(vec![self.owner.clone()]),
            ..ObjectMeta::default()
        }
    }

    fn named(&self, suffix: &str) -> ObjectMeta {
        self.metadata(format!("{}-{suffix}", self.pipeline.name), None)
    }

    /// How many run of each Deployment of this kind.
    fn replicas(&self, component: Component) -> u32 {
        match component {
            _ if self.pipeline.suspend => 0,
            Component::Producer => self.pipeline.producer_replicas,
            Component::Consumer => self.pipeline.consumer_replicas,
        }
    }
}

fn child<K: Resource<DynamicType = ()> + Serialize>(object: &K) -> Child {
    Child {
        resource: ApiResource::erase::<K>(&()),
        name: object.meta().name.clone().unwrap_or_default(),
        // Kubernetes' own types consist of maps with text keys, which always can be written.
        object: serde_json::to_value(object).unwrap_or_default(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
