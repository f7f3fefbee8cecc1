//! In which order requests are made, and that none is made without need.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    api_server::{Failure, Place},
    world::{SUSPENDED, World, key, pipeline, running, with_delete},
};
use crate::{conditions::ConditionType, labels};

#[tokio::test]
async fn a_pipeline_is_held_first_then_what_pods_need_is_applied_then_pods_and_last_the_status() {
    let world = World::with([pipeline("majors", &with_delete(SUSPENDED))]);
    let asked = world.asked("majors").await;
    assert_eq!(
        asked,
        [
            "get pricepipelines majors",
            "merge pricepipelines majors",
            "get configmaps majors-config",
            "apply configmaps majors-config",
            "get serviceaccounts majors-producer",
            "apply serviceaccounts majors-producer",
            "get serviceaccounts majors-consumer",
            "apply serviceaccounts majors-consumer",
            "get networkpolicies majors-workers",
            "apply networkpolicies majors-workers",
            "get services majors-metrics",
            "apply services majors-metrics",
            "get deployments majors-producer",
            "apply deployments majors-producer",
            "get deployments majors-consumer",
            "apply deployments majors-consumer",
            "apply pricepipelines/status majors",
            "create events Suspended",
        ]
    );
    let held = world.server.object("pricepipelines", "majors").unwrap();
    assert_eq!(held["metadata"]["finalizers"], json!([crate::finalize::FINALIZER]));
}

#[tokio::test]
async fn a_pipeline_that_runs_reads_its_secrets_first_and_has_a_budget_before_it_has_pods() {
    let world = running();
    world.kafka_was_fine("majors").await;
    let asked = world.asked("majors").await;
    assert_eq!(
        asked[..3],
        ["get pricepipelines majors", "get secrets kafka-user", "get secrets mongo"],
        "a Secret is read once, whatever the number of its keys"
    );
    let written: Vec<&String> = asked.iter().filter(|call| !call.starts_with("get ")).collect();
    assert_eq!(
        written,
        [
            "apply configmaps majors-config",
            "apply serviceaccounts majors-producer",
            "apply serviceaccounts majors-consumer",
            "apply networkpolicies majors-workers",
            "apply services majors-metrics",
            "apply poddisruptionbudgets majors-producer",
            "apply deployments majors-producer",
            "apply deployments majors-consumer",
            "apply pricepipelines/status majors",
            "create events Progressing",
        ]
    );
}

#[tokio::test]
async fn a_second_visit_with_nothing_changed_reads_the_pipeline_and_writes_nothing() {
    let mut world = World::with([pipeline("majors", &with_delete(SUSPENDED))]);
    world.asked("majors").await;
    world.watch();
    assert_eq!(world.asked("majors").await, ["get pricepipelines majors"]);
    world.restart();
    assert_eq!(world.asked("majors").await, ["get pricepipelines majors"], "nor does another controller");
}

#[tokio::test]
async fn what_the_api_server_writes_in_its_own_way_is_not_applied_again_until_it_is_to_be_another() {
    let mut world = running();
    world.kafka_was_fine("majors").await;
    world.settle("majors").await;
    let cpu = |world: &World| {
        let deployment = world.server.object("deployments", "majors-producer").unwrap();
        deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"].clone()
    };
    assert_eq!(cpu(&world), "1", "it was told 1000m");
    world.visit("majors").await.unwrap();
    assert_eq!(world.written(), Vec::<String>::new());

    world.server.change("pricepipelines", "majors", |it| it["spec"]["producer"]["replicas"] = json!(3));
    world.visit("majors").await.unwrap();
    assert_eq!(world.written(), ["apply deployments majors-producer", "apply pricepipelines/status majors"]);
    assert_eq!(world.server.object("deployments", "majors-producer").unwrap()["spec"]["replicas"], 3);
}

