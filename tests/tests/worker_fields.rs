//! Holds the tables of fields in `docs/workers.md` against the types of the configurations: every field is there, and
//! each has the default that is written there. Reads one file; starts nothing.

use std::{collections::BTreeSet, fs, path::PathBuf};

use pricepipe_core::config::{ConsumerConfig, ProducerConfig};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A row of a table: the field and its default, `None` for one that is required.
struct Row {
    field: String,
    default: Option<Value>,
}

/// The rows of the table of fields below a heading.
fn rows(heading: &str) -> Vec<Row> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/workers.md");
    let text = fs::read_to_string(path).expect("a file of this repository");
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).expect("a section");
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let row = |line: &str| match &cells(line)[..] {
        [_, field, default, ..] if field.starts_with('`') => Some(Row {
            field: field.trim_matches('`').to_owned(),
            default: match default.as_str() {
                "required" => None,
                "none" => Some(Value::Null),
                json => Some(serde_json::from_str(json.trim_matches('`')).expect("a default in JSON")),
            },
        }),
        _ => None,
    };
    section.lines().filter_map(row).collect()
}

fn kafka() -> Value {
    json!({"bootstrapServers": ["kafka:9092"], "securityProtocol": "SSL", "saslMechanism": "PLAIN", "caFile": "ca.pem"})
}

/// A producer with every field.
fn producer() -> Value {
    json!({
        "pipeline": "majors", "kafka": kafka(), "symbols": [{"symbol": "BTCUSDT", "topic": "btc"}],
        "sources": [{"name": "binance", "exchange": "binance", "rest": {
            "endpoints": ["https://a.example"], "intervalMillis": 1, "timeoutMillis": 1, "maxWeightPerMinute": 4,
        }}],
    })
}

/// A consumer of each store, with every field.
fn consumers() -> [Value; 2] {
    [
        json!({"kind": "mongodb", "database": "fx", "priceType": "double", "retentionSeconds": 1}),
        json!({"kind": "embedded", "path": "prices.sqlite", "retentionSeconds": 1}),
    ]
    .map(|store| {
        json!({
            "pipeline": "majors", "kafka": kafka(), "group": "g", "topics": [{"topic": "btc", "collection": "btc"}],
            "deadLetterTopic": "dead", "batch": {"maxDocuments": 1, "maxMillis": 1}, "sessionTimeoutMillis": 6_000,
            "store": store,
        })
    })
}

/// The fields of a configuration, as the documentation writes them.
fn fields(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            let name = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
            object.iter().for_each(|(key, value)| fields(value, &name(key), found));
        }
        Value::Array(list) if list.iter().all(Value::is_object) => {
            list.iter().for_each(|value| fields(value, &format!("{prefix}[]"), found));
        }
        _ => {
            found.insert(prefix.to_owned());
        }
    }
}

/// The object that holds a field, and the field's key in it.
fn place<'a>(config: &'a mut Value, field: &str) -> (&'a mut Value, String) {
    let pointer = format!("/{}", field.replace("[]", "/0").replace('.', "/"));
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    (config.pointer_mut(parent).expect("an object"), key.to_owned())
}

/// What a configuration without this field says of it; `None` when it cannot be used.
fn without<T: DeserializeOwned + Serialize>(
    full: &Value,
    field: &str,
    usable: fn(&T) -> bool,
) -> Option<Value> {
    let mut config = full.clone();
    let (parent, key) = place(&mut config, field);
    parent.as_object_mut().expect("an object").remove(&key);
    let read = serde_json::from_value::<T>(config).ok().filter(usable)?;
    let mut written = serde_json::to_value(read).expect("a configuration");
    let (parent, key) = place(&mut written, field);
    Some(parent[&key].clone())
}

fn hold<T: DeserializeOwned + Serialize>(heading: &str, configs: &[Value], usable: fn(&T) -> bool) {
    let rows = rows(heading);
    let mut expected = BTreeSet::new();
    for config in configs {
        // Whatever the type has and the example lacks would be missing from the tables, too.
        let read: T = serde_json::from_value(config.clone()).expect("a whole configuration");
        assert_eq!(
            &serde_json::to_value(&read).expect("a configuration"),
            config,
            "{heading}: a field is missing"
        );
        assert!(usable(&read), "{heading}: the example can be used");
        fields(config, "", &mut expected);
    }
    let documented: BTreeSet<String> = rows.iter().map(|row| row.field.clone()).collect();
    assert_eq!(documented, expected, "{heading}: documented fields and fields");
    for Row { field, default } in rows {
        for config in configs {
            let mut own = BTreeSet::new();
            fields(config, "", &mut own);
            if own.contains(&field) {
                assert_eq!(without(config, &field, usable), default, "{heading}: the default of {field}");
            }
        }
    }
}

#[test]
fn every_field_of_the_producer_is_documented_with_its_default() {
    hold::<ProducerConfig>("Producer", &[producer()], |config| config.check().is_ok());
}

#[test]
fn every_field_of_the_consumer_is_documented_with_its_default() {
    hold::<ConsumerConfig>("Consumer", &consumers(), |config| config.check().is_ok());
}
