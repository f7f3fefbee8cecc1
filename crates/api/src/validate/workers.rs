//! `spec.producer` and `spec.consumer`: whether Kubernetes could run them as described. Pure.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use pricepipe_core::pipeline::{Autoscaling, Resources};

use crate::{AutoscalingSpec, Fault, ResourcesSpec, fault::Faults, path, resources::thousandths};

use super::count;

/// How the number of consumers follows the lag.
pub(super) fn autoscaling(spec: &AutoscalingSpec) -> Autoscaling {
    Autoscaling {
        min_replicas: count(spec.min_replicas),
        max_replicas: count(spec.max_replicas),
        lag_per_replica: count(spec.lag_per_replica),
        stabilization_seconds: count(spec.stabilization_seconds),
    }
}

/// CPU and memory of a worker. Refuses a request above its limit, which no pod may have.
pub(super) fn resources(at: &str, resources: Option<&ResourcesSpec>, faults: &mut Faults) -> Resources {
    let Some(resources) = resources else { return Resources::default() };
    for (list, amounts) in [("requests", &resources.requests), ("limits", &resources.limits)] {
        for (name, amount) in amounts {
            let path = path::field(&path::field(at, list), name);
            if !is_resource_name(name) {
                faults.add(Fault::new(
                    path.as_str(),
                    "not a resource; the common ones are cpu, memory and ephemeral-storage",
                ));
            }
            if thousandths(amount).is_none() {
                faults.add(Fault::new(path, "too large to be a quantity"));
            }
        }
    }
    for (name, request) in &resources.requests {
        let Some(limit) = resources.limits.get(name).filter(|limit| above(request, limit)) else { continue };
        let message =
            format!("{} is above the limit of {}; lower one or raise the other", request.0, limit.0);
        faults.add(Fault::new(path::field(&path::field(at, "requests"), name), message));
    }
    let texts = |amounts: &BTreeMap<String, Quantity>| {
        amounts.iter().map(|(name, amount)| (name.clone(), amount.0.clone())).collect()
    };
    Resources { requests: texts(&resources.requests), limits: texts(&resources.limits) }
}

fn above(request: &Quantity, limit: &Quantity) -> bool {
    matches!((thousandths(request), thousandths(limit)), (Some(request), Some(limit)) if request > limit)
}

/// A resource of Kubernetes' own, or one with a domain, as in `example.com/gpu`.
fn is_resource_name(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._/-".contains(&b);
    let known = ["cpu", "memory", "ephemeral-storage"].contains(&name) || name.starts_with("hugepages-");
    known || (name.len() <= 253 && name.contains('/') && name.bytes().all(legal))
}
