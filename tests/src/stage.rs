//! A pipeline on the shared servers that is looked at by commands: its one topic, its database, its file.

use mongodb::{Collection, bson::Document};

use crate::{documents, pipelines::TestPipeline, servers};

/// A pipeline with the topic and the collection `btc`, and its file in a folder of its own.
pub struct Stage {
    /// The pipeline.
    pub pipeline: TestPipeline,
    /// The Kafka that it uses.
    pub kafka: String,
    /// The MongoDB-compatible server that it uses.
    pub mongodb: String,
    /// Where its file lies.
    pub folder: tempfile::TempDir,
    /// Its file.
    pub file: String,
}

impl Stage {
    /// A new one, whose topic has so many partitions.
    pub async fn new(prefix: &str, partitions: i32) -> Stage {
        let (kafka, mongodb) = (servers::kafka(), servers::mongodb());
        let pipeline = TestPipeline::new(prefix, &kafka);
        pipeline.create_topics(&["btc"], partitions).await;
        let folder = tempfile::tempdir().expect("the test can work");
        let file = pipeline.file(folder.path(), &["btc"]).display().to_string();
        Stage { pipeline, kafka, mongodb, folder, file }
    }

    /// Its topic.
    pub fn topic(&self) -> String {
        self.pipeline.topic("btc")
    }

    /// What it has stored.
    pub async fn collection(&self) -> Collection<Document> {
        documents::collection(&self.mongodb, &self.pipeline.name, "btc").await
    }
}
