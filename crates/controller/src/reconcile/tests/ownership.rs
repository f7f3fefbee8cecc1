//! Names that somebody else has: what is not the pipeline's is not touched.

use serde_json::{Value, json};

use super::{
    api_server::Failure,
    order::written_by_a_first_visit,
    world::{NAMESPACE, RUNNING, SUSPENDED, World, pipeline, running},
};
use crate::{
    conditions::{ConditionType, Reason},
    labels,
};

fn deployment(name: &str, owner: Option<(&str, &str)>) -> Value {
    let owners = owner.map(|(kind, uid)| {
        json!([{"apiVersion": "v1", "kind": kind, "name": "majors", "uid": uid, "controller": true}])
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "uid": "theirs", "ownerReferences": owners},
        "spec": {"replicas": 7},
    })
}

/// The controller's labels, which an object may have without being the pipeline's.
fn labelled(mut object: Value) -> Value {
    object["metadata"]["labels"] = json!({labels::MANAGED_BY: labels::CONTROLLER});
    object
}

async fn conflict(object: Value) -> (World, crate::error::Error) {
    let world = running();
    world.server.put("deployments", object);
    let mut world = world;
    world.watch();
    world.kafka_was_fine("majors").await;
    let error = world.visit("majors").await.expect_err("a conflict");
    (world, error)
}

#[tokio::test]
async fn an_object_of_somebody_else_is_not_touched_and_the_pipeline_says_whose_name_it_has() {
    let strangers = [
        deployment("majors-producer", None),
        deployment("majors-producer", Some(("Other", "1"))),
        labelled(deployment("majors-producer", Some(("Other", "1")))),
    ];
    for stranger in strangers {
        let (world, error) = conflict(stranger).await;
        assert_eq!(error.category(), "object_conflict");
        let found = world.server.object("deployments", "majors-producer").unwrap();
        assert_eq!((&found["spec"], &found["metadata"]["uid"]), (&json!({"replicas": 7}), &json!("theirs")));
        let (status, reason) = world.condition("majors", ConditionType::ProducerAvailable);
        assert_eq!((status.as_str(), reason.as_str()), ("False", "ObjectConflict"));
        let message = world.message("majors", ConditionType::ProducerAvailable);
        assert!(message.starts_with("Deployment majors-producer exists"), "{message}");
        assert_eq!(world.server.object("deployments", "majors-consumer"), None, "nothing after it");
        assert_eq!(
            world.condition("majors", ConditionType::ConsumerAvailable).1,
            "Progressing",
            "the conflict is the producer's"
        );
    }
}

#[tokio::test]
async fn an_object_of_an_earlier_pipeline_of_the_same_name_is_awaited_and_not_touched() {
    let mut going = labelled(deployment("majors-producer", Some((pricepipe_api::KIND, "uid of majors"))));
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let earlier = labelled(deployment("majors-producer", Some((pricepipe_api::KIND, "earlier"))));
    for leftover in [earlier, going] {
        let (world, error) = conflict(leftover).await;
        assert_eq!(error.category(), "leftover");
        assert!(error.longest_pause().unwrap().as_secs() <= 2, "it is gone soon");
        assert_eq!(world.server.object("deployments", "majors-producer").unwrap()["spec"]["replicas"], 7);
        let (_, reason) = world.condition("majors", ConditionType::ProducerAvailable);
        assert_eq!(reason, "Progressing");
        world.server.remove("deployments", "majors-producer");
        let mut world = world;
        world.watch();
        world.visit("majors").await.unwrap();
    }
}

#[tokio::test]
async fn an_object_that_was_left_behind_on_purpose_is_taken_over() {
    let mut world = World::with([pipeline("majors", SUSPENDED)]);
    world.server.put("deployments", labelled(deployment("majors-producer", None)));
    world.watch();
    world.visit("majors").await.unwrap();
    assert_eq!(world.written(), written_by_a_first_visit());
    let taken = world.server.object("deployments", "majors-producer").unwrap();
    assert_eq!(taken["metadata"]["ownerReferences"][0]["uid"], "uid of majors");
    assert_eq!((&taken["metadata"]["uid"], &taken["spec"]["replicas"]), (&json!("theirs"), &json!(0)));
}

