//! What neither the schema nor a CEL rule can say, and the pipeline itself. Pure.
//!
//! This step runs on resources that the schema refused too, so that everything is reported at once. It repeats no
//! rule of the schema: its pipeline counts only when no step found a fault.

mod collections;
mod endpoint;
mod kafka;
mod markets;
mod sources;
mod symbols;
mod workers;

use pricepipe_core::{
    Pipeline,
    config::BatchConfig,
    names::{DatabaseName, PipelineName},
    pipeline::SecretKey,
};

pub use endpoint::{check as check_endpoint, check_stream as check_stream_endpoint};

use crate::{Fault, PricePipeline, SecretKeyRef, fault::Faults};

/// The pipeline that a resource describes, or `None` and the faults that are the reason.
pub(crate) fn pipeline(resource: &PricePipeline, faults: &mut Faults) -> Option<Pipeline> {
    let spec = &resource.spec;
    let name = name(resource, faults);
    let namespace = namespace(resource, faults);
    let symbols = symbols::symbols(spec, resource.metadata.name.as_deref().unwrap_or_default(), faults);
    let sources = sources::sources(spec, &symbols, faults);
    let kafka = kafka::cluster(&spec.kafka, faults);
    let topic_settings = kafka::topic_settings(&spec.kafka.topics, faults);
    let database = faults.take("spec.mongodb.database", spec.mongodb.database.parse::<DatabaseName>());
    let producer_resources =
        workers::resources("spec.producer.resources", spec.producer.resources.as_ref(), faults);
    let consumer_resources =
        workers::resources("spec.consumer.resources", spec.consumer.resources.as_ref(), faults);
    let pipeline = Pipeline {
        name: name?,
        namespace: namespace?,
        suspend: spec.suspend,
        symbols,
        sources,
        kafka,
        topic_settings,
        mongodb_uri: spec.mongodb.uri_secret_ref.as_ref().map(secret_key),
        database: database?,
        price_type: spec.mongodb.price_type,
        retention_seconds: count(spec.mongodb.retention_seconds),
        producer_replicas: count(spec.producer.replicas),
        producer_shards: spec.producer.shards.map(count),
        producer_resources,
        consumer_replicas: count(spec.consumer.replicas),
        consumer_resources,
        autoscaling: spec.consumer.autoscaling.as_ref().map(workers::autoscaling),
        batch: BatchConfig {
            max_documents: count(spec.consumer.batch.max_documents),
            max_millis: count(spec.consumer.batch.max_millis),
        },
        deletion_policy: spec.deletion_policy,
    };
    sources::weights(&pipeline, faults);
    collections::collisions(&pipeline, spec, faults);
    Some(pipeline)
}

/// The topics that would have fewer partitions than before. The CEL rules see one field at a time; this sees what
/// follows from all of them.
pub(crate) fn shrunk_topics(old: &Pipeline, new: &Pipeline) -> Vec<Fault> {
    let before = old.topics();
    let shrinks = |topic: &pricepipe_core::pipeline::Topic| {
        let old = before.iter().find(|old| old.name == topic.name && old.partitions > topic.partitions)?;
        let index = new.symbols.iter().position(|symbol| symbol.topic == topic.name)?;
        let message = format!(
            "topic {:?} has {} partitions and would have {}; Kafka cannot take partitions away: keep {0:?} at {1} or more",
            topic.name.as_str(),
            old.partitions,
            topic.partitions
        );
        Some(Fault::new(format!("spec.symbols[{index}].partitions"), message))
    };
    new.topics().iter().filter_map(shrinks).collect()
}

/// The schema reports a name that is missing.
fn name(resource: &PricePipeline, faults: &mut Faults) -> Option<PipelineName> {
    faults.take("metadata.name", resource.metadata.name.clone().unwrap_or_default().parse())
}

/// The namespace becomes a part of the consumer group's name.
fn namespace(resource: &PricePipeline, faults: &mut Faults) -> Option<String> {
    let namespace = resource.metadata.namespace.as_deref().unwrap_or("default");
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = namespace.as_bytes();
    let legal = bytes.len() <= 63
        && bytes.iter().all(|b| edge(Some(b)) || *b == b'-')
        && edge(bytes.first())
        && edge(bytes.last());
    if !legal {
        let message =
            "a namespace is 1 to 63 of a-z, 0-9 and '-', and begins and ends with a letter or a digit";
        faults.add(Fault::new("metadata.namespace", message));
    }
    legal.then(|| namespace.to_owned())
}

fn secret_key(reference: &SecretKeyRef) -> SecretKey {
    SecretKey { name: reference.name.clone(), key: reference.key.clone() }
}

/// A number that the schema keeps from being negative.
fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}
