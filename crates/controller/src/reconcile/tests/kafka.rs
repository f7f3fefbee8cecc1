//! A Kafka that does not answer. Each visit to it lasts as long as the controller waits, so there are few of them.

use super::{
    order::written_by_a_first_visit,
    world::{World, pipeline, with_delete},
};
use crate::{conditions::ConditionType, error::Error};

const SPEC: &str = "
symbols: [{symbol: BTCUSDT}]
kafka: {bootstrapServers: ['127.0.0.1:1']}
mongodb: {uriSecretRef: {name: mongo, key: connection}}
";

#[tokio::test]
async fn without_kafka_workers_are_made_nevertheless_no_topic_is_claimed_and_the_status_says_what_to_check() {
    let world = World::with([pipeline("majors", &with_delete(SPEC))]);
    let uri = serde_json::json!({"connection": super::world::URI});
    world.server.put("secrets", super::world::secret("mongo", uri));
    let error = world.visit("majors").await.unwrap_err();
    assert!(matches!(error, Error::Kafka(_)), "{error}");
    assert!(error.longest_pause().is_some_and(|pause| pause.as_secs() == 30), "Kafka may be back any time");

    let written = world.written();
    assert_eq!(written[0], "merge pricepipelines majors");
    assert_eq!(written[1..9], written_by_a_first_visit()[..8]);
    assert_eq!(written[9..], ["create events Unreachable"]);
    for (about, status, reason) in [
        (ConditionType::SpecValid, "True", "Valid"),
        (ConditionType::KafkaReachable, "False", "Unreachable"),
        (ConditionType::TopicsReady, "Unknown", "NotChecked"),
        (ConditionType::ProducerAvailable, "False", "Progressing"),
        (ConditionType::ConsumerAvailable, "False", "Progressing"),
        (ConditionType::Ready, "False", "Unreachable"),
    ] {
        assert_eq!(world.condition("majors", about), (status.to_owned(), reason.to_owned()), "{about:?}");
    }
    let message = world.message("majors", ConditionType::KafkaReachable);
    assert!(message.contains("127.0.0.1:1") && message.contains("spec.kafka.bootstrapServers"), "{message}");
    assert_eq!(world.status("majors").topics, Vec::new());
}
