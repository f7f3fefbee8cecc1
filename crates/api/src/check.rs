//! The steps from a value to a pipeline: defaults, schema, CEL rules, types, and what only code can say. Pure.

use pricepipe_core::Pipeline;
use serde_json::Value;

use crate::{Fault, PricePipeline, crd, defaults, fault::Faults, rules, schema, validate as semantics};

/// Checks a resource, whatever it was read from, and makes the pipeline of it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn validate(resource: &PricePipeline) -> Result<Pipeline, Vec<Fault>> {
    value(as_value(resource)?, None).1
}

/// Checks a resource as a change of `old`: what holds for a new one, and what may not be changed.
///
/// # Errors
/// Everything that is wrong with it.
pub fn validate_update(old: &PricePipeline, new: &PricePipeline) -> Result<Pipeline, Vec<Fault>> {
    let mut old_value = as_value(old)?;
    defaults::apply(crd::schema(), &mut old_value);
    let pipeline = value(as_value(new)?, Some(&old_value)).1?;
    let shrunk = validate(old).map(|old| semantics::shrunk_topics(&old, &pipeline)).unwrap_or_default();
    if shrunk.is_empty() { Ok(pipeline) } else { Err(shrunk) }
}

/// Checks a value that says it is a pipeline. Gives the resource too, where the types can hold it.
///
/// Later steps run even when an earlier one found something, so that everything is reported at once.
pub(crate) fn value(
    mut value: Value,
    old: Option<&Value>,
) -> (Option<PricePipeline>, Result<Pipeline, Vec<Fault>>) {
    defaults::apply(crd::schema(), &mut value);
    let mut faults = Faults::default();
    faults.extend(schema::check(&value));
    faults.add_rules(rules::check(&value, old, !faults.is_empty()));
    let resource = match serde_json::from_value::<PricePipeline>(value) {
        Ok(resource) => resource,
        Err(error) => {
            if faults.is_empty() {
                // The schema has looked at all but what Kubernetes itself puts into the metadata.
                faults.add(Fault::new("metadata", error.to_string()));
            }
            return (None, Err(faults.into_vec()));
        }
    };
    let pipeline = semantics::pipeline(&resource, &mut faults);
    let result = pipeline.filter(|_| faults.is_empty()).ok_or_else(|| faults.into_vec());
    (Some(resource), result)
}

/// The resource without its status, which says nothing of what is wanted.
fn as_value(resource: &PricePipeline) -> Result<Value, Vec<Fault>> {
    let wanted =
        PricePipeline { metadata: resource.metadata.clone(), spec: resource.spec.clone(), status: None };
    serde_json::to_value(wanted).map_err(|error| vec![Fault::new("", error.to_string())])
}
