//! `pricepipe` as its user starts it: in a folder of its own, without the caller's environment.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::worker::binary;

/// The command line, to be changed and started.
pub fn pricepipe(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("pricepipe"));
    command.args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

/// Runs it to its end: its exit code, and what it wrote to standard output and to standard error.
pub fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    finish(pricepipe(folder, arguments))
}

/// The same of a command that was changed.
pub fn finish(mut command: Command) -> (i32, String, String) {
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The path of an example pipeline.
pub fn example(name: &str) -> String {
    format!("{}/../examples/{name}", env!("CARGO_MANIFEST_DIR"))
}
