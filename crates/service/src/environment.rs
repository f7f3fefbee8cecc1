//! Reads settings from the environment, and secrets from files that the environment names.

use std::{env, fs};

/// The value of a variable, or the content of the file that `<variable>_FILE` names, without its last newline.
///
/// The file form is how a mounted Secret reaches a process without being part of its environment.
pub fn lookup(variable: &str) -> Option<String> {
    let file = |path: String| match fs::read_to_string(&path) {
        Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => {
            tracing::error!(variable, path, %error, "cannot read the file that {variable}_FILE names");
            None
        }
    };
    env::var(variable)
        .ok()
        .filter(|value| !value.is_empty())
        .or_else(|| env::var(format!("{variable}_FILE")).ok().and_then(file))
}
