//! The PodDisruptionBudgets: a drained node takes one replica of a Deployment at a time. Pure.
//!
//! There is none for a single replica: it could only forbid that the node is drained at all.

use k8s_openapi::{
    api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use crate::labels::{self, Worker};

use super::{Plan, worker_name};

pub(super) fn build(plan: &Plan<'_>, worker: Worker) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: plan.metadata(worker_name(plan.pipeline, worker), Some(worker)),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(labels::selector(plan.pipeline, worker)),
                ..LabelSelector::default()
            }),
            // While Kafka or the store is away no worker is ready, and none has work that an eviction could disturb.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