#[tokio::test]
async fn what_somebody_changed_by_hand_is_applied_again_and_nothing_else() {
    let mut world = World::with([pipeline("majors", SUSPENDED)]);
    world.asked("majors").await;
    world.server.change("services", "majors-metrics", |service| {
        service["spec"]["ports"][0]["port"] = json!(1);
        service["metadata"]["annotations"]["theirs"] = json!("stays out of it");
    });
    world.server.change("configmaps", "majors-config", |map| map["data"]["theirs"] = json!("is no drift"));
    world.watch();
    let asked = world.asked("majors").await;
    assert_eq!(
        asked,
        ["get pricepipelines majors", "get services majors-metrics", "apply services majors-metrics"]
    );
}

#[tokio::test]
async fn what_was_deleted_by_hand_is_made_again() {
    let mut world = World::with([pipeline("majors", SUSPENDED)]);
    world.asked("majors").await;
    world.server.remove("deployments", "majors-consumer");
    world.watch();
    world.visit("majors").await.unwrap();
    assert_eq!(world.written()[..], written_by_a_first_visit()[6..7]);
}

#[tokio::test]
async fn a_budget_that_is_no_longer_wanted_is_deleted_once_after_the_pods_are_as_they_should_be() {
    let mut world = running();
    world.kafka_was_fine("majors").await;
    world.settle("majors").await;
    world.server.change("pricepipelines", "majors", |it| it["spec"]["producer"]["replicas"] = json!(1));
    world.visit("majors").await.unwrap();
    assert_eq!(
        world.written(),
        [
            "apply deployments majors-producer",
            "delete poddisruptionbudgets majors-producer",
            "apply pricepipelines/status majors",
        ]
    );
    world.watch();
    world.visit("majors").await.unwrap();
    assert_eq!(world.written(), Vec::<String>::new(), "it is already on its way");
}

#[tokio::test]
async fn a_pipeline_is_let_go_as_soon_as_its_topics_are_to_stay() {
    let mut world = World::with([pipeline("majors", &with_delete(SUSPENDED))]);
    world.asked("majors").await;
    let theirs = |pipeline: &mut Value| {
        pipeline["spec"]["deletionPolicy"] = json!("Retain");
        pipeline["metadata"]["finalizers"].as_array_mut().unwrap().insert(0, json!("example.com/theirs"));
    };
    world.server.change("pricepipelines", "majors", theirs);
    world.watch();
    world.visit("majors").await.unwrap();
    assert_eq!(world.written(), ["merge pricepipelines majors"]);
    let finalizers = &world.server.object("pricepipelines", "majors").unwrap()["metadata"]["finalizers"];
    assert_eq!(*finalizers, json!(["example.com/theirs"]));
}

#[tokio::test]
async fn of_a_paused_pipeline_only_the_status_is_touched_and_only_once() {
    let mut resource = pipeline("majors", &with_delete(SUSPENDED));
    resource["metadata"]["annotations"] = json!({labels::PAUSED: "true"});
    let world = World::with([resource]);
    assert_eq!(
        world.asked("majors").await,
        ["get pricepipelines majors", "apply pricepipelines/status majors", "create events Paused"]
    );
    assert_eq!(world.condition("majors", ConditionType::Ready), ("Unknown".to_owned(), "Paused".to_owned()));
    assert!(world.message("majors", ConditionType::Ready).contains(labels::PAUSED));
    assert_eq!(world.asked("majors").await, ["get pricepipelines majors"]);

    world.server.change("pricepipelines", "majors", |it| it["metadata"]["annotations"] = json!({}));
    world.visit("majors").await.unwrap();
    assert_eq!(world.written()[..2], ["merge pricepipelines majors", "apply configmaps majors-config"]);
}

