//! What somebody wants to see who has to find out why a test has failed.

use super::{SYSTEM, try_kubectl};

/// Prints the state of a namespace and of the controller.
pub(crate) fn print(namespace: &str) {
    show(&["-n", namespace, "get", "pricepipelines,deployments,pods,services,configmaps", "-o", "wide"]);
    show(&["-n", namespace, "get", "pricepipelines", "-o", "yaml"]);
    show(&["-n", namespace, "get", "events", "--sort-by", ".lastTimestamp"]);
    logs(namespace);
    show(&["-n", SYSTEM, "get", "pods,leases", "-o", "wide"]);
    logs(SYSTEM);
}

fn logs(namespace: &str) {
    let pods = try_kubectl(&["-n", namespace, "get", "pods", "-o", "name"], "").unwrap_or_default();
    for pod in pods.lines() {
        show(&["-n", namespace, "logs", pod, "--tail", "80"]);
        let crashed = try_kubectl(&["-n", namespace, "logs", pod, "--tail", "40", "--previous"], "");
        if let Ok(log) = crashed {
            eprintln!("--- before its restart\n{log}");
        }
    }
}

fn show(arguments: &[&str]) {
    let seen = try_kubectl(arguments, "").unwrap_or_else(|error| error);
    eprintln!("--- kubectl {}\n{seen}", arguments.join(" "));
}
