//! The tables of docs/reference.md are the schema of the resource, field by field.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fmt::Write as _, fs, path::Path};

use serde_json::Value;

const REFERENCE: &str = "../../docs/reference.md";

#[test]
fn the_reference_of_all_fields_is_up_to_date() {
    let definition: Value = serde_saphyr::from_str(&pricepipe_api::crd_yaml()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(REFERENCE);
    let found = fs::read_to_string(&path).unwrap();
    let properties = &schema["properties"];
    let mut expected = replaced(&found, "spec", &fields("spec", &properties["spec"]));
    expected = replaced(&expected, "rules", &rules(schema));
    expected = replaced(&expected, "status", &fields("status", &properties["status"]));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &expected).unwrap();
    } else {
        assert!(found == expected, "{} is out of date: run this test with UPDATE=1", path.display());
    }
}

/// `text` with another table between the marks of `name`.
fn replaced(text: &str, name: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (head, rest) = text.split_once(&begin).unwrap();
    let (_, tail) = rest.split_once(&end).unwrap();
    format!("{head}{begin}{table}{end}{tail}")
}

fn fields(root: &str, schema: &Value) -> String {
    let mut table = "| field | type | default | allowed | meaning |\n|---|---|---|---|---|\n".to_owned();
    let mut count = 0;
    walk(root, schema, &mut |path, required, schema| {
        let default = match (&schema["default"], required) {
            (Value::Null, true) => "required".to_owned(),
            (Value::Null, false) => String::new(),
            // The fields of an object have their own defaults.
            (Value::Object(_), _) => String::new(),
            (default, _) => code(&default.to_string()),
        };
        let meaning = schema["description"].as_str().unwrap_or_default().replace('|', "\\|");
        writeln!(table, "| `{path}` | {} | {default} | {} | {meaning} |", type_of(schema), allowed(schema))
            .unwrap();
        count += 1;
    });
    assert!(count > 20, "{root} has {count} fields");
    table
}

fn rules(schema: &Value) -> String {
    let mut table = "| of | rule |\n|---|---|\n".to_owned();
    let mut add = |path: &str, schema: &Value| {
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            writeln!(table, "| `{path}` | {} |", rule["message"].as_str().unwrap()).unwrap();
        }
    };
    add("metadata.name", schema);
    walk("spec", &schema["properties"]["spec"], &mut |path, _, schema| {
        add(path, schema);
        // What holds for each item stands at the item.
        add(&format!("{path}[]"), &schema["items"]);
    });
    table
}

/// Every field below a schema: its path, whether it must be there, and its own schema.
fn walk(path: &str, schema: &Value, visit: &mut dyn FnMut(&str, bool, &Value)) {
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|n| n == name));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        visit(&path, required(name), field);
        walk(&path, field, visit);
        walk(&format!("{path}[]"), &field["items"], visit);
    }
}

fn type_of(schema: &Value) -> String {
    match schema["type"].as_str() {
        Some("string") => "text".to_owned(),
        Some("integer") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") if schema["items"]["type"] == "object" => "list".to_owned(),
        Some("array") => format!("list: {}", type_of(&schema["items"])),
        Some("object") if schema["properties"].is_null() => {
            format!("map: {}", type_of(&schema["additionalProperties"]))
        }
        Some("object") => "object".to_owned(),
        None if schema["x-kubernetes-int-or-string"] == true => "text or number".to_owned(),
        other => panic!("{other:?} has no name here: {schema}"),
    }
}

fn allowed(schema: &Value) -> String {
    let mut allowed = Vec::new();
    for value in schema["enum"].as_array().into_iter().flatten() {
        allowed.push(code(value.as_str().unwrap()));
    }
    allowed.extend(range(schema, "minimum", "maximum", ""));
    allowed.extend(range(schema, "minItems", "maxItems", "items"));
    allowed.extend(range(schema, "minProperties", "maxProperties", "entries"));
    allowed.extend(range(schema, "minLength", "maxLength", "characters"));
    allowed.extend(schema["pattern"].as_str().map(code));
    for inner in [&schema["items"], &schema["additionalProperties"]] {
        let inner = Some(inner).filter(|inner| inner["properties"].is_null()).map(allowed_of_each);
        allowed.extend(inner.filter(|inner| !inner.is_empty()));
    }
    allowed.join(", ")
}

fn allowed_of_each(schema: &Value) -> String {
    let allowed = if schema.is_object() { allowed(schema) } else { String::new() };
    if allowed.is_empty() { allowed } else { format!("each {allowed}") }
}

fn range(schema: &Value, least: &str, most: &str, of: &str) -> Option<String> {
    let range = match (schema[least].as_i64(), schema[most].as_i64()) {
        (Some(least), Some(most)) => format!("{least} to {most} {of}"),
        (Some(least), None) => format!("at least {least} {of}"),
        (None, Some(most)) => format!("at most {most} {of}"),
        (None, None) => return None,
    };
    Some(range.trim_end().to_owned())
}

/// Code in a cell: a bar would end the cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}
