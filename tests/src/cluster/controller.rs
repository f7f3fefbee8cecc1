//! The controller in the cluster, installed as a user installs it.

use std::{path::Path, time::Duration};

use k8s_openapi::api::{apps::v1::Deployment, coordination::v1::Lease, core::v1::Pod};
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use tokio::sync::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{kubectl, kubectl_with, pods, until};

/// The namespace that the controller is installed in.
pub const SYSTEM: &str = "pricepipe-system";

/// The name of its Deployment and of its Lease.
pub const CONTROLLER: &str = "pricepipe-controller";

const PATIENCE: Duration = Duration::from_secs(60);

/// The running controller. It is there for as long as somebody holds this.
pub struct Controller {
    client: Client,
    _turn: Turn,
}

/// Tests run side by side, but not beside one that harms the controller.
enum Turn {
    Shared(#[expect(dead_code, reason = "held")] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code, reason = "held")] RwLockWriteGuard<'static, ()>),
}

static TURNS: RwLock<()> = RwLock::const_new(());
/// Whether the controller in the cluster is as it was installed.
static SOUND: Mutex<bool> = Mutex::const_new(false);

impl Controller {
    /// The controller that other tests use too.
    pub async fn shared() -> Controller {
        let turn = TURNS.read().await;
        let controller = Controller { client: super::client().await, _turn: Turn::Shared(turn) };
        let mut sound = SOUND.lock().await;
        if !*sound {
            controller.install().await;
            *sound = true;
        }
        controller
    }

    /// The controller for one test alone, which may do to it what it wants.
    pub async fn alone() -> Controller {
        let turn = TURNS.write().await;
        *SOUND.lock().await = false;
        let controller = Controller { client: super::client().await, _turn: Turn::Alone(turn) };
        controller.install().await;
        controller
    }

    /// Applies `manifests/install.yaml`, which also undoes what was changed, and waits for the rollout. The operator's
    /// default Kafka is the testbed's.
    pub async fn install(&self) {
        let kafka = crate::servers::kafka();
        let manifest = manifest(&[("PRICEPIPE_KAFKA_BOOTSTRAP_SERVERS", kafka.as_str())]);
        kubectl_with(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &manifest);
        self.until_available().await;
    }

    /// Waits until all of its replicas are those that were asked for last, and answer.
    pub async fn until_available(&self) {
        until("the controller is available", PATIENCE, async || {
            let deployment = self.deployments().get(CONTROLLER).await.map_err(|error| error.to_string())?;
            if is_rolled_out(&deployment) { Ok(()) } else { Err(format!("{:?}", deployment.status)) }
        })
        .await;
    }

    /// Runs so many replicas.
    pub async fn scale(&self, replicas: usize) {
        let replicas = format!("--replicas={replicas}");
        kubectl(&["-n", SYSTEM, "scale", &format!("deployment/{CONTROLLER}"), &replicas]);
        self.until_available().await;
    }

    /// Its pods that run and are not about to end.
    pub async fn pods(&self) -> Vec<Pod> {
        let selector = ListParams::default().labels(&format!("app.kubernetes.io/name={CONTROLLER}"));
        let pods = Api::<Pod>::namespaced(self.client.clone(), SYSTEM).list(&selector).await;
        let runs = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            pod.metadata.deletion_timestamp.is_none() && phase == Some("Running")
        };
        pods.expect("the API server answers").items.into_iter().filter(runs).collect()
    }

    /// The pod that holds the Lease, if there is one.
    pub async fn leader(&self) -> Option<Pod> {
        let lease = Api::<Lease>::namespaced(self.client.clone(), SYSTEM).get_opt(CONTROLLER).await;
        let holder = lease.expect("the API server answers")?.spec?.holder_identity?;
        self.pods().await.into_iter().find(|pod| holder.starts_with(&pod.name_any()))
    }

    /// The metrics of all its pods.
    pub async fn metrics(&self) -> String {
        self.pods().await.iter().filter_map(pods::metrics).collect()
    }

    fn deployments(&self) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), SYSTEM)
    }
}

fn is_rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    deployment.status.as_ref().is_some_and(|status| {
        status.observed_generation == deployment.metadata.generation
            && status.updated_replicas.unwrap_or(0) == wanted
            && status.available_replicas.unwrap_or(0) == wanted
            && status.replicas.unwrap_or(0) == wanted
    })
}

/// `manifests/install.yaml`, with these variables in the Deployment.
fn manifest(variables: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/install.yaml");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let deployments = objects.iter_mut().filter(|object| object["kind"] == "Deployment");
    for deployment in deployments {
        let environment = deployment.pointer_mut("/spec/template/spec/containers/0/env");
        let environment = environment.and_then(Value::as_array_mut).expect("the controller's variables");
        environment.retain(|entry| variables.iter().all(|(name, _)| entry["name"] != *name));
        environment.extend(variables.iter().map(|(name, value)| json!({"name": name, "value": value})));
    }
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}
