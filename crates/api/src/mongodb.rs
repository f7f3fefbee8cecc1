//! `spec.mongodb`: where prices are kept. Types only.

use pricepipe_core::config::PriceType;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{SecretKeyRef, patterns, rules::rules};

/// The MongoDB deployment and how prices are stored in it.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MongodbSpec {
    /// The key of a Secret with the connection string, which begins with mongodb:// or mongodb+srv://. Without it:
    /// the operator's default, or the embedded store on a laptop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri_secret_ref: Option<SecretKeyRef>,

    /// The database.
    #[schemars(length(min = 1, max = 38), regex(pattern = patterns::DATABASE))]
    #[schemars(extend("x-kubernetes-validations" = rules(&[(
        "!(self in ['admin', 'local', 'config'])",
        "admin, local and config are MongoDB's own databases: choose another name",
    )])))]
    pub database: String,

    /// How a price is stored: decimal is exact (Decimal128), double is the nearest floating-point number.
    #[schemars(schema_with = "price_type_schema")]
    pub price_type: PriceType,

    /// Seconds after which a stored price is removed, counted from its own time. 0 keeps prices for ever.
    #[schemars(range(min = 0, max = i32::MAX))]
    pub retention_seconds: i32,
}

impl Default for MongodbSpec {
    fn default() -> Self {
        MongodbSpec {
            uri_secret_ref: None,
            database: "fx".to_owned(),
            price_type: PriceType::Decimal,
            retention_seconds: 0,
        }
    }
}

fn price_type_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": ["decimal", "double"]})
}
