//! Who refuses what: the schema and the CEL rules on their own, as the API server applies them, and `validate()`,
//! on one table of good and bad pipelines. Whatever the API server refuses is refused offline, and the other way
//! round but for the rules that only code can state.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use kube::core::cel::{Validator, apply_defaults};
use pricepipe_api::{Fault, PricePipeline};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    case: String,
    refused_by: Layer,
    #[serde(default)]
    path: String,
    #[serde(default)]
    says: String,
    /// For the tests in a cluster: one way of sending it to the API server does not take `null`.
    #[serde(default)]
    has_null: bool,
    name: Option<String>,
    old: Option<Value>,
    spec: Value,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Layer {
    Schema,
    Cel,
    Unknown,
    Code,
    Nobody,
}

impl Row {
    fn resource(&self, spec: &Value) -> Value {
        let name = self.name.as_deref().unwrap_or("majors");
        json!({"apiVersion": "pricepipe.dev/v1alpha1", "kind": "PricePipeline", "metadata": {"name": name}, "spec": spec})
    }
}

fn rows() -> Vec<Row> {
    let rows: Vec<Row> = serde_saphyr::from_str(include_str!("agreement.yaml")).unwrap();
    assert!(rows.len() >= 60, "{} rows", rows.len());
    rows
}

/// The schema as it stands in the definition.
fn schema() -> Value {
    let definition = serde_json::to_value(pricepipe_api::crd()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// What the API server makes of an object before it looks at it: no nulls, and all defaults.
fn prepared(schema: &Value, resource: &Value) -> Value {
    let mut value = resource.clone();
    drop_nulls(&mut value);
    // The library does not look into the defaults that it has just filled in, so it is asked until it is done.
    for _ in 0..5 {
        value = apply_defaults(schema, &value);
    }
    value
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn schema_refuses(schema: &Value, resource: &Value) -> bool {
    let mut schema = schema.clone();
    int_or_string(&mut schema);
    let symbols: Vec<&Value> =
        resource["spec"]["symbols"].as_array().into_iter().flatten().map(|s| &s["symbol"]).collect();
    let twice = symbols.iter().enumerate().any(|(index, symbol)| symbols[..index].contains(symbol));
    twice || !jsonschema::is_valid(&schema, resource)
}

fn int_or_string(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            if keywords.contains_key("x-kubernetes-int-or-string") {
                keywords.insert("type".to_owned(), json!(["integer", "string"]));
            }
            keywords.values_mut().for_each(int_or_string);
        }
        Value::Array(items) => items.iter_mut().for_each(int_or_string),
        _ => {}
    }
}

fn first_fault(row: &Row) -> Option<Fault> {
    let resource = row.resource(&row.spec);
    let Some(old) = &row.old else {
        let documents = pricepipe_api::validate_text(&resource.to_string());
        return documents.into_iter().next().unwrap().pipeline.err().map(|faults| faults[0].clone());
    };
    let typed = |spec| serde_json::from_value::<PricePipeline>(row.resource(spec)).unwrap();
    let old = typed(old);
    pricepipe_api::validate(&old).unwrap();
    pricepipe_api::validate_update(&old, &typed(&row.spec)).err().map(|faults| faults[0].clone())
}

#[test]
fn the_api_server_refuses_what_the_table_says_it_does() {
    let schema = schema();
    for row in rows() {
        assert_eq!(row.has_null, row.spec.to_string().contains("null"), "{}", row.case);
        let resource = prepared(&schema, &row.resource(&row.spec));
        let old = row.old.as_ref().map(|old| prepared(&schema, &row.resource(old)));
        assert_eq!(
            schema_refuses(&schema, &resource),
            row.refused_by == Layer::Schema,
            "schema: {}",
            row.case
        );
        if row.refused_by != Layer::Schema {
            let verdict = Validator::new().validate(&schema, &resource, old.as_ref());
            assert_eq!(verdict.is_err(), row.refused_by == Layer::Cel, "CEL: {}: {verdict:?}", row.case);
        }
    }
}

#[test]
fn the_offline_check_gives_the_same_verdict_with_the_path_and_the_remedy() {
    let mut wrong = Vec::new();
    for row in rows() {
        let fault = first_fault(&row);
        let right = match &fault {
            None => row.refused_by == Layer::Nobody,
            Some(fault) => {
                let told =
                    fault.path == row.path && !row.says.is_empty() && fault.message.contains(&row.says);
                row.refused_by != Layer::Nobody && told && !fault.to_string().contains("hunter2")
            }
        };
        if !right {
            wrong.push(format!(
                "{}: {}",
                row.case,
                fault.map_or("allowed".to_owned(), |fault| fault.to_string())
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_resource_that_was_read_by_a_client_gets_the_same_verdict_as_a_file() {
    for row in rows().iter().filter(|row| row.old.is_none()) {
        let mut resource = row.resource(&row.spec);
        drop_nulls(&mut resource);
        let Ok(typed) = serde_json::from_value::<PricePipeline>(resource) else {
            assert_eq!(row.refused_by, Layer::Schema, "{}", row.case);
            continue;
        };
        // The types drop an unknown field, as the API server does.
        let expected = !matches!(row.refused_by, Layer::Nobody | Layer::Unknown);
        let verdict = pricepipe_api::validate(&typed);
        assert_eq!(verdict.is_err(), expected, "{}: {verdict:?}", row.case);
    }
}
