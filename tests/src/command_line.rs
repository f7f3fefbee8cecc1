//! `pricepipe` as its user runs it: in a folder of its own, with nothing of the caller's environment.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::worker::binary;

/// What a command has said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// A command that is ready to run.
pub fn command(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("pricepipe"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Said {
    let output = command(folder, variables, arguments).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    };
    println!("$ pricepipe {}\n{}{}exit {}\n", arguments.join(" "), said.out, said.err, said.code);
    said
}

/// The path of an example pipeline.
pub fn example(name: &str) -> String {
    format!("{}/../examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

impl Said {
    /// The JSON objects of its lines.
    pub fn rows(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("a JSON object per line")).collect()
    }
}
