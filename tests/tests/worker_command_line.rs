//! The command line of the workers: what they say of themselves, and how they refuse what they cannot use.

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
};

use pricepipe_tests::worker::binary;
use serde_json::{Value, json};

const PRODUCER: &str = "pricepipe-producer";
const CONSUMER: &str = "pricepipe-consumer";

fn run(name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary(name));
    command.args(arguments).env_clear().envs(variables.iter().copied()).output().expect("the binary starts")
}

/// Runs it with a configuration or a variable that it refuses as such, and gives what it says.
fn refusal(name: &str, config: &Value, variables: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    std::fs::write(&file, config.to_string()).expect("a writable folder");
    let output = run(name, &[&file.display().to_string()], variables);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    said
}

fn producer() -> Value {
    json!({
        "pipeline": "majors", "kafka": {"bootstrapServers": ["127.0.0.1:1"]},
        "sources": [{"name": "binance", "exchange": "binance", "rest": {
            "endpoints": ["http://127.0.0.1:1"], "intervalMillis": 1_000, "timeoutMillis": 100, "maxWeightPerMinute": 1_200,
        }}],
        "symbols": [{"symbol": "BTCUSDT", "topic": "btc"}],
    })
}

fn consumer(folder: &Path) -> Value {
    json!({
        "pipeline": "majors", "kafka": {"bootstrapServers": ["127.0.0.1:1"]}, "group": "g",
        "topics": [{"topic": "btc", "collection": "btc"}], "deadLetterTopic": "dead",
        "store": {"kind": "embedded", "path": folder.join("prices.sqlite")},
    })
}

#[test]
fn help_and_version_need_no_configuration() {
    for name in [PRODUCER, CONSUMER] {
        let help = run(name, &["--help"], &[]);
        let text = String::from_utf8_lossy(&help.stdout).into_owned();
        let words =
            ["CONFIG.json", "PRICEPIPE_CONFIG", "KAFKA_PASSWORD", "PRICEPIPE_ADMIN_ADDRESS", "Exit codes"];
        for word in words {
            assert!(text.contains(word), "{word} is not in {text}");
        }
        let version = run(name, &["--version"], &[]);
        let expected = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(String::from_utf8_lossy(&version.stdout), expected);
        assert!(help.status.success() && version.status.success());
        assert_eq!(run(name, &["--helpp"], &[]).status.code(), Some(2));
    }
}

#[test]
fn a_configuration_that_could_never_work_is_refused_with_every_fault() {
    let mut config = producer();
    config["sources"][0]["rest"]["intervalMillis"] = json!(0);
    config["symbols"] =
        json!([{"symbol": "BTCUSDT", "topic": "btc"}, {"symbol": "BTCUSDT", "topic": "other"}]);
    let said = refusal(PRODUCER, &config, &[]);
    assert!(said.contains("sources[0].rest.intervalMillis: 0, but"), "{said}");
    assert!(said.contains("symbols[1].symbol: "), "{said}");

    let folder = tempfile::tempdir().expect("a folder");
    let mut config = consumer(folder.path());
    config["deadLetterTopic"] = json!("btc");
    config["sessionTimeoutMillis"] = json!(1);
    let said = refusal(CONSUMER, &config, &[]);
    assert!(said.contains("deadLetterTopic: btc is"), "{said}");
    assert!(said.contains("sessionTimeoutMillis: 1, but"), "{said}");
}

#[test]
fn an_admin_address_that_is_taken_is_a_configuration_that_cannot_be_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr().map(|at| (taken, at)));
    let (_taken, at) = taken.expect("a free port");
    let address = format!("localhost:{}", at.port());
    for (name, config) in [(PRODUCER, producer()), (CONSUMER, consumer(folder.path()))] {
        let said = refusal(name, &config, &[("PRICEPIPE_ADMIN_ADDRESS", &address)]);
        assert!(said.contains(&at.to_string()) && said.contains("choose another"), "{said}");
    }
}

#[test]
fn variables_and_files_that_cannot_be_used_are_named_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = refusal(CONSUMER, &consumer(folder.path()), &[("KAFKA_PASSWORD", "hunter2")]);
    assert!(said.contains("KAFKA_PASSWORD: set without a user") && !said.contains("hunter2"), "{said}");

    let empty = folder.path().join("uri");
    std::fs::write(&empty, "\n").expect("a writable folder");
    let mut config = consumer(folder.path());
    config["store"] = json!({"kind": "mongodb", "database": "fx"});
    let said = refusal(CONSUMER, &config, &[("MONGO_CONNECTION_STRING_FILE", &empty.to_string_lossy())]);
    let expected = format!("{}, which MONGO_CONNECTION_STRING_FILE names, is empty", empty.display());
    assert!(said.contains(&expected), "{said}");

    let absent = folder.path().join("ca.pem");
    let variables =
        [("KAFKA_SSL_CA_LOCATION", &*absent.to_string_lossy()), ("KAFKA_SECURITY_PROTOCOL", "SSL")];
    let said = refusal(PRODUCER, &producer(), &variables);
    assert!(said.contains(&format!("KAFKA_SSL_CA_LOCATION: {} cannot be read", absent.display())), "{said}");
}
