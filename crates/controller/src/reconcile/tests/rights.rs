//! The controller has no right that it does not use. (One that it lacks makes any of these tests fail.)

use std::{collections::BTreeSet, time::Instant};

use k8s_openapi::jiff::Timestamp;
use kube::api::ApiResource;
use pricepipe_api::PricePipeline;
use serde_json::json;

use super::{
    api_server::Failure,
    world::{RUNNING, World, key, running, with_delete},
};
use crate::{build, rbac};

/// Group, resource and verb.
type Right = (String, String, &'static str);

/// What cannot be seen here, and why it is needed.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    // Checked by the API server when an object blocks its owner's deletion.
    ("pricepipe.dev", "pricepipelines/finalizers", "update"),
    // The same event of the same version of a pipeline again.
    ("events.k8s.io", "events", "patch"),
];

#[tokio::test]
async fn every_right_among_pipelines_is_used() {
    let mut used: BTreeSet<Right> = watched().collect();
    let mut world = running();
    let spec = serde_saphyr::from_str(&with_delete(RUNNING)).expect("YAML");
    world.server.change("pricepipelines", "majors", |it| it["spec"] = spec);
    world.kafka_was_fine("majors").await;
    // Made, with a budget; made with one worker less; with a Service that cannot be applied; scaled; deleted.
    visit(&mut world, &mut used).await;
    world.server.change("pricepipelines", "majors", |it| it["spec"]["producer"]["replicas"] = json!(1));
    visit(&mut world, &mut used).await;
    world.server.change("services", "majors-metrics", |it| it["spec"]["ports"][0]["port"] = json!(1));
    world.server.fail("apply services", Failure::Refused(422));
    visit(&mut world, &mut used).await;
    world.server.heal();
    scale(&world).await;
    let now = json!(Timestamp::now().to_string());
    world.server.change("pricepipelines", "majors", |it| it["metadata"]["deletionTimestamp"] = now);
    visit(&mut world, &mut used).await;

    let elsewhere = ELSEWHERE.iter().map(|(group, resource, verb)| right(group, resource, verb));
    used.extend(elsewhere);
    let granted = rbac::PIPELINES.iter();
    let granted: BTreeSet<Right> = granted
        .flat_map(|rule| rule.verbs.iter().map(|verb| right(rule.group, rule.resource, verb)))
        .collect();
    assert_eq!(granted.difference(&used).collect::<Vec<_>>(), Vec::<&Right>::new(), "granted and not used");
}

/// What the watches of `run.rs` need.
fn watched() -> impl Iterator<Item = Right> {
    let kinds = build::kinds().into_iter().chain([ApiResource::erase::<PricePipeline>(&())]);
    kinds.flat_map(|kind| ["list", "watch"].map(|verb| right(&kind.group, &kind.plural, verb)))
}

fn right(group: &str, resource: &str, verb: &'static str) -> Right {
    (group.to_owned(), resource.to_owned(), verb)
}

/// However it ends, it has asked for something.
async fn visit(world: &mut World, used: &mut BTreeSet<Right>) {
    world.watch();
    let _ = world.visit("majors").await;
    for call in world.server.calls() {
        used.extend(call.needs().iter().map(|verb| right(&call.group, &call.whole_resource(), verb)));
    }
}

/// Leaves the call to be seen by the next visit.
async fn scale(world: &World) {
    let object = world.server.object("pricepipelines", "majors").expect("a pipeline");
    let resource: PricePipeline = serde_json::from_value(object).expect("a pipeline");
    let mut pipeline = pricepipe_api::validate(&resource).expect("a valid one");
    pipeline.autoscaling = Some(pricepipe_core::pipeline::Autoscaling {
        min_replicas: 2,
        max_replicas: 2,
        lag_per_replica: 1,
        stabilization_seconds: 0,
    });
    let memory = world.context.memory(&key("majors"));
    let mut memory = memory.lock().await;
    memory.lag = Some(Instant::now());
    crate::scale::by_lag(&world.context, &pipeline, Some(9), &mut memory).await.expect("it is scaled");
}
