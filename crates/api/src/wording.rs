//! What the schema refuses, in plain words. Pure.

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind as Kind},
    paths::LocationSegment,
};
use serde_json::Value;

use crate::{Fault, fault::shown, path, patterns, suggest};

/// The faults that an error stands for: one for each unknown field, one otherwise.
pub(crate) fn faults(schema: &Value, error: &ValidationError<'_>) -> Vec<Fault> {
    let (at, schema) = locate(schema, error);
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| Fault::new(path::field(&at, name), unknown(schema, name))).collect()
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![Fault::new(path::field(&at, name), missing(schema, name))]
        }
        kind => vec![Fault::new(at.as_str(), message(kind, &at, error.instance(), schema))],
    }
}

/// The path of the field that an error is about, and its schema.
fn locate<'a>(root: &'a Value, error: &ValidationError<'_>) -> (String, &'a Value) {
    let (mut at, mut schema) = (String::new(), root);
    for segment in error.instance_path().iter() {
        match segment {
            LocationSegment::Property(name) => {
                at = path::field(&at, &name);
                let properties = schema.get("properties").and_then(|properties| properties.get(&*name));
                schema = properties.or_else(|| schema.get("additionalProperties")).unwrap_or(&Value::Null);
            }
            LocationSegment::Index(index) => {
                at = path::item(&at, index);
                schema = schema.get("items").unwrap_or(&Value::Null);
            }
        }
    }
    (at, schema)
}

fn unknown(schema: &Value, name: &str) -> String {
    let known = || schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    match suggest::nearest(name, known().map(|(name, _)| name.as_str())) {
        Some(near) => format!("unknown field; did you mean {near:?}?"),
        None => {
            // What has no schema is not for people to write.
            let described =
                known().filter(|(_, schema)| schema.as_object().is_none_or(|keywords| !keywords.is_empty()));
            let names: Vec<&str> = described.map(|(name, _)| name.as_str()).collect();
            format!("unknown field; there are {}", names.join(", "))
        }
    }
}

fn missing(schema: &Value, name: &str) -> String {
    let description = schema.pointer(&format!("/properties/{name}/description")).and_then(Value::as_str);
    match description.and_then(|text| text.split(". ").next()) {
        Some(meaning) => format!("missing: {}", meaning.trim_end_matches('.')),
        None => "missing".to_owned(),
    }
}

fn message(kind: &Kind, at: &str, value: &Value, schema: &Value) -> String {
    let shown = shown(at, value);
    match kind {
        Kind::Minimum { limit } => format!("{shown} is below the minimum of {limit}"),
        Kind::Maximum { limit } => format!("{shown} is above the maximum of {limit}"),
        Kind::MinLength { .. } => "must not be empty".to_owned(),
        Kind::MaxLength { limit } => {
            format!(
                "{shown} has {} characters; at most {limit} are allowed",
                value.as_str().map_or(0, |s| s.chars().count())
            )
        }
        Kind::MinItems { limit } => {
            let optional = schema.get("default").is_some()
                || schema.get("x-kubernetes-list-type") == Some(&"atomic".into());
            let remedy = if optional { "; leave the field out for its default" } else { "" };
            format!("needs at least {limit}{remedy}")
        }
        Kind::MaxItems { limit } => format!("{shown}; at most {limit} are allowed"),
        Kind::MaxProperties { limit } => format!("at most {limit} entries are allowed"),
        Kind::Enum { options } => format!("{shown} is not one of {}", listed(options)),
        Kind::Pattern { pattern } => {
            format!("{shown} is not allowed: {}", patterns::words(pattern).unwrap_or(pattern))
        }
        Kind::Type { kind: TypeKind::Single(expected) } => mismatch(&expected.to_string(), value),
        // Only what Kubernetes calls int-or-string has several types, and any text is right there.
        Kind::Type { kind: TypeKind::Multiple(_) } => mismatch("string", value),
        other => format!("does not fit the schema ({})", other.keyword()),
    }
}

fn mismatch(expected: &str, value: &Value) -> String {
    let remedy = match (expected, value) {
        ("string", Value::Bool(_) | Value::Number(_)) => "; write it in quotes",
        ("integer", Value::String(_)) => "; write it without quotes",
        _ => "",
    };
    let found = match value {
        // That 1.5 is a number is not what is wrong with it.
        Value::Number(number) if expected == "integer" => number.to_string(),
        _ => named(kind_of(value)).to_owned(),
    };
    format!("must be {}, not {found}{remedy}", named(expected))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn named(kind: &str) -> &str {
    match kind {
        "null" => "empty",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "a text",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

fn listed(options: &Value) -> String {
    let options = options.as_array().into_iter().flatten();
    options
        .map(|option| option.as_str().map_or_else(|| option.to_string(), str::to_owned))
        .collect::<Vec<_>>()
        .join(", ")
}
