//! References to Secrets of the pipeline's own namespace. The file itself never holds a secret. Types only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::patterns;

/// A Secret in the pipeline's namespace.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::SECRET_NAME))]
    pub name: String,
}

/// One key of a Secret in the pipeline's namespace.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::SECRET_NAME))]
    pub name: String,

    /// The key in the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = patterns::SECRET_KEY))]
    pub key: String,
}
