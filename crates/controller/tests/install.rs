//! The manifests are what the code says: the definition, the table of rights, and a controller that starts.
//! `UPDATE=1` writes them anew.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fmt::Write, fs, path::PathBuf};

use pricepipe_controller::{
    rbac::{self, Rule},
    settings,
};
use serde_json::Value;

const NAMESPACE: &str = "pricepipe-system";
const NAME: &str = "pricepipe-controller";
const RBAC: &str = "rbac.authorization.k8s.io";

/// What people with a cluster's own roles may do too.
const PEOPLE: &[(&str, &str, &str)] = &[
    ("view", "pricepipelines, pricepipelines/status", "get, list, watch"),
    (
        "edit",
        "pricepipelines, pricepipelines/scale",
        "create, delete, deletecollection, get, list, patch, update, watch",
    ),
];

fn install() -> String {
    let head = "# Everything that pricepipe needs in a cluster. Made from the code: change it there.\n\
                #   kubectl apply --server-side -f manifests/install.yaml\n";
    let documents = [
        namespace(),
        pricepipe_api::crd_yaml(),
        service_account(),
        rights("ClusterRole", "", rbac::PIPELINES),
        rights("Role", NAMESPACE, rbac::OWN_NAMESPACE),
        people(),
        deployment(),
    ];
    head.to_owned() + &documents.map(|document| format!("---\n{}\n", document.trim())).concat()
}

fn metadata(namespace: &str) -> String {
    let namespace = if namespace.is_empty() { String::new() } else { format!("  namespace: {namespace}\n") };
    let labels = format!("    app.kubernetes.io/name: {NAME}\n    app.kubernetes.io/part-of: pricepipe\n");
    format!("metadata:\n  name: {NAME}\n{namespace}  labels:\n{labels}")
}

fn namespace() -> String {
    format!(
        "apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/part-of: pricepipe
    pod-security.kubernetes.io/enforce: restricted"
    )
}

fn service_account() -> String {
    format!("apiVersion: v1\nkind: ServiceAccount\n{}", metadata(NAMESPACE))
}

fn rules(table: &[Rule]) -> String {
    table.iter().map(rule).collect()
}

fn rights(kind: &str, namespace: &str, table: &[Rule]) -> String {
    let (rules, metadata) = (rules(table), metadata(namespace));
    format!(
        "apiVersion: {RBAC}/v1
kind: {kind}
{metadata}rules:
{rules}---
apiVersion: {RBAC}/v1
kind: {kind}Binding
{metadata}roleRef:
  apiGroup: {RBAC}
  kind: {kind}
  name: {NAME}
subjects:
- kind: ServiceAccount
  name: {NAME}
  namespace: {NAMESPACE}"
    )
}

fn rule(rule: &Rule) -> String {
    let mut text = String::new();
    for line in wrapped(rule.reason) {
        writeln!(text, "# {line}").unwrap();
    }
    writeln!(text, "- apiGroups: [\"{}\"]\n  resources: [{}]", rule.group, rule.resource).unwrap();
    if let Some(name) = rule.name {
        writeln!(text, "  resourceNames: [{name}]").unwrap();
    }
    writeln!(text, "  verbs: [{}]", rule.verbs.join(", ")).unwrap();
    text
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().unwrap();
        if line.len() + word.len() > 100 {
            lines.push(word.to_owned());
        } else {
            *line = format!("{line} {word}").trim().to_owned();
        }
    }
    lines
}

fn people() -> String {
    let role = |person: &(&str, &str, &str)| {
        let (name, rule) = (person.0, personal_rule(person));
        format!(
            "# People with the cluster's role {name} may do this too.
apiVersion: {RBAC}/v1
kind: ClusterRole
metadata:
  name: pricepipe-{name}
  labels:
    app.kubernetes.io/part-of: pricepipe
    {RBAC}/aggregate-to-{name}: \"true\"
rules:
{rule}"
        )
    };
    PEOPLE.iter().map(role).collect::<Vec<_>>().join("---\n")
}

fn personal_rule((_, resources, verbs): &(&str, &str, &str)) -> String {
    format!("- apiGroups: [pricepipe.dev]\n  resources: [{resources}]\n  verbs: [{verbs}]\n")
}

/// The same rules for the chart, which has roles of its own: the file of each list.
fn rules_of_the_chart() -> Vec<(String, String)> {
    let file = |name: &str| format!("charts/pricepipe/files/rules/{name}.yaml");
    let people = PEOPLE.iter().map(|person| (file(person.0), personal_rule(person)));
    [("pipelines", rbac::PIPELINES), ("own-namespace", rbac::OWN_NAMESPACE)]
        .map(|(name, table)| (file(name), rules(table)))
        .into_iter()
        .chain(people)
        .collect()
}