#[tokio::test]
async fn of_a_pipeline_that_is_gone_nothing_is_written_and_nothing_remembered() {
    let world = World::with([pipeline("majors", SUSPENDED)]);
    world.asked("majors").await;
    let remembered = world.context.memory(&key("majors"));
    assert!(world.metrics().contains(r#"name="majors""#), "{}", world.metrics());
    world.server.remove("pricepipelines", "majors");
    assert_eq!(world.asked("majors").await, ["get pricepipelines majors"]);
    assert!(!std::sync::Arc::ptr_eq(&remembered, &world.context.memory(&key("majors"))));
    assert!(!world.metrics().contains(r#"name="majors""#), "{}", world.metrics());
}

#[tokio::test]
async fn a_pipeline_that_is_made_anew_under_its_name_starts_without_memories_of_the_earlier_one() {
    let world = running();
    world.kafka_was_fine("majors").await;
    world.asked("majors").await;
    // Suspended, so that what it does not remember is not asked of Kafka.
    world.server.change("pricepipelines", "majors", |it| {
        it["metadata"]["uid"] = json!("another");
        it["spec"]["suspend"] = json!(true);
    });
    world.visit("majors").await.expect_err("the objects of the earlier one are awaited");
    let memory = world.context.memory(&key("majors"));
    let memory = memory.lock().await;
    assert_eq!((memory.uid.as_str(), memory.topics.is_none(), memory.lag.is_none()), ("another", true, true));
}

#[tokio::test]
async fn a_visit_that_is_cut_short_at_any_request_is_completed_by_the_next() {
    let whole = World::with([pipeline("majors", &with_delete(SUSPENDED))]);
    let requests = whole.asked("majors").await.len();
    let wanted = lasting(&whole);
    assert!(wanted.len() > 7 && requests > 14, "{requests} requests made {} objects", wanted.len());
    for failure in [Failure::Refused(500), Failure::Refused(409), Failure::NotSent, Failure::AnswerLost] {
        for request in 0..requests {
            let mut world = World::with([pipeline("majors", &with_delete(SUSPENDED))]);
            world.server.fail_one(request, failure);
            let failed = world.visit("majors").await.is_err();
            assert!(failed || request + 1 == requests, "only an event may fail unnoticed: {request}");
            assert!(world.server.heal(), "request {request} was made");
            world.watch();
            world.restart();
            world.visit("majors").await.unwrap();
            let lasting = lasting(&world);
            assert_eq!(lasting.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>());
            for (place, object) in lasting {
                assert_eq!(object, wanted[&place], "after {failure:?} of request {request}: {place:?}");
            }
        }
    }
}

/// What is there, without events and what differs from one time to another.
fn lasting(world: &World) -> BTreeMap<Place, Value> {
    let objects = world.server.objects().into_iter().filter(|((resource, ..), _)| resource != "events");
    let stripped = objects.map(|(place, mut object)| {
        for field in ["uid", "resourceVersion", "creationTimestamp"] {
            object["metadata"].as_object_mut().expect("metadata").remove(field);
        }
        let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
        for condition in conditions.into_iter().flatten() {
            condition["lastTransitionTime"] = Value::Null;
        }
        (place, object)
    });
    stripped.collect()
}

/// What the first visit to [`SUSPENDED`] writes.
pub(super) fn written_by_a_first_visit() -> Vec<String> {
    let calls = [
        "apply configmaps majors-config",
        "apply serviceaccounts majors-producer",
        "apply serviceaccounts majors-consumer",
        "apply networkpolicies majors-workers",
        "apply services majors-metrics",
        "apply deployments majors-producer",
        "apply deployments majors-consumer",
        "apply pricepipelines/status majors",
        "create events Suspended",
    ];
    calls.map(str::to_owned).to_vec()
}

#[tokio::test]
async fn a_shard_that_is_no_longer_wanted_goes_after_the_others_know_their_symbols() {
    let two = SUSPENDED.replace("[{symbol: BTCUSDT}]", "[{symbol: BTCUSDT}, {symbol: ETHUSDT}]")
        + "producer: {shards: 2, replicas: 2}\n";
    let mut world = World::with([pipeline("majors", &two)]);
    world.settle("majors").await;
    assert!(world.server.object("deployments", "majors-producer-1").is_some());
    world.server.change("pricepipelines", "majors", |it| it["spec"]["producer"] = json!({"shards": 1}));
    world.visit("majors").await.unwrap();
    let written = world.written();
    let expected = [
        "apply configmaps majors-config",
        "apply deployments majors-producer",
        "delete deployments majors-producer-1",
    ];
    assert_eq!(written[..3], expected, "{written:?}");
    assert_eq!(world.status("majors").producer.unwrap().shards, Some(1));
}
