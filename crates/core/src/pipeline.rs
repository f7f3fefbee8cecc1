//! A validated pipeline: the only thing that later code reads.

mod shards;
mod topics;
mod workers;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use crate::{
    Estimate, Exchange, Symbol,
    config::{
        BatchConfig, ConsumerConfig, KafkaConnection, PriceType, ProducerConfig, SourceConfig, StoreConfig,
        SymbolRoute, TopicRoute,
    },
    names::{self, CollectionName, DatabaseName, PipelineName, Shelf, TopicName},
};

pub use shards::{MOST_SHARDS, STREAMS_OF_ONE_PRODUCER, Shard, poll_cost};
pub use topics::{Topic, TopicSettings};
pub use workers::{Autoscaling, DeletionPolicy, Resources};

/// A validated pipeline, whatever it was written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name.
    pub name: PipelineName,
    /// Its namespace; `default` outside of a cluster.
    pub namespace: String,
    /// True when nothing of it may run.
    pub suspend: bool,
    /// The symbols, each once.
    pub symbols: Vec<PipelineSymbol>,
    /// Where prices come from; at least one.
    pub sources: Vec<SourceConfig>,
    /// The Kafka cluster, or `None` for the surroundings' own: the operator's default, or the embedded broker.
    pub kafka: Option<KafkaCluster>,
    /// How topics are created.
    pub topic_settings: TopicSettings,
    /// The Secret with the MongoDB connection string, or `None` for the surroundings' own store.
    pub mongodb_uri: Option<SecretKey>,
    /// The MongoDB database.
    pub database: DatabaseName,
    /// How a price is stored in MongoDB.
    pub price_type: PriceType,
    /// Documents older than this many seconds are removed; 0 keeps them for ever.
    pub retention_seconds: u32,
    /// How many producers run; of each shard, when there are several.
    pub producer_replicas: u32,
    /// Among how many producers the symbols are split; without it as many as the streams need.
    pub producer_shards: Option<u32>,
    /// CPU and memory of each producer.
    pub producer_resources: Resources,
    /// How many consumers run.
    pub consumer_replicas: u32,
    /// CPU and memory of each consumer.
    pub consumer_resources: Resources,
    /// How the number of consumers follows the lag; without it the number stays.
    pub autoscaling: Option<Autoscaling>,
    /// When a batch is written.
    pub batch: BatchConfig,
    /// What happens to the topics that it created when it is deleted.
    pub deletion_policy: DeletionPolicy,
}

/// A symbol with everything that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineSymbol {
    /// The symbol.
    pub symbol: Symbol,
    /// Its topic.
    pub topic: TopicName,
    /// Its collection.
    pub collection: CollectionName,
    /// The partitions of its topic, when it asks for other than the pipeline's number.
    pub partitions: Option<u32>,
}

/// A Kafka cluster and the Secrets that its connection needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaCluster {
    /// Where it is and how to speak to it.
    pub connection: KafkaConnection,
    /// The authorities to trust.
    pub ca: Option<SecretKey>,
    /// The Secret with `username` and `password`.
    pub credentials: Option<String>,
}

/// One key of a Secret in the pipeline's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// The Secret.
    pub name: String,
    /// The key in it.
    pub key: String,
}

impl PipelineSymbol {
    /// Where its prices go.
    fn route(&self) -> SymbolRoute {
        SymbolRoute { symbol: self.symbol.clone(), topic: self.topic.clone() }
    }
}

impl Pipeline {
    /// The collections that prices go to, each once.
    pub fn collections(&self) -> Vec<CollectionName> {
        let mut collections: Vec<CollectionName> =
            self.symbols.iter().map(|s| s.collection.clone()).collect();
        collections.sort();
        collections.dedup();
        collections
    }

    /// What is stored of a symbol, in the order of collections: its exchanges of each kind.
    pub fn shelves(&self, symbol: &Symbol) -> BTreeMap<Shelf, BTreeSet<Exchange>> {
        let mut shelves: BTreeMap<Shelf, BTreeSet<Exchange>> = BTreeMap::new();
        for source in self.sources.iter().filter(|source| source.serves(symbol)) {
            shelves.entry(source.feed.shelf()).or_default().insert(source.exchange);
        }
        shelves
    }

