//! The release with a Kafka that asks for a login: pipelines that name none use it, and nobody sees a password.

use std::{path::Path, process::Command, time::Duration};

use pricepipe_tests::{
    chart::Release,
    cluster::{ClusterExchange, Pipeline, TestNamespace},
    servers,
};
use serde_json::json;

const READY: Duration = Duration::from_secs(180);
const PATIENCE: Duration = Duration::from_secs(60);
/// A part of every password that is nowhere else.
const CANARY: &str = "canary4712";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the testbed's cluster"]
async fn a_login_at_kafka_is_used_by_all_and_no_password_is_ever_shown() {
    let namespace = TestNamespace::create("secure").await;
    secrets(&namespace);
    let release = Release::of(&namespace).await;
    // Kafdrop and Grafana have no images here: they do not start, but their objects could show a password.
    let values = [
        "kafka.sasl.enabled=true",
        "kafka.sasl.existingSecret=kafka-user",
        "kafka.tls.existingSecret=kafka-tls",
        "kafka.heapOptions=-Xms128m -Xmx256m",
        "exchange.simulator.enabled=true",
        "mongodb.enabled=false",
        "grafana.existingSecret=grafana-user",
    ];
    let values = values.iter().flat_map(|value| ["--set", value]);
    release.install(&values.collect::<Vec<_>>()).unwrap_or_else(|error| panic!("helm install: {error}"));

    let exchange = ClusterExchange::at(&namespace, "prices-exchange").await;
    let mut pipeline = Pipeline::new(&namespace, "", &["BTCUSDT"]);
    pipeline.manifest["spec"] = json!({
        "symbols": [{"symbol": "BTCUSDT"}],
        "sources": [{"exchange": "binance", "rest": {"intervalSeconds": 1}}],
        "kafka": {"topics": {"nameTemplate": "{pipeline}-{base}"}},
        "mongodb": {"database": namespace.name},
    });
    pipeline.apply();
    pipeline.until("Ready", "True", READY).await;
    pipeline.until_prices_arrive("btc", PATIENCE).await;
    pipeline.until_stored_as_served(&exchange, &["btc"], PATIENCE).await;

    let wrong = json!({"stringData": {"password": format!("wrong-{CANARY}")}}).to_string();
    namespace.kubectl(&["patch", "secret", "kafka-user", "-p", &wrong]);
    let refused = pipeline.until_because("Ready", "AuthenticationFailed", PATIENCE).await;
    assert!(refused.message.contains("refuses user \"pricepipe\""), "{}", refused.message);

    let mut seen = namespace.everything_to_be_seen().await;
    let manifest = release.run(&["get", "manifest", release.name]).expect("Helm knows the release");
    seen.push(("what Helm made".to_owned(), manifest));
    assert!(seen.iter().any(|(what, _)| what.starts_with("the log of prices-kafka")), "a broker's log");
    for (what, text) in seen {
        assert!(!text.contains(CANARY), "{what} shows a secret:\n{text}");
    }
}

/// All that a user makes beforehand, each with the canary.
fn secrets(namespace: &TestNamespace) {
    let secret = |name: &str, data: serde_json::Value| {
        let object =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        namespace.apply(&object.to_string());
    };
    let uri = format!("{}?appName={CANARY}", servers::mongodb());
    secret("pricepipe-mongodb", json!({"uri": uri}));
    // Characters that a file or a command line could take for its own.
    secret("kafka-user", json!({"username": "pricepipe", "password": format!("{CANARY}$1 %#'&=;,{{x}}")}));
    secret("grafana-user", json!({"admin-user": "admin", "admin-password": CANARY}));
    let folder = tempfile::tempdir().expect("a writable folder");
    certificates(folder.path(), &namespace.name);
    let file =
        |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("openssl has written it");
    secret(
        "kafka-tls",
        json!({"tls.crt": file("tls.crt"), "tls.key": file("tls.key"), "ca.crt": file("ca.crt")}),
    );
}

/// An authority, and a certificate by it for the brokers' names, as an operator's cert-manager would make them.
fn certificates(folder: &Path, namespace: &str) {
    let script = format!(
        "key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
         openssl req -x509 $key -keyout ca.key -out ca.crt -days 2 -subj /CN=test -addext keyUsage=critical,keyCertSign
         openssl req $key -keyout tls.key -out tls.csr -subj /CN=kafka
         openssl x509 -req -in tls.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out tls.crt -extfile <(
           echo 'subjectAltName=DNS:prices-kafka.{namespace}.svc,DNS:*.prices-kafka-headless.{namespace}.svc')"
    );
    let output = Command::new("bash").args(["-ec", &script]).current_dir(folder).output().expect("bash runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
