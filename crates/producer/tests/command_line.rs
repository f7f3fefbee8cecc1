//! The command line of the binary: what it says of itself, and how it refuses what it cannot use.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pricepipe-producer"));
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
    let expected = concat!("pricepipe-producer ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(String::from_utf8_lossy(&version.stdout), expected);
    assert!(help.status.success() && version.status.success());
    assert_eq!(run(&["--helpp"], &[]).status.code(), Some(2));
}

fn config() -> Value {
    json!({
        "pipeline": "majors", "kafka": {"bootstrapServers": ["127.0.0.1:1"]},
        "sources": [{"name": "binance", "exchange": "binance", "rest": {
            "endpoints": ["http://127.0.0.1:1"], "intervalMillis": 1_000, "timeoutMillis": 100, "maxWeightPerMinute": 1_200,
        }}],
        "symbols": [{"symbol": "BTCUSDT", "topic": "btc"}],
    })
}

#[test]
fn a_configuration_that_could_never_work_is_refused_with_every_fault() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config();
    config["sources"][0]["rest"]["intervalMillis"] = json!(0);
    config["symbols"] =
        json!([{"symbol": "BTCUSDT", "topic": "btc"}, {"symbol": "BTCUSDT", "topic": "other"}]);
    let (code, said) = refused(folder.path(), &config, &[]);
    assert!(code == Some(3) && said.contains("sources[0].rest.intervalMillis: 0, but"), "{code:?} {said}");
    assert!(said.contains("symbols[1].symbol: "), "{said}");
}

#[test]
fn an_admin_address_that_is_taken_is_a_configuration_that_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("localhost:{}", taken.local_addr().unwrap().port());
    let (code, said) = refused(folder.path(), &config(), &[("PRICEPIPE_ADMIN_ADDRESS", address.as_str())]);
    let named = taken.local_addr().unwrap().to_string();
    assert!(code == Some(3) && said.contains(&named) && said.contains("choose another"), "{code:?} {said}");
}

#[test]
fn a_file_of_authorities_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let variables = [("KAFKA_SSL_CA_LOCATION", file.to_str().unwrap()), ("KAFKA_SECURITY_PROTOCOL", "SSL")];
    let (code, said) = refused(folder.path(), &config(), &variables);
    let expected = format!("KAFKA_SSL_CA_LOCATION: {} cannot be read", file.display());
    assert!(code == Some(3) && said.contains(&expected), "{code:?} {said}");
}
