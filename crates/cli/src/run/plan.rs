//! Everything that a run is made of, and its course: connect, work, drain, judge.

use std::{collections::BTreeSet, sync::Arc};

use pricepipe_core::{
    Exchange, Pipeline, Symbol,
    config::{Feed, KafkaConnection, KafkaCredentials, StoreConfig},
};
use pricepipe_exchange_sim::SimConfig;
use pricepipe_service::{Process, health::Condition};
use pricepipe_store::Store;

use super::{
    Earlier,
    broker::EmbeddedBroker,
    observers::Observers,
    screen::{self, Screen},
    topics::{self, Cluster},
    workers::Workers,
};
use crate::{
    exit::{Exit, Failed},
    parts::{KafkaPart, StorePart},
};

/// Everything that a run is made of.
pub(super) struct Plan {
    /// What is to be run.
    pub pipeline: Pipeline,
    /// Which Kafka.
    pub kafka: KafkaPart,
    /// Which store.
    pub store_config: StoreConfig,
    pub(super) store: Arc<dyn Store>,
    observers: Observers,
    /// How far earlier runs came, where Kafka does not tell.
    pub(super) earlier: Earlier,
    process: Process,
    /// Not ready before Kafka was reached …
    connected: Condition,
    /// … nor before the workers are there, whose own conditions say the rest.
    started: Condition,
}

/// How a pipeline reaches Kafka.
pub(super) type Reached = (KafkaConnection, Option<KafkaCredentials>);

impl Plan {
    /// Opens the store. The process is not ready from now on until the workers say so.
    pub(super) fn of(
        pipeline: Pipeline,
        kafka: KafkaPart,
        store: &StorePart,
        process: &Process,
    ) -> Result<Self, Failed> {
        let opened = pricepipe_store::open(&store.config, store.connection_string.as_ref());
        let opened = opened.map_err(|error| Failed::because(Exit::Invalid, &error))?;
        Ok(Plan {
            observers: Observers::of(&pipeline),
            pipeline,
            kafka,
            earlier: Earlier::default(),
            store_config: store.config.clone(),
            store: opened,
            process: process.clone(),
            connected: process.health.condition("kafka"),
            started: process.health.condition("workers"),
        })
    }

    /// Where the workers will say what they have done.
    pub(super) fn observers(&self) -> &Observers {
        &self.observers
    }

    /// Starts the simulated exchange with the pipeline's symbols and points every source at it.
    pub(super) async fn simulate(&mut self) -> Result<pricepipe_exchange_sim::Running, Failed> {
        let symbols = listed(&self.pipeline);
        let exchange = pricepipe_exchange_sim::start(SimConfig { symbols, ..SimConfig::for_demo() });
        let exchange = exchange.await.map_err(|error| Failed::because(Exit::Failure, &error))?;
        for source in &mut self.pipeline.sources {
            *source.endpoints_mut() = vec![exchange.url()];
            if let Feed::Websocket(websocket) = &mut source.feed {
                websocket.endpoints = vec![exchange.stream_url()];
            }
        }
        Ok(exchange)
    }

    /// Runs until the end, and prints the summary whatever the end was.
    pub(super) async fn run(self, screen: &mut Screen) -> Result<(), Failed> {
        let broker = self.broker()?;
        let reached = match &broker {
            Some(broker) => Some((broker.connection(), None)),
            None => self.reach_cluster(screen).await?,
        };
        let Some(reached) = reached else {
            self.store.close().await;
            let unmet = screen.source().unmet("kafka").unwrap_or_else(|| "it was not asked yet".to_owned());
            screen::sum_up(screen)?;
            return Err(Failed::new(Exit::Unreachable, format!("Kafka was not reached: {unmet}")));
        };
        self.connected.ready();
        let workers = Workers::start(&self, reached, self.started.clone(), screen.stop());
        let ended = workers.work(screen).await;
        let trouble = screen.source().unmet("store");
        self.store.close().await;
        let totals = screen::sum_up(screen)?;
        drop(broker);
        ended?;
        match totals.produced.saturating_sub(totals.settled()) {
            0 => Ok(()),
            left => self.left_over(left, trouble, screen),
        }
    }

    /// What it means that messages are in Kafka and not in the store.
    fn left_over(&self, messages: u64, trouble: Option<String>, screen: &mut Screen) -> Result<(), Failed> {
        let trouble = trouble.map(|trouble| format!(" (the store: {trouble})")).unwrap_or_default();
        if self.kafka != KafkaPart::Embedded {
            let message = format!(
                "{messages} produced prices were not stored by this run{trouble}; they stay in Kafka, and the next \
                 run stores them"
            );
            screen.source().say("WARN", &message);
            return Ok(());
        }
        let message = format!(
            "{messages} produced prices are lost: they could not be stored in time{trouble}, and the embedded Kafka \
             keeps nothing after the end"
        );
        Err(Failed::new(Exit::Failure, message))
    }

    /// The embedded broker, where there is to be one.
    fn broker(&self) -> Result<Option<EmbeddedBroker>, Failed> {
        if self.kafka != KafkaPart::Embedded {
            return Ok(None);
        }
        EmbeddedBroker::start(self.pipeline.all_topics())
            .map(Some)
            .map_err(|error| Failed::because(Exit::Failure, &error))
    }

    /// Makes the topics of a cluster ready. `None` when the end came first.
    async fn reach_cluster(&self, screen: &mut Screen) -> Result<Option<Reached>, Failed> {
        let KafkaPart::Cluster(connection, credentials) = &self.kafka else { return Ok(None) };
        let cluster = Cluster::of(connection, credentials.as_ref(), &self.connected)
            .map_err(|error| Failed::because(Exit::Invalid, &error))?;
        let (guard, stop) = (self.process.guard("kafka-admin"), screen.stop());
        let ready = screen.during(topics::ensure(&self.pipeline, &cluster, &guard, &stop)).await;
        Ok(ready.then(|| (connection.clone(), credentials.clone())))
    }

    /// What the workers share.
    pub(super) fn process(&self) -> &Process {
        &self.process
    }
}

/// The symbols as the simulated exchange lists them: in Binance's form, from which it knows what the others call them.
fn listed(pipeline: &Pipeline) -> Vec<Symbol> {
    let own = |symbol: &Symbol| Exchange::Binance.market(symbol).parse().ok();
    let symbols: BTreeSet<Symbol> = pipeline.symbols.iter().filter_map(|s| own(&s.symbol)).collect();
    symbols.into_iter().collect()
}
