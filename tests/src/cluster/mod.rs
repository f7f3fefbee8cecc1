//! The testbed's Kubernetes, as a test sees it: what a user does goes through kubectl, what is looked at through a client.
//!
//! Tests of it live in `tests/cluster/` and run by `make test`, or by `tests/testbed/kubernetes run`, which starts the
//! cluster and gives its variables. Every test has a [`TestNamespace`] of its own. The controller is everybody's:
//! each begins with [`Controller::shared`], or with [`Controller::alone`] when it harms the controller.

mod audit;
mod controller;
pub(crate) mod evidence;
mod exchange;
mod kubectl;
mod namespace;
mod pipeline;
mod pods;

use std::time::{Duration, Instant};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

pub use self::{
    audit::{AuditLog, Request},
    controller::{CONTROLLER, Controller, SYSTEM},
    exchange::ClusterExchange,
    kubectl::{kubectl, kubectl_with, try_kubectl, try_kubectl_with_warnings},
    namespace::TestNamespace,
    pipeline::{NOWHERE, Pipeline, SECRET},
    pods::{is_ready, kill, places_to_write, programs},
};

/// The name that the testbed gives its cluster, so that no test can ever meet somebody's real one.
pub(crate) const CONTEXT: &str = "pricepipe-testbed";

/// A client of the testbed's cluster.
pub async fn client() -> Client {
    let file = crate::servers::variable("KUBECONFIG");
    let kubeconfig = Kubeconfig::read_from(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let options = KubeConfigOptions { context: Some(CONTEXT.to_owned()), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap_or_else(|error| {
        panic!("{file} is not of the testbed's cluster: {error}; use tests/testbed/kubernetes run")
    });
    Client::try_from(config).expect("a client")
}

/// Asks until `probe` finds what a test waits for. When it has not within `patience`, the test fails with what the
/// probe saw last.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let start = Instant::now();
    loop {
        match probe().await {
            Ok(found) => return found,
            Err(seen) => assert!(start.elapsed() < patience, "{what}: not within {patience:?}; last: {seen}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Looks again and again for as long as `period`, and fails as soon as `probe` does.
pub async fn throughout(what: &str, period: Duration, mut probe: impl AsyncFnMut() -> Result<(), String>) {
    let start = Instant::now();
    while start.elapsed() < period {
        if let Err(seen) = probe().await {
            panic!("{what}: not after {:?}: {seen}", start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
