//! What Helm makes of the chart, with each set of values: objects of good order, and pods that fit the restricted profile.

use std::{collections::BTreeSet, fs};

use k8s_openapi::ByteString;
use pricepipe_tests::{
    chart::{self, NAMESPACE, Object, ValueSet, helm, render},
    generated,
};
use serde_json::{Value, json};

use super::contract::leaves;

const LABELS: &[&str] = &[
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/component",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
];

/// Components whose pods speak with the API server.
const WITH_TOKEN: &[&str] = &["controller", "prometheus"];

const MIRROR: &str = "mirror.example.com:5000/hub";

#[test]
#[ignore = "needs helm"]
fn helm_finds_no_fault_in_the_chart_with_any_set_of_values() {
    let folder = generated::path(chart::FOLDER);
    for set in ValueSet::all() {
        helm(
            &[&["lint", "--strict", "--quiet", folder.to_str().expect("UTF-8")], &set.with(&[])[..]].concat(),
        );
    }
}

#[test]
#[ignore = "needs helm"]
fn rendering_again_gives_the_same_objects_but_for_secrets() {
    let lasting = |set: &ValueSet| {
        let objects = render(&set.with(&[])).into_iter().filter(|object| object.kind() != "Secret");
        objects.map(|object| object.manifest).collect::<Vec<Value>>()
    };
    for set in ValueSet::all() {
        assert_eq!(lasting(&set), lasting(&set), "{}", set.name);
    }
}

#[test]
#[ignore = "needs helm"]
fn every_object_has_the_recommended_labels_and_a_name_of_its_own() {
    with_every_set(|objects| {
        let mut known = BTreeSet::new();
        let mut problems = Vec::new();
        for object in objects {
            if !known.insert((object.namespace(), object.id())) {
                problems.push(format!("{} is there twice", object.id()));
            }
            let labels = &object.manifest["metadata"]["labels"];
            let missing = LABELS.iter().filter(|label| !labels[**label].is_string() && !object.is_extra());
            problems.extend(missing.map(|label| format!("{} has no label {label}", object.id())));
        }
        problems
    });
}

#[test]
#[ignore = "needs helm"]
fn every_pod_is_restricted_and_knows_its_limits() {
    with_every_set(|objects| objects.iter().flat_map(faults_of_pod).collect());
}

/// What the restricted profile, and more, asks of a pod.
fn faults_of_pod(object: &Object) -> Vec<String> {
    let Some(pod) = object.pod().filter(|_| !object.is_extra()) else { return Vec::new() };
    let (spec, component) = (&pod["spec"], &pod["metadata"]["labels"]["app.kubernetes.io/component"]);
    let token = WITH_TOKEN.iter().any(|one| component == one);
    let mut expected = vec![
        ("/securityContext/runAsNonRoot", json!(true)),
        ("/securityContext/seccompProfile/type", json!("RuntimeDefault")),
        ("/automountServiceAccountToken", json!(token)),
        ("/enableServiceLinks", json!(false)),
    ];
    let mut faults = differences(spec, &expected);
    expected = vec![
        ("/securityContext/allowPrivilegeEscalation", json!(false)),
        ("/securityContext/readOnlyRootFilesystem", json!(true)),
        ("/securityContext/capabilities/drop", json!(["ALL"])),
    ];
    let mut wanted =
        vec!["/resources/requests/cpu", "/resources/requests/memory", "/resources/limits/memory"];
    for container in containers(spec, "initContainers").iter().chain(containers(spec, "containers")) {
        faults.extend(differences(container, &expected));
        faults.extend(missing(container, &wanted));
    }
    wanted = vec!["/livenessProbe", "/readinessProbe"];
    if !object.is_test() {
        faults
            .extend(containers(spec, "containers").iter().flat_map(|container| missing(container, &wanted)));
    }
    faults.into_iter().map(|fault| format!("{}: {fault}", object.id())).collect()
}

fn differences(of: &Value, expected: &[(&str, Value)]) -> Vec<String> {
    let wrong = expected.iter().filter(|(path, value)| of.pointer(path) != Some(value));
    wrong.map(|(path, value)| format!("{path} is {:?}, not {value}", of.pointer(path))).collect()
}

