//! Changes the number of consumers through the pipeline's own `/scale`, as `kubectl scale` does.

use std::time::Instant;

use kube::api::{Patch, PatchParams};
use pricepipe_core::Pipeline;
use serde_json::json;

use crate::{
    autoscale,
    conditions::ConditionType,
    context::{Context, Memory},
    error::Error,
    labels,
};

/// Scales by the lag, when the pipeline wants it. Gives the new number when it was changed.
pub(crate) async fn by_lag(
    context: &Context,
    pipeline: &Pipeline,
    lag: Option<u64>,
    memory: &mut Memory,
) -> Result<Option<u32>, Error> {
    let Some(replicas) = autoscale::decide(pipeline, lag, &mut memory.history, Instant::now()) else {
        return Ok(None);
    };
    context.must_lead()?;
    let parameters =
        PatchParams { field_manager: Some(labels::CONTROLLER.to_owned()), ..PatchParams::default() };
    let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let pipelines = context.pipelines(&pipeline.namespace);
    let scaled = pipelines.patch_scale(pipeline.name.as_str(), &parameters, &patch).await;
    scaled.map_err(Error::api([ConditionType::ConsumerAvailable], "scale the consumers"))?;
    Ok(Some(replicas))
}
