//! What a pipeline and its user are left with when the API server refuses, fails or is silent.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;

use super::{
    api_server::Failure,
    order::written_by_a_first_visit,
    world::{SUSPENDED, World, key, pipeline, running, with_delete},
};
use crate::{
    conditions::ConditionType,
    context::Memory,
    error::Error,
    labels,
    reconcile::{SELDOM, SHORTEST_PAUSE, pause_after},
    run::LONGEST_PAUSE,
};

fn pair(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

#[tokio::test]
async fn a_child_that_is_refused_keeps_later_ones_from_being_applied_and_the_status_names_the_right() {
    let world = running();
    world.kafka_was_fine("majors").await;
    world.server.fail("apply services", Failure::Refused(403));
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!(error.category(), "forbidden");
    assert_eq!(
        world.written(),
        [
            "apply configmaps majors-config",
            "apply serviceaccounts majors-producer",
            "apply serviceaccounts majors-consumer",
            "apply networkpolicies majors-workers",
            "apply services majors-metrics",
            "apply pricepipelines/status majors",
            "create events Forbidden",
        ]
    );
    for about in [ConditionType::ProducerAvailable, ConditionType::ConsumerAvailable] {
        assert_eq!(world.condition("majors", about), pair("False", "Forbidden"));
        let message = world.message("majors", about);
        assert!(message.contains(r#"cannot patch resource "services""#), "{message}");
    }
    assert_eq!(world.condition("majors", ConditionType::SpecValid), pair("True", "Valid"));
}

#[tokio::test]
async fn a_worker_that_is_refused_is_told_apart_from_the_other() {
    let world = running();
    world.kafka_was_fine("majors").await;
    world.server.fail("apply deployments majors-consumer", Failure::Refused(500));
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!(error.category(), "api");
    assert_eq!(world.condition("majors", ConditionType::ConsumerAvailable), pair("False", "ApplyFailed"));
    assert_eq!(world.condition("majors", ConditionType::ProducerAvailable), pair("False", "Progressing"));
    let message = world.message("majors", ConditionType::ConsumerAvailable);
    assert_eq!(message, "cannot apply Deployment majors-consumer: told to say 500");
}

#[tokio::test]
async fn a_pipeline_that_could_not_be_suspended_does_not_say_that_nothing_runs() {
    let world = World::with([pipeline("majors", SUSPENDED)]);
    world.server.fail("apply deployments majors-producer", Failure::Refused(403));
    world.visit("majors").await.unwrap_err();
    let written = world.written();
    assert_eq!(written[..6], written_by_a_first_visit()[..6]);
    assert_eq!(written[6..], ["apply pricepipelines/status majors", "create events Forbidden"]);
    assert_eq!(world.condition("majors", ConditionType::Ready), pair("False", "Forbidden"));
    let message = world.message("majors", ConditionType::Ready);
    assert!(message.contains(r#"cannot patch resource "deployments" in API group "apps""#), "{message}");
}

#[tokio::test]
async fn a_kind_that_cannot_be_watched_is_applied_nevertheless_and_named() {
    let world = World::with([pipeline("majors", SUSPENDED)]);
    let kinds = &world.context.scopes[0].children.kinds;
    let kind = kinds.iter().find(|kind| kind.resource.kind == "Service").unwrap();
    kind.watched(Some("services is forbidden: cannot list".to_owned()));
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!(error.category(), "watch");
    assert_eq!(world.written()[..8], written_by_a_first_visit()[..8]);
    let message = world.message("majors", ConditionType::ConsumerAvailable);
    assert_eq!(message, "cannot follow the pipeline's objects: services is forbidden: cannot list");
    kind.watched(None);
    world.visit("majors").await.unwrap();
    assert_eq!(world.condition("majors", ConditionType::Ready), pair("False", "Suspended"));
}

#[tokio::test]
async fn a_status_that_cannot_be_written_fails_the_visit_and_is_written_by_the_next() {
    for (failure, category) in [
        (Failure::Refused(500), "api"),
        (Failure::Refused(409), "api"),
        (Failure::Refused(403), "forbidden"),
        (Failure::NotSent, "api"),
    ] {
        let mut world = World::with([pipeline("majors", SUSPENDED)]);
        world.server.fail("apply pricepipelines/status", failure);
        let error = world.visit("majors").await.unwrap_err();
        assert_eq!(error.category(), category, "{error}");
        assert!(error.to_string().starts_with("cannot write the pipeline's status: "), "{error}");
        assert_eq!(world.written(), written_by_a_first_visit()[..8], "no event tells of what is not written");
        let outcome = format!(r#"pricepipe_controller_reconciliations_total{{outcome="{category}"}} 1"#);
        assert!(world.metrics().contains(&outcome), "{}", world.metrics());

        world.server.heal();
        world.watch();
        world.visit("majors").await.unwrap();
        assert_eq!(world.written(), written_by_a_first_visit()[7..]);
    }
}

#[tokio::test]
async fn the_status_of_a_later_pipeline_of_the_same_name_is_not_overwritten() {
    let world = World::with([pipeline("majors", SUSPENDED)]);
    let server = world.server.clone();
    world.server.meanwhile("apply pricepipelines/status", move || {
        server.change("pricepipelines", "majors", |pipeline| pipeline["metadata"]["uid"] = json!("later"));
    });
    world.visit("majors").await.unwrap_err();
    assert_eq!(world.server.object("pricepipelines", "majors").unwrap().get("status"), None);
}

#[tokio::test]
async fn a_finalizer_that_somebody_adds_meanwhile_is_not_lost() {
    let world = World::with([pipeline("majors", &with_delete(SUSPENDED))]);
    let server = world.server.clone();
    world.server.meanwhile("merge pricepipelines", move || {
        let theirs = json!(["example.com/theirs"]);
        server.change("pricepipelines", "majors", |it| it["metadata"]["finalizers"] = theirs);
    });
    world.visit("majors").await.unwrap_err();
    let written = world.written();
    assert_eq!(written[..2], ["merge pricepipelines majors", "apply pricepipelines/status majors"]);
    world.visit("majors").await.unwrap();
    let finalizers = &world.server.object("pricepipelines", "majors").unwrap()["metadata"]["finalizers"];
    assert_eq!(*finalizers, json!(["example.com/theirs", crate::finalize::FINALIZER]));
}

#[tokio::test]
async fn an_event_that_cannot_be_written_holds_nothing_up() {
    let world = World::with([pipeline("majors", SUSPENDED)]);
    world.server.fail("create events", Failure::Refused(403));
    world.visit("majors").await.unwrap();
    assert_eq!(world.condition("majors", ConditionType::Ready), pair("False", "Suspended"));
}

#[tokio::test]
async fn a_pipeline_that_cannot_be_asked_for_is_left_as_it_is() {
    for failure in [Failure::Refused(500), Failure::Refused(403), Failure::NotSent, Failure::AnswerLost] {
        let world = World::with([pipeline("majors", SUSPENDED)]);
        world.server.fail("get pricepipelines", failure);
        let error = world.visit("majors").await.unwrap_err();
        assert!(error.to_string().starts_with("cannot read the pipeline: "), "{error}");
        assert_eq!(world.written(), Vec::<String>::new());
    }
}

/// The pauses that follow one another when every visit fails.
async fn pauses(world: &World, name: &str, visits: usize) -> Vec<Duration> {
    let mut pauses = Vec::new();
    for _ in 0..visits {
        let error = world.visit(name).await.expect_err("a visit that fails");
        let memory = world.context.memory(&key(name));
        let mut memory = memory.lock().await;
        pauses.push(pause_after(&error, &mut memory));
    }
    pauses
}

#[tokio::test]
async fn visits_that_fail_are_repeated_ever_more_seldom_never_all_at_once_and_never_too_seldom() {
    fastrand::seed(1);
    let names: Vec<String> = (0..30).map(|number| format!("pipeline-{number}")).collect();
    // Of a paused one only the status is written, which makes many visits short.
    let world = World::with(names.iter().map(|name| {
        let mut resource = pipeline(name, SUSPENDED);
        resource["metadata"]["annotations"] = json!({labels::PAUSED: "true"});
        resource
    }));
    world.server.fail("apply pricepipelines/status", Failure::Refused(500));
    let mut all: Vec<Vec<Duration>> = Vec::new();
    for name in &names {
        all.push(pauses(&world, name, 12).await);
    }
    for try_ in 0..12 {
        let ceiling = Duration::from_secs(1 << try_).min(LONGEST_PAUSE);
        let pauses: BTreeSet<Duration> = all.iter().map(|pauses| pauses[try_]).collect();
        let (least, most) = (*pauses.first().unwrap(), *pauses.last().unwrap());
        assert!(least >= SHORTEST_PAUSE && most <= ceiling, "try {try_}: {least:?} to {most:?}");
        assert!(most > ceiling / 2, "try {try_}: {most:?} is far below {ceiling:?}");
        assert!(pauses.len() > 15, "try {try_}: {} different pauses", pauses.len());
    }
    world.server.heal();
    world.visit("pipeline-0").await.unwrap();
    world.server.fail("get pricepipelines", Failure::Refused(500));
    let after = pauses(&world, "pipeline-0", 1).await;
    assert!(after[0] <= Duration::from_secs(1), "after a success the pauses are short again: {after:?}");
}

#[tokio::test]
async fn one_that_cannot_be_read_is_told_so_once_and_others_are_visited_as_ever() {
    let mut unreadable = pipeline("broken", SUSPENDED);
    unreadable["spec"]["symbols"] = json!("BTCUSDT");
    let mut world = World::with([unreadable, pipeline("majors", SUSPENDED)]);
    let error = world.visit("broken").await.unwrap_err();
    assert_eq!(error.category(), "invalid");
    assert_eq!(world.written(), ["apply pricepipelines/status broken", "create events Invalid"]);
    for about in [ConditionType::SpecValid, ConditionType::Ready] {
        assert_eq!(world.condition("broken", about), pair("False", "Invalid"));
    }
    let message = world.message("broken", ConditionType::SpecValid);
    assert!(message.contains("BTCUSDT") && message.contains("Apply it anew"), "{message}");

    world.watch();
    world.visit("broken").await.unwrap_err();
    assert_eq!(world.written(), Vec::<String>::new());
    let pause = pauses(&world, "broken", 1).await[0];
    assert!(pause >= SELDOM, "only a change can help: {pause:?}");

    world.visit("majors").await.unwrap();
    assert_eq!(world.written(), written_by_a_first_visit());
}

#[tokio::test]
async fn a_spec_that_cannot_be_followed_makes_nothing_and_leaves_what_is_there() {
    let mut world = World::with([pipeline("majors", SUSPENDED)]);
    world.asked("majors").await;
    world.watch();
    world.server.change("pricepipelines", "majors", |it| {
        it["spec"]["symbols"] = json!([{"symbol": "BTCUSDT"}, {"symbol": "BTCUSDT"}]);
        it["metadata"]["generation"] = json!(2);
    });
    let before = world.status("majors");
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!(error.category(), "invalid");
    assert_eq!(world.written(), ["apply pricepipelines/status majors", "create events Invalid"]);
    let after = world.status("majors");
    assert_eq!((after.observed_generation, &after.estimate), (Some(2), &before.estimate));
    assert_eq!(world.condition("majors", ConditionType::Ready), pair("False", "Invalid"));
}

#[tokio::test]
async fn a_controller_that_does_not_lead_asks_and_writes_nothing() {
    let mut unreadable = pipeline("broken", SUSPENDED);
    unreadable["spec"]["symbols"] = json!("BTCUSDT");
    let mut going = pipeline("going", &with_delete(SUSPENDED));
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    going["metadata"]["finalizers"] = json!([crate::finalize::FINALIZER]);
    let world = World::with([unreadable, going, pipeline("majors", SUSPENDED)]);
    world.context.leadership.set(None);
    for name in ["broken", "going", "majors", "gone"] {
        let error = world.visit(name).await.unwrap_err();
        assert!(matches!(error, Error::NotLeading), "{name}: {error}");
    }
    assert_eq!(world.server.calls().len(), 0);
}

#[tokio::test]
async fn a_controller_that_loses_its_lead_during_a_visit_changes_nothing_from_then_on() {
    let resource = || pipeline("majors", &with_delete(SUSPENDED));
    let requests = World::with([resource()]).asked("majors").await;
    for (number, request) in requests.iter().enumerate() {
        let world = World::with([resource()]);
        let context = world.context.clone();
        world.server.meanwhile(request, move || context.leadership.set(None));
        let visited = world.visit("majors").await;
        let later = world.server.calls().split_off(number + 1);
        // An event tells of what is done already.
        let changes = later.iter().filter(|call| call.writes() && call.resource != "events");
        assert_eq!(
            changes.map(ToString::to_string).collect::<Vec<_>>(),
            Vec::<String>::new(),
            "after {request}"
        );
        if number + 2 < requests.len() {
            let error = visited.expect_err("a visit that was cut short");
            assert!(matches!(error, Error::NotLeading), "{request}: {error}");
        }
    }
}

#[tokio::test]
async fn consumers_are_scaled_through_the_pipelines_own_scale() {
    let resource = pipeline(
        "majors",
        "
symbols: [{symbol: BTCUSDT, partitions: 6}]
kafka: {bootstrapServers: ['127.0.0.1:1']}
consumer: {replicas: 1, autoscaling: {minReplicas: 1, maxReplicas: 4, lagPerReplica: 100}}
",
    );
    let world = World::with([resource.clone()]);
    let pipeline = pricepipe_api::validate(&serde_json::from_value(resource).unwrap()).unwrap();
    let memory = world.context.memory(&key("majors"));
    let memory: &mut Memory = &mut *memory.lock().await;
    let scaled = crate::scale::by_lag(&world.context, &pipeline, Some(250), memory).await.unwrap();
    assert_eq!(scaled, Some(3));
    let calls = world.server.calls();
    assert_eq!(
        calls.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["merge pricepipelines/scale majors"]
    );
    assert_eq!(calls[0].body, json!({"spec": {"replicas": 3}}));

    world.server.fail("merge pricepipelines/scale", Failure::Refused(403));
    let refused = crate::scale::by_lag(&world.context, &pipeline, Some(250), memory).await.unwrap_err();
    assert_eq!(refused.category(), "forbidden");
    world.context.leadership.set(None);
    let refused = crate::scale::by_lag(&world.context, &pipeline, Some(250), memory).await.unwrap_err();
    assert!(matches!(refused, Error::NotLeading), "{refused}");
    assert_eq!(world.written().len(), 1, "only the refused one");
}
