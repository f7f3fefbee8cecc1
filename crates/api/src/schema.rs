//! The schema check: what the API server refuses by the structural schema, and unknown fields besides. Pure.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::{Fault, crd, fault::shown, path, rules::list_keys, wording};

/// What the schema refuses in a resource that has its defaults.
pub(crate) fn check(resource: &Value) -> Vec<Fault> {
    static VALIDATOR: LazyLock<Result<Validator, String>> =
        LazyLock::new(|| jsonschema::validator_for(&strict_root()).map_err(|error| error.to_string()));
    let validator = match &*VALIDATOR {
        Ok(validator) => validator,
        Err(error) => return vec![Fault::new("", format!("the schema itself is faulty: {error}"))],
    };
    let mut faults: Vec<Fault> =
        validator.iter_errors(resource).flat_map(|error| wording::faults(strict_schema(), &error)).collect();
    duplicates(crd::schema(), resource, "", &mut faults);
    faults
}

fn strict_schema() -> &'static Value {
    static STRICT: LazyLock<Value> = LazyLock::new(strict_root);
    &STRICT
}

/// The schema with unknown fields refused, and with the fields that every resource has.
fn strict_root() -> Value {
    let mut schema = crd::schema().clone();
    let frame = json!({
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": metadata(),
    });
    if let (Some(properties), Value::Object(frame)) = (schema["properties"].as_object_mut(), frame) {
        properties.extend(frame);
    }
    schema["required"] = json!(["metadata", "spec"]);
    close(&mut schema);
    schema
}

/// What every resource has. The API server refuses other fields there too.
fn metadata() -> Value {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let mut schema = json!({
        "type": "object",
        "description": "The pipeline's name, as in metadata: {name: majors}.",
        "required": ["name"],
        "properties": {
            "name": {"type": "string", "description": "The pipeline's name, as in name: majors."},
            "namespace": {"type": "string"},
            "labels": &texts,
            "annotations": &texts,
        },
    });
    // The rest is Kubernetes' own business.
    const KEPT_BY_KUBERNETES: [&str; 11] = [
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    ];
    for name in KEPT_BY_KUBERNETES {
        schema["properties"][name] = json!({});
    }
    schema
}

/// Refuses unknown fields wherever the fields are listed, and writes Kubernetes' own keywords in JSON Schema's.
fn close(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else { return };
    if keywords.contains_key("properties") && !keywords.contains_key("additionalProperties") {
        keywords.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if keywords.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        keywords.insert("type".to_owned(), json!(["integer", "string"]));
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = keywords.get_mut(keyword) {
            close(inner);
        }
    }
    if let Some(properties) = keywords.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
    }
}

/// Items of keyed lists that have the same key; the API server refuses them, JSON Schema does not know them.
fn duplicates(schema: &Value, value: &Value, at: &str, faults: &mut Vec<Fault>) {
    for (name, field) in value.as_object().into_iter().flatten() {
        if let Some(schema) = schema.get("properties").and_then(|properties| properties.get(name)) {
            duplicates(schema, field, &path::field(at, name), faults);
        }
    }
    let Some(items) = value.as_array() else { return };
    let keys = list_keys(schema);
    let most = schema["maxItems"].as_u64().and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    for (index, item) in items.iter().enumerate().take(most) {
        if let Some(schema) = schema.get("items") {
            duplicates(schema, item, &path::item(at, index), faults);
        }
        let same = |other: &&Value| {
            keys.iter().all(|key| item.get(key).is_some() && other.get(key) == item.get(key))
        };
        if let Some(key) = keys.first().filter(|_| items[..index].iter().find(same).is_some()) {
            let path = path::field(&path::item(at, index), key);
            let message = format!("{} is there twice; remove one", shown(&path, &item[*key]));
            faults.push(Fault::new(path, message));
        }
    }
}
