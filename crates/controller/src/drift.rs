//! Whether an object in the cluster still is what was applied. Pure.
//!
//! Server-side apply owns the fields that it sets and no others, so two things can be amiss: a field of ours has
//! another value or is gone, or a field that we once set and no longer want is still there. The first is seen by
//! looking at those fields, the second by the annotation [`HASH`], which tells what was applied last.
//!
//! Fields that others add (defaults, a sidecar, an annotation) are theirs and are no drift. The API server may write
//! a value in another way than it was given (`1000m` becomes `1`): callers keep what it answered in
//! that case, and compare with it as well.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Annotation: the hash of what was applied last.
pub(crate) const HASH: &str = "pricepipe.dev/applied-hash";

/// Fields by which the items of a list are known, the first that both have.
const KEYS: &[&str] = &["name", "uid", "containerPort", "mountPath", "topologyKey"];

/// The object with the annotation that tells what it is.
pub(crate) fn hashed(mut object: Value) -> Value {
    let hash = hash(object.to_string().as_bytes());
    let annotations = object
        .get_mut("metadata")
        .and_then(Value::as_object_mut)
        .map(|metadata| metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new())));
    if let Some(Value::Object(annotations)) = annotations {
        annotations.insert(HASH.to_owned(), Value::String(hash));
    }
    object
}

/// What that annotation of an object says.
pub(crate) fn applied(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("annotations")?.get(HASH)
}

/// SHA-256 in hexadecimal.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `live`, with only those fields that `wanted` has. Equal to `wanted` when they have the same values.
pub(crate) fn projection(live: &Value, wanted: &Value) -> Value {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            let field =
                |(name, wanted): (&String, &Value)| Some((name.clone(), projection(live.get(name)?, wanted)));
            Value::Object(wanted.iter().filter_map(field).collect())
        }
        (Value::Array(live), Value::Array(wanted)) => items(live, wanted),
        (live, _) => live.clone(),
    }
}

/// Items that have keys are found by them, wherever they stand; others are compared in order, all of them.
fn items(live: &[Value], wanted: &[Value]) -> Value {
    let keyed = |items: &[Value]| KEYS.iter().copied().find(|key| items.iter().all(|i| i.get(key).is_some()));
    let Some(key) = keyed(wanted).filter(|_| !wanted.is_empty()) else {
        let paired = live.iter().enumerate();
        return paired.map(|(n, live)| wanted.get(n).map_or(live.clone(), |w| projection(live, w))).collect();
    };
    let found = |wanted: &Value| live.iter().find(|live| live.get(key) == wanted.get(key));
    wanted.iter().filter_map(|wanted| Some(projection(found(wanted)?, wanted))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differs(live: &Value, wanted: &Value) -> bool {
        projection(live, wanted) != *wanted
    }

    #[test]
    fn what_others_add_is_no_drift() {
        let wanted = json!({"spec": {"replicas": 1, "containers": [{"name": "a", "image": "x"}]}});
        let live = json!({
            "metadata": {"uid": "1"},
            "spec": {"replicas": 1, "paused": false, "containers": [
                {"name": "sidecar"}, {"name": "a", "image": "x", "terminationMessagePath": "/dev"},
            ]},
        });
        assert!(!differs(&live, &wanted));
    }

    #[test]
    fn a_field_of_ours_that_was_changed_removed_or_reordered_is_drift() {
        let wanted = json!({"data": {"a": "1"}, "rules": [{"from": []}, {"to": 1}], "args": ["x", "y"]});
        for (pointer, value) in [
            ("/data/a", json!("2")),
            ("/data", json!({})),
            ("/args", json!(["y", "x"])),
            ("/args", json!(["x", "y", "z"])),
            ("/args", json!(["x"])),
            ("/rules", json!([{"from": []}])),
            ("/rules/0/from", json!(["everywhere"])),
        ] {
            let mut live = wanted.clone();
            *live.pointer_mut(pointer).unwrap() = value;
            assert!(differs(&live, &wanted), "{live}");
        }
    }

    #[test]
    fn a_named_item_that_is_gone_is_drift() {
        let wanted = json!({"env": [{"name": "A", "value": "1"}, {"name": "B"}]});
        assert!(differs(&json!({"env": [{"name": "A", "value": "1"}]}), &wanted));
        assert!(differs(&json!({"env": [{"name": "B"}, {"name": "A", "value": "2"}]}), &wanted));
        assert!(!differs(&json!({"env": [{"name": "B"}, {"name": "A", "value": "1"}]}), &wanted));
    }

    #[test]
    fn the_hash_tells_apart_what_was_applied() {
        let object = |replicas| hashed(json!({"metadata": {"name": "a"}, "spec": {"replicas": replicas}}));
        assert_eq!(object(1), object(1));
        assert_ne!(object(1)["metadata"]["annotations"][HASH], object(2)["metadata"]["annotations"][HASH]);
        assert_eq!(hash(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
