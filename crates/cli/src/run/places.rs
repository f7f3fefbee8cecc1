//! Where prices come from, and where they go, in words.

use std::collections::HashSet;

use pricepipe_core::{
    Pipeline,
    config::{Feed, SourceConfig, StoreConfig},
};

use super::plan::Plan;
use crate::parts::KafkaPart;

/// The three parts of a pipeline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) exchange: String,
    pub(crate) kafka: String,
    pub(crate) store: String,
}

impl Places {
    /// Those of a run whose exchange has its endpoints.
    pub(super) fn of(plan: &Plan, simulated: bool) -> Self {
        let endpoints = endpoints(&plan.pipeline);
        Places {
            exchange: if simulated { format!("simulated, {endpoints}") } else { endpoints },
            kafka: kafka(&plan.kafka),
            store: store(&plan.store_config),
        }
    }
}

/// Where prices are asked for, or listened to.
pub(crate) fn endpoints(pipeline: &Pipeline) -> String {
    let of = |source: &SourceConfig| match &source.feed {
        Feed::Websocket(websocket) => websocket.endpoints.clone(),
        Feed::Rest(_) | Feed::Replay(_) => source.endpoints().clone(),
    };
    let mut endpoints: Vec<String> = pipeline.sources.iter().flat_map(of).collect();
    let mut seen = HashSet::new();
    endpoints.retain(|endpoint| seen.insert(endpoint.clone()));
    endpoints.join(", ")
}

/// Which Kafka.
pub(crate) fn kafka(part: &KafkaPart) -> String {
    match part {
        KafkaPart::Embedded => "embedded, in memory".to_owned(),
        KafkaPart::Cluster(connection, _) => connection.bootstrap_servers.join(", "),
    }
}

/// Which store.
pub(crate) fn store(config: &StoreConfig) -> String {
    match config {
        StoreConfig::Embedded { path, .. } => path.display().to_string(),
        StoreConfig::Mongodb { database, .. } => format!("MongoDB, database {database}"),
    }
}
