//! What happens to a pipeline that is being deleted, and that it always goes.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::runtime::controller::Action;
use serde_json::{Value, json};

use super::{
    api_server::Failure,
    world::{RUNNING, SUSPENDED, World, key, pipeline, with_delete},
};
use crate::{conditions::ConditionType, finalize::FINALIZER, labels};

/// So many seconds ago.
fn deleted(seconds: i64) -> Value {
    json!((Timestamp::now() - SignedDuration::from_secs(seconds)).to_string())
}

/// Deleted so many seconds ago, and held.
fn going(spec: &str, seconds: i64) -> Value {
    let mut resource = pipeline("majors", spec);
    resource["metadata"]["deletionTimestamp"] = deleted(seconds);
    resource["metadata"]["finalizers"] = json!([FINALIZER]);
    resource
}

fn created_topics(resource: &mut Value) {
    resource["status"]["topics"] = json!([
        {"name": "btc", "id": "one", "partitions": 3, "created": true},
        {"name": "found", "id": "two", "partitions": 3, "created": false},
    ]);
}

fn delete(world: &World, seconds: i64) {
    let deleted = deleted(seconds);
    world.server.change("pricepipelines", "majors", |it| it["metadata"]["deletionTimestamp"] = deleted);
}

/// A pipeline whose workers are there is deleted.
async fn with_workers() -> World {
    let mut world = World::with([pipeline("majors", &with_delete(SUSPENDED))]);
    world.asked("majors").await;
    world.watch();
    delete(&world, 0);
    world
}

fn is_gone(world: &World) -> bool {
    world.server.object("pricepipelines", "majors").is_none()
}

fn again_soon() -> Action {
    Action::requeue(Duration::from_secs(2))
}

#[tokio::test]
async fn workers_are_deleted_and_awaited_before_the_pipeline_is_let_go() {
    let mut world = with_workers().await;
    assert_eq!(world.visit("majors").await.unwrap(), again_soon());
    assert_eq!(
        world.written(),
        [
            "delete deployments majors-producer",
            "delete deployments majors-consumer",
            "apply pricepipelines/status majors",
            "create events Deleting",
        ]
    );
    assert_eq!(
        world.condition("majors", ConditionType::Ready),
        ("Unknown".to_owned(), "Deleting".to_owned())
    );
    world.watch();
    assert_eq!(world.visit("majors").await.unwrap(), again_soon());
    assert_eq!(world.written(), Vec::<String>::new(), "they are on their way");

    world.server.remove("deployments", "majors-producer");
    world.watch();
    assert_eq!(world.visit("majors").await.unwrap(), again_soon());
    assert!(!is_gone(&world), "the consumers are still there");

    world.server.remove("deployments", "majors-consumer");
    world.watch();
    let remembered = world.context.memory(&key("majors"));
    assert_eq!(world.visit("majors").await.unwrap(), Action::await_change());
    assert_eq!(world.written(), ["merge pricepipelines majors"]);
    assert!(is_gone(&world));
    assert!(!std::sync::Arc::ptr_eq(&remembered, &world.context.memory(&key("majors"))));
}

#[tokio::test]
async fn workers_that_the_watch_does_not_tell_of_yet_are_deleted_before_the_pipeline_is_let_go() {
    let world = World::with([pipeline("majors", &with_delete(SUSPENDED))]);
    world.asked("majors").await;
    delete(&world, 0);
    world.visit("majors").await.unwrap();
    assert_eq!(
        world.written()[..2],
        ["delete deployments majors-producer", "delete deployments majors-consumer"]
    );
    assert!(!is_gone(&world));
}

#[tokio::test]
async fn workers_of_somebody_else_are_neither_deleted_nor_awaited() {
    let world = World::with([going(&with_delete(SUSPENDED), 0)]);
    let stranger = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "majors-producer", "namespace": "prod", "uid": "theirs"},
    });
    world.server.put("deployments", stranger);
    world.visit("majors").await.unwrap();
    assert_eq!(world.written(), ["merge pricepipelines majors"]);
    assert!(is_gone(&world));
}

#[tokio::test]
async fn workers_that_do_not_end_hold_the_pipeline_no_longer_than_the_deadline() {
    let mut world = with_workers().await;
    delete(&world, 30);
    world.visit("majors").await.unwrap();
    world.watch();
    assert!(!is_gone(&world));
    delete(&world, 61);
    world.written();
    assert_eq!(world.visit("majors").await.unwrap(), Action::await_change());
    assert_eq!(
        world.written(),
        ["merge pricepipelines majors"],
        "no topic is left, so no event tells of any"
    );
    assert!(is_gone(&world));
}

