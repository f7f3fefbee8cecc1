//! Dead letters are listed, shown, and after a fix sent again: each is stored once, however often it is sent.

use std::{borrow::Cow, collections::BTreeMap, path::Path, time::Duration};

use mongodb::bson::doc;
use pricepipe_tests::{
    command_line::{self, Said},
    documents, eventually, messages,
    stage::Stage,
    topics, unique,
    worker::Worker,
};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};

const GRACE: Duration = Duration::from_secs(60);

/// Lets a consumer of this group store everything that is there.
fn consume(stage: &Stage, group: &str) {
    let mut config = stage.pipeline.mongodb_consumer(&["btc"]);
    config["group"] = group.into();
    let variables = [("MONGO_CONNECTION_STRING", stage.mongodb.as_str())];
    let mut consumer = Worker::start("pricepipe-consumer", &config, &variables, stage.folder.path());
    eventually("lag returns to 0", GRACE, || topics::lag(&stage.kafka, group, &stage.topic()) == 0);
    assert!(consumer.terminate(GRACE).success(), "{}", consumer.log());
}

/// `pricepipe dead-letters <arguments> -f <file>`.
fn letters_of(stage: &Stage, arguments: &str) -> Said {
    let words: Vec<&str> = ["dead-letters"].into_iter().chain(arguments.split(' ')).collect();
    command_line::run(stage.folder.path(), &[], &[&words[..], &["-f", &stage.file]].concat())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn letters_are_listed_shown_and_not_sent_while_they_still_cannot_be_stored() {
    let stage = Stage::new("letters", 1).await;
    let poison: [&[u8]; 5] =
        [b"\xff\xfe\x1b[2J", b"{\"symbol\":", b"{\"symbol\":\"A\",\"price\":-1}", b"[1]", b"{\"price\":1}"];
    let good = |n| (String::from("k"), Cow::Owned(messages::message(n).encode()));
    let bad = poison.iter().map(|value| (String::from("bad\u{1b}key"), Cow::Borrowed(*value)));
    let records = bad.enumerate().flat_map(|(n, bad)| [good(n as u64), bad]);
    topics::produce(&stage.kafka, &stage.topic(), records);
    consume(&stage, &stage.pipeline.group());

    let said = letters_of(&stage, "list -o ndjson");
    let rows = said.rows();
    assert_eq!((said.code, rows.len(), said.err.as_str()), (0, 5, ""));
    let reasons: BTreeMap<String, String> = rows
        .iter()
        .map(|row| (row["origin"].as_str().unwrap().to_owned(), row["reason"].as_str().unwrap().to_owned()))
        .collect();
    let expected = ["not_json", "not_json", "invalid_price", "not_json", "no_symbol"];
    let expected = expected
        .iter()
        .enumerate()
        .map(|(n, reason)| (format!("{}:0:{}", stage.topic(), 2 * n + 1), (*reason).to_owned()));
    assert_eq!(reasons, expected.collect());
    assert_eq!(rows[0]["keyEncoding"], "base64", "a key that would steer the terminal");
    let chosen = |arguments: &str| letters_of(&stage, &format!("list -o ndjson {arguments}")).rows();
    assert_eq!(chosen("--reason not_json").len(), 3);
    assert_eq!(chosen("--reason not_json --reason no_symbol --limit 2").len(), 2);
    assert_eq!(chosen("--limit 2"), rows[3..], "the newest");
    assert_eq!(
        (chosen("--topic other").len(), chosen("--since 1h").len(), chosen("--until 1h").len()),
        (0, 5, 0)
    );
    let table = letters_of(&stage, "list");
    assert!(table.out.starts_with("LETTER  TIME") && !table.out.contains('\u{1b}'), "{table:?}");
    assert_eq!(table.err, "5 dead letters: 3 not_json, 1 invalid_price, 1 no_symbol\n");

    let letter = |offset: usize| {
        let origin = format!("{}:0:{offset}", stage.topic());
        rows.iter().find(|row| row["origin"] == *origin).unwrap()["letter"].as_str().unwrap().to_owned()
    };
    let shown = letters_of(&stage, &format!("show {} -o json", letter(1)));
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!((&shown["value"], &shown["valueEncoding"]), (&"//4bWzJK".into(), &"base64".into()));
    let text = letters_of(&stage, &format!("show {}", letter(5)));
    assert!(text.out.ends_with("\n\n{\"symbol\":\"A\",\"price\":-1}\n"), "{text:?}");
    assert!(text.out.contains("pricepipe.reason") && text.out.contains("pricepipe.topic-id"), "{text:?}");
    let absent = letters_of(&stage, "show 0:99");
    assert!(absent.code == 5 && absent.err.contains("holds 0:0 to 0:4"), "{absent:?}");

    let before = topics::count(&stage.kafka, &stage.topic());
    let replayed = letters_of(&stage, "replay --all -o ndjson");
    assert!(
        replayed.code == 0 && replayed.rows().iter().all(|row| row["result"] == "skipped"),
        "{replayed:?}"
    );
    let named = letters_of(&stage, &format!("replay {}", letter(5)));
    assert!(named.code == 1 && named.out.contains("it still cannot be stored: price is not"), "{named:?}");
    assert_eq!(topics::count(&stage.kafka, &stage.topic()), before, "nothing was sent");
    assert_eq!(letters_of(&stage, "replay 0:2 0:99").code, 5);
    documents::drop(&stage.mongodb, &stage.pipeline.name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn what_was_refused_is_stored_once_after_the_fix_however_often_it_is_replayed() {
    let stage = Stage::new("replay", 1).await;
    let collection = stage.collection().await;
    // Somebody's own index refuses every price of a symbol but the first.
    let unique = doc! {"key": {"symbol": 1}, "name": "one each", "unique": true};
    let database =
        mongodb::Client::with_uri_str(&stage.mongodb).await.unwrap().database(&stage.pipeline.name);
    database.run_command(doc! {"createIndexes": "btc", "indexes": [unique]}).await.unwrap();
    let plain =
        (0..5).map(|n| format!("{{\"symbol\":\"BTCUSDT\",\"price\":{n}.50}}").replace("0.50", "5.50"));
    let plain = plain.map(|value| (String::from("plain"), Cow::Owned(value.into_bytes())));
    let named = (0..3).map(|n| (String::from("named"), Cow::Owned(messages::message(n).encode())));
    topics::produce(&stage.kafka, &stage.topic(), plain.chain(named));
    consume(&stage, &stage.pipeline.group());
    assert_eq!(documents::count(&collection).await, 1);
    let letters = letters_of(&stage, "list -o ndjson").rows();
    assert!(
        letters.len() == 7 && letters.iter().all(|row| row["reason"] == "rejected_by_store"),
        "{letters:?}"
    );
    let originals = topics::read(&stage.kafka, &stage.topic());

    // FerretDB drops it, and answers in a form that the driver does not know.
    let _ = database.run_command(doc! {"dropIndexes": "btc", "index": "one each"}).await;
    assert!(!collection.list_index_names().await.unwrap().contains(&"one each".to_owned()));
    let dry = letters_of(&stage, "replay --all --dry-run -o ndjson").rows();
    assert!(dry.len() == 7 && dry.iter().all(|row| row["result"] == "would be sent"), "{dry:?}");
    assert_eq!(topics::count(&stage.kafka, &stage.topic()), 8, "nothing was sent");
    // Some, then all, as after an interruption; and all once more.
    assert_eq!(letters_of(&stage, "replay 0:0 0:5").code, 0);
    let sent = letters_of(&stage, "replay --all -o ndjson").rows();
    assert!(sent.iter().all(|row| row["result"] == "sent" && row["topic"] == *stage.topic()), "{sent:?}");
    consume(&stage, &stage.pipeline.group());
    assert_eq!(documents::count(&collection).await, 8);
    assert_eq!(letters_of(&stage, "replay --all").err, "7 sent, 0 skipped\n");
    consume(&stage, &stage.pipeline.group());
    // And whoever reads the topic from its beginning finds nothing new.
    consume(&stage, &format!("{}.again", stage.pipeline.group()));
    assert_eq!(documents::count(&collection).await, 8, "each is stored once");

    let topic_id = topic_id(&stage);
    let ids = documents::ids(&collection).await;
    assert!((0..5).all(|offset| ids.contains(&format!("kafka:{topic_id}:0:{offset}"))), "{ids:?}");
    assert!((0..3).all(|n| ids.contains(&messages::message(n).id)), "{ids:?}");
    let replayed = topics::read(&stage.kafka, &stage.topic());
    assert!(replayed[8..].iter().all(|record| record.key.is_some()), "{replayed:?}");
    let header =
        |record: &topics::Record| record.headers.iter().any(|(name, _)| name == "pricepipe.replay-of");
    assert!(replayed[8..].iter().all(header) && !originals.iter().any(header));
    // What a plain message took from where it lay has stayed: none has the time of its replay, seconds later.
    let last = collection.find_one(doc! {}).sort(doc! {"time": -1}).await.unwrap().unwrap();
    let first_replay =
        collection.find_one(doc! {"_id": format!("kafka:{topic_id}:0:1")}).await.unwrap().unwrap();
    let millis =
        |document: &mongodb::bson::Document| document.get_datetime("time").unwrap().timestamp_millis();
    assert!(millis(&last) - millis(&first_replay) < 2_000, "{last:?} {first_replay:?}");
    assert_eq!(
        command_line::run(
            stage.folder.path(),
            &[("MONGO_CONNECTION_STRING", &stage.mongodb)],
            &["audit", "-f", &stage.file]
        )
        .code,
        0
    );
    documents::drop(&stage.mongodb, &stage.pipeline.name).await;
}

/// The topic's UUID, as the letters tell it.
fn topic_id(stage: &Stage) -> String {
    let shown = letters_of(stage, "show 0:0 -o json");
    let shown: serde_json::Value = serde_json::from_str(&shown.out).expect("JSON");
    let headers = shown["headers"].as_array().expect("headers");
    let header = headers.iter().find(|header| header["name"] == "pricepipe.topic-id");
    header.and_then(|header| header["value"].as_str()).expect("the topic's UUID").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn a_replay_that_is_killed_and_repeated_stores_each_message_once() {
    const LETTERS: usize = 20_000;
    let stage = Stage::new("killed", 1).await;
    write_letters(&stage, LETTERS);
    let arguments = ["dead-letters", "replay", "--all", "-o", "ndjson", "-f", &stage.file];
    let sent = || topics::count(&stage.kafka, &stage.topic());
    for enough in [1, 3_000, 9_000] {
        let before = sent();
        let mut replay = quiet(stage.folder.path(), &arguments);
        while sent() < before + enough && replay.try_wait().unwrap().is_none() {}
        replay.kill().unwrap();
        replay.wait().unwrap();
        println!("killed with {} sent", sent() - before);
    }
    assert!(quiet(stage.folder.path(), &arguments).wait().unwrap().success());
    assert!(sent() > LETTERS as i64, "a killed one has sent something");
    consume(&stage, &stage.pipeline.group());
    assert_eq!(documents::count(&stage.collection().await).await, LETTERS as u64);
    documents::drop(&stage.mongodb, &stage.pipeline.name).await;
}

fn quiet(folder: &Path, arguments: &[&str]) -> std::process::Child {
    let mut command = command_line::command(folder, &[], arguments);
    command.stdout(std::process::Stdio::null()).spawn().expect("it starts")
}

/// Letters of plain messages that a consumer once could not store.
fn write_letters(stage: &Stage, count: usize) {
    let producer: ThreadedProducer<DefaultProducerContext> =
        topics::client(&stage.kafka).set("linger.ms", "20").create().expect("a producer");
    let (topic, letters, id) = (stage.topic(), stage.pipeline.dead_letters(), unique("uuid"));
    for offset in 0..count {
        let offset = offset.to_string();
        let headers = [
            ("pricepipe.reason", "rejected_by_store"),
            ("pricepipe.topic", &topic),
            ("pricepipe.topic-id", &id),
            ("pricepipe.partition", "0"),
            ("pricepipe.offset", &offset),
            ("pricepipe.timestamp", "1795413603000"),
        ];
        let headers = headers.iter().fold(OwnedHeaders::new(), |made, (key, value)| {
            made.insert(Header { key, value: Some(value.as_bytes()) })
        });
        let record = BaseRecord::to(&letters).key("k").payload(r#"{"symbol":"BTCUSDT","price":1.50}"#);
        producer.send(record.headers(headers)).map_err(|(error, _)| error).expect("room in the queue");
    }
    producer.flush(Duration::from_secs(20)).expect("everything is acknowledged");
}
