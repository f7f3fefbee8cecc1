//! kubectl, called as a user calls it.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use super::CONTEXT;

/// What `kubectl` with these arguments prints. The test fails when it does.
pub fn kubectl(arguments: &[&str]) -> String {
    kubectl_with(arguments, "")
}

/// The same with an input, for `-f -`.
pub fn kubectl_with(arguments: &[&str], input: &str) -> String {
    try_kubectl(arguments, input)
        .unwrap_or_else(|error| panic!("kubectl {}: {error}\n{input}", arguments.join(" ")))
}

/// What it prints, or its complaint.
///
/// # Errors
/// What it printed to standard error, when it ended with anything but 0.
pub fn try_kubectl(arguments: &[&str], input: &str) -> Result<String, String> {
    try_kubectl_with_warnings(arguments, input).map(|(printed, _)| printed)
}

/// What it prints, and what it warns of; or its complaint.
///
/// # Errors
/// What it printed to standard error, when it ended with anything but 0.
pub fn try_kubectl_with_warnings(arguments: &[&str], input: &str) -> Result<(String, String), String> {
    let mut kubectl = Command::new("kubectl")
        .args(["--context", CONTEXT, "--request-timeout", "60s"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl is on the PATH: use tests/testbed/kubernetes run");
    let mut stdin = kubectl.stdin.take().expect("a pipe");
    // A kubectl that has found a mistake in its arguments reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = kubectl.wait_with_output().expect("kubectl ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let complaint = text(output.stderr);
    if output.status.success() { Ok((text(output.stdout), complaint)) } else { Err(complaint) }
}
