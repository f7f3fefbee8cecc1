//! A pipeline that cannot be read, as after an upgrade or a downgrade of its definition: it is told so, and no other
//! is held up by it.

use k8s_openapi::jiff::Timestamp;
use kube::{
    Resource,
    api::{ApiResource, DynamicObject},
    runtime::controller::Action,
};
use pricepipe_api::{PricePipeline, PricePipelineStatus};

use crate::{
    conditions::{self, ConditionType, Finding, Reason},
    context::{Context, Guarded, Key, reference},
    error::Error,
    events, finalize,
};

/// Says in the status why a pipeline cannot be read, or lets it go when it is being deleted.
pub(crate) async fn report(
    context: &Context,
    guard: &Guarded,
    key: &Key,
    why: &str,
) -> Result<Action, Error> {
    if guard.meta().deletion_timestamp.is_some() {
        finalize::release_unreadable(context, guard, key).await?;
        return Ok(Action::await_change());
    }
    let message = format!("the resource cannot be read: {why}. Apply it anew as this version documents it.");
    let before = status(context, key).await?;
    let generation = guard.meta().generation.unwrap_or_default();
    let mut after = before.clone();
    after.observed_generation = Some(generation);
    let finding = Finding::bad(ConditionType::SpecValid, Reason::Invalid, message.as_str());
    conditions::set(&mut after.conditions, &finding, generation, Timestamp::now());
    let ready = conditions::ready(&after.conditions, false);
    conditions::set(&mut after.conditions, &ready, generation, Timestamp::now());
    context.observations.conditions(&key.namespace, &key.name, &after.conditions);
    if after != before {
        context.write_status(key, guard.meta().uid.as_deref().unwrap_or_default(), &after).await?;
        context.events.say(&reference(guard), events::Reason::Condition(Reason::Invalid), &message).await;
    }
    Err(Error::Unreadable(message))
}

/// The status alone, when that can be read.
async fn status(context: &Context, key: &Key) -> Result<PricePipelineStatus, Error> {
    let resource = ApiResource::erase::<PricePipeline>(&());
    let pipelines =
        kube::Api::<DynamicObject>::namespaced_with(context.client.clone(), &key.namespace, &resource);
    let found = pipelines.get(&key.name).await.map_err(Error::api(Vec::new(), "read the pipeline"))?;
    let status = found.data.get("status").cloned().unwrap_or_default();
    Ok(serde_json::from_value(status).unwrap_or_default())
}
