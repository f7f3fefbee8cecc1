//! A namespace for one test. Evidence is printed when the test fails; afterwards the namespace is gone.

use std::time::Duration;

use k8s_openapi::{NamespaceResourceScope, api::core::v1::Pod};
use kube::{Api, Client, Resource, ResourceExt, api::ListParams};
use serde_json::json;

use super::{evidence, kubectl, kubectl::kubectl_with, pods, try_kubectl, until};

/// The kinds of objects that a pipeline has.
const MANAGED_KINDS: &str =
    "configmaps,serviceaccounts,services,networkpolicies,poddisruptionbudgets,deployments";

/// A namespace that no other test uses. Deleted when dropped.
pub struct TestNamespace {
    /// Its name, fit for topics and databases too.
    pub name: String,
    /// A client of the cluster.
    pub client: Client,
}

impl TestNamespace {
    /// A namespace whose name begins with `prefix`. It takes restricted pods alone, so that every test proves that
    /// ours are.
    pub async fn create(prefix: &str) -> TestNamespace {
        let namespace = TestNamespace { name: crate::unique(prefix), client: super::client().await };
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let manifest = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace.name, "labels": labels},
        });
        kubectl_with(&["create", "-f", "-"], &manifest.to_string());
        namespace
    }

    /// The objects of one kind in here.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// kubectl in this namespace; the test fails when it does.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        kubectl(&[&["--namespace", &self.name], arguments].concat())
    }

    /// kubectl in this namespace, with an input.
    ///
    /// # Errors
    /// What it printed to standard error, when it ended with anything but 0.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        try_kubectl(&[&["--namespace", &self.name], arguments].concat(), input)
    }

    /// The objects that the controller has made for pipelines in here, in this form of `kubectl get`'s.
    pub fn managed(&self, output: &str) -> String {
        let label = "app.kubernetes.io/managed-by=pricepipe-controller";
        self.kubectl(&["get", MANAGED_KINDS, "-l", label, "-o", output])
    }

    /// Waits until there are none.
    pub async fn until_nothing_managed(&self, patience: Duration) {
        until("the objects of pipelines are gone", patience, async || {
            let left = self.managed("name");
            if left.is_empty() { Ok(()) } else { Err(left) }
        })
        .await;
    }

    /// Everything in here that somebody may look at but the Secrets themselves, each with what it is: objects, logs,
    /// and the metrics of our own pods.
    pub async fn everything_to_be_seen(&self) -> Vec<(String, String)> {
        let kinds = "pricepipelines,deployments,statefulsets,replicasets,pods,services,configmaps,networkpolicies,\
                     serviceaccounts,events";
        let mut seen = vec![("the objects".to_owned(), self.kubectl(&["get", kinds, "-o", "yaml"]))];
        for pod in self.api::<Pod>().list(&ListParams::default()).await.expect("the API server answers") {
            let name = pod.name_any();
            // One that is about to end may be gone by now.
            let log = self.try_kubectl(&["logs", &name], "").unwrap_or_default();
            seen.push((format!("the log of {name}"), log));
            seen.push((format!("the metrics of {name}"), pods::metrics(&pod).unwrap_or_default()));
        }
        seen.retain(|(_, text)| !text.is_empty());
        seen
    }

    /// `kubectl apply` of YAML, which JSON is too.
    pub fn apply(&self, manifests: &str) -> String {
        kubectl_with(&["--namespace", &self.name, "apply", "-f", "-"], manifests)
    }

    /// Creates or changes a Secret.
    pub fn secret(&self, name: &str, key: &str, value: &str) {
        self.apply(
            &json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {key: value},
            })
            .to_string(),
        );
    }
}

impl Drop for TestNamespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            evidence::print(&self.name);
        }
        let _ = try_kubectl(&["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"], "");
    }
}