#[tokio::test]
async fn what_may_not_be_deleted_holds_the_pipeline_no_longer_than_the_deadline_and_is_named() {
    let world = with_workers().await;
    world.server.change("pricepipelines", "majors", created_topics);
    world.server.fail("delete deployments", Failure::Refused(403));
    assert_eq!(world.visit("majors").await.unwrap(), again_soon());
    let message = world.message("majors", ConditionType::Ready);
    assert!(message.contains(r#"cannot delete resource "deployments""#), "{message}");
    assert!(!is_gone(&world));
    delete(&world, 61);
    world.written();
    world.visit("majors").await.unwrap();
    assert_eq!(
        world.written(),
        ["delete deployments majors-producer", "create events TopicsLeft", "merge pricepipelines majors"]
    );
    assert!(is_gone(&world));
}

#[tokio::test]
async fn a_kafka_that_is_away_holds_the_pipeline_until_the_deadline_and_then_a_warning_names_its_topics() {
    let mut resource = going(&with_delete(SUSPENDED), 30);
    created_topics(&mut resource);
    let world = World::with([resource]);
    assert_eq!(world.visit("majors").await.unwrap(), again_soon());
    assert_eq!(world.written(), ["apply pricepipelines/status majors", "create events Deleting"]);
    let message = world.message("majors", ConditionType::Ready);
    assert!(message.contains("127.0.0.1:1") && message.contains("cannot be deleted yet"), "{message}");

    delete(&world, 61);
    assert_eq!(world.visit("majors").await.unwrap(), Action::await_change());
    assert!(is_gone(&world));
    let calls = world.server.calls();
    let warning = calls.iter().find(|call| call.to_string() == "create events TopicsLeft").expect("an event");
    assert_eq!(
        (&warning.body["type"], &warning.body["regarding"]["name"]),
        (&json!("Warning"), &json!("majors"))
    );
    let note = warning.body["note"].as_str().unwrap();
    assert!(note.contains("left topics btc: ") && note.contains("Delete them by hand"), "{note}");
}

#[tokio::test]
async fn secrets_that_are_gone_hold_the_pipeline_until_the_deadline() {
    let mut resource = going(&with_delete(RUNNING), 30);
    created_topics(&mut resource);
    let world = World::with([resource]);
    assert_eq!(world.visit("majors").await.unwrap(), again_soon());
    let message = world.message("majors", ConditionType::Ready);
    assert!(message.contains("Secret kafka-user is not in namespace prod"), "{message}");
    delete(&world, 61);
    world.visit("majors").await.unwrap();
    assert!(is_gone(&world));
}

#[tokio::test]
async fn a_namespace_that_takes_no_status_any_more_does_not_hold_the_pipeline() {
    let mut resource = going(&with_delete(RUNNING), 30);
    created_topics(&mut resource);
    let world = World::with([resource]);
    for writes in ["apply", "create"] {
        world.server.fail(writes, Failure::Refused(403));
    }
    assert_eq!(world.visit("majors").await.unwrap(), again_soon());
    delete(&world, 61);
    world.visit("majors").await.unwrap();
    assert!(is_gone(&world));
}

#[tokio::test]
async fn a_pipeline_whose_topics_stay_goes_at_once() {
    let mut resource = going(SUSPENDED, 0);
    created_topics(&mut resource);
    let world = World::with([resource]);
    assert_eq!(world.asked("majors").await, ["get pricepipelines majors", "merge pricepipelines majors"]);
    assert!(is_gone(&world));
}

#[tokio::test]
async fn a_pipeline_that_somebody_else_holds_is_left_alone() {
    let mut resource = going(&with_delete(SUSPENDED), 600);
    resource["metadata"]["finalizers"] = json!(["example.com/theirs"]);
    let world = World::with([resource]);
    assert_eq!(world.asked("majors").await, ["get pricepipelines majors"]);

    world.server.change("pricepipelines", "majors", |it| {
        it["metadata"]["finalizers"] = json!([FINALIZER, "example.com/theirs"]);
    });
    world.visit("majors").await.unwrap();
    let left = world.server.object("pricepipelines", "majors").expect("it is still held");
    assert_eq!(left["metadata"]["finalizers"], json!(["example.com/theirs"]));
}

#[tokio::test]
async fn a_pipeline_that_is_paused_goes_as_any_other() {
    let mut world = with_workers().await;
    world.server.change("pricepipelines", "majors", |it| {
        it["metadata"]["annotations"] = json!({labels::PAUSED: "true"});
    });
    world.visit("majors").await.unwrap();
    assert_eq!(world.written()[0], "delete deployments majors-producer");
    for worker in ["majors-producer", "majors-consumer"] {
        world.server.remove("deployments", worker);
    }
    world.watch();
    world.visit("majors").await.unwrap();
    assert!(is_gone(&world));
}

#[tokio::test]
async fn a_pipeline_that_cannot_be_read_goes_and_a_warning_says_that_topics_may_be_left() {
    let mut resource = going(&with_delete(SUSPENDED), 0);
    resource["spec"]["symbols"] = json!("BTCUSDT");
    let world = World::with([resource]);
    assert_eq!(
        world.asked("majors").await,
        ["get pricepipelines majors", "create events TopicsLeft", "merge pricepipelines majors"]
    );
    assert!(is_gone(&world));
}

#[tokio::test]
async fn a_pipeline_that_cannot_be_let_go_is_tried_again() {
    for failure in [Failure::Refused(500), Failure::Refused(409), Failure::NotSent, Failure::AnswerLost] {
        let world = World::with([going(&with_delete(SUSPENDED), 0)]);
        world.server.fail("merge pricepipelines", failure);
        let error = world.visit("majors").await.unwrap_err();
        assert!(error.longest_pause().is_some(), "{error}");
        world.server.heal();
        world.visit("majors").await.unwrap();
        assert!(is_gone(&world));
    }
    let world = World::with([going(&with_delete(SUSPENDED), 0)]);
    let server = world.server.clone();
    world.server.meanwhile("merge pricepipelines", move || server.remove("pricepipelines", "majors"));
    world.visit("majors").await.expect("somebody else let it go");
}