    /// What a producer of all symbols is told; [`Shard::producer_config`] is for one that has a part of them.
    pub fn producer_config(&self, kafka: KafkaConnection) -> ProducerConfig {
        ProducerConfig {
            pipeline: self.name.clone(),
            kafka,
            sources: self.sources.clone(),
            symbols: self.symbols.iter().map(PipelineSymbol::route).collect(),
        }
    }

    /// What a consumer of this pipeline is told.
    pub fn consumer_config(&self, kafka: KafkaConnection, store: StoreConfig) -> ConsumerConfig {
        let mut topics: Vec<TopicRoute> = Vec::new();
        for symbol in &self.symbols {
            if !topics.iter().any(|route| route.topic == symbol.topic) {
                topics
                    .push(TopicRoute { topic: symbol.topic.clone(), collection: symbol.collection.clone() });
            }
        }
        ConsumerConfig {
            pipeline: self.name.clone(),
            kafka,
            group: names::consumer_group(&self.namespace, &self.name),
            topics,
            dead_letter_topic: self.dead_letter_topic().name,
            batch: self.batch,
            session_timeout_millis: crate::config::DEFAULT_SESSION_TIMEOUT_MILLIS,
            store,
        }
    }

    /// The store's configuration when it is MongoDB.
    pub fn mongodb_store(&self) -> StoreConfig {
        StoreConfig::Mongodb {
            database: self.database.clone(),
            price_type: self.price_type,
            retention_seconds: self.retention_seconds,
        }
    }

    /// The store's configuration when it is a file.
    pub fn embedded_store(&self, path: PathBuf) -> StoreConfig {
        StoreConfig::Embedded { path, retention_seconds: self.retention_seconds }
    }

    /// What it will take of the exchange, of Kafka and of the store.
    pub fn estimate(&self) -> Estimate {
        Estimate::of(self)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::config::{Feed, RestConfig};

    pub(crate) fn majors() -> Pipeline {
        let symbol = |symbol: &str, topic: &str| PipelineSymbol {
            symbol: symbol.parse().unwrap(),
            topic: topic.parse().unwrap(),
            collection: topic.parse().unwrap(),
            partitions: None,
        };
        Pipeline {
            name: "majors".parse().unwrap(),
            namespace: "default".to_owned(),
            suspend: false,
            symbols: vec![symbol("BTCUSDT", "btc"), symbol("BTCUSDC", "btc"), symbol("ETHUSDT", "eth")],
            sources: vec![SourceConfig {
                name: "binance".to_owned(),
                exchange: Exchange::Binance,
                symbols: Vec::new(),
                feed: Feed::Rest(RestConfig {
                    endpoints: vec!["https://data-api.binance.vision".to_owned()],
                    interval_millis: 3_000,
                    timeout_millis: 2_000,
                    max_weight_per_minute: 1_200,
                }),
            }],
            kafka: None,
            topic_settings: TopicSettings {
                partitions: 3,
                replication_factor: 1,
                min_in_sync_replicas: 1,
                retention_seconds: 604_800,
                config: BTreeMap::new(),
            },
            mongodb_uri: None,
            database: "fx".parse().unwrap(),
            price_type: PriceType::Decimal,
            retention_seconds: 0,
            producer_replicas: 1,
            producer_shards: None,
            producer_resources: Resources::default(),
            consumer_replicas: 1,
            consumer_resources: Resources::default(),
            autoscaling: None,
            batch: BatchConfig::default(),
            deletion_policy: DeletionPolicy::Retain,
        }
    }

    #[test]
    fn a_worker_configuration_survives_its_file() {
        let pipeline = majors();
        let producer = pipeline.producer_config(KafkaConnection::default());
        let consumer = pipeline.consumer_config(KafkaConnection::default(), pipeline.mongodb_store());
        assert_eq!(
            serde_json::from_str::<ProducerConfig>(&serde_json::to_string(&producer).unwrap()).unwrap(),
            producer
        );
        assert_eq!(
            serde_json::from_str::<ConsumerConfig>(&serde_json::to_string(&consumer).unwrap()).unwrap(),
            consumer
        );
        assert_eq!(consumer.topics.len(), 2);
        assert_eq!(consumer.group, "pricepipe.default.majors");
    }
}
