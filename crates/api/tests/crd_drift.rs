//! The CRD in the chart is the one that the types make, and reads well.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use serde_json::Value;

const CRD: &str = "../../charts/pricepipe/files/crd.yaml";

#[test]
fn the_crd_in_the_chart_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(CRD);
    let expected = pricepipe_api::crd_yaml();
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &expected).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is out of date: run this test with UPDATE=1", path.display());
}

fn definition() -> Value {
    serde_json::to_value(pricepipe_api::crd()).unwrap()
}

fn schema() -> Value {
    definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// Every schema of the definition with its path.
fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(keyword) {
            walk(&format!("{path}[]"), inner, visit);
        }
    }
}

#[test]
fn the_yaml_is_the_definition() {
    let read: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition =
        serde_saphyr::from_str(&pricepipe_api::crd_yaml()).unwrap();
    assert_eq!(read, pricepipe_api::crd());
}

#[test]
fn every_field_is_described_for_its_reader() {
    walk("", &schema(), &mut |path, schema| {
        if path.ends_with("[]") && schema["properties"].is_null() {
            return;
        }
        let description = schema["description"].as_str().unwrap_or_default();
        assert!(description.len() > 5, "{path} has no description");
        for leak in ["TODO", ".rs", "::", "`", "[`", "  ", "Option<", "Auto-generated"] {
            assert!(!description.contains(leak), "{path}: {description}");
        }
    });
}

#[test]
fn every_field_of_the_spec_is_bounded_and_none_is_a_float() {
    walk("spec", &schema()["properties"]["spec"], &mut |path, schema| {
        let has = |keywords: &[&str]| keywords.iter().all(|keyword| !schema[keyword].is_null());
        let bounded = match schema["type"].as_str() {
            Some("string") => has(&["enum"]) || has(&["maxLength"]),
            Some("integer") => has(&["minimum", "maximum"]),
            Some("array") => has(&["maxItems", "items", "x-kubernetes-list-type"]),
            Some("object") => has(&["properties"]) || has(&["maxProperties", "additionalProperties"]),
            Some("boolean") => true,
            None => has(&["x-kubernetes-int-or-string", "maxLength", "pattern"]),
            Some(_) => false,
        };
        assert!(bounded, "{path}: {schema}");
    });
}

#[test]
fn the_schema_is_structural() {
    walk("", &schema(), &mut |path, schema| {
        for keyword in
            ["$ref", "oneOf", "anyOf", "allOf", "not", "nullable", "uniqueItems", "patternProperties"]
        {
            assert!(schema.get(keyword).is_none(), "{path} has {keyword}");
        }
        assert!(schema.get("x-kubernetes-preserve-unknown-fields").is_none(), "{path} keeps unknown fields");
        assert!(
            schema["properties"].is_null() || schema["additionalProperties"].is_null(),
            "{path} has both"
        );
        assert!(
            !schema["type"].is_null() || schema["x-kubernetes-int-or-string"] == true,
            "{path} has no type"
        );
        for key in schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
            let required = schema["items"]["required"].as_array().unwrap();
            assert!(required.contains(key), "{path}: the key {key} is not required");
        }
    });
}

/// The API server evaluates the rules of a field on its default as it is written, without filling it in.
#[test]
fn the_default_of_a_field_with_rules_is_complete() {
    walk("", &schema(), &mut |path, schema| {
        let Some(default) = schema["default"].as_object() else { return };
        if schema["x-kubernetes-validations"]
            .as_array()
            .is_none_or(|rules| rules.iter().all(|rule| rule["rule"].as_str().unwrap().contains("has(")))
        {
            return;
        }
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(
                property["default"].is_null() || default.contains_key(name),
                "{path}: {name} is not in it"
            );
        }
    });
}

#[test]
fn the_columns_and_the_scale_show_what_the_schema_has() {
    let definition = definition();
    let version = &definition["spec"]["versions"][0];
    let scale = &version["subresources"]["scale"];
    let columns = version["additionalPrinterColumns"].as_array().unwrap();
    let paths = columns.iter().map(|column| &column["jsonPath"]).chain(scale.as_object().unwrap().values());
    let mut count = 0;
    for path in paths.map(|path| path.as_str().unwrap()).filter(|path| !path.starts_with(".metadata")) {
        let plain = path.replace(r#"[?(@.type=="Ready")]"#, ".items");
        let mut schema = schema();
        for name in plain.split('.').skip(1) {
            schema =
                if name == "items" { schema["items"].clone() } else { schema["properties"][name].clone() };
        }
        assert!(!schema.is_null(), "{path} is not in the schema");
        count += 1;
    }
    assert_eq!(count, 12);
}
