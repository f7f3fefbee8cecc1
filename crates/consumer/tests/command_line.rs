//! The command line of the binary: what it says of itself, and how it refuses what it cannot use.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pricepipe-consumer"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).output().expect("the binary starts")
}

/// Runs it with a configuration that it refuses, and gives its exit code and what it says.
fn refused(folder: &Path, config: &Value, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let file = folder.join("config.json");
    std::fs::write(&file, config.to_string()).expect("a writable folder");
    let output = run(&[&file.display().to_string()], variables);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn help_and_version_need_no_configuration() {
    let help = run(&["--help"], &[]);
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    for word in ["CONFIG.json", "PRICEPIPE_CONFIG", "KAFKA_PASSWORD", "PRICEPIPE_ADMIN_ADDRESS", "Exit codes"]
    {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    let version = run(&["--version"], &[]);
    let expected = concat!("pricepipe-consumer ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&version.stdout), expected);
    assert!(help.status.success() && version.status.success());
    assert_eq!(run(&["--helpp"], &[]).status.code(), Some(2));
}

fn config(folder: &Path) -> Value {
    json!({
        "pipeline": "majors", "kafka": {"bootstrapServers": ["127.0.0.1:1"]}, "group": "g",
        "topics": [{"topic": "btc", "collection": "btc"}], "deadLetterTopic": "dead",
        "store": {"kind": "embedded", "path": folder.join("prices.sqlite")},
    })
}

#[test]
fn a_configuration_that_could_never_work_is_refused_with_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config["deadLetterTopic"] = json!("btc");
    config["sessionTimeoutMillis"] = json!(1);
    let (code, said) = refused(folder.path(), &config, &[]);
    assert!(code == Some(3) && said.contains("deadLetterTopic: btc is"), "{code:?} {said}");
    assert!(said.contains("sessionTimeoutMillis: 1, but"), "{said}");
}

#[test]
fn an_admin_address_that_is_taken_is_a_configuration_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("localhost:{}", taken.local_addr().unwrap().port());
    let variables = [("PRICEPIPE_ADMIN_ADDRESS", address.as_str())];
    let (code, said) = refused(folder.path(), &config(folder.path()), &variables);
    let named = taken.local_addr().unwrap().to_string();
    assert!(code == Some(3) && said.contains(&named) && said.contains("choose another"), "{code:?} {said}");
}

#[test]
fn variables_and_secret_files_that_cannot_be_used_are_named_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = refused(folder.path(), &config(folder.path()), &[("KAFKA_PASSWORD", "hunter2")]);
    assert!(code == Some(3) && said.contains("KAFKA_PASSWORD: set without a user"), "{code:?} {said}");
    assert!(!said.contains("hunter2"), "{said}");
    let mut config = config(folder.path());
    config["store"] = json!({"kind": "mongodb", "database": "fx"});
    let empty = folder.path().join("uri");
    std::fs::write(&empty, "\n").unwrap();
    let variables = [("MONGO_CONNECTION_STRING_FILE", empty.to_str().unwrap())];
    let (code, said) = refused(folder.path(), &config, &variables);
    let expected = format!("{}, which MONGO_CONNECTION_STRING_FILE names, is empty", empty.display());
    assert!(code == Some(3) && said.contains(&expected), "{code:?} {said}");
}
