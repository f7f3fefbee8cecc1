//! `pricepipe` as its user meets it: no server, no network.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use pricepipe_tests::worker::binary;

/// The command line in a folder of its own, without the caller's environment.
fn pricepipe(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("pricepipe"));
    command.args(arguments).current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output: Output = pricepipe(folder, arguments).output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

fn example(name: &str) -> String {
    format!("{}/../examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_quickstart_shows_prices_within_five_seconds_and_ends_with_a_summary() {
    let folder = tempfile::tempdir().unwrap();
    let file = example("quickstart.yaml");
    let start = Instant::now();
    let mut child = pricepipe(folder.path(), &["run", &file, "--simulate", "--admin-address", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "the first price came after {:?}", start.elapsed());
    assert!(["BTCUSDT", "ETHUSDT", "SOLUSDT"].iter().any(|symbol| first.starts_with(symbol)), "{first}");
    let stored = lines.find(|line| line.contains("stored 2"));
    assert!(stored.is_some() && start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{rest:?}");
    let summary = rest.join("\n");
    for word in ["produced", "stored", "duplicates", "dead letters"] {
        assert!(summary.contains(word), "{word} is not in the summary:\n{summary}");
    }

    let (code, counts, _) = run(folder.path(), &["query", "count", "-f", &file, "--output", "json"]);
    let counts: serde_json::Value = serde_json::from_str(&counts).unwrap();
    assert_eq!((code, counts.as_array().map(Vec::len)), (0, Some(3)), "{counts}");
    let (code, latest, _) = run(folder.path(), &["query", "latest", "-f", &file, "--symbol", "BTCUSDT"]);
    assert!(code == 0 && latest.contains("BTCUSDT") && !latest.contains("ETHUSDT"), "{latest}");
}

#[test]
fn what_was_produced_is_stored_when_the_run_ends() {
    let folder = tempfile::tempdir().unwrap();
    let file = example("quickstart.yaml");
    let arguments = [
        "run",
        &file,
        "--simulate",
        "--progress",
        "json",
        "--stop-after",
        "7",
        "--admin-address",
        "127.0.0.1:0",
    ];
    let (code, out, err) = run(folder.path(), &arguments);
    assert_eq!(code, 0, "{err}");
    let summary: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let (produced, stored) = (summary["produced"].as_u64().unwrap(), summary["stored"].as_u64().unwrap());
    assert!(produced >= 6 && produced == stored, "{summary}");
    assert!(out.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{out}");
}

#[test]
fn validate_names_every_fault_with_its_path_and_exits_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.yaml");
    let text = "apiVersion: pricepipe.dev/v1alpha1\nkind: PricePipeline\nmetadata: {name: bad}\nspec:\n  symbols:\n  - {symbol: btc usdt}\n  - {symbol: ETHUSDT, tpoic: eth}\n  sources: [{exchange: binance, rest: {intervalSeconds: 0}}]\n";
    std::fs::write(&file, text).unwrap();
    let (code, out, err) = run(folder.path(), &["validate", "bad.yaml"]);
    assert_eq!(code, 3, "{out}{err}");
    for path in ["spec.symbols[0].symbol", "spec.symbols[1].tpoic", "spec.sources[0].rest.intervalSeconds"] {
        assert!(err.contains(path) || out.contains(path), "{path} is not in\n{out}{err}");
    }
    let (code, _, err) = run(folder.path(), &["validate", &example("quickstart.yaml")]);
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_file_that_is_not_there_and_a_command_that_is_not_there_have_their_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = run(folder.path(), &["run", "nowhere.yaml"]);
    assert!(code == 5 && err.contains("nowhere.yaml"), "{code}: {err}");
    let (code, _, _) = run(folder.path(), &["walk"]);
    assert_eq!(code, 2);
    let (code, _, err) = run(folder.path(), &["query", "latest", "-f", &example("quickstart.yaml")]);
    assert!(code == 5 && err.contains("quickstart.sqlite"), "{code}: {err}");
}

#[test]
fn an_exchange_that_cannot_be_reached_is_said_in_one_line_that_names_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let address = pricepipe_tests::worker::free_address();
    let text = format!(
        "apiVersion: pricepipe.dev/v1alpha1\nkind: PricePipeline\nmetadata: {{name: away}}\nspec:\n  symbols: [{{symbol: BTCUSDT}}]\n  \
         sources: [{{exchange: binance, rest: {{endpoints: [\"http://{address}\"], intervalSeconds: 1, timeoutSeconds: 1}}}}]\n"
    );
    std::fs::write(folder.path().join("away.yaml"), text).unwrap();
    let (code, _, err) =
        run(folder.path(), &["run", "away.yaml", "--stop-after", "6", "--admin-address", "127.0.0.1:0"]);
    let lines: Vec<&str> = err.lines().filter(|line| line.contains("--simulate")).collect();
    assert!(lines.len() == 1 && lines[0].contains("cannot be reached"), "{err}");
    assert_eq!(code, 0, "{err}");
}

#[test]
fn a_dot_env_file_names_servers_and_a_faulty_value_is_said_without_starting() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "KAFKA_BOOTSTRAP_SERVERS=kafka\n").unwrap();
    let (code, _, err) = run(folder.path(), &["run", &example("quickstart.yaml"), "--simulate"]);
    assert!(
        code == 3 && err.contains("KAFKA_BOOTSTRAP_SERVERS") && err.contains("host:port"),
        "{code}: {err}"
    );
}

#[test]
fn every_command_helps_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["run", "validate", "query", "crd", "simulate-exchange", "completions"] {
        let (code, out, _) = run(folder.path(), &[command, "--help"]);
        assert!(
            code == 0 && out.contains("Examples:\n  pricepipe ") || out.contains("pricepipe crd |"),
            "{command}:\n{out}"
        );
    }
    let (_, help, _) = run(folder.path(), &["--help"]);
    assert!(help.contains("Exit codes:"), "{help}");
    let (_, version, _) = run(folder.path(), &["--version"]);
    assert!(version.starts_with(&format!("pricepipe {}", env!("CARGO_PKG_VERSION"))), "{version}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run(folder.path(), &["completions", shell]);
        assert!(code == 0 && script.contains("simulate-exchange"), "{shell}");
    }
}
