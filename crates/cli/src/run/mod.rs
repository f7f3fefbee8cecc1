//! `pricepipe run`: a whole pipeline in this process. The exchange, Kafka and the store may each be embedded.

mod broker;
mod lines;
mod snapshot;
mod table;
mod topics;
mod view;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pricepipe_consumer::Stop;
use pricepipe_core::{
    Pipeline,
    config::{KafkaConnection, KafkaCredentials, StoreConfig},
    pipeline::Topic,
};
use pricepipe_exchange_sim::SimConfig;
use pricepipe_producer::Options;
use pricepipe_service::{Process, admin, environment::lookup, shutdown};
use pricepipe_store::Store;
use tokio::{task::JoinError, time::timeout};
use tokio_util::sync::CancellationToken;

use self::{
    broker::EmbeddedBroker,
    snapshot::{Observers, Totals},
    view::View,
};
use crate::{
    args::RunArgs,
    exit::{Exit, Failed},
    file,
    parts::{self, KafkaPart, StorePart},
};

const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// How long the consumer may take, after the producer's last flush, to store what is in Kafka.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);
const UNREACHABLE_HINT: &str = "--simulate runs against the built-in exchange instead";

/// Runs a pipeline until it is told to stop, then drains it and prints a summary.
pub(crate) async fn run(args: &RunArgs) -> Result<(), Failed> {
    let pipeline = pipeline(args)?;
    let (kafka, store) = (
        parts::kafka(&pipeline, args.embedded_kafka, lookup)?,
        parts::store(&pipeline, &args.store, lookup)?,
    );
    let symbols = pipeline.symbols.len();
    let stop = shutdown::on_signal().map_err(|error| Failed::because(Exit::Failure, &error))?;
    if let Some(seconds) = args.stop_after {
        stop_after(Duration::from_secs(seconds), stop.clone());
    }
    let mut plan = Plan::of(pipeline, &store)?;
    let exchange = if args.simulate { Some(plan.simulate().await?) } else { None };
    let process = Process::new("pricepipe");
    let admin = serve_admin(&process, args.admin_address).await?;
    plan.introduce(&kafka, &store, exchange.as_ref().map(|exchange| exchange.url()), admin);
    let mut view = View::open(args.progress, symbols);
    let Some(broker) = plan.connect(kafka, &process, &stop).await? else { return Ok(()) };
    let outcome = plan.work(&process, &stop, &mut view).await;
    view.close();
    drop((broker, exchange));
    let totals = outcome?;
    view::print_summary(args.progress, totals);
    Ok(())
}

fn pipeline(args: &RunArgs) -> Result<Pipeline, Failed> {
    let mut pipeline = file::pipeline(&args.file)?;
    if pipeline.suspend {
        let message = format!(
            "{}: spec.suspend is true, so there is nothing to run; set it to false",
            args.file.display()
        );
        return Err(Failed::new(Exit::Invalid, message));
    }
    if let Some(millis) = args.interval_millis {
        pipeline.sources.iter_mut().for_each(|source| source.rest.interval_millis = millis.max(1));
    }
    Ok(pipeline)
}

fn stop_after(duration: Duration, stop: CancellationToken) {
    tokio::spawn(async move {
        tokio::time::sleep(duration).await;
        stop.cancel();
    });
}

async fn serve_admin(process: &Process, address: Option<SocketAddr>) -> Result<SocketAddr, Failed> {
    // Not stopped before the process ends: the drain can be watched too.
    let forever = CancellationToken::new();
    let first = admin::start(process, address.unwrap_or(DEFAULT_ADMIN), forever.clone()).await;
    match first {
        Err(_) if address.is_none() => admin::start(process, ([127, 0, 0, 1], 0).into(), forever).await,
        other => other,
    }
    .map_err(|error| Failed::because(Exit::Invalid, &error))
}

/// Everything that a run is made of.
struct Plan {
    pipeline: Pipeline,
    store: Arc<dyn Store>,
    store_config: StoreConfig,
    kafka: (KafkaConnection, Option<KafkaCredentials>),
}

impl Plan {
    fn of(pipeline: Pipeline, store: &StorePart) -> Result<Self, Failed> {
        let opened = pricepipe_store::open(&store.config, store.connection_string.as_ref());
        let opened = opened.map_err(|error| Failed::because(Exit::Invalid, &error))?;
        Ok(Plan { pipeline, store: opened, store_config: store.config.clone(), kafka: Default::default() })
    }

    /// Starts the simulated exchange with the pipeline's symbols and points every source at it.
    async fn simulate(&mut self) -> Result<pricepipe_exchange_sim::Running, Failed> {
        let symbols = self.pipeline.symbols.iter().map(|s| s.symbol.clone()).collect();
        let exchange = pricepipe_exchange_sim::start(SimConfig { symbols, ..SimConfig::for_demo() });
        let exchange = exchange.await.map_err(|error| Failed::because(Exit::Failure, &error))?;
        for source in &mut self.pipeline.sources {
            source.rest.endpoints = vec![exchange.url()];
        }
        Ok(exchange)
    }

