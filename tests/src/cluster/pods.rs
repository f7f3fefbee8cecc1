//! Pods, from the side of the node: a test runs on it.

use std::{net::SocketAddr, process::Command};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::kubectl;
use crate::http;

/// Where our pods serve metrics.
const ADMIN_PORT: u16 = 8080;

/// Ends a pod as a power cut does: its processes get SIGKILL, nobody hears of it before. Then the pod is removed, so
/// that its Deployment makes another at once and no back-off delays it.
pub fn kill(pod: &Pod) {
    let uid = pod.uid().expect("a pod of the cluster");
    let killed = processes(&uid).into_iter().filter(|process| signal(process)).count();
    assert!(killed > 0, "{} has no process", pod.name_any());
    let namespace = pod.namespace().expect("a pod has one");
    kubectl(&[
        "-n",
        &namespace,
        "delete",
        "pod",
        &pod.name_any(),
        "--grace-period=0",
        "--force",
        "--ignore-not-found",
    ]);
}

/// Whether it is ready, and not about to end.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// What a pod of ours says of itself at `/metrics`.
pub(super) fn metrics(pod: &Pod) -> Option<String> {
    let address = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    http::get(SocketAddr::new(address, ADMIN_PORT), "/metrics").ok().map(|(_, body)| body)
}

/// Tries to write into the pod's own file system, with all that the node may do. Gives the places where it could.
pub fn places_to_write(pod: &Pod) -> Vec<String> {
    let process = process(pod);
    let mut writable = Vec::new();
    for folder in ["", "etc", "usr/local/bin", "usr/bin", "home", "var"] {
        let place = format!("/proc/{process}/root/{folder}");
        if std::fs::metadata(&place).is_ok() && std::fs::write(format!("{place}/attempt"), "").is_ok() {
            writable.push(format!("/{folder}"));
        }
    }
    writable
}

/// The programs that the pod's image has, by name.
pub fn programs(pod: &Pod) -> Vec<String> {
    let process = process(pod);
    let folders = ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin"];
    let files =
        folders.iter().filter_map(|folder| std::fs::read_dir(format!("/proc/{process}/root/{folder}")).ok());
    files.flatten().flatten().filter_map(|file| file.file_name().into_string().ok()).collect()
}

/// A process of the pod's own, not the one that holds its namespaces.
fn process(pod: &Pod) -> String {
    let uid = pod.uid().expect("a pod of the cluster");
    let program = |process: &String| std::fs::read_link(format!("/proc/{process}/exe")).ok();
    let is_own = |process: &String| program(process).is_some_and(|program| !program.ends_with("pause"));
    let found = processes(&uid).into_iter().find(is_own);
    found.unwrap_or_else(|| panic!("{} has no process", pod.name_any()))
}

/// The processes whose control group is this pod's.
fn processes(uid: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    let numbers = all.filter_map(|entry| entry.file_name().into_string().ok());
    let is_of_pod = |process: &String| {
        let groups = std::fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
        groups.contains(&format!("pod{uid}"))
    };
    numbers.filter(|name| name.bytes().all(|b| b.is_ascii_digit())).filter(is_of_pod).collect()
}

fn signal(process: &str) -> bool {
    Command::new("kill").args(["-KILL", process]).status().is_ok_and(|status| status.success())
}
