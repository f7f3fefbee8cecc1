//! Which topics each pipeline claims, read from what is watched. No I/O.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pricepipe_api::PricePipeline;
use pricepipe_core::Pipeline;

use crate::{
    context::{Context, SpecClaim},
    kafka::ownership::Claim,
};

/// What a pipeline claims.
pub(crate) fn claim(context: &Context, resource: &PricePipeline) -> Claim {
    let metadata = &resource.metadata;
    let generation = metadata.generation.unwrap_or_default();
    let uid = metadata.uid.as_deref().unwrap_or_default();
    let spec = context.claim(uid, generation, || spec_claim(context, resource, generation));
    let known = resource.status.iter().flat_map(|status| &status.topics).map(|topic| topic.name.clone());
    Claim {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        created: metadata.creation_timestamp.as_ref().map_or(Timestamp::MAX, |time| time.0),
        cluster: spec.connection.map_or_else(BTreeSet::new, |connection| context.kafka.cluster(&connection)),
        topics: spec.topics.into_iter().chain(known).collect(),
    }
}

/// What every other pipeline claims.
pub(crate) fn others(context: &Context, resource: &PricePipeline) -> Vec<Claim> {
    let stored = context.scopes.iter().flat_map(|scope| scope.pipelines.state());
    let readable = stored.filter_map(|pipeline| {
        let other = pipeline.0.as_ref().ok()?;
        (other.metadata.uid != resource.metadata.uid).then(|| claim(context, other))
    });
    readable.collect()
}

fn spec_claim(context: &Context, resource: &PricePipeline, generation: i64) -> SpecClaim {
    let Ok(pipeline) = context.settings.pipeline(resource) else {
        return SpecClaim { generation, connection: None, topics: Vec::new() };
    };
    let topics = topics(&pipeline);
    SpecClaim { generation, connection: pipeline.kafka.map(|kafka| kafka.connection), topics }
}

/// The topics of a pipeline, those beside the prices too.
fn topics(pipeline: &Pipeline) -> Vec<String> {
    pipeline.all_topics().iter().map(|topic| topic.name.to_string()).collect()
}
