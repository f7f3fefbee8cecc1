//! An audit is clean after kills, and finds what was lost or doubled by hand.

use std::{borrow::Cow, path::Path, time::Duration};

use mongodb::bson::doc;
use pricepipe_tests::{
    command_line::{self, Said},
    documents, eventually, messages, random_moments,
    stage::Stage,
    topics,
    worker::Worker,
};
use serde_json::json;

const GRACE: Duration = Duration::from_secs(90);

fn consumer(stage: &Stage, fault: Option<&str>) -> Worker {
    let mut config = stage.pipeline.mongodb_consumer(&["btc"]);
    // Small batches: more moments at which a kill hurts.
    config["batch"] = json!({"maxDocuments": 100, "maxMillis": 20});
    config["sessionTimeoutMillis"] = json!(6_000);
    let fault = fault.map(|fault| ("PRICEPIPE_FAULT", fault));
    let variables: Vec<_> =
        [("MONGO_CONNECTION_STRING", stage.mongodb.as_str())].into_iter().chain(fault).collect();
    Worker::start("pricepipe-consumer", &config, &variables, stage.folder.path())
}

/// Kills consumers while they work, then lets a sound one store the rest.
async fn consume_with_kills(stage: &Stage, kills: usize, fault: Option<&str>) {
    let collection = stage.collection().await;
    let mut moments = random_moments(Duration::from_millis(300));
    for _ in 0..kills {
        let before = documents::count(&collection).await;
        let mut faulty = consumer(stage, fault);
        let start = std::time::Instant::now();
        while documents::count(&collection).await <= before && start.elapsed() < Duration::from_secs(15) {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(moments());
        faulty.kill();
    }
    let mut last = consumer(stage, None);
    let (group, topic) = (stage.pipeline.group(), stage.topic());
    eventually("lag returns to 0", GRACE, || topics::lag(&stage.kafka, &group, &topic) == 0);
    assert!(last.terminate(GRACE).success(), "{}", last.log());
}

fn audit(stage: &Stage, arguments: &str) -> Said {
    let words: Vec<&str> =
        ["audit", "-f", &stage.file].into_iter().chain(arguments.split_whitespace()).collect();
    command_line::run(stage.folder.path(), &[("MONGO_CONNECTION_STRING", &stage.mongodb)], &words)
}

fn row_of(stage: &Stage, code: i32) -> serde_json::Value {
    let said = audit(stage, "-o ndjson");
    assert_eq!(said.code, code, "{said:?}");
    said.rows().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn an_audit_is_clean_after_kills_and_names_what_somebody_deletes_or_doubles() {
    const MESSAGES: u64 = 5_000;
    let stage = Stage::new("audit", 3).await;
    let topic = stage.topic();
    let poison = (0..20).map(|n| (format!("bad-{n}"), Cow::Borrowed(&b"{\"symbol\":\"BTCUSDT\"}"[..])));
    let again = messages::records(300);
    topics::produce(&stage.kafka, &topic, messages::records(MESSAGES).chain(poison).chain(again));
    let before = row_of(&stage, 0);
    assert_eq!(
        (&before["pending"], &before["stored"]),
        (&json!(MESSAGES + 20), &json!(0)),
        "nobody has begun"
    );
    let group = format!("the group {} has committed nothing", stage.pipeline.group());
    assert!(audit(&stage, "").err.starts_with(&group));
    consume_with_kills(&stage, 3, None).await;

    let row = row_of(&stage, 0);
    let count = |key: &str| row[key].as_u64().unwrap();
    assert_eq!(count("messages"), MESSAGES + 320);
    assert_eq!((count("distinct"), count("stored"), count("repeated")), (MESSAGES, MESSAGES, 300));
    assert_eq!((count("deadLetters"), count("pending"), count("missing"), count("doubled")), (20, 0, 0, 0));
    let table = audit(&stage, "");
    assert!(table.code == 0 && table.out.lines().count() == 2 && table.err.is_empty(), "{table:?}");

    // A price that was stored is deleted by hand.
    let collection = stage.collection().await;
    let lost = messages::message(1_234).id;
    let document = collection.find_one_and_delete(doc! {"_id": &lost}).await.unwrap().unwrap();
    let said = audit(&stage, "");
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains(&format!("MISSING in {topic}: {lost} (message ")), "{said:?}");
    assert!(said.err.ends_with("missing: 1, doubled: 0\n"), "{said:?}");
    assert_eq!(row_of(&stage, 6)["missing"], 1);
    let elsewhere = "--since 2023-11-14T23:00:00Z";
    assert_eq!(audit(&stage, elsewhere).code, 0, "its time, 22:33:54, is not of the period");

    // Then it is stored again, twice: under its own id and under another one.
    let mut second = document.clone();
    second.insert("_id", "by hand");
    collection.insert_many([document, second]).await.unwrap();
    let said = audit(&stage, "");
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.err.contains("DOUBLED in btc: BTCUSDT of binance at 2023-11-14T22:33:54Z"), "{said:?}");
    assert!(said.err.contains(&format!("as {lost} and by hand")), "{said:?}");
    assert_eq!(
        (row_of(&stage, 6)["missing"].clone(), row_of(&stage, 6)["doubled"].clone()),
        (json!(0), json!(1))
    );
    documents::drop(&stage.mongodb, &stage.pipeline.name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn every_message_that_a_faulty_consumer_loses_is_found() {
    const MESSAGES: u64 = 6_000;
    let stage = Stage::new("losses", 3).await;
    topics::produce(&stage.kafka, &stage.topic(), messages::records(MESSAGES));
    consume_with_kills(&stage, 3, Some("commit-before-write")).await;
    let collection = stage.collection().await;
    let lost = MESSAGES - documents::count(&collection).await;
    assert!(lost > 0, "the consumer commits before it writes");
    let row = row_of(&stage, 6);
    assert_eq!((row["missing"].as_u64(), row["doubled"].as_u64()), (Some(lost), Some(0)));
    documents::drop(&stage.mongodb, &stage.pipeline.name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn an_audit_of_200_000_messages_needs_less_than_96_mib() {
    let stage = Stage::new("large", 3).await;
    topics::produce(&stage.kafka, &stage.topic(), messages::records(200_000));
    let arguments = ["audit", "-f", &stage.file, "-o", "ndjson"];
    let variables = [("MONGO_CONNECTION_STRING", stage.mongodb.as_str())];
    let mut command = command_line::command(stage.folder.path(), &variables, &arguments);
    let start = std::time::Instant::now();
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut peak = 0.0_f64;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_mib(child.id()));
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    println!("{out}{peak:.0} MiB at the most, {:?}", start.elapsed());
    assert!(out.contains("\"messages\":200000,\"distinct\":200000,"), "{out}");
    assert!(peak > 1.0 && peak < 96.0, "{peak} MiB");
    documents::drop(&stage.mongodb, &stage.pipeline.name).await;
}

/// The most memory that a process has had so far, in MiB; 0 when it has ended.
fn peak_mib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1_024.0
}

#[test]
fn an_embedded_kafka_is_gone_and_what_is_doubled_in_the_store_is_found_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("{}/../examples/quickstart.yaml", env!("CARGO_MANIFEST_DIR"));
    let run = |arguments: &[&str]| command_line::run(folder.path(), &[], arguments);
    let absent = run(&["audit", "-f", &file, "--simulated"]);
    assert!(absent.code == 5 && absent.err.contains("does not exist"), "{absent:?}");
    assert_eq!(
        run(&["run", &file, "--simulate", "--stop-after", "5", "--admin-address", "127.0.0.1:0"]).code,
        0
    );
    let well = run(&["audit", "-f", &file, "--simulated"]);
    assert!(well.code == 0 && well.err.starts_with("Kafka is embedded"), "{well:?}");
    double(&folder.path().join("quickstart.simulated.sqlite"));
    let doubled = run(&["audit", "-f", &file, "--simulated"]);
    assert!(
        doubled.code == 6 && doubled.err.contains("DOUBLED in btc: BTCUSDT of binance at "),
        "{doubled:?}"
    );
    let inverted = run(&["audit", "-f", &file, "--simulated", "--since", "1h", "--until", "2h"]);
    assert!(inverted.code == 2 && inverted.err.contains("exchange them"), "{inverted:?}");
}

/// Stores an observation of BTCUSDT under another id as well.
fn double(file: &Path) {
    let connection = rusqlite::Connection::open(file).expect("a store");
    let copied = connection.execute(
        "INSERT INTO price SELECT collection, 'by hand', symbol, price, exchange, kind, time, received, details
         FROM price WHERE symbol = 'BTCUSDT' LIMIT 1",
        [],
    );
    assert_eq!(copied.expect("it is written"), 1);
}
