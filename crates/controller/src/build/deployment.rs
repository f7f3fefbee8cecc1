//! The Deployments: the producers of each shard, and the consumers. Pure.
//!
//! Pods fit the restricted profile of the Pod Security Standards. Old and new ones may run side by side while they are
//! replaced: producers give the same slot the same identity, and consumers share partitions by their group.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
        core::v1::{
            Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource,
            HTTPGetAction, KeyToPath, LocalObjectReference, PodSecurityContext, PodSpec, PodTemplateSpec,
            Probe, ResourceRequirements, SeccompProfile, SecretKeySelector, SecretVolumeSource,
            SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};
use pricepipe_core::{environment, pipeline::Resources};

use crate::labels::{self, Component, Worker};

use super::{
    Plan,
    config_map::{CA_FILE, CA_FOLDER, Config},
    worker_name,
};

/// The name of the port with metrics and probes.
pub(super) const ADMIN: &str = "admin";
/// Its number: what the workers use unless told otherwise.
pub(super) const ADMIN_PORT: i32 = 8080;

const CONFIG_FOLDER: &str = "/etc/pricepipe/config";
const CONFIG_VOLUME: &str = "config";
const CA_VOLUME: &str = "kafka-ca";
/// The user of the images.
const USER: i64 = 65_532;
/// The workers end within 25 s.
const GRACE_SECONDS: i64 = 30;
/// How many old revisions stay for `kubectl rollout undo`. The resource itself is what one goes back to.
const REVISIONS: i32 = 2;

pub(super) fn build(plan: &Plan<'_>, config: &Config, worker: Worker) -> Deployment {
    let hash = config.hash(worker, plan.surroundings.secrets_hash);
    let name = worker_name(plan.pipeline, worker);
    Deployment {
        metadata: plan.metadata(name, Some(worker)),
        spec: Some(DeploymentSpec {
            replicas: Some(i32::try_from(plan.replicas(worker.component())).unwrap_or(i32::MAX)),
            revision_history_limit: Some(REVISIONS),
            selector: selector(plan, worker),
            strategy: Some(strategy()),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels::pod(plan.pipeline, worker)),
                    annotations: Some(BTreeMap::from([(labels::CONFIG_HASH.to_owned(), hash)])),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(plan, worker)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn selector(plan: &Plan<'_>, worker: Worker) -> LabelSelector {
    LabelSelector { match_labels: Some(labels::selector(plan.pipeline, worker)), ..LabelSelector::default() }
}

/// A new pod is ready before an old one goes.
fn strategy() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::String("25%".to_owned())),
            max_unavailable: Some(IntOrString::Int(0)),
        }),
    }
}

fn pod(plan: &Plan<'_>, worker: Worker) -> PodSpec {
    let pull_secrets = plan.surroundings.images.pull_secrets.iter();
    let pull_secrets: Vec<_> = pull_secrets.map(|name| LocalObjectReference { name: name.clone() }).collect();
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(plan, worker)],
        // Variables of other Services in the namespace could be taken for ours.
        enable_service_links: Some(false),
        image_pull_secrets: Some(pull_secrets).filter(|secrets| !secrets.is_empty()),
        security_context: Some(PodSecurityContext {
            run_as_group: Some(USER),
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        service_account_name: Some(service_account(plan, worker)),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            label_selector: Some(selector(plan, worker)),
            max_skew: 1,
            topology_key: "kubernetes.io/hostname".to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            ..TopologySpreadConstraint::default()
        }]),
        volumes: Some(volumes(plan, worker)),
        ..PodSpec::default()
    }
}

/// One identity for all producers: it may do nothing.
fn service_account(plan: &Plan<'_>, worker: Worker) -> String {
    let first = Worker::FIRST.into_iter().find(|first| first.component() == worker.component());
    worker_name(plan.pipeline, first.unwrap_or(worker))
}

