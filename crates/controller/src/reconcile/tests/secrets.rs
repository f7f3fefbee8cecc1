//! Secrets: only those that a pipeline names are read, one at a time, and what is in them goes nowhere.

use serde_json::json;

use super::{
    api_server::Failure,
    call::Call,
    world::{PASSWORD, URI, USERNAME, World, running, secret},
};
use crate::conditions::ConditionType;

fn texts(calls: &[Call]) -> Vec<String> {
    calls.iter().map(ToString::to_string).collect()
}

async fn without(world: &World, says: &str, about: ConditionType, reason: &str) {
    let error = world.visit("majors").await.expect_err("a Secret is amiss");
    let calls = world.server.calls();
    let written: Vec<&Call> = calls.iter().filter(|call| call.writes()).collect();
    assert_eq!(written[0].to_string(), "apply pricepipelines/status majors", "no worker is made or changed");
    assert!(written[1..].iter().all(|call| call.resource == "events"), "{:?}", texts(&calls));
    let found = world.condition("majors", about);
    assert_eq!(found, ("False".to_owned(), reason.to_owned()));
    assert_eq!((error.to_string().as_str(), world.message("majors", about).as_str()), (says, says));
}

#[tokio::test]
async fn without_a_secret_no_worker_is_made_and_the_status_names_the_secret_and_its_key() {
    let world = running();
    world.server.remove("secrets", "mongo");
    without(
        &world,
        "Secret mongo is not in namespace prod: create it, with the key connection",
        ConditionType::ConsumerAvailable,
        "SecretMissing",
    )
    .await;
    assert_eq!(world.server.object("deployments", "majors-producer"), None);
    assert_eq!(world.server.object("deployments", "majors-consumer"), None);
}

#[tokio::test]
async fn a_secret_without_the_key_or_with_what_cannot_be_used_is_named_without_its_content() {
    let cases = [
        (json!({"username": USERNAME}), "Secret kafka-user has no key password: add it", "SecretMissing"),
        (
            json!({"username": USERNAME, "password": "\n"}),
            "Secret kafka-user has a key password that is empty or no text",
            "SecretUnusable",
        ),
    ];
    for (data, says, reason) in cases {
        let world = running();
        world.server.put("secrets", secret("kafka-user", data));
        without(&world, says, ConditionType::KafkaReachable, reason).await;
    }
    let world = running();
    world.server.put("secrets", secret("mongo", json!({"connection": PASSWORD})));
    without(
        &world,
        "Secret mongo has a key connection that is no connection string; it begins with mongodb:// or \
         mongodb+srv://",
        ConditionType::ConsumerAvailable,
        "SecretUnusable",
    )
    .await;
}

#[tokio::test]
async fn a_secret_that_may_not_be_read_is_named_with_the_right_that_is_missing() {
    let world = running();
    world.server.fail("get secrets mongo", Failure::Refused(403));
    let error = world.visit("majors").await.unwrap_err();
    assert_eq!(error.category(), "forbidden");
    let message = world.message("majors", ConditionType::ConsumerAvailable);
    assert!(message.starts_with("cannot read Secret mongo: "), "{message}");
    assert!(message.contains(r#"cannot get resource "secrets""#), "{message}");
}

#[tokio::test]
async fn a_secret_that_appears_is_read_at_the_next_visit_and_an_event_tells_what_was_missing_only_once() {
    let world = running();
    world.server.remove("secrets", "mongo");
    world.visit("majors").await.unwrap_err();
    world.server.calls();
    world.visit("majors").await.unwrap_err();
    assert_eq!(world.written(), Vec::<String>::new(), "the status says it already");
    world.server.put("secrets", secret("mongo", json!({"connection": URI})));
    world.kafka_was_fine("majors").await;
    world.visit("majors").await.unwrap();
    assert!(world.server.object("deployments", "majors-consumer").is_some());
}

#[tokio::test]
async fn secrets_are_only_ever_got_by_name_and_only_those_that_the_pipeline_names() {
    let world = running();
    world.server.put("secrets", secret("another", json!({"key": "text"})));
    world.kafka_was_fine("majors").await;
    world.visit("majors").await.unwrap();
    let asked: Vec<String> =
        texts(&world.server.calls()).into_iter().filter(|call| call.contains(" secrets")).collect();
    assert_eq!(asked, ["get secrets kafka-user", "get secrets mongo"]);
}

#[tokio::test]
async fn what_is_in_a_secret_is_in_no_request_and_in_no_error() {
    let world = running();
    world.kafka_was_fine("majors").await;
    world.visit("majors").await.unwrap();
    world.server.fail("apply deployments", Failure::Refused(500));
    world.server.change("pricepipelines", "majors", |it| it["spec"]["producer"]["replicas"] = json!(3));
    let error = world.visit("majors").await.unwrap_err();
    // Authorities that are none: what the client of Kafka says of them goes into the status.
    world.server.change("pricepipelines", "majors", |it| {
        it["spec"]["kafka"]["tls"] = json!({"caSecretRef": {"name": "authorities", "key": "ca.crt"}});
        it["metadata"]["generation"] = json!(2);
    });
    let authority =
        "-----BEGIN CERTIFICATE-----\nno-certificate-but-still-a-secret\n-----END CERTIFICATE-----\n";
    world.server.put("secrets", secret("authorities", json!({"ca.crt": authority})));
    let unusable = world.visit("majors").await.unwrap_err();
    assert_eq!(unusable.category(), "kafka", "{unusable}");

    let calls = world.server.calls();
    assert!(calls.iter().filter(|call| call.writes()).count() > 10, "{:?}", texts(&calls));
    let bodies: String = calls.iter().map(|call| call.body.to_string()).collect();
    let said = format!("{bodies}{error:?}{error}{unusable:?}{unusable}");
    for content in [USERNAME, PASSWORD, URI, "the-password-of-the-store", "no-certificate-but-still-a-secret"]
    {
        assert!(!said.contains(content), "{content} is in what was sent or said: {said}");
        let encoded = json!(k8s_openapi::ByteString(content.as_bytes().to_vec()));
        assert!(!said.contains(encoded.as_str().expect("text")), "{content} in Base64 is");
    }
}

#[tokio::test]
async fn another_content_of_a_secret_replaces_the_pods() {
    let mut world = running();
    world.kafka_was_fine("majors").await;
    world.settle("majors").await;
    world.server.put("secrets", secret("mongo", json!({"connection": "mongodb://elsewhere"})));
    // Or the Secret of a moment ago would be used.
    world.restart();
    world.kafka_was_fine("majors").await;
    world.visit("majors").await.unwrap();
    assert_eq!(world.written(), ["apply deployments majors-producer", "apply deployments majors-consumer"]);
}
