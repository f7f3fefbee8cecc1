//! The CustomResourceDefinition, made from the types. Pure.

use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use crate::{PricePipeline, yaml};

const HEADER: &str =
    "# The PricePipeline resource. Generated from crates/api by `make generate`; do not edit.\n";

/// The definition of the resource, as a cluster needs it.
pub fn crd() -> CustomResourceDefinition {
    let mut definition = serde_json::to_value(PricePipeline::crd()).unwrap_or_default();
    if let Some(versions) = definition.pointer_mut("/spec/versions").and_then(Value::as_array_mut) {
        for schema in versions.iter_mut().filter_map(|version| version.pointer_mut("/schema/openAPIV3Schema"))
        {
            tidy(schema);
        }
    }
    // What came out of the type goes back into it: only words and `nullable` have changed.
    serde_json::from_value(definition).unwrap_or_else(|_| PricePipeline::crd())
}

/// The definition as a YAML file, the same each time.
pub fn crd_yaml() -> String {
    let definition = definition();
    format!("{HEADER}{}", serde_saphyr::to_string(&definition).unwrap_or_default())
}

/// The definition with whole numbers as such: the Kubernetes types hold every limit as a float.
fn definition() -> Value {
    let mut definition = serde_json::to_value(crd()).unwrap_or_default();
    yaml::whole(&mut definition);
    definition
}

/// The schema of the resource, as it stands in the definition.
pub(crate) fn schema() -> &'static Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
        definition().pointer("/spec/versions/0/schema/openAPIV3Schema").cloned().unwrap_or_default()
    });
    &SCHEMA
}

/// Joins the lines of descriptions, and lets `null` mean absent (the API server drops it) everywhere.
fn tidy(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else { return };
    keywords.remove("nullable");
    keywords.remove("title");
    if let Some(Value::String(description)) = keywords.get_mut("description") {
        *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = keywords.get_mut(keyword) {
            tidy(inner);
        }
    }
    if let Some(properties) = keywords.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(tidy);
    }
}
