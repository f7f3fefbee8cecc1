//! Fills in what was left out, as the API server does, from the schema. Pure.

use serde_json::Value;

/// Applies the schema's defaults to a value. `null` counts as left out.
pub(crate) fn apply(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                if fields.get(name).is_some_and(Value::is_null) {
                    fields.remove(name);
                }
                if let Some(default) = property.get("default").filter(|_| !fields.contains_key(name)) {
                    fields.insert(name.clone(), default.clone());
                }
            }
            for (name, field) in fields.iter_mut() {
                let known = properties.and_then(|properties| properties.get(name));
                if let Some(schema) = known.or_else(|| schema.get("additionalProperties")) {
                    apply(schema, field);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.get("items") {
                items.iter_mut().for_each(|item| apply(schema, item));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_fill_what_is_absent_or_null_and_their_own_insides() {
        let schema = json!({"properties": {
            "a": {"default": 1},
            "b": {"default": {}, "properties": {"c": {"default": "x"}}},
            "d": {"items": {"properties": {"e": {"default": true}}}},
            "f": {"additionalProperties": {"properties": {"g": {"default": 2}}}},
            "h": {},
        }});
        let mut value =
            json!({"a": null, "d": [{}, {"e": false}], "f": {"x": {}}, "h": null, "unknown": null});
        apply(&schema, &mut value);
        assert_eq!(
            value,
            json!({"a": 1, "b": {"c": "x"}, "d": [{"e": true}, {"e": false}], "f": {"x": {"g": 2}}, "unknown": null})
        );
    }
}
