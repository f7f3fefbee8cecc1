//! `values.schema.json`: made from the keys and defaults of `values.yaml` and from the rules here. An unknown key is
//! refused everywhere, so that a misspelt one is noticed.

use std::fmt::Write;

use pricepipe_tests::{chart, generated};
use serde_json::{Value, json};

use super::contract::{Entry, description, entries};

const QUANTITY: &str = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][0-9]{1,2})?";
const DURATION: &str = "([0-9]+(ms|[smhdwy]))+";
const HOST_AND_PORT: &str = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}";
const NAME: &str = "[a-z0-9]([a-z0-9.-]*[a-z0-9])?";
const LABEL: &str = "[a-z0-9]([a-z0-9-]*[a-z0-9])?";

#[test]
fn the_schema_of_the_values_is_up_to_date() {
    generated::hold_file(chart::SCHEMA, &schema());
}

/// What a value may be. Where its default is an empty text, an empty text is always allowed.
fn rule(entry: &Entry) -> Value {
    let text = |pattern: &str| {
        let optional = if entry.default == "" { "?" } else { "" };
        json!({"type": "string", "pattern": format!("^({pattern}){optional}$")})
    };
    match entry.path()[..] {
        [.., "imageRegistry" | "registry"] => text("[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*"),
        [.., "repository"] => text("[a-z0-9]+([._/-]+[a-z0-9]+)*"),
        [.., "tag"] => text("[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"),
        [.., "digest"] => text("sha256:[0-9a-f]{64}"),
        [.., "pullPolicy"] => json!({"enum": ["Always", "IfNotPresent", "Never"]}),
        [.., "existingSecret" | "priorityClassName" | "storageClass"] | [.., "serviceAccount", "name"] => {
            text(NAME)
        }
        ["fullnameOverride"] => text("[a-z]([a-z0-9-]{0,38}[a-z0-9])?"),
        [.., "key"] => text("[A-Za-z0-9._-]+"),
        ["imagePullSecrets"] => list(exactly(NAME)),
        [.., "watchNamespaces"] => json!({"type": "array", "items": exactly(LABEL), "uniqueItems": true}),
        [.., "replicas"] => json!({"type": "integer", "minimum": 0, "maximum": 10}),
        [.., "nodes"] => json!({"enum": [1, 3]}),
        [.., "seed"] => json!({"type": "integer", "minimum": 0}),
        [.., "terminationGracePeriodSeconds"] => json!({"type": "integer", "minimum": 1}),
        [.., "port" | "firstNodePort"] => shared("port"),
        [.., "controllerEgressPorts" | "apiServerPorts"] => list(shared("port")),
        [.., "service", "type"] => json!({"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}),
        [.., "externalListener", "type"] => json!({"enum": ["NodePort", "LoadBalancer"]}),
        [.., "advertisedHosts"] => list(exactly("[A-Za-z0-9.-]+")),
        [.., "bootstrapServers"] => list(exactly(HOST_AND_PORT)),
        [.., "alertmanager"] => text(HOST_AND_PORT),
        [.., "endpoints"] => list(exactly("https?://.+")),
        [.., "streamEndpoints"] => list(exactly("wss?://.+")),
        [.., "datasourceUrl"] => text("https?://.+"),
        [.., "mechanism"] => json!({"enum": ["", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]}),
        [.., "logFormat"] => json!({"enum": ["json", "text"]}),
        [.., "clusterId"] => text("[A-Za-z0-9_-]{22}"),
        [.., "size"] => shared("quantity"),
        [.., "accessModes"] => {
            list(json!({"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany"]}))
        }
        [.., "scrapeInterval" | "interval" | "retention"] => text(DURATION),
        [.., "resources"] => shared("resources"),
        [.., "extraEnv" | "extraVolumes" | "extraVolumeMounts"] => shared("named"),
        [.., "tolerations" | "topologySpreadConstraints" | "relabelings" | "metricRelabelings"] => {
            shared("objects")
        }
        [.., "affinity"] => json!({"type": "object"}),
        ["extraDeploy"] => list(json!({"type": ["object", "string"]})),
        [.., "config"] => {
            json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}})
        }
        [.., "nodeSelector"] => shared("texts"),
        [.., key]
            if key.to_lowercase().ends_with("labels") || key.to_lowercase().ends_with("annotations") =>
        {
            shared("texts")
        }
        _ => match &entry.default {
            Value::Bool(_) => json!({"type": "boolean"}),
            Value::String(_) => json!({"type": "string"}),
            other => panic!("{}: which values may it have besides {other}? Say so here", entry.name()),
        },
    }
}

fn exactly(pattern: &str) -> Value {
    json!({"type": "string", "pattern": format!("^{pattern}$")})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn shared(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

fn definitions() -> [(&'static str, Value); 6] {
    let quantities = json!({"type": "object", "additionalProperties": shared("quantity")});
    let named = json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}});
    [
        ("port", json!({"type": "integer", "minimum": 1, "maximum": 65535})),
        ("quantity", json!({"type": ["string", "number"], "pattern": format!("^{QUANTITY}$")})),
        ("texts", json!({"type": "object", "additionalProperties": {"type": "string"}})),
        ("objects", list(json!({"type": "object"}))),
        ("named", list(named)),
        (
            "resources",
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {"requests": quantities, "limits": quantities, "claims": shared("objects")},
            }),
        ),
    ]
}

/// The schema, one value a line.
fn schema() -> String {
    let entries = entries();
    let mut text = "{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n".to_owned();
    let head = |comment: &str, is_open: bool| {
        format!(
            "{}\"type\": \"object\", \"additionalProperties\": {is_open}, \"properties\": {{",
            said(comment)
        )
    };
    write!(text, "  {}", head("", false)).expect("a text takes all");
    // A parent chart may switch this one on and off by a condition on `enabled`.
    write!(text, "\n    \"enabled\": {{\"description\": \"For the condition of a parent chart\", \"type\": \"boolean\"}}")
        .expect("a text takes all");
    let mut depth = 1;
    let mut is_first = false;
    for entry in &entries {
        close(&mut text, &mut depth, entry.path.len());
        let comma = if std::mem::take(&mut is_first) { "" } else { "," };
        write!(text, "{comma}\n{}\"{}\": {{", "  ".repeat(depth + 1), entry.path[depth - 1]).expect("a text");
        if entry.is_section {
            // Charts of which this one is a part, or has a part, share values under `global`.
            text += &head(&entry.comment, entry.name() == "global");
            (depth, is_first) = (depth + 1, true);
        } else {
            let rule = rule(entry).to_string();
            write!(text, "{}{}", said(&description(entry)), &rule[1..]).expect("a text takes all");
        }
    }
    close(&mut text, &mut depth, 1);
    text += "\n  },\n  \"definitions\": {";
    let definitions = definitions().map(|(name, rule)| format!("\n    \"{name}\": {rule}"));
    text + &definitions.join(",") + "\n  }\n}\n"
}

/// Ends sections until one of this depth is open.
fn close(text: &mut String, depth: &mut usize, wanted: usize) {
    while *depth > wanted {
        write!(text, "\n{}}}}}", "  ".repeat(*depth)).expect("a text takes all");
        *depth -= 1;
    }
}

fn said(comment: &str) -> String {
    if comment.is_empty() { String::new() } else { format!("\"description\": {}, ", Value::from(comment)) }
}
