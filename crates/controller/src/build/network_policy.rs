//! The NetworkPolicy: the workers are reached at their admin port alone. Pure.
//!
//! What they reach is left open: exchanges, brokers and databases are known by name, behind addresses that change, and
//! a policy knows only addresses.

use k8s_openapi::{
    api::networking::v1::{NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPort, NetworkPolicySpec},
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

use crate::labels;

use super::{Plan, deployment::ADMIN};

pub(super) fn build(plan: &Plan<'_>) -> NetworkPolicy {
    let admin = NetworkPolicyPort {
        port: Some(IntOrString::String(ADMIN.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    };
    NetworkPolicy {
        metadata: plan.named("workers"),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(labels::workers(plan.pipeline)),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(vec![NetworkPolicyIngressRule { ports: Some(vec![admin]), ..Default::default() }]),
            ..NetworkPolicySpec::default()
        }),
    }
}
