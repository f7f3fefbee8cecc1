//! `pricepipe` as its user meets it: no server, no network.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use pricepipe_tests::command_line::{self, example};

fn pricepipe(folder: &Path, arguments: &[&str]) -> Command {
    command_line::command(folder, &[], arguments)
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let said = command_line::run(folder, &[], arguments);
    (said.code, said.out, said.err)
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
    let several = |line: &String| {
        let stored = line.split("stored ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        stored.is_some_and(|stored: u64| stored >= 2)
    };
    let stored = lines.find(several);
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
    let arguments = ["query", "latest", "-f", &file, "--symbol", "BTCUSDT"];
    let (code, latest, err) = run(folder.path(), &arguments);
    assert!(code == 0 && latest.contains("BTCUSDT") && !latest.contains("ETHUSDT"), "{latest}");
    assert!(err.contains("invented prices") && err.contains("--simulated"), "{err}");
    let (code, again, err) = run(folder.path(), &[&arguments[..], &["--simulated"]].concat());
    assert!(code == 0 && again.contains("BTCUSDT") && err.is_empty(), "{again}{err}");
}

#[test]
fn invented_prices_stay_away_from_the_servers_that_the_environment_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = example("quickstart.yaml");
    let arguments = ["run", &file, "--simulate", "--stop-after", "5", "--admin-address", "localhost:0"];
    let mut command = pricepipe(folder.path(), &arguments);
    command
        .env("KAFKA_BOOTSTRAP_SERVERS", "localhost:1")
        .env("MONGO_CONNECTION_STRING", "mongodb://localhost:1");
    let output = command.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(err.contains("embedded, in memory") && err.contains("quickstart.simulated.sqlite"), "{err}");
    assert!(
        err.contains("leaves the servers of KAFKA_BOOTSTRAP_SERVERS and MONGO_CONNECTION_STRING"),
        "{err}"
    );
    assert!(!folder.path().join("quickstart.sqlite").exists());
}

#[test]
fn a_kafka_that_is_away_is_said_with_its_reason_and_the_process_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let (kafka, admin) =
        (pricepipe_tests::worker::free_address().to_string(), pricepipe_tests::worker::free_address());
    let file = example("quickstart.yaml");
    let address = admin.to_string();
    let arguments =
        ["run", &file, "--simulate", "--real-servers", "--stop-after", "5", "--admin-address", &address];
    let child = pricepipe(folder.path(), &arguments)
        .env("KAFKA_BOOTSTRAP_SERVERS", &kafka)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let ready = || pricepipe_tests::http::get(admin, "/readyz");
    let mut page = ready();
    while !page.as_ref().is_ok_and(|(_, text)| text.contains("refused")) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        page = ready().or(page);
    }
    let page = page.unwrap();
    assert!(page.0 == 503 && page.1.contains("kafka: ") && page.1.contains("Connection refused"), "{page:?}");
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(4), "{err}");
    assert!(out.starts_with("produced 0, stored 0"), "the summary: {out}");
    assert!(
        err.contains("WARNING") && err.contains(&format!("INVENTED prices go to Kafka at {kafka}")),
        "{err}"
    );
    assert!(err.contains("WARN Kafka is not reached: ") && err.contains("Kafka was not reached: "), "{err}");
}

#[test]
fn prices_that_an_embedded_kafka_forgets_are_counted_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = pricepipe_tests::worker::free_address();
    let file = example("quickstart.yaml");
    let arguments =
        ["run", &file, "--simulate", "--real-servers", "--stop-after", "5", "--admin-address", "localhost:0"];
    let mut command = pricepipe(folder.path(), &arguments);
    command.env("MONGO_CONNECTION_STRING", format!("mongodb://{store}"));
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("draining, up to 25 s; Ctrl-C again stops at once"), "{err}");
    assert!(
        err.contains(" produced prices are lost: ") && err.contains("the embedded Kafka keeps nothing"),
        "{err}"
    );
    assert!(out.lines().last().unwrap().contains("stored 0"), "{out}");
}