    /// Says in a few lines what runs, before the first price.
    fn introduce(&self, kafka: &KafkaPart, store: &StorePart, simulated: Option<String>, admin: SocketAddr) {
        let endpoints = || {
            self.pipeline.sources.iter().flat_map(|source| source.rest.endpoints.clone()).collect::<Vec<_>>()
        };
        let exchange = simulated.map_or_else(|| endpoints().join(", "), |url| format!("simulated, {url}"));
        let kafka = match kafka {
            KafkaPart::Embedded => "embedded, in memory".to_owned(),
            KafkaPart::Cluster(connection, _) => connection.bootstrap_servers.join(", "),
        };
        let store = match &store.config {
            StoreConfig::Embedded { path, .. } => path.display().to_string(),
            StoreConfig::Mongodb { database, .. } => format!("MongoDB, database {database}"),
        };
        eprintln!("{}: exchange  {exchange}", self.pipeline.name);
        eprintln!("{}: Kafka     {kafka}", self.pipeline.name);
        eprintln!("{}: store     {store}", self.pipeline.name);
        eprintln!("{}: metrics   http://{admin}/metrics", self.pipeline.name);
    }

    /// Starts the embedded broker, or makes the topics of a cluster ready. `None` when `stop` came first.
    async fn connect(
        &mut self,
        kafka: KafkaPart,
        process: &Process,
        stop: &CancellationToken,
    ) -> Result<Option<Option<EmbeddedBroker>>, Failed> {
        match kafka {
            KafkaPart::Embedded => {
                let mut topics: Vec<Topic> = self.pipeline.topics();
                topics.push(self.pipeline.dead_letter_topic());
                let broker = EmbeddedBroker::start(topics).map_err(|e| Failed::because(Exit::Failure, &e))?;
                self.kafka = (broker.connection(), None);
                Ok(Some(Some(broker)))
            }
            KafkaPart::Cluster(connection, credentials) => {
                let guard = process.guard("kafka-admin");
                let ready =
                    topics::ensure(&self.pipeline, &connection, credentials.as_ref(), &guard, stop).await;
                self.kafka = (connection, credentials);
                Ok(ready.map_err(|error| Failed::because(Exit::Invalid, &error))?.then_some(None))
            }
        }
    }

    /// Runs producer and consumer until `stop`, then drains: first the producer, then the consumer.
    async fn work(
        self,
        process: &Process,
        stop: &CancellationToken,
        view: &mut View,
    ) -> Result<Totals, Failed> {
        let (connection, credentials) = self.kafka;
        let observers = Observers::default();
        let options = Options {
            observations: observers.producer.clone(),
            unreachable_hint: Some(UNREACHABLE_HINT.to_owned()),
            ..Options::default()
        };
        let consumer_stop = Stop::default();
        let mut consumer = tokio::spawn({
            let config = self.pipeline.consumer_config(connection.clone(), self.store_config);
            let (store, process, credentials) = (self.store.clone(), process.clone(), credentials.clone());
            let (stop, watched) = (consumer_stop.clone(), Some(observers.consumer.clone()));
            async move { pricepipe_consumer::run(config, credentials, store, &process, stop, watched).await }
        });
        let producer = tokio::spawn({
            let (config, process, stop) =
                (self.pipeline.producer_config(connection), process.clone(), stop.clone());
            async move { pricepipe_producer::run(config, credentials, &process, stop, options).await }
        });
        // Neither ends by itself unless it has failed.
        while !stop.is_cancelled() && !producer.is_finished() && !consumer.is_finished() {
            view.show(&observers.snapshot(process))?;
            tokio::select! {
                () = tokio::time::sleep(view::EVERY) => {}
                () = stop.cancelled() => {}
            }
        }
        stop.cancel();
        let produced = producer.await;
        consumer_stop.when_drained.cancel();
        let consumed = match timeout(DRAIN_PATIENCE, &mut consumer).await {
            Ok(consumed) => consumed,
            Err(_) => {
                consumer_stop.now.cancel();
                consumer.await
            }
        };
        let last = observers.snapshot(process);
        view.show(&last)?;
        self.store.close().await;
        let produced = succeeded(produced)?;
        let consumed = succeeded(consumed)?;
        Ok(Totals::of(&produced, &consumed))
    }
}

fn succeeded<T, E: std::error::Error>(result: Result<Result<T, E>, JoinError>) -> Result<T, Failed> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failed::because(Exit::Failure, &error)),
        Err(error) => Err(Failed::because(Exit::Failure, &error)),
    }
}
