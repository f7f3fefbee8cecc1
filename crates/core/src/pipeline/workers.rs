//! What a cluster is told about the workers beyond their number: resources, autoscaling, and what a deletion takes along.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What happens to a pipeline's own topics when it is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletionPolicy {
    /// They stay.
    #[default]
    Retain,
    /// They are removed.
    Delete,
}

/// CPU and memory of a worker, by resource name, as Kubernetes writes quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// What is set aside for it.
    pub requests: BTreeMap<String, String>,
    /// What it may not exceed.
    pub limits: BTreeMap<String, String>,
}

impl Resources {
    /// True when the pipeline says nothing, and the surroundings' defaults hold.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty() && self.limits.is_empty()
    }
}

/// How the number of consumers follows the lag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Autoscaling {
    /// The fewest consumers.
    pub min_replicas: u32,
    /// The most consumers.
    pub max_replicas: u32,
    /// How many messages of lag one consumer is expected to work off.
    pub lag_per_replica: u32,
    /// How long the lag must have been low before consumers are taken away.
    pub stabilization_seconds: u32,
}
