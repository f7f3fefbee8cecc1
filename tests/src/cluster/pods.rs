//! Pods, from the side of the node: a test runs on it.

use std::process::Command;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::kubectl;

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
