//! Keeps PricePipelines running in a cluster: topics, producer and consumer Deployments, status.

mod apply;
pub mod autoscale;
pub mod build;
mod children;
mod claims;
pub mod conditions;
mod context;
mod dereference;
mod drift;
mod error;
mod events;
mod finalize;
mod kafka;
pub mod labels;
mod leader;
mod observations;
pub mod rbac;
mod reconcile;
mod run;
mod scale;
pub mod settings;
pub mod status;
mod topics;
mod unreadable;
mod visit;

pub use run::{Controller, RunError};
