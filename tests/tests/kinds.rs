//! A topic in which all kinds are mixed, a consumer that is killed, and each observation once in the collection of its
//! kind, digit for digit.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use mongodb::{
    Collection,
    bson::{Bson, Document, doc},
};
use pricepipe_core::{Details, Kind, PriceMessage, names::Shelf};
use pricepipe_tests::{
    command_line, documents, eventually, messages, random_moments, stage::Stage, topics, worker::Worker,
};
use serde_json::json;

const MESSAGES: u64 = 12_000;
const KILLS: usize = 4;
const GRACE: Duration = Duration::from_secs(90);

/// The n-th observation: polled prices, trades, candles of two intervals and quotes in turn, with digits of their own.
fn message(n: u64) -> PriceMessage {
    let of = |kind: Kind, json: &str| Details::from_json(kind, Some(json)).expect("fields of the kind");
    let candle = |interval: &str| {
        let json = format!(
            r#"{{"interval":"{interval}","open":{n}.10,"high":{n}.20,"low":0.000{n},"close":{n}.00,"volume":0.00}}"#
        );
        of(Kind::Kline, &json)
    };
    let details = match n % 5 {
        0 => Details::Price,
        1 => of(Kind::Trade, &format!(r#"{{"quantity":{n}.00000000,"side":"sell"}}"#)),
        2 => candle("1m"),
        3 => candle("1M"),
        _ => of(Kind::Quote, &format!(r#"{{"bid":{n}.1,"bidQuantity":{n}.50,"ask":{n}.2,"askQuantity":0}}"#)),
    };
    let id = format!("binance:BTCUSDT:{}:{n}", details.kind().as_str());
    PriceMessage { details, id, ..messages::message(n) }
}

async fn collection(stage: &Stage, shelf: Shelf) -> Collection<Document> {
    let name = shelf.collection(&"btc".parse().expect("a name"));
    documents::collection(&stage.mongodb, &stage.pipeline.name, name.as_str()).await
}

fn consumer(stage: &Stage) -> Worker {
    let mut config = stage.pipeline.mongodb_consumer(&["btc"]);
    // Small batches: more moments at which a kill hurts.
    config["batch"] = json!({"maxDocuments": 100, "maxMillis": 20});
    config["sessionTimeoutMillis"] = json!(6_000);
    let variables = [("MONGO_CONNECTION_STRING", stage.mongodb.as_str())];
    Worker::start("pricepipe-consumer", &config, &variables, stage.folder.path())
}

/// Each consumer has a share of the messages that nobody had before it, so there is always something to be killed at.
async fn consume_with_kills(stage: &Stage, shelves: &BTreeSet<Shelf>, sent: &[PriceMessage]) {
    let mut moments = random_moments(Duration::from_millis(300));
    let mut shares = sent.chunks(sent.len().div_ceil(KILLS + 1));
    let mut produce_a_share = || {
        let share = shares.next().expect("one for each").iter().zip(0..);
        let records = share.map(|(message, n)| (format!("key-{}", n % 97), Cow::Owned(message.encode())));
        topics::produce(&stage.kafka, &stage.topic(), records);
    };
    for _ in 0..KILLS {
        produce_a_share();
        let mut killed = consumer(stage);
        let begun = || killed.metric("pricepipe_sink_documents_total", "inserted") > 0.0;
        eventually("something is stored", GRACE, begun);
        std::thread::sleep(moments());
        killed.kill();
        let mut stored = Vec::new();
        for shelf in shelves {
            stored.push(documents::count(&collection(stage, *shelf).await).await);
        }
        println!("killed with {stored:?} stored");
    }
    produce_a_share();
    let mut last = consumer(stage);
    let (group, topic) = (stage.pipeline.group(), stage.topic());
    eventually("lag returns to 0", GRACE, || topics::lag(&stage.kafka, &group, &topic) == 0);
    assert!(last.terminate(GRACE).success(), "{}", last.log());
}

fn audit(stage: &Stage, code: i32) -> serde_json::Value {
    let variables = [("MONGO_CONNECTION_STRING", stage.mongodb.as_str())];
    let words = ["audit", "-f", &stage.file, "-o", "ndjson"];
    let said = command_line::run(stage.folder.path(), &variables, &words);
    assert_eq!(said.code, code, "{said:?}");
    said.rows().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Kafka and a MongoDB-compatible server"]
async fn all_kinds_of_one_topic_are_once_in_their_collections_whatever_is_killed() {
    let stage = Stage::new("kinds", 3).await;
    let sent: Vec<PriceMessage> = (0..MESSAGES).map(message).collect();
    let shelves: BTreeSet<Shelf> = sent.iter().map(|message| Shelf::of(&message.details)).collect();
    assert_eq!(shelves.len(), 4);
    consume_with_kills(&stage, &shelves, &sent).await;

    for shelf in &shelves {
        let of_shelf: Vec<&PriceMessage> =
            sent.iter().filter(|message| Shelf::of(&message.details) == *shelf).collect();
        let collection = collection(&stage, *shelf).await;
        let expected: BTreeSet<String> = of_shelf.iter().map(|message| message.id.clone()).collect();
        assert_eq!(documents::ids(&collection).await, expected, "{shelf:?}");
        for message in of_shelf.iter().rev().take(4) {
            let found = collection.find_one(doc! {"_id": &message.id}).await.expect("the server answers");
            assert_eq!(found.map(|document| own(&document)), Some(told(message)), "{}", message.id);
        }
        let indexes = collection.list_index_names().await.expect("the server answers");
        assert!(indexes.iter().any(|name| name == "pricepipe_symbol_time"), "{shelf:?} {indexes:?}");
    }

    let row = audit(&stage, 0);
    assert_eq!((&row["stored"], &row["missing"], &row["doubled"]), (&json!(MESSAGES), &json!(0), &json!(0)));
    let quotes = collection(&stage, Shelf::Quotes).await;
    quotes.delete_one(doc! {"_id": &sent[4].id}).await.expect("the server answers");
    assert_eq!(audit(&stage, 6)["missing"], json!(1), "a quote is looked for among quotes");
    documents::drop(&stage.mongodb, &stage.pipeline.name).await;
}

/// The fields between price and exchange, as text.
fn own(document: &Document) -> Vec<(String, String)> {
    let own = document.iter().skip_while(|(key, _)| *key != "price").skip(1);
    let own = own.take_while(|(key, _)| *key != "exchange");
    let text = |value: &Bson| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    own.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// The same of a message.
fn told(message: &PriceMessage) -> Vec<(String, String)> {
    use pricepipe_core::message::Field;

    let mut fields = Vec::new();
    let told = message.details.fields(|name, field| {
        let text = match field {
            Field::Number(number) => number.to_string(),
            Field::Text(text) => text.to_owned(),
            Field::Flag(flag) => flag.to_string(),
        };
        fields.push((name.to_owned(), text));
        Ok::<(), std::convert::Infallible>(())
    });
    told.map(|()| fields).unwrap_or_default()
}
