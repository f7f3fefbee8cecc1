//! Runs a producer: makes its parts, lets them work, and ends them in order.

use std::{
    collections::{BTreeSet, HashMap},
    process,
    sync::Arc,
    time::Duration,
};

use pricepipe_core::{
    Exchange, Symbol,
    config::{KafkaCredentials, ProducerConfig, SourceConfig},
};
use pricepipe_service::{Process, kafka};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    ProducerError,
    announcer::Announcer,
    endpoints::{Endpoints, Exchanges},
    events::Events,
    observations::{Observations, Summary},
    poller::Poller,
    route::Route,
    schedule::Schedule,
    sink::{Sink, SinkParts},
    source::binance::{self, Binance},
};

/// A loop that shows no sign of life for so long is dead, unless a request may take longer.
const ALIVE: Duration = Duration::from_secs(60);
/// Hosts whose breaker is open are pinged about this often.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// What the host of a producer may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the producer writes what a live view may read.
    pub observations: Arc<Observations>,
    /// What to tell a user whose exchange cannot be reached, after the reason.
    pub unreachable_hint: Option<String>,
    /// How long to wait at the end until Kafka has acknowledged everything.
    pub flush_patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            observations: Arc::default(),
            unreachable_hint: None,
            flush_patience: Duration::from_secs(15),
        }
    }
}

/// Polls the configured sources and produces to Kafka until `stop` is cancelled, then flushes.
///
/// # Errors
/// A configuration that cannot be used, before anything is polled; accepted messages that Kafka did not acknowledge
/// in time, at the end. An exchange or a Kafka that is away is no error: see the conditions of `process.health`.
pub async fn run(
    config: ProducerConfig,
    credentials: Option<KafkaCredentials>,
    process: &Process,
    stop: CancellationToken,
    options: Options,
) -> Result<Summary, ProducerError> {
    check(&config)?;
    let routes = routes(&config);
    let names = config.sources.iter().map(|source| source.name.clone()).collect();
    options.observations.begin(routes.iter().map(AsRef::as_ref), names);
    let events = Arc::new(Events::new(&process.registry, options.observations.clone()));
    let mut exchanges = Exchanges::new(process);
    let endpoints = config.sources.iter().map(|source| {
        let dialect = match source.exchange {
            Exchange::Binance => &binance::DIALECT,
        };
        exchanges.endpoints(source, dialect, &events).map(Arc::new)
    });
    let endpoints: Vec<Arc<Endpoints>> = endpoints.collect::<Result<_, _>>()?;
    let sink = Arc::new(start_sink(&config, credentials.as_ref(), process, &events)?);

    // Its own token, so that a loop that died stops the others.
    let stop = stop.child_token();
    let mut loops = JoinSet::new();
    for (source, endpoints) in config.sources.iter().zip(endpoints) {
        loops.spawn(probe_for_ever(endpoints.clone(), stop.clone()));
        let poller = poller(source, &config, endpoints, &routes, process, &sink, &events, &options, &stop);
        loops.spawn(poller.run());
    }
    let mut died = None;
    while let Some(ended) = loops.join_next().await {
        if let Err(error) = ended {
            stop.cancel();
            died = Some(error);
        }
    }
    process.health.condition("producer").not_ready("stopping");
    finish(sink, &options, died).await
}

fn check(config: &ProducerConfig) -> Result<(), ProducerError> {
    if config.symbols.is_empty() {
        Err(ProducerError::NothingToDo("symbols"))
    } else if config.sources.is_empty() {
        Err(ProducerError::NothingToDo("sources"))
    } else if config.kafka.bootstrap_servers.is_empty() {
        Err(ProducerError::NoBrokers)
    } else {
        Ok(())
    }
}

