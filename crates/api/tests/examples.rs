//! Every example is a valid pipeline and means what its comments say.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

use pricepipe_core::{
    Pipeline,
    config::{Feed, SecurityProtocol, SourceConfig, Stream},
};

fn examples() -> BTreeMap<String, Pipeline> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut examples = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let parsed = pricepipe_api::parse(&fs::read_to_string(&path).unwrap());
        let mut pipelines = parsed.unwrap_or_else(|faults| panic!("{}: {faults:#?}", path.display()));
        assert_eq!(pipelines.len(), 1, "{}", path.display());
        examples.insert(name, pipelines.remove(0).1);
    }
    examples
}

fn topics(pipeline: &Pipeline) -> Vec<String> {
    pipeline.topics().into_iter().map(|topic| format!("{}/{}", topic.name, topic.partitions)).collect()
}

#[test]
fn every_example_is_valid_and_means_what_it_says() {
    let examples = examples();
    assert_eq!(
        examples.keys().collect::<Vec<_>>(),
        ["candles", "one-topic", "quickstart", "real-servers", "three-exchanges", "trades"]
    );

    let quickstart = &examples["quickstart"];
    assert_eq!(topics(quickstart), ["btc/3", "eth/3", "sol/3"]);
    assert_eq!(quickstart.estimate().messages_per_day, 86_400);
    assert_eq!((&quickstart.kafka, &quickstart.mongodb_uri), (&None, &None));

    let real = &examples["real-servers"];
    let kafka = real.kafka.as_ref().unwrap();
    assert_eq!(kafka.connection.security_protocol, SecurityProtocol::SaslSsl);
    assert_eq!(kafka.credentials.as_deref(), Some("kafka-user"));
    assert_eq!(kafka.ca.as_ref().unwrap().key, "ca.crt");
    assert_eq!(real.mongodb_uri.as_ref().unwrap().name, "mongo");
    assert_eq!(real.topic_settings.entries(false)["min.insync.replicas"], "2");

    assert_eq!(topics(&examples["one-topic"]), ["prices/6", "xrp-eth/6"]);
    assert_eq!(examples["one-topic"].batch.max_millis, 50);

    let gaps = |name: &str| examples[name].gaps_topic().map(|topic| topic.name.to_string());
    assert_eq!((gaps("quickstart"), gaps("trades")), (None, Some("trades.gaps".to_owned())));
    let three = &examples["three-exchanges"];
    assert_eq!(topics(three), ["btc/3"]);
    let markets = three.sources.iter().map(|source| source.exchange.market(&source.symbols[0]).into_owned());
    assert_eq!(markets.collect::<Vec<_>>(), ["BTC-USD", "BTC/USD", "BTCUSDT"]);
    let weights: Vec<u32> = three.sources.iter().map(SourceConfig::max_weight_per_minute).collect();
    assert_eq!(weights, [600, 60, 1_200]);
    let candles = &examples["candles"].sources;
    assert!(matches!(&candles[0].feed, Feed::Replay(replay) if replay.end.is_none()));
    assert!(matches!(&candles[1].feed, Feed::Websocket(websocket) if websocket.stream == Stream::Kline));
}
