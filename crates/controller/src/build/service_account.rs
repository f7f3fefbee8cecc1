//! The ServiceAccounts: an identity for each worker, without any access to the API. Pure.

use k8s_openapi::api::core::v1::ServiceAccount;

use crate::labels::Worker;

use super::{Plan, worker_name};

pub(super) fn build(plan: &Plan<'_>, worker: Worker) -> ServiceAccount {
    ServiceAccount {
        metadata: plan.metadata(worker_name(plan.pipeline, worker), Some(worker)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