/// A route per exchange and symbol, each once.
fn routes(config: &ProducerConfig) -> Vec<Arc<Route>> {
    let exchanges: BTreeSet<Exchange> = config.sources.iter().map(|source| source.exchange).collect();
    let mut seen = BTreeSet::new();
    let mut routes = Vec::new();
    for exchange in exchanges {
        for wanted in &config.symbols {
            if seen.insert((exchange, wanted.symbol.clone())) {
                let route = Route::new(routes.len(), exchange, wanted.symbol.clone(), wanted.topic.clone());
                routes.push(Arc::new(route));
            }
        }
    }
    routes
}

fn start_sink(
    config: &ProducerConfig,
    credentials: Option<&KafkaCredentials>,
    process: &Process,
    events: &Arc<Events>,
) -> Result<Sink, ProducerError> {
    let topics: BTreeSet<String> = config.symbols.iter().map(|route| route.topic.to_string()).collect();
    let client = kafka::producer(&config.kafka, credentials, &client_id());
    Ok(Sink::start(SinkParts {
        client,
        username: credentials.map(|credentials| credentials.username.clone()),
        topics: topics.into_iter().collect(),
        guard: process.guard("kafka"),
        condition: process.health.condition("kafka"),
        heartbeat: process.health.heartbeat("kafka", ALIVE),
        events: events.clone(),
    })?)
}

/// The parts of a source's loop. There are many, and each is needed.
#[allow(clippy::too_many_arguments)]
fn poller(
    source: &SourceConfig,
    config: &ProducerConfig,
    endpoints: Arc<Endpoints>,
    routes: &[Arc<Route>],
    process: &Process,
    sink: &Arc<Sink>,
    events: &Arc<Events>,
    options: &Options,
    stop: &CancellationToken,
) -> Poller<Binance> {
    let routes: HashMap<Symbol, Arc<Route>> = routes
        .iter()
        .filter(|route| route.exchange == source.exchange)
        .map(|route| (route.symbol.clone(), route.clone()))
        .collect();
    let label = |what: &str| match config.sources.len() {
        1 => what.to_owned(),
        _ => format!("{what} {}", source.name),
    };
    let longest_request = Duration::from_millis(source.rest.timeout_millis)
        * u32::try_from(source.rest.endpoints.len()).unwrap_or(1);
    Poller {
        name: source.name.clone(),
        exchange: source.exchange,
        source: Binance::new(endpoints, config.symbols.iter().map(|route| route.symbol.clone())),
        schedule: Schedule::every(Duration::from_millis(source.rest.interval_millis)),
        routes,
        sink: sink.clone(),
        events: events.clone(),
        observations: options.observations.clone(),
        announcer: Announcer::new(process.health.condition(&label("exchange"))),
        heartbeat: process.health.heartbeat(&label("poll"), ALIVE.max(longest_request * 2)),
        hint: options.unreachable_hint.clone(),
        failing: HashMap::new(),
        stop: stop.clone(),
    }
}

async fn probe_for_ever(endpoints: Arc<Endpoints>, stop: CancellationToken) {
    let probe = async {
        loop {
            sleep(PROBE_EVERY.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            endpoints.probe().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = probe => {}
    }
}

/// Delivers what was accepted, and sums up.
async fn finish(
    sink: Arc<Sink>,
    options: &Options,
    died: Option<tokio::task::JoinError>,
) -> Result<Summary, ProducerError> {
    let undelivered = match Arc::into_inner(sink) {
        Some(sink) => sink.close(options.flush_patience).await,
        None => unreachable!("every loop has ended, and with it its share of the sink"),
    };
    let mut summary = options.observations.snapshot().totals;
    summary.undelivered = undelivered.messages as u64;
    match died {
        _ if undelivered.messages > 0 => Err(ProducerError::Undelivered {
            summary,
            seconds: options.flush_patience.as_secs(),
            topics: undelivered.topics,
        }),
        Some(error) => Err(ProducerError::Died(error)),
        None => Ok(summary),
    }
}

/// Tells one producer from another in the broker's logs.
fn client_id() -> String {
    let host =
        std::env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let host = host.unwrap_or_default();
    let legal = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    let host: String = host.trim().chars().filter(legal).collect();
    format!("pricepipe-producer-{host}-{}", process::id())
}