#[tokio::test]
async fn a_budget_of_somebody_else_is_not_deleted() {
    let mut world = World::with([pipeline("majors", SUSPENDED)]);
    let budget = |owner| {
        let mut budget = labelled(deployment("majors-producer", owner));
        budget["kind"] = json!("PodDisruptionBudget");
        budget["apiVersion"] = json!("policy/v1");
        budget
    };
    world.server.put("poddisruptionbudgets", budget(Some(("Other", "1"))));
    world.watch();
    world.visit("majors").await.unwrap();
    assert_eq!(world.written(), written_by_a_first_visit());
}

#[tokio::test]
async fn a_topic_of_an_older_pipeline_keeps_workers_from_being_made_and_one_that_cannot_be_read_does_not() {
    let mut world = running();
    let mut unreadable = pipeline("broken", RUNNING);
    unreadable["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
    unreadable["spec"]["symbols"] = json!("BTCUSDT");
    let mut older = pipeline("older", RUNNING);
    older["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
    world.server.put("pricepipelines", unreadable);
    world.server.put("pricepipelines", older);
    world.watch();
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!(error.category(), "topic_conflict");
    assert_eq!(world.written(), ["apply pricepipelines/status majors", "create events TopicConflict"]);
    let (status, reason) = world.condition("majors", ConditionType::TopicsReady);
    assert_eq!((status.as_str(), reason.as_str()), ("False", Reason::TopicConflict.as_str()));
    let message = world.message("majors", ConditionType::TopicsReady);
    assert!(message.contains("topic btc belongs to pipeline prod/older"), "{message}");

    world.server.remove("pricepipelines", "older");
    world.watch();
    world.kafka_was_fine("majors").await;
    world.visit("majors").await.unwrap();
    assert!(world.server.object("deployments", "majors-producer").is_some());
}

#[tokio::test]
async fn an_object_of_which_somebody_made_what_apply_cannot_undo_is_deleted_awaited_and_made_anew() {
    let mut world = World::with([pipeline("majors", SUSPENDED)]);
    world.settle("majors").await;
    world.server.change("services", "majors-metrics", |it| it["spec"]["ports"][0]["port"] = json!(1));
    world.server.fail("apply services", Failure::Refused(422));
    world.watch();
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!(error.category(), "leftover");
    assert_eq!(
        world.written(),
        [
            "apply services majors-metrics",
            "delete services majors-metrics",
            "apply pricepipelines/status majors",
            "create events Progressing",
        ]
    );
    world.watch();
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!((error.category(), world.written()), ("leftover", Vec::new()), "it is on its way");

    world.server.heal();
    world.server.remove("services", "majors-metrics");
    world.watch();
    world.visit("majors").await.unwrap();
    assert_eq!(world.written()[0], "apply services majors-metrics");
    assert_eq!(world.condition("majors", ConditionType::Ready).1, "Suspended");
}

#[tokio::test]
async fn an_object_that_is_not_valid_by_itself_or_is_not_there_yet_is_not_deleted() {
    let mut world = World::with([pipeline("majors", SUSPENDED)]);
    world.server.fail("apply services", Failure::Refused(422));
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!(error.category(), "api");
    let calls = world.server.calls();
    assert!(calls.iter().all(|call| !["try", "delete"].contains(&call.verb)), "{calls:?}");

    world.server.heal();
    world.settle("majors").await;
    world.server.change("services", "majors-metrics", |it| it["spec"]["ports"][0]["port"] = json!(1));
    world.watch();
    for call in ["apply services", "try services"] {
        world.server.fail(call, Failure::Refused(422));
    }
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!(error.category(), "api");
    assert_eq!(world.written()[..2], ["apply services majors-metrics", "apply pricepipelines/status majors"]);
    assert_eq!(world.condition("majors", ConditionType::ProducerAvailable).1, "ApplyFailed");
}
