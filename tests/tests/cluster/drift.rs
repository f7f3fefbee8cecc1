//! What somebody does to a pipeline's objects is undone.

use std::time::Duration;

use pricepipe_tests::cluster::{Controller, NOWHERE, Pipeline, TestNamespace, throughout, until};
use serde_json::json;

/// How soon an object is what it was.
const RESTORED: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(60);

/// Kind, name behind the pipeline's, a change, where the change is seen. Every object of a pipeline is here.
const CHANGES: &[(&str, &str, &str, &str)] = &[
    ("configmap", "-config", r#"{"data":{"consumer.json":"{}"}}"#, r"{.data.consumer\.json}"),
    (
        "serviceaccount",
        "-producer",
        r#"{"metadata":{"labels":{"app.kubernetes.io/name":"x"}}}"#,
        "{.metadata.labels}",
    ),
    (
        "serviceaccount",
        "-consumer",
        r#"{"metadata":{"ownerReferences":null}}"#,
        "{.metadata.ownerReferences}",
    ),
    ("networkpolicy", "-workers", r#"{"spec":{"ingress":[{}]}}"#, "{.spec.ingress}"),
    ("service", "-metrics", r#"{"spec":{"ports":[{"name":"admin","port":81}]}}"#, "{.spec.ports}"),
    ("poddisruptionbudget", "-producer", r#"{"spec":{"maxUnavailable":2}}"#, "{.spec.maxUnavailable}"),
    ("poddisruptionbudget", "-consumer", r#"{"metadata":{"labels":null}}"#, "{.metadata.labels}"),
    ("deployment", "-producer", r#"{"spec":{"replicas":5}}"#, "{.spec.replicas}"),
    // Without this label it is not watched any more.
    (
        "deployment",
        "-consumer",
        r#"{"metadata":{"labels":{"app.kubernetes.io/managed-by":"somebody"}}}"#,
        "{.metadata.labels}",
    ),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn each_object_that_is_changed_or_deleted_is_restored_within_ten_seconds() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("drift").await;
    let pipeline = two_of_each(&namespace).await;
    for (kind, suffix, change, place) in CHANGES {
        let name = format!("{}{suffix}", pipeline.name);
        let see =
            |path: &str| namespace.try_kubectl(&["get", kind, &name, "-o", &format!("jsonpath={path}")], "");
        let before = see(place).expect("the object is there");
        namespace.kubectl(&["patch", kind, &name, "--type", "merge", "-p", change]);
        until(&format!("{kind} {name} is as it was"), RESTORED, async || match see(place) {
            Ok(now) if now == before => Ok(()),
            other => Err(format!("{other:?} instead of {before}")),
        })
        .await;
        let uid = see("{.metadata.uid}").expect("the object is there");
        namespace.kubectl(&["delete", kind, &name, "--wait=false"]);
        until(&format!("{kind} {name} is there again"), RESTORED, async || match see("{.metadata.uid}") {
            Ok(now) if now != uid && see(place).as_ref() == Ok(&before) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_paused_pipeline_is_left_alone_until_it_is_not() {
    let _controller = Controller::shared().await;
    let namespace = TestNamespace::create("paused").await;
    let pipeline = two_of_each(&namespace).await;
    pipeline.patch(&json!({"metadata": {"annotations": {"pricepipe.dev/paused": "true"}}}));
    pipeline.until_because("Ready", "Paused", PATIENCE).await;
    let deployment = format!("deployment/{}-consumer", pipeline.name);
    let replicas = || namespace.kubectl(&["get", &deployment, "-o", "jsonpath={.spec.replicas}"]);
    namespace.kubectl(&["scale", &deployment, "--replicas=0"]);
    throughout("the Deployment stays as somebody left it", Duration::from_secs(5), async || match replicas()
        .as_str()
    {
        "0" => Ok(()),
        other => Err(other.to_owned()),
    })
    .await;
    pipeline.patch(&json!({"metadata": {"annotations": {"pricepipe.dev/paused": null}}}));
    until("the Deployment is as the pipeline says", RESTORED, async || match replicas().as_str() {
        "2" => Ok(()),
        other => Err(other.to_owned()),
    })
    .await;
}

/// A pipeline with every kind of object, when all of them are there.
async fn two_of_each(namespace: &TestNamespace) -> Pipeline<'_> {
    let mut pipeline = Pipeline::new(namespace, NOWHERE, &["BTCUSDT"]);
    pipeline.manifest["spec"]["producer"] = json!({"replicas": 2});
    pipeline.manifest["spec"]["consumer"] = json!({"replicas": 2});
    pipeline.apply();
    let last = format!("deployment/{}-consumer", pipeline.name);
    until("every object is there", PATIENCE, async || namespace.try_kubectl(&["get", &last], "").map(|_| ()))
        .await;
    pipeline
}
