//! The CEL rules of the schema: how they are written, and their evaluation without a cluster. Pure.

use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use serde_json::{Value, json};

use crate::{Fault, crd};

/// CEL rules with what to say when one is broken, in the form that a schema carries.
pub(crate) fn rules(rules: &[(&str, &str)]) -> Value {
    rules.iter().map(|(rule, message)| json!({"rule": rule, "message": message})).collect()
}

thread_local! {
    // Compiling takes longer than evaluating; the validator may not be shared between threads.
    static COMPILED: (Validator, CompiledSchema) = (Validator::new(), compile_schema(crd::schema()));
}

/// The rules that a resource breaks, as a new one or as a change of `old`. Both have their defaults.
///
/// A rule that cannot be evaluated is a fault, unless the schema found one (`malformed`), which is then the reason.
pub(crate) fn check(resource: &Value, old: Option<&Value>, malformed: bool) -> Vec<Fault> {
    let old = old.map(|old| aligned(crd::schema(), resource, old));
    let result =
        COMPILED.with(|(validator, compiled)| validator.validate_compiled(compiled, resource, old.as_ref()));
    let broken = result.err().map(|errors| errors.into_vec()).unwrap_or_default();
    broken
        .into_iter()
        .filter(|error| !malformed || error.kind == ErrorKind::ValidationFailure)
        .map(|error| {
            // The one rule at the root is about the name, which the schema of a resource does not describe. Its text
            // says so, for the API server, which shows no path.
            if error.field_path.is_empty() {
                let message = error.message.strip_prefix("metadata.name ").unwrap_or(&error.message);
                return Fault::new("metadata.name", message);
            }
            Fault::new(error.field_path.as_str(), error.message)
        })
        .collect()
}

/// `old` with the items of its keyed lists in the order of `new`, since items are compared by position here and by
/// key in the API server. An item without a predecessor is its own, so that no change is seen.
fn aligned(schema: &Value, new: &Value, old: &Value) -> Value {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            let mut result = old.clone();
            for (name, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if let (Some(new), Some(old)) = (new.get(name), old.get(name)) {
                    result.insert(name.clone(), aligned(schema, new, old));
                }
            }
            Value::Object(result)
        }
        (Value::Array(new), Value::Array(old)) if !list_keys(schema).is_empty() => {
            let keys = list_keys(schema);
            let same = |a: &Value, b: &Value| keys.iter().all(|key| a.get(key) == b.get(key));
            let predecessor =
                |item: &Value| old.iter().find(|candidate| same(item, candidate)).unwrap_or(item).clone();
            new.iter().map(predecessor).collect()
        }
        _ => old.clone(),
    }
}

/// The fields by which the items of a list are told apart; none when the list has no such.
pub(crate) fn list_keys(schema: &Value) -> Vec<&str> {
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    keys.into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use kube::core::cel::{CompiledSchema, estimate_rule_cost};

    use super::*;

    fn walk(schema: &CompiledSchema, visit: &mut dyn FnMut(&CompiledSchema)) {
        visit(schema);
        schema.properties.values().for_each(|inner| walk(inner, visit));
        schema.items.iter().for_each(|inner| walk(inner, visit));
        schema.additional_properties.iter().for_each(|inner| walk(inner, visit));
    }

    #[test]
    fn every_rule_compiles_and_its_cost_is_bounded() {
        let mut count = 0;
        walk(&compile_schema(crd::schema()), &mut |node| {
            assert!(!node.has_errors(), "{:?}", node.compilation_errors());
            for rule in node.validations.iter().flatten() {
                count += 1;
                let warnings = estimate_rule_cost(&rule.rule.rule, node);
                assert!(warnings.is_empty(), "{warnings:?}");
                assert!(rule.rule.message.is_some(), "{}", rule.rule.rule);
            }
        });
        assert_eq!(count, 16);
    }
}
