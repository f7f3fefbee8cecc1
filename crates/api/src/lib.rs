//! The PricePipeline resource: its types, its schema and rules, and the only way from it to a
//! [`pricepipe_core::Pipeline`].
//!
//! Everything here is pure: texts and values in, values and faults out. What this crate decides:
//!
//! - **One meaning** ([`validate`], [`validate_text`]): a file on a laptop gets the defaults, the schema and the CEL
//!   rules that the API server applies, all of them read from the [`crd`] itself. A rule is written once.
//! - **What the schema cannot say** (names that follow from templates, endpoints, request weight, what symbols that
//!   share a topic must share) is checked here alone, and a cluster reports it in a condition.
//! - **Every fault at once** ([`Fault`]): each has the path of the field, what is wrong, and the remedy. Unknown
//!   fields are faults. A fault never shows what may be a secret.
//! - **Absence means the surroundings' own**: no `kafka.bootstrapServers` is the operator's default cluster or the
//!   embedded broker, no `mongodb.uriSecretRef` the default deployment or the embedded store.
//!
//! ```
//! let text = "
//! apiVersion: pricepipe.dev/v1alpha1
//! kind: PricePipeline
//! metadata: {name: majors}
//! spec:
//!   symbols: [{symbol: BTCUSDT}]
//! ";
//! let documents = pricepipe_api::validate_text(text);
//! let pipeline = documents[0].pipeline.as_ref().unwrap();
//! assert_eq!(pipeline.symbols[0].topic.as_str(), "btc");
//! assert_eq!(pipeline.estimate().messages_per_day, 28_800);
//!
//! let documents = pricepipe_api::validate_text(&text.replace("symbols", "symbol"));
//! let faults = documents[0].pipeline.as_ref().unwrap_err();
//! assert_eq!(faults[0].to_string(), "spec.symbol: unknown field; did you mean \"symbols\"?");
//! ```

mod check;
mod consumer;
mod crd;
mod defaults;
mod document;
mod fault;
mod kafka;
mod mongodb;
mod path;
mod patterns;
mod producer;
mod resource;
mod resources;
mod rules;
mod schema;
mod secret;
mod source;
mod status;
mod stream;
mod suggest;
mod symbol;
mod validate;
mod wording;
mod yaml;

pub use check::{validate, validate_update};
pub use consumer::{AutoscalingSpec, BatchSpec, ConsumerSpec};
pub use crd::{crd, crd_yaml};
pub use document::{Document, parse, validate_text};
pub use fault::Fault;
pub use kafka::{KafkaSpec, SaslSpec, TlsSpec, TopicsSpec};
pub use mongodb::MongodbSpec;
pub use producer::ProducerSpec;
pub use resource::{PricePipeline, PricePipelineSpec};
pub use resources::ResourcesSpec;
pub use secret::{SecretKeyRef, SecretRef};
pub use source::{HistorySpec, RestSpec, SourceSpec};
pub use status::{
    ConsumerStatus, EstimateStatus, GapStatus, GapsStatus, PricePipelineStatus, ProducerStatus, ReplayStatus,
    TopicStatus,
};
pub use stream::{ReplaySpec, WebsocketSpec};
pub use symbol::SymbolSpec;
pub use validate::{check_endpoint, check_stream_endpoint};
pub use yaml::LARGEST_BYTES;

/// The API version of the resource.
pub const API_VERSION: &str = "pricepipe.dev/v1alpha1";
/// The kind of the resource.
pub const KIND: &str = "PricePipeline";
