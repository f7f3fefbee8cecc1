//! The Service: where the metrics of all workers of a pipeline are found. Pure.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use crate::labels;

use super::{
    Plan,
    deployment::{ADMIN, ADMIN_PORT},
};

pub(super) fn build(plan: &Plan<'_>) -> Service {
    Service {
        metadata: plan.named("metrics"),
        spec: Some(ServiceSpec {
            // Without an address of its own: every pod is asked, never one for all.
            cluster_ip: Some("None".to_owned()),
            // A worker that is not ready is the one whose metrics are wanted.
            publish_not_ready_addresses: Some(true),
            selector: Some(labels::workers(plan.pipeline)),
            ports: Some(vec![ServicePort {
                name: Some(ADMIN.to_owned()),
                port: ADMIN_PORT,
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::String(ADMIN.to_owned())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
