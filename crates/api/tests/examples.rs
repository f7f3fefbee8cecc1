//! Every example is a valid pipeline and means what its comments say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

use pricepipe_core::{Pipeline, config::SecurityProtocol};

fn examples() -> BTreeMap<String, Pipeline> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut examples = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let parsed = pricepipe_api::parse(&fs::read_to_string(&path).unwrap());
        let mut pipelines = parsed.unwrap_or_else(|faults| panic!("{}: {faults:#?}", path.display()));
        assert_eq!(pipelines.len(), 1, "{}", path.display());
        examples.insert(name, pipelines.remove(0).1);
    }
    examples
}

fn topics(pipeline: &Pipeline) -> Vec<String> {
    pipeline.topics().into_iter().map(|topic| format!("{}/{}", topic.name, topic.partitions)).collect()
}

#[test]
fn every_example_is_valid_and_means_what_it_says() {
    let examples = examples();
    assert_eq!(examples.keys().collect::<Vec<_>>(), ["one-topic", "quickstart", "real-servers"]);

    let quickstart = &examples["quickstart"];
    assert_eq!(topics(quickstart), ["btc/3", "eth/3", "sol/3"]);
    assert_eq!(quickstart.estimate().messages_per_day, 86_400);
    assert_eq!((&quickstart.kafka, &quickstart.mongodb_uri), (&None, &None));

    let real = &examples["real-servers"];
    let kafka = real.kafka.as_ref().unwrap();
    assert_eq!(kafka.connection.security_protocol, SecurityProtocol::SaslSsl);
    assert_eq!(kafka.credentials.as_deref(), Some("kafka-user"));
    assert_eq!(kafka.ca.as_ref().unwrap().key, "ca.crt");
    assert_eq!(real.mongodb_uri.as_ref().unwrap().name, "mongo");
    assert_eq!(real.topic_settings.entries()["min.insync.replicas"], "2");

    assert_eq!(topics(&examples["one-topic"]), ["prices/6", "xrp-eth/6"]);
    assert_eq!(examples["one-topic"].batch.max_millis, 50);
}