fn missing(of: &Value, wanted: &[&str]) -> Vec<String> {
    let absent = wanted.iter().filter(|path| of.pointer(path).is_none());
    absent.map(|path| format!("container {} has no {path}", of["name"])).collect()
}

fn containers<'a>(spec: &'a Value, which: &str) -> &'a [Value] {
    spec[which].as_array().map_or(&[], Vec::as_slice)
}

#[test]
#[ignore = "needs helm"]
fn every_pod_that_stays_is_selected_by_a_network_policy_and_none_is_when_they_are_off() {
    with_every_set(|objects| {
        let covered = |pod: &Object| {
            let policies =
                objects.iter().filter(|o| o.kind() == "NetworkPolicy" && o.namespace() == pod.namespace());
            policies
                .into_iter()
                .any(|policy| selects(&policy.manifest["spec"]["podSelector"]["matchLabels"], pod))
        };
        let pods = objects.iter().filter(|object| object.pod().is_some() && !object.is_test());
        pods.filter(|pod| !covered(pod)).map(|pod| format!("no NetworkPolicy selects {}", pod.id())).collect()
    });
    let without = render(&["--set", "networkPolicy.enabled=false"]);
    assert!(without.iter().all(|object| object.kind() != "NetworkPolicy"));
}

#[test]
#[ignore = "needs helm"]
fn every_service_leads_to_a_port_of_a_pod() {
    with_every_set(|objects| {
        let services = objects.iter().filter(|object| object.kind() == "Service" && !object.is_extra());
        let mut problems = Vec::new();
        for service in services {
            let spec = &service.manifest["spec"];
            let mut pods = objects.iter().filter(|object| object.pod().is_some() && !object.is_test());
            let Some(pod) = pods.find(|pod| selects(&spec["selector"], pod)) else {
                problems.push(format!("{} selects nothing", service.id()));
                continue;
            };
            let pod = &pod.pod().expect("a pod")["spec"];
            let all = containers(pod, "containers");
            let has =
                |port: &Value| all.iter().flat_map(|c| containers(c, "ports")).any(|p| p["name"] == *port);
            let targets = containers(spec, "ports").iter().map(|port| &port["targetPort"]);
            problems
                .extend(targets.filter(|port| !has(port)).map(|port| format!("{}: {port}", service.id())));
        }
        problems
    });
}

/// Whether a selector's labels are among those of the object's pod. A StatefulSet's pod has its number among them.
fn selects(selector: &Value, object: &Object) -> bool {
    let labels = object.pod().map(|pod| &pod["metadata"]["labels"]);
    let replicas = object.manifest["spec"]["replicas"].as_u64().unwrap_or_default();
    let has = |(key, value): (&String, &Value)| {
        let number = value.as_str().and_then(|value| value.parse().ok());
        let is_one_of_them =
            key == "apps.kubernetes.io/pod-index" && number.is_some_and(|n: u64| n < replicas);
        is_one_of_them || labels.is_some_and(|labels| labels[key] == *value)
    };
    selector.as_object().is_some_and(|selector| selector.iter().all(has))
}

#[test]
#[ignore = "needs helm"]
fn whatever_a_pod_mounts_is_there_or_named_by_the_values() {
    for set in ValueSet::all() {
        let objects = render(&set.with(&[]));
        let values = fs::read_to_string(&set.path).expect("a file of the chart");
        let is_there = |kind: &str, name: &str| objects.iter().any(|o| o.kind() == kind && o.name() == name);
        let mut number = 0;
        for object in objects.iter().filter(|object| object.pod().is_some() && !object.is_extra()) {
            let mut wanted = Vec::new();
            references(&object.pod().expect("a pod")["spec"], &mut wanted);
            number += wanted.len();
            for (kind, name) in wanted {
                let known = is_there(kind, &name) || (kind == "Secret" && values.contains(&name));
                assert!(known, "{}: {} wants {kind} {name}", set.name, object.id());
            }
        }
        assert!(number > 0, "{}: pods mount something", set.name);
    }
}

