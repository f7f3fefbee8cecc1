//! The controller is killed, doubled and deprived of its rights.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use kube::ResourceExt;
use pricepipe_tests::{
    cluster::{
        CONTROLLER, Controller, NOWHERE, Pipeline, SYSTEM, TestNamespace, kill, kubectl, kubectl_with, until,
    },
    random_moments,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
/// How soon another controller works after the leader has died.
const TAKEOVER: Duration = Duration::from_secs(20);
const KILLS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_right_that_is_taken_away_is_named_in_a_condition_and_all_is_well_when_it_is_back() {
    let controller = Controller::alone().await;
    let before = restarts(&controller).await;
    let namespace = TestNamespace::create("rights").await;
    let pipeline = Pipeline::new(&namespace, NOWHERE, &["BTCUSDT"]);
    pipeline.apply();
    pipeline.until("TopicsReady", "True", PATIENCE).await;

    let role = kubectl(&["get", "clusterrole", CONTROLLER, "-o", "json"]);
    let mut role: Value = serde_json::from_str(&role).expect("JSON");
    let rules = role["rules"].as_array_mut().expect("rules");
    let deployments = rules.iter_mut().find(|rule| rule["resources"] == json!(["deployments"]));
    deployments.expect("a rule")["verbs"] = json!(["get", "list", "watch"]);
    kubectl_with(&["replace", "-f", "-"], &role.to_string());
    pipeline.patch(&json!({"spec": {"consumer": {"replicas": 2}}}));
    let forbidden = pipeline.until_because("Ready", "Forbidden", PATIENCE).await;
    for word in ["cannot patch resource \"deployments\"", CONTROLLER] {
        assert!(forbidden.message.contains(word), "{}", forbidden.message);
    }

    controller.install().await;
    until("the Deployment has two replicas", PATIENCE, async || {
        let deployment = format!("deployment/{}-consumer", pipeline.name);
        let replicas = namespace.kubectl(&["get", &deployment, "-o", "jsonpath={.spec.replicas}"]);
        if replicas == "2" { Ok(()) } else { Err(replicas) }
    })
    .await;
    assert_eq!(restarts(&controller).await, before, "a missing right is no reason to die");
}

/// How often the controller's containers were restarted.
async fn restarts(controller: &Controller) -> i32 {
    let pods = controller.pods().await;
    let containers = pods.into_iter().flat_map(|pod| pod.status.unwrap_or_default().container_statuses);
    containers.flatten().map(|container| container.restart_count).sum()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn another_controller_works_within_twenty_seconds_after_the_leader_was_killed() {
    let controller = Controller::alone().await;
    controller.scale(2).await;
    let namespace = TestNamespace::create("takeover").await;
    let leader = until("one of them leads", PATIENCE, async || {
        controller.leader().await.ok_or_else(|| "nobody".to_owned())
    })
    .await;
    let killed = Instant::now();
    kill(&leader);
    let pipeline = Pipeline::new(&namespace, NOWHERE, &["BTCUSDT"]);
    pipeline.apply();
    pipeline.until("SpecValid", "True", TAKEOVER.saturating_sub(killed.elapsed())).await;
    println!("took over {:?} after the leader's death", killed.elapsed());
    let now = controller.leader().await.expect("a leader");
    assert_ne!(now.name_any(), leader.name_any());
    controller.scale(1).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn twenty_kills_at_random_moments_lead_to_the_same_end_and_leave_no_orphans() {
    let controller = Controller::alone().await;
    let namespace = TestNamespace::create("kills").await;
    let mut moments = random_moments(Duration::from_secs(2));
    for number in 0..KILLS {
        // One is changed, one is made anew: somewhere in these visits the controller dies.
        let changed = numbered(&namespace, number % 3, 1 + number % 4);
        // It may be on its way out: then it takes no change, or is gone in the very moment.
        let _ = namespace.try_kubectl(&["apply", "-f", "-"], &changed.manifest.to_string());
        let gone = numbered(&namespace, (number + 1) % 3, 1);
        namespace.kubectl(&["delete", "pp", &gone.name, "--wait=false", "--ignore-not-found"]);
        tokio::time::sleep(moments()).await;
        let pods = controller.pods().await;
        pods.iter().for_each(kill);
        // It is dead for certain, so its successor need not wait until the lease runs out.
        kubectl(&["-n", SYSTEM, "delete", "lease", CONTROLLER, "--ignore-not-found"]);
    }
    controller.until_available().await;
    let after_kills = end_state(&namespace).await;
    for number in 0..3 {
        namespace.kubectl(&["delete", "pp", &numbered(&namespace, number, 1).name, "--timeout=90s"]);
    }
    namespace.until_nothing_managed(PATIENCE).await;
    assert_eq!(after_kills, end_state(&namespace).await, "as if nothing had been killed");
}

/// Applies the three pipelines in their last form, and tells what there is once each is as it should be.
async fn end_state(namespace: &TestNamespace) -> BTreeSet<String> {
    let pipelines: Vec<Pipeline<'_>> = (0..3).map(|number| numbered(namespace, number, 2)).collect();
    for pipeline in &pipelines {
        until("an earlier one is gone", PATIENCE * 2, async || match pipeline.get().await {
            Some(found) if found.metadata.deletion_timestamp.is_some() => Err(format!("{:?}", found.status)),
            _ => Ok(()),
        })
        .await;
        pipeline.apply();
    }
    let mut owners = BTreeSet::new();
    for pipeline in &pipelines {
        pipeline.until("TopicsReady", "True", PATIENCE).await;
        pipeline.until_because("ConsumerAvailable", "ScaledToZero", PATIENCE).await;
        owners.extend(pipeline.get().await.and_then(|found| found.metadata.uid));
    }
    until("every object belongs to one of them", PATIENCE, async || {
        let objects: Value = serde_json::from_str(&namespace.managed("json")).expect("JSON");
        let items = objects["items"].as_array().expect("a list");
        let orphan = items.iter().find(|item| {
            let owner = item.pointer("/metadata/ownerReferences/0/uid").and_then(Value::as_str);
            owner.is_none_or(|owner| !owners.contains(owner))
        });
        match orphan {
            None => Ok(items.iter().map(described).collect()),
            Some(orphan) => Err(orphan.to_string()),
        }
    })
    .await
}

/// An object without what the API server adds.
fn described(object: &Value) -> String {
    let field = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
    let mut spec = field("/spec");
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|field, _| !field.starts_with("clusterIP"));
    }
    let kept = [field("/kind"), field("/metadata/name"), field("/metadata/labels"), spec, field("/data")];
    json!(kept).to_string()
}

/// A pipeline that stores nothing, with so many symbols; the topics that it creates go with it.
fn numbered(namespace: &TestNamespace, number: usize, symbols: usize) -> Pipeline<'_> {
    let symbols = &["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"][..symbols];
    let name = format!("{}-{number}", namespace.name);
    let mut pipeline = Pipeline::named(namespace, &name, NOWHERE, symbols);
    pipeline.manifest["spec"]["consumer"] = json!({"replicas": 0});
    pipeline.manifest["spec"]["deletionPolicy"] = json!("Delete");
    pipeline
}