#[test]
fn output_that_nobody_reads_is_no_panic_and_a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = example("quickstart.yaml");
    let to = |arguments: &[&str], output: Stdio| {
        let mut command = pricepipe(folder.path(), arguments);
        command.stdout(output).stderr(Stdio::piped()).output().unwrap()
    };
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let run = ["run", &file, "--simulate", "--stop-after", "4", "--admin-address", "127.0.0.1:0"];
    for arguments in [&["validate", &file][..], &["crd"], &["completions", "bash"], &run] {
        let output = to(arguments, closed());
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(0) && !err.contains("panicked"), "{arguments:?}: {err}");
        let output = to(arguments, full());
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && err.contains("standard output: "), "{arguments:?}: {err}");
    }
}

#[test]
fn the_faults_of_several_documents_say_which_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let document = |name: &str, symbol: &str| {
        format!(
            "apiVersion: pricepipe.dev/v1alpha1\nkind: PricePipeline\nmetadata: {{name: {name}}}\n\
             spec: {{symbols: [{{symbol: {symbol}}}]}}\n---\n"
        )
    };
    let text = document("good", "BTCUSDT") + &document("bad", "btc usdt");
    std::fs::write(folder.path().join("two.yaml"), text).unwrap();
    let (code, out, err) = run(folder.path(), &["validate", "two.yaml"]);
    assert!(code == 3 && out.starts_with("two.yaml: good is valid"), "{out}{err}");
    assert!(err.starts_with("two.yaml: document 2 (bad): spec.symbols[0].symbol: "), "{err}");
}

#[test]
fn an_endless_file_is_refused_and_a_folder_is_not_a_file_that_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = run(folder.path(), &["validate", "/dev/zero"]);
    assert!(code == 3 && err.contains("more than 4194304 bytes"), "{code}: {err}");
    let (code, _, err) = run(folder.path(), &["validate", "."]);
    assert_eq!(code, 3, "{err}");
}

#[test]
fn a_question_that_has_no_answer_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = example("quickstart.yaml");
    let arguments = ["run", &file, "--simulate", "--stop-after", "7", "--admin-address", "127.0.0.1:0"];
    assert_eq!(run(folder.path(), &arguments).0, 0);
    let ask = |arguments: &str| {
        let words = ["query"].into_iter().chain(arguments.split(' ')).chain(["-f", &file, "--simulated"]);
        run(folder.path(), &words.collect::<Vec<_>>())
    };
    let (_, _, err) = ask("jumps --percent 50");
    assert!(err.starts_with("no jump of 50 % or more among "), "{err}");
    let (_, _, err) = ask("moving-average -w 150");
    assert!(err.contains("BTCUSDT: this window needs 150 prices and "), "{err}");
    let (code, _, err) = ask("stats --since 1h --until 2h");
    assert!(code == 2 && err.contains("is not before --until"), "{code}: {err}");
    let (code, out, _) = ask("candles --since 2020-01-01 --output ndjson");
    assert!(code == 0 && out.starts_with("{\"collection\":\"btc\",\"symbol\":\"BTCUSDT\""), "{out}");
}

#[test]
fn a_first_poll_that_is_far_away_is_announced_and_a_header_can_be_json() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(example("quickstart.yaml")).unwrap();
    std::fs::write(
        folder.path().join("slow.yaml"),
        text.replace("intervalSeconds: 3", "intervalSeconds: 3600"),
    )
    .unwrap();
    let arguments = ["run", "slow.yaml", "--simulate", "--stop-after", "1", "--admin-address", "127.0.0.1:0"];
    let mut command = pricepipe(folder.path(), &arguments);
    command.env("PRICEPIPE_LOG_FORMAT", "json");
    let err = String::from_utf8(command.output().unwrap().stderr).unwrap();
    let header: serde_json::Value = serde_json::from_str(err.lines().next().unwrap()).unwrap();
    let polling = header["polling"].as_str().unwrap_or_default();
    // Unless the hour is just about to begin.
    assert!(
        polling.starts_with("every 3600 s; the first time at 20") || header.get("polling").is_none(),
        "{header}"
    );
    assert_eq!((header["level"].as_str(), header["pipeline"].as_str()), (Some("INFO"), Some("quickstart")));
}