/// The objects that a pod names.
fn references(value: &Value, found: &mut Vec<(&'static str, String)>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = |of: &str| value[of].as_str().map(str::to_owned);
                let reference = match key.as_str() {
                    "configMap" | "configMapRef" | "configMapKeyRef" => {
                        name("name").map(|name| ("ConfigMap", name))
                    }
                    "secretKeyRef" | "secretRef" => name("name").map(|name| ("Secret", name)),
                    "secret" => name("secretName").or_else(|| name("name")).map(|name| ("Secret", name)),
                    "persistentVolumeClaim" => name("claimName").map(|name| ("PersistentVolumeClaim", name)),
                    "serviceAccountName" => value.as_str().map(|name| ("ServiceAccount", name.to_owned())),
                    _ => None,
                };
                found.extend(reference);
                references(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
#[ignore = "needs helm"]
fn one_value_sends_every_image_to_a_mirror_and_a_digest_wins_over_a_tag() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let digests = leaves().into_iter().filter(|leaf| leaf.path.ends_with(&["digest".to_owned()]));
    let digests: Vec<String> = digests.map(|leaf| format!("{}={digest}", leaf.name())).collect();
    assert!(digests.len() >= 8, "{digests:?}");
    let mut arguments = vec!["--set".to_owned(), format!("global.imageRegistry={MIRROR}")];
    arguments.extend(digests.into_iter().flat_map(|digest| ["--set".to_owned(), digest]));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    for set in ValueSet::all() {
        let images = images(&render(&set.with(&arguments)));
        assert!(images.len() >= 3, "{}: {images:?}", set.name);
        for (id, image) in images {
            let name = image.strip_prefix(&format!("{MIRROR}/")).and_then(|rest| rest.strip_suffix(&digest));
            let is_right = name.is_some_and(|name| name.ends_with('@') && !name.contains(':'));
            assert!(is_right, "{}: {id} wants {image}", set.name);
        }
    }
}

/// The images of all pods, and those that the controller gives to workers.
fn images(objects: &[Object]) -> Vec<(String, String)> {
    let mut images = Vec::new();
    for object in objects.iter().filter(|object| !object.is_extra()) {
        let Some(pod) = object.pod() else { continue };
        let spec = &pod["spec"];
        for container in containers(spec, "initContainers").iter().chain(containers(spec, "containers")) {
            let variables = containers(container, "env").iter();
            let named = variables.filter(|v| v["name"].as_str().is_some_and(|name| name.ends_with("_IMAGE")));
            let all = named.map(|variable| &variable["value"]).chain([&container["image"]]);
            images.extend(all.map(|image| (object.id(), image.as_str().unwrap_or_default().to_owned())));
        }
    }
    images
}

#[test]
#[ignore = "needs helm"]
fn a_password_stands_in_its_secret_alone() {
    with_every_set(|objects| {
        let (secrets, others): (Vec<&Object>, Vec<&Object>) =
            objects.iter().partition(|o| o.kind() == "Secret");
        let values = secrets.into_iter().flat_map(confidential);
        let mut problems = Vec::new();
        for (id, value) in values {
            let text = |object: &&&Object| object.manifest.to_string().contains(&value);
            problems.extend(others.iter().filter(text).map(|object| format!("{} tells {id}", object.id())));
        }
        problems
    });
    let made: Vec<_> = render(&[]).into_iter().filter(|object| object.kind() == "Secret").collect();
    let values: Vec<_> = made.iter().flat_map(confidential).collect();
    assert!(values.len() >= 2, "MongoDB's and Grafana's passwords are made: {values:?}");
}

/// What of a Secret nobody may know: what is long enough to be random.
fn confidential(secret: &Object) -> Vec<(String, String)> {
    let entries = |field: &str| secret.manifest[field].as_object().cloned().unwrap_or_default();
    let plain = |(key, value): (String, Value)| (key, value.as_str().unwrap_or_default().to_owned());
    let decoded = |(key, value): (String, Value)| {
        let bytes: ByteString = serde_json::from_value(value).expect("base64");
        (key, String::from_utf8_lossy(&bytes.0).into_owned())
    };
    let all = entries("stringData").into_iter().map(plain).chain(entries("data").into_iter().map(decoded));
    let random = all.filter(|(_, value)| value.len() >= 16);
    random.map(|(key, value)| (format!("{}: {key}", secret.id()), value)).collect()
}

#[test]
#[ignore = "needs helm"]
fn the_definition_is_the_generated_one() {
    let expected: Value =
        serde_saphyr::from_str(&generated::read("charts/pricepipe/files/crd.yaml")).expect("YAML");
    let mut found = only("CustomResourceDefinition", &render(&[]));
    let metadata = found["metadata"].as_object_mut().expect("metadata");
    metadata.remove("labels");
    let annotations = metadata.remove("annotations");
    assert_eq!(annotations, Some(json!({"helm.sh/resource-policy": "keep"})));
    assert_eq!(found, expected);
    let dropped = only("CustomResourceDefinition", &render(&["--set", "crds.keep=false"]));
    assert_eq!(dropped["metadata"]["annotations"], Value::Null);
}

/// Both are ways to install one program; neither may fall behind.
#[test]
#[ignore = "needs helm"]
fn the_controller_runs_as_in_the_plain_manifest() {
    let plain: Vec<Value> =
        serde_saphyr::from_multiple(&generated::read("manifests/install.yaml")).expect("YAML");
    let plain = plain.into_iter().find(|object| object["kind"] == "Deployment").expect("the controller");
    let chart =
        render(&[]).into_iter().find(|o| o.kind() == "Deployment" && o.name().ends_with("-controller"));
    let chart = chart.expect("the controller").manifest;
    let container = "/spec/template/spec/containers/0";
    for field in [
        "image",
        "imagePullPolicy",
        "ports",
        "livenessProbe",
        "readinessProbe",
        "resources",
        "securityContext",
    ] {
        let path = format!("{container}/{field}");
        assert_eq!(chart.pointer(&path), plain.pointer(&path), "{path}");
    }
    for path in ["/spec/replicas", "/spec/template/spec/terminationGracePeriodSeconds"] {
        assert_eq!(chart.pointer(path), plain.pointer(path), "{path}");
    }
    // The chart's pods have a group for their volumes besides.
    let security = "/spec/template/spec/securityContext";
    for (key, value) in plain.pointer(security).and_then(Value::as_object).expect("a context") {
        assert_eq!(chart.pointer(security).map(|context| &context[key]), Some(value), "{key}");
    }
}

#[test]
#[ignore = "needs helm"]
fn common_labels_and_annotations_are_on_every_object() {
    for object in render(&ValueSet::named("ha").with(&[])) {
        let metadata = &object.manifest["metadata"];
        assert_eq!(metadata["labels"]["team"], "prices", "{}", object.id());
        assert_eq!(metadata["annotations"]["example.com/owner"], "prices", "{}", object.id());
    }
}

#[test]
#[ignore = "needs helm"]
fn what_is_added_is_a_template_in_both_forms() {
    let objects = render(&ValueSet::named("operator").with(&[]));
    let extra: Vec<&Object> = objects.iter().filter(|object| object.is_extra()).collect();
    let names: Vec<&str> = extra.iter().map(|object| object.name()).collect();
    assert_eq!(names, ["prices-as-yaml", "prices-as-text"]);
    for object in extra {
        assert_eq!(
            (object.namespace(), &object.manifest["data"]["release"]),
            (NAMESPACE, &json!(chart::RELEASE))
        );
    }
}

fn only(kind: &str, objects: &[Object]) -> Value {
    let found: Vec<&Object> = objects.iter().filter(|object| object.kind() == kind).collect();
    let [one] = found[..] else { panic!("{} objects of kind {kind}", found.len()) };
    one.manifest.clone()
}

/// Renders the chart with each set, and fails with all that is wrong with any.
fn with_every_set(problems: impl Fn(&[Object]) -> Vec<String>) {
    let mut all = Vec::new();
    for set in ValueSet::all() {
        let objects = render(&set.with(&[]));
        assert!(objects.iter().any(|object| object.pod().is_some()), "{} has pods", set.name);
        all.extend(problems(&objects).into_iter().map(|problem| format!("{}: {problem}", set.name)));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}