fn deployment() -> String {
    let (version, metadata) = (env!("CARGO_PKG_VERSION"), metadata(NAMESPACE));
    format!(
        "apiVersion: apps/v1
kind: Deployment
{metadata}spec:
  # Two are safe: one leads, the other takes over.
  replicas: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {NAME}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {NAME}
        app.kubernetes.io/part-of: pricepipe
        pricepipe.dev/metrics: \"true\"
    spec:
      serviceAccountName: {NAME}
      terminationGracePeriodSeconds: 30
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile: {{type: RuntimeDefault}}
      containers:
      - name: controller
        image: ghcr.io/pricepipe/pricepipe-controller:{version}
        imagePullPolicy: IfNotPresent
        env:
        - name: {pod_name}
          valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}
        - name: {pod_namespace}
          valueFrom: {{fieldRef: {{fieldPath: metadata.namespace}}}}
        - name: {producer}
          value: ghcr.io/pricepipe/pricepipe-producer:{version}
        - name: {consumer}
          value: ghcr.io/pricepipe/pricepipe-consumer:{version}
        # The brokers of pipelines that name none. Empty: every pipeline names its own.
        - name: {kafka}
          value: \"\"
        # name/key of the Secret with the connection string, in the namespace of a pipeline that names none.
        - name: {mongodb}
          value: pricepipe-mongodb/uri
        # Names separated by commas. Empty: all namespaces.
        - name: {namespaces}
          value: \"\"
        ports:
        - name: admin
          containerPort: 8080
        livenessProbe:
          httpGet: {{path: /livez, port: admin}}
          periodSeconds: 10
        readinessProbe:
          httpGet: {{path: /readyz, port: admin}}
          periodSeconds: 3
        resources:
          requests: {{cpu: 50m, memory: 64Mi}}
          limits: {{memory: 256Mi}}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {{drop: [ALL]}}",
        pod_name = settings::POD_NAME,
        pod_namespace = settings::POD_NAMESPACE,
        producer = settings::PRODUCER_IMAGE,
        consumer = settings::CONSUMER_IMAGE,
        kafka = settings::KAFKA_BOOTSTRAP_SERVERS,
        mongodb = settings::MONGODB_SECRET,
        namespaces = settings::WATCH_NAMESPACES,
    )
}

fn objects() -> Vec<Value> {
    serde_saphyr::from_multiple(&install()).unwrap()
}

fn object(kind: &str, name: &str) -> Value {
    let found = objects().into_iter().find(|o| o["kind"] == kind && o["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("{kind} {name} is missing"))
}

#[test]
fn the_manifest_and_the_rules_of_the_chart_are_up_to_date() {
    let manifest = ("manifests/install.yaml".to_owned(), install());
    for (file, text) in rules_of_the_chart().into_iter().chain([manifest]) {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        if std::env::var_os("UPDATE").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{} is out of date: run this test with UPDATE=1", path.display());
    }
}

#[test]
fn every_document_is_an_object_with_a_name_and_no_two_are_the_same() {
    let mut known = Vec::new();
    for object in objects() {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let id = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        assert!(!id.0.is_empty() && !id.2.is_empty(), "{object}");
        assert!(!known.contains(&id), "{id:?}");
        known.push(id);
    }
    assert_eq!(known.len(), 10, "{known:?}");
}

#[test]
fn the_roles_grant_the_table_and_no_more() {
    for (kind, table) in [("ClusterRole", rbac::PIPELINES), ("Role", rbac::OWN_NAMESPACE)] {
        let role = object(kind, NAME);
        let rules = role["rules"].as_array().unwrap();
        assert_eq!(rules.len(), table.len(), "{kind}");
        for (found, rule) in rules.iter().zip(table) {
            assert_eq!(found["apiGroups"], serde_json::json!([rule.group]));
            assert_eq!(found["resources"], serde_json::json!([rule.resource]));
            assert_eq!(found["verbs"], serde_json::json!(rule.verbs));
            assert_eq!(found.get("resourceNames"), rule.name.map(|name| serde_json::json!([name])).as_ref());
        }
    }
}

#[test]
fn every_variable_of_the_manifest_is_one_that_the_controller_reads() {
    let deployment = object("Deployment", NAME);
    let variables = deployment.pointer("/spec/template/spec/containers/0/env").unwrap().as_array().unwrap();
    assert_eq!(variables.len(), 7);
    for variable in variables {
        let name = variable["name"].as_str().unwrap();
        assert!(settings::VARIABLES.iter().any(|(known, _)| *known == name), "{name}");
    }
}
