//! Worker configurations for a pipeline of one test.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Names of a pipeline that no other test uses.
#[derive(Clone, Debug)]
pub struct TestPipeline {
    /// The pipeline, its database and the prefix of its topics.
    pub name: String,
    /// `host:port` of the broker.
    pub kafka: String,
}

impl TestPipeline {
    /// A pipeline whose names begin with `prefix`.
    pub fn new(prefix: &str, kafka: &str) -> Self {
        TestPipeline { name: crate::unique(prefix), kafka: kafka.to_owned() }
    }

    /// The topic of one asset.
    pub fn topic(&self, asset: &str) -> String {
        format!("{}.{asset}", self.name)
    }

    /// The topic for what cannot be stored.
    pub fn dead_letters(&self) -> String {
        format!("{}.dead-letter", self.name)
    }

    /// The consumer group.
    pub fn group(&self) -> String {
        format!("pricepipe.default.{}", self.name)
    }

    /// Creates the topics of these assets and the one for dead letters.
    pub async fn create_topics(&self, assets: &[&str], partitions: i32) {
        let topics: Vec<String> = assets.iter().map(|asset| self.topic(asset)).collect();
        crate::topics::create(
            &self.kafka,
            &topics.iter().map(String::as_str).collect::<Vec<_>>(),
            partitions,
        )
        .await;
        crate::topics::create(&self.kafka, &[&self.dead_letters()], 1).await;
    }

    /// A consumer that writes each asset's topic to the collection of its name, in the MongoDB database of the
    /// pipeline's name.
    pub fn mongodb_consumer(&self, assets: &[&str]) -> Value {
        self.consumer(assets, json!({"kind": "mongodb", "database": self.name}))
    }

    /// A consumer with a group of its own that writes to a file.
    pub fn embedded_consumer(&self, assets: &[&str], file: &Path) -> Value {
        let mut config = self.consumer(assets, json!({"kind": "embedded", "path": file}));
        config["group"] = json!(format!("{}.embedded", self.group()));
        config
    }

    /// The file of a pipeline with a symbol of each asset, for `pricepipe`: the same topics, group and database.
    pub fn file(&self, folder: &Path, assets: &[&str]) -> PathBuf {
        let symbol = |asset: &&str| json!({"symbol": format!("{}USDT", asset.to_uppercase()), "topic": self.topic(asset), "collection": asset});
        let pipeline = json!({
            "apiVersion": "pricepipe.dev/v1alpha1", "kind": "PricePipeline", "metadata": {"name": self.name},
            "spec": {
                "symbols": assets.iter().map(symbol).collect::<Vec<_>>(),
                "kafka": {"bootstrapServers": [self.kafka]},
                "mongodb": {"database": self.name},
            },
        });
        let file = folder.join(format!("{}.yaml", assets.join("-")));
        std::fs::write(&file, pipeline.to_string()).expect("a writable folder");
        file
    }

    fn consumer(&self, assets: &[&str], store: Value) -> Value {
        let topics: Vec<Value> =
            assets.iter().map(|a| json!({"topic": self.topic(a), "collection": a})).collect();
        json!({
            "pipeline": self.name, "kafka": {"bootstrapServers": [self.kafka]}, "group": self.group(),
            "topics": topics, "deadLetterTopic": self.dead_letters(), "store": store,
        })
    }

    /// A producer that polls `endpoint` for these symbols, each to the topic of its asset.
    pub fn producer(&self, endpoint: &str, interval_millis: u64, symbols: &[(String, &str)]) -> Value {
        let routes: Vec<Value> = symbols
            .iter()
            .map(|(symbol, asset)| json!({"symbol": symbol, "topic": self.topic(asset)}))
            .collect();
        json!({
            "pipeline": self.name, "kafka": {"bootstrapServers": [self.kafka]}, "symbols": routes,
            "sources": [{"name": "binance", "exchange": "binance", "rest": {
                "endpoints": [endpoint], "intervalMillis": interval_millis, "timeoutMillis": 2_000,
                "maxWeightPerMinute": 1_000_000_000,
            }}],
        })
    }
}
