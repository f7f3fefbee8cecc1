//! The API server's own verdict on all that the chart makes, with each set of values: accepted, and without a warning,
//! in a namespace that takes restricted pods alone.

use std::time::Duration;

use pricepipe_tests::{
    chart::{Object, ValueSet, render},
    cluster::{TestNamespace, kubectl, try_kubectl_with_warnings, until},
    generated, servers,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn the_api_server_takes_every_object_without_a_warning() {
    definitions();
    let (release, other) = (namespace("chart").await, namespace("elsewhere").await);
    let mut problems = Vec::new();
    for set in ValueSet::all() {
        let objects = objects(&set, &release, &other).into_iter().filter(|object| object.kind() != "Pod");
        let manifests = objects.map(|object| object.manifest).collect();
        let apply = ["apply", "--server-side", "--force-conflicts", "--validate=strict"];
        problems.extend(verdict(&apply, manifests).map(|problem| format!("{}: {problem}", set.name)));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Whoever makes pods is only warned of what they are, so the pods are tried themselves.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn the_api_server_takes_every_pod_without_a_warning() {
    let (release, other) = (namespace("pods").await, namespace("elsewhere").await);
    let account = async || release.try_kubectl(&["get", "serviceaccount", "default"], "").map(|_| ());
    until("pods can be made", PATIENCE, account).await;
    let mut problems = Vec::new();
    for set in ValueSet::all() {
        let pods: Vec<Value> = objects(&set, &release, &other).iter().filter_map(pod).collect();
        assert!(pods.len() > 1, "{}: {pods:?}", set.name);
        problems.extend(
            verdict(&["create", "--namespace", &release.name], pods)
                .map(|problem| format!("{}: {problem}", set.name)),
        );
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What pipelines and a Prometheus Operator bring into a cluster.
fn definitions() {
    let pipelines = generated::path("charts/pricepipe/files/crd.yaml");
    let operator = servers::variable("TESTBED_PROMETHEUS_OPERATOR_CRDS");
    let files = ["-f", pipelines.to_str().expect("a path in UTF-8"), "-f", operator.as_str()];
    kubectl(&[&["apply", "--server-side", "--force-conflicts"], &files[..]].concat());
    kubectl(&[&["wait", "--for=condition=Established"], &files[..]].concat());
}

/// A namespace that warns too, for what would not be refused itself.
async fn namespace(prefix: &str) -> TestNamespace {
    let namespace = TestNamespace::create(prefix).await;
    kubectl(&["label", "namespace", &namespace.name, "pod-security.kubernetes.io/warn=restricted"]);
    namespace
}

/// All objects of a release in the one namespace that watches the other, where the set names any.
fn objects(set: &ValueSet, release: &TestNamespace, other: &TestNamespace) -> Vec<Object> {
    let watched = format!("controller.watchNamespaces={{{}}}", other.name);
    let names_some =
        std::fs::read_to_string(&set.path).expect("a file of the chart").contains("watchNamespaces");
    let watch: &[&str] = if names_some { &["--set", &watched] } else { &[] };
    render(&set.with(&[&["--namespace", &release.name], watch].concat()))
}

/// The pod that an object makes, without what must be there before it.
fn pod(object: &Object) -> Option<Value> {
    let template = object.pod()?;
    let mut metadata = template["metadata"].clone();
    metadata["name"] = json!(object.name());
    let mut spec = template["spec"].clone();
    let fields = spec.as_object_mut()?;
    for elsewhere in ["serviceAccountName", "priorityClassName"] {
        fields.remove(elsewhere);
    }
    let claims = object.manifest["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten();
    let volumes = claims.map(|claim| json!({"name": claim["metadata"]["name"], "emptyDir": {}}));
    let all = fields.entry("volumes").or_insert_with(|| json!([]));
    all.as_array_mut()?.extend(volumes);
    Some(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}))
}

/// What the API server has against these objects: errors and warnings.
fn verdict(way: &[&str], objects: Vec<Value>) -> impl Iterator<Item = String> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let arguments = [way, &["--dry-run=server", "-f", "-"]].concat();
    let said = match try_kubectl_with_warnings(&arguments, &list) {
        Ok((_, warnings)) => warnings,
        Err(complaint) => format!("refused: {complaint}"),
    };
    let lines: Vec<String> = said.lines().map(str::to_owned).collect();
    lines.into_iter()
}
