//! `spec.producer` and `spec.consumer`: whether Kubernetes could run them as described. Pure.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::{Fault, ResourcesSpec, fault::Faults, path, resources::thousandths};

/// Refuses a request above its limit, which no pod may have.
pub(super) fn resources(at: &str, resources: Option<&ResourcesSpec>, faults: &mut Faults) {
    let Some(resources) = resources else { return };
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