#[test]
fn a_faulty_env_file_is_named_with_its_line_and_only_where_variables_are_used() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "A=1\nhunter2 hunter2\n").unwrap();
    assert_eq!(run(folder.path(), &["validate", &example("quickstart.yaml")]).0, 0);
    let (code, _, err) = run(folder.path(), &["query", "latest", "-f", &example("quickstart.yaml")]);
    assert!(code == 3 && err.contains("/.env:2: ") && !err.contains("hunter2"), "{code}: {err}");
    let secret = "MONGO_CONNECTION_STRING_FILE=/nonexistent\n";
    std::fs::write(folder.path().join(".env"), secret).unwrap();
    let (code, _, err) = run(folder.path(), &["query", "latest", "-f", &example("quickstart.yaml")]);
    assert!(code == 3 && err.contains("MONGO_CONNECTION_STRING_FILE"), "{code}: {err}");
}

#[test]
fn the_readme_has_the_exit_codes_that_the_help_has() {
    let folder = tempfile::tempdir().unwrap();
    let (_, help, _) = run(folder.path(), &["--help"]);
    let readme = std::fs::read_to_string(format!("{}/../README.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let table = readme.split("<!-- exit-codes: begin -->").nth(1).unwrap().split("<!-- exit").next().unwrap();
    let row = |line: &str| {
        let (code, meaning) = line.trim().split_once(' ')?;
        Some(format!("| {code} | {} |", meaning.trim()))
    };
    let codes: Vec<String> = help.split("Exit codes:\n").nth(1).unwrap().lines().filter_map(row).collect();
    let written: Vec<&str> = table.lines().skip(3).collect();
    assert!(codes.len() == 8 && written == codes, "{written:#?}\n{codes:#?}");
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
    let (code, _, err) = run(folder.path(), &["run", &example("quickstart.yaml")]);
    assert!(
        code == 3 && err.contains("KAFKA_BOOTSTRAP_SERVERS") && err.contains("host:port"),
        "{code}: {err}"
    );
}

#[test]
fn the_version_and_completions_for_every_shell_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (_, version, _) = run(folder.path(), &["--version"]);
    assert!(version.starts_with(&format!("pricepipe {}", env!("CARGO_PKG_VERSION"))), "{version}");
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run(folder.path(), &["completions", shell]);
        assert!(code == 0 && script.contains("simulate-exchange"), "{shell}");
    }
}

#[test]
fn three_exchanges_stream_into_one_collection_and_candles_into_one_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let simulated =
        ["--simulate", "--stop-after", "6", "--progress", "json", "--admin-address", "127.0.0.1:0"];
    let file = example("three-exchanges.yaml");
    let (code, out, err) = run(folder.path(), &[&["run", &file], &simulated[..]].concat());
    assert_eq!(code, 0, "{err}");
    for market in ["BTC/USD coinbase", "BTC/USD kraken", "BTC/USDT binance"] {
        let of = |line: &&str| line.contains(market) && !line.contains("\"messages\":0");
        assert!(out.lines().filter(of).count() > 1, "{market} brings trades:\n{out}");
    }
    let summary: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert!(summary["produced"] == summary["stored"] && summary["duplicates"] == 0, "{summary}");

    let file = example("quickstart.yaml");
    let history = ["backfill", &file, "--start", "30m", "--interval", "1m"];
    let simulated = ["--simulate", "--progress", "json", "--admin-address", "127.0.0.1:0"];
    let (code, out, err) = run(folder.path(), &[&history[..], &simulated[..]].concat());
    let summary: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    assert!(code == 0 && summary["produced"].as_u64() > Some(0), "{out}{err}");
    assert_eq!(summary["produced"], summary["stored"], "{summary}");
}
