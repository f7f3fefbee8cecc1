//! Makes a message independent of where it lies, so that it can be sent to another place. Pure.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
    ser::{SerializeMap, Serializer},
};
use serde_json::value::RawValue;

use super::{BadMessage, Position};
use crate::identity;

/// The payload with what it takes from where it lies written into it: its id and its times. Wherever that lies then,
/// it is the same observation, so sending it twice stores it once.
///
/// It need not be a price: what a later version might read has an id as well. Everything else in it stays as it is.
///
/// # Errors
///
/// [`BadMessage::NotJson`] when there is no object that an id could be put into, and [`BadMessage::NoIdentity`] when
/// it has none and the topic's UUID is not known.
pub fn pinned<'a>(payload: &'a [u8], position: Position<'_>) -> Result<Cow<'a, [u8]>, BadMessage> {
    let mut fields: Fields<'a> =
        serde_json::from_slice(payload).map_err(|error| BadMessage::NotJson(error.to_string()))?;
    let mut missing = Vec::new();
    if fields.lacks("id") {
        let topic_id = position.topic_id.ok_or(BadMessage::NoIdentity)?;
        missing.push(("id", identity::position(topic_id, position.partition, position.offset)));
    }
    for name in ["time", "received"] {
        if let Some(timestamp) = position.timestamp.filter(|_| fields.lacks(name)) {
            missing.push((name, timestamp.to_string()));
        }
    }
    if missing.is_empty() {
        return Ok(Cow::Borrowed(payload));
    }
    // A field that is null is as good as none.
    fields.0.retain(|(name, _)| !missing.iter().any(|(missing, _)| missing == name));
    let written = serde_json::to_vec(&Completed { fields, missing });
    written.map(Cow::Owned).map_err(|error| BadMessage::NotJson(error.to_string()))
}

/// The fields of an object in their order, with their values as they are written.
struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl Fields<'_> {
    fn lacks(&self, name: &str) -> bool {
        !self.0.iter().any(|(field, value)| field == name && value.get() != RawValue::NULL.get())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, &'de RawValue>()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

struct Completed<'a> {
    fields: Fields<'a>,
    missing: Vec<(&'static str, String)>,
}

impl Serialize for Completed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.fields.0 {
            map.serialize_entry(name, value)?;
        }
        for (name, value) in &self.missing {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