fn container(plan: &Plan<'_>, worker: Worker) -> Container {
    let images = plan.surroundings.images;
    let component = worker.component();
    let (image, resources) = match component {
        Component::Producer => (&images.producer, &plan.pipeline.producer_resources),
        Component::Consumer => (&images.consumer, &plan.pipeline.consumer_resources),
    };
    Container {
        name: component.as_str().to_owned(),
        image: Some(image.clone()),
        image_pull_policy: Some(images.pull_policy.clone()),
        env: Some(variables(plan, worker)),
        ports: Some(vec![ContainerPort {
            name: Some(ADMIN.to_owned()),
            container_port: ADMIN_PORT,
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            failure_threshold: Some(3),
            ..probe("/livez")
        }),
        readiness_probe: Some(Probe {
            period_seconds: Some(3),
            failure_threshold: Some(2),
            ..probe("/readyz")
        }),
        resources: Some(requirements(component, resources)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(mounts(plan)),
        ..Container::default()
    }
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(ADMIN.to_owned()),
            ..HTTPGetAction::default()
        }),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

fn variables(plan: &Plan<'_>, worker: Worker) -> Vec<EnvVar> {
    let file = format!("{CONFIG_FOLDER}/{}", Config::file(worker));
    let mut variables =
        vec![EnvVar { name: "PRICEPIPE_CONFIG".to_owned(), value: Some(file), ..EnvVar::default() }];
    if let Some(name) = plan.surroundings.kafka_secrets.credentials.as_ref() {
        variables.push(secret_variable(environment::KAFKA_USERNAME, name, "username"));
        variables.push(secret_variable(environment::KAFKA_PASSWORD, name, "password"));
    }
    if worker == Worker::Consumer {
        let secret = plan.surroundings.mongodb;
        variables.push(secret_variable(environment::MONGO_CONNECTION_STRING, &secret.name, &secret.key));
    }
    variables
}

fn secret_variable(variable: &str, secret: &str, key: &str) -> EnvVar {
    let selector = SecretKeySelector { name: secret.to_owned(), key: key.to_owned(), optional: None };
    EnvVar {
        name: variable.to_owned(),
        value_from: Some(EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() }),
        ..EnvVar::default()
    }
}

/// What the pipeline says, or little when it says nothing: a request of ours beside a limit of the user's could
/// contradict it.
fn requirements(component: Component, resources: &Resources) -> ResourceRequirements {
    let amounts = |amounts: &BTreeMap<String, String>| {
        let amounts = amounts.iter().map(|(name, amount)| (name.clone(), Quantity(amount.clone())));
        Some(amounts.collect::<BTreeMap<_, _>>()).filter(|amounts| !amounts.is_empty())
    };
    let default = default_resources(component);
    let resources = if resources.is_empty() { &default } else { resources };
    ResourceRequirements {
        requests: amounts(&resources.requests),
        limits: amounts(&resources.limits),
        ..ResourceRequirements::default()
    }
}

/// A worker without work takes 25 MiB, a consumer with a great backlog less than 96. There is no limit of CPU: it would
/// only delay prices.
fn default_resources(component: Component) -> Resources {
    let memory = match component {
        Component::Producer => "128Mi",
        Component::Consumer => "256Mi",
    };
    let pair = |name: &str, amount: &str| (name.to_owned(), amount.to_owned());
    Resources {
        requests: BTreeMap::from([pair("cpu", "10m"), pair("memory", "32Mi")]),
        limits: BTreeMap::from([pair("memory", memory)]),
    }
}

fn volumes(plan: &Plan<'_>, worker: Worker) -> Vec<Volume> {
    let item = |key: &str, path: &str| {
        Some(vec![KeyToPath { key: key.to_owned(), path: path.to_owned(), ..KeyToPath::default() }])
    };
    let file = Config::file(worker);
    let mut volumes = vec![Volume {
        name: CONFIG_VOLUME.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: Config::name(plan),
            items: item(&file, &file),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }];
    if let Some(ca) = plan.surroundings.kafka_secrets.ca.as_ref() {
        volumes.push(Volume {
            name: CA_VOLUME.to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(ca.name.clone()),
                items: item(&ca.key, CA_FILE),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        });
    }
    volumes
}

fn mounts(plan: &Plan<'_>) -> Vec<VolumeMount> {
    let mount = |name: &str, folder: &str| VolumeMount {
        name: name.to_owned(),
        mount_path: folder.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    };
    let ca = plan.surroundings.kafka_secrets.ca.as_ref();
    let config = [mount(CONFIG_VOLUME, CONFIG_FOLDER)];
    config.into_iter().chain(ca.map(|_| mount(CA_VOLUME, CA_FOLDER))).collect()
}
