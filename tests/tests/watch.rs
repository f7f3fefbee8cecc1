//! `pricepipe watch` looks at pipelines that run elsewhere: workers on a real Kafka, and a run in another process.

use std::{
    io::{BufRead, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use pricepipe_tests::{
    command_line, documents, eventually,
    exchange::Exchange,
    pipelines::TestPipeline,
    servers::{self, OwnServer},
    terminal::Terminal,
    topics,
    worker::{Worker, binary, free_address},
};
use serde_json::Value;

const GRACE: Duration = Duration::from_secs(25);

/// A watch in a process of its own, without the caller's environment.
fn watch(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let watch = ["watch", "-f", "pipeline.yaml", "--progress", "json"];
    let mut command = command_line::command(folder, environment, &[&watch[..], arguments].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn lines(child: &mut Child) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(child.stdout.take().expect("its output")).lines()
}

/// The next line that is so; fails when there is none any more.
fn next(lines: &mut Lines<BufReader<ChildStdout>>, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let objects = lines.map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"));
    let found = objects.into_iter().find(is_so);
    found.unwrap_or_else(|| panic!("{what}: no line says so"))
}

/// The file of a pipeline whose topics and group are those of the test's workers.
fn describe(folder: &Path, name: &str, more: &str) {
    let text = format!(
        "apiVersion: pricepipe.dev/v1alpha1\nkind: PricePipeline\nmetadata: {{name: {name}}}\nspec:\n  symbols:\n  \
         - {{symbol: BTCUSDT, topic: {name}.btc, collection: btc}}\n  - {{symbol: ETHUSDT, topic: {name}.eth, collection: eth}}\n  \
         sources: [{{exchange: binance, rest: {{intervalSeconds: 1}}}}]\n{more}"
    );
    std::fs::write(folder.join("pipeline.yaml"), text).expect("a writable folder");
}

/// Workers that bring two symbols through Kafka into the store.
async fn workers(pipeline: &TestPipeline, exchange: &Exchange, mongodb: &str, folder: &Path) -> [Worker; 2] {
    pipeline.create_topics(&["btc", "eth"], 2).await;
    let variables = [("MONGO_CONNECTION_STRING", mongodb)];
    let consumer = pipeline.mongodb_consumer(&["btc", "eth"]);
    let consumer = Worker::start("pricepipe-consumer", &consumer, &variables, folder);
    let symbols = [("BTCUSDT".to_owned(), "btc"), ("ETHUSDT".to_owned(), "eth")];
    let producer = pipeline.producer(&exchange.url(), 200, &symbols);
    [Worker::start("pricepipe-producer", &producer, &[], folder), consumer]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn prices_of_running_workers_are_seen_with_what_is_stored_and_what_is_doubled() {
    let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
    let (exchange, pipeline) = (Exchange::start().await, TestPipeline::new("watch", &kafka));
    let folder = tempfile::tempdir().expect("a folder");
    describe(folder.path(), &pipeline.name, "");
    let mut workers = workers(&pipeline, &exchange, &mongodb, folder.path()).await;
    eventually("documents are written", GRACE, || {
        workers[1].metric("pricepipe_sink_documents_total", "inserted") > 0.0
    });
    let variables =
        [("KAFKA_BOOTSTRAP_SERVERS", kafka.as_str()), ("MONGO_CONNECTION_STRING", mongodb.as_str())];
    let mut child = watch(folder.path(), &["--stop-after", "15"], &variables).spawn().expect("it starts");
    let mut said = lines(&mut child);
    let first = next(&mut said, "a price", |line| line["symbol"] == "BTCUSDT");
    assert!(first["messages"].as_u64().unwrap() < 20, "from the end on: {first}");
    let message = r#"{"symbol":"BTCUSDT","price":1.5,"exchange":"binance","kind":"price","time":"2026-11-23T06:00:03Z","received":"2026-11-23T06:00:03Z","id":"twice"}"#;
    let twice = || (String::from("binance:BTCUSDT"), message.as_bytes().into());
    topics::produce(&kafka, &pipeline.topic("btc"), [twice(), twice()].into_iter());
    let doubled = |line: &Value| {
        line["symbol"] == "BTCUSDT" && line["duplicates"] == 1 && line["stored"].as_u64() >= Some(2)
    };
    let line = next(&mut said, "a duplicate, and prices that are stored", doubled);
    assert!(line["price"].as_f64() > Some(2.0), "an old price does not replace a newer one: {line}");
    assert!(line["lag"].is_u64() && line["messages"].as_u64() >= line["stored"].as_u64(), "{line}");
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let sums: Value = serde_json::from_str(rest.last().expect("a summary")).expect("JSON");
    assert!(sums["seen"].as_u64() >= Some(20) && sums["stored"].as_u64() >= Some(10), "{sums}");
    assert!(sums["duplicates"].as_u64() >= Some(1) && sums["unusable"] == 0, "{sums}");

    let arguments = ["watch", "-f", "pipeline.yaml", "--symbol", "ETHUSDT"];
    let mut terminal = Terminal::start((80, 24), folder.path(), &arguments, &variables);
    let text = terminal.until("a price on the screen", |text| {
        text.lines().any(|line| line.contains("ETHUSDT") && line.contains('%')) && text.contains("● store")
    });
    assert!(
        text.contains("pricepipe watch") && text.contains("● Kafka") && !text.contains("BTCUSDT"),
        "{text}"
    );
    terminal.press("q");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    workers.iter_mut().for_each(|worker| assert!(worker.terminate(GRACE).success(), "{}", worker.log()));
    documents::drop(&mongodb, &pipeline.name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn a_kafka_that_is_away_is_said_and_prices_come_when_it_is_back() {
    let (kafka, mongodb) = (OwnServer::kafka(), servers::mongodb());
    let (exchange, pipeline) = (Exchange::start().await, TestPipeline::new("watchaway", &kafka.address));
    let folder = tempfile::tempdir().expect("a folder");
    describe(folder.path(), &pipeline.name, "");
    let mut workers = workers(&pipeline, &exchange, &mongodb, folder.path()).await;
    let variables =
        [("KAFKA_BOOTSTRAP_SERVERS", kafka.address.as_str()), ("MONGO_CONNECTION_STRING", mongodb.as_str())];
    kafka.stop();
    let mut terminal =
        Terminal::start((100, 24), folder.path(), &["watch", "-f", "pipeline.yaml"], &variables);
    terminal.until("that Kafka is away", |text| text.contains("✖ Kafka") && text.contains("refused"));
    let has_price = |text: &str| {
        text.contains("● Kafka") && text.lines().any(|line| line.contains("BTCUSDT") && line.contains('%'))
    };
    kafka.start();
    terminal.until("prices", has_price);
    kafka.stop();
    terminal.until("that Kafka is away again", |text| text.contains("✖ Kafka"));
    kafka.start();
    terminal.until("prices again", has_price);
    terminal.press("q");
    assert_eq!(terminal.end(), 0, "{}", terminal.text());
    workers.iter_mut().for_each(Worker::kill);
    documents::drop(&mongodb, &pipeline.name).await;
}

#[test]
fn a_run_with_an_embedded_kafka_is_watched_by_its_store() {
    let folder = tempfile::tempdir().unwrap();
    describe(folder.path(), "elsewhere", "");
    let mut watching =
        watch(folder.path(), &["--stop-after", "15", "--symbol", "BTCUSDT"], &[]).spawn().unwrap();
    let arguments =
        ["run", "pipeline.yaml", "--simulate", "--admin-address", "127.0.0.1:0", "--stop-after", "10"];
    let run = Command::new(binary("pricepipe"))
        .args(arguments)
        .current_dir(folder.path())
        .env_clear()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut said = lines(&mut watching);
    let first = next(&mut said, "a price", |line| line["symbol"] == "BTCUSDT");
    assert!(
        first["messages"].is_null() && first["duplicates"].is_null() && first["lag"].is_null(),
        "{first}"
    );
    let more = next(&mut said, "another price", |line| line["time"] != first["time"]);
    assert!(more["price"].is_f64() && more["stored"].as_u64() >= Some(1), "{more}");
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert!(rest.iter().all(|line| !line.contains("ETHUSDT")), "{rest:?}");
    let sums: Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert!(sums["stored"].as_u64() >= Some(3) && sums.get("seen").is_none(), "{sums}");
    assert_eq!(watching.wait().unwrap().code(), Some(0));
    assert!(run.unwrap().wait().unwrap().success());
}

#[test]
fn what_is_never_reached_is_said_as_one_json_object_with_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    describe(folder.path(), "nowhere", "");
    let away = free_address().to_string();
    let start = Instant::now();
    let variables = [("KAFKA_BOOTSTRAP_SERVERS", away.as_str())];
    let output = watch(folder.path(), &["--stop-after", "8"], &variables).output().unwrap();
    assert!(start.elapsed() < Duration::from_secs(14), "{:?}", start.elapsed());
    let err = String::from_utf8(output.stderr).unwrap();
    let told: Value = serde_json::from_str(err.lines().last().unwrap()).unwrap();
    assert_eq!((output.status.code(), told["level"].as_str()), (Some(4), Some("ERROR")), "{err}");
    let message = told["message"].as_str().unwrap();
    assert!(message.starts_with("Kafka was not reached: ") && message.contains(&away), "{message}");

    let output = watch(folder.path(), &["--symbol", "NOPE"], &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
}
