//! Runs a producer: makes its parts, lets them work, and ends them in order.

use std::{
    collections::{BTreeSet, HashMap},
    process,
    sync::Arc,
    time::Duration,
};

use pricepipe_core::{
    Exchange, Symbol, Timestamp,
    config::{Feed, KafkaCredentials, ProducerConfig},
    names::gaps_topic,
};
use pricepipe_service::{Process, health::Condition, kafka};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    ProducerError,
    endpoints::Exchanges,
    events::Events,
    feeds::{self, Loop, Shared},
    observations::{Observations, Summary},
    replay::course::Position,
    route::Route,
    sink::{Sink, SinkParts},
};

/// What the host of a producer may choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the producer writes what a live view may read.
    pub observations: Arc<Observations>,
    /// What to tell a user whose exchange cannot be reached, after the reason.
    pub unreachable_hint: Option<String>,
    /// How far earlier replays came, by Kafka key ([`pricepipe_core::identity::key`]), where the host knows it better than
    /// Kafka: one in memory has forgotten it.
    pub replayed: HashMap<String, Position>,
    /// How long a connection to streams is kept at most, where an exchange allows more: a test has no day to wait.
    pub longest_connection: Option<Duration>,
    /// How long to wait at the end until Kafka has acknowledged everything.
    pub flush_patience: Duration,
    /// The newest observations that the host has stored of each stream, where it keeps more than Kafka does: streams go
    /// on after whichever is later.
    pub watermarks: Vec<Watermark>,
}

/// An observation that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// Its id.
    pub id: String,
    /// When it happened.
    pub time: Timestamp,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            observations: Arc::default(),
            unreachable_hint: None,
            replayed: HashMap::new(),
            longest_connection: None,
            flush_patience: Duration::from_secs(15),
            watermarks: Vec::new(),
        }
    }
}

/// Everything that produces, ready to begin.
pub struct Producer {
    condition: Condition,
    loops: Vec<Loop>,
    sink: Arc<Sink>,
    options: Options,
    stop: CancellationToken,
}

/// Polls the configured sources and produces to Kafka until `stop` is cancelled, then flushes:
/// [`Producer::new`] and [`Producer::run`].
pub async fn run(
    config: ProducerConfig,
    credentials: Option<KafkaCredentials>,
    process: &Process,
    stop: CancellationToken,
    options: Options,
) -> Result<Summary, ProducerError> {
    Producer::new(&config, credentials.as_ref(), process, options)?.run(stop).await
}

impl Producer {
    /// Makes the parts and begins to connect to Kafka. Its conditions are registered when this returns, so that a
    /// process that serves `/readyz` afterwards is never taken for ready too early.
    ///
    /// # Errors
    /// A configuration that cannot be used.
    pub fn new(
        config: &ProducerConfig,
        credentials: Option<&KafkaCredentials>,
        process: &Process,
        options: Options,
    ) -> Result<Self, ProducerError> {
        config.check()?;
        let condition = process.health.condition("producer");
        let routes = routes(config);
        let names = config.sources.iter().map(|source| source.name.clone()).collect();
        options.observations.begin(routes.iter().map(AsRef::as_ref), names);
        let events = Arc::new(Events::new(&process.registry, options.observations.clone()));
        let sink = Arc::new(start_sink(config, credentials, process, &events)?);
        // Its own token, so that a loop that died can stop the others.
        let stop = CancellationToken::new();
        let mut exchanges = Exchanges::new(process);
        let shared = Shared {
            config,
            credentials,
            process,
            options: &options,
            routes: &routes,
            sink: &sink,
            events: &events,
            stop: &stop,
        };
        let mut loops = Vec::new();
        for source in &config.sources {
            loops.extend(shared.loops(source, &mut exchanges)?);
        }
        Ok(Producer { condition, loops, sink, options, stop })
    }

    /// Polls and produces until `stop` is cancelled, then flushes.
    ///
    /// # Errors
    /// Accepted messages that Kafka did not acknowledge in time. An exchange or a Kafka that is away is no error: the
    /// conditions of the process tell of it.
    pub async fn run(self, stop: CancellationToken) -> Result<Summary, ProducerError> {
        let Producer { condition, loops, sink, options, stop: own_stop } = self;
        let mut running = JoinSet::new();
        for work in loops {
            running.spawn(work);
        }
        condition.ready();
        let died = end_of(running, &stop, &own_stop, &condition).await;
        finish(sink, &options, died).await
    }
}

/// Waits until every loop has ended. The first one that dies stops the others.
async fn end_of(
    mut loops: JoinSet<()>,
    asked: &CancellationToken,
    stop: &CancellationToken,
    condition: &Condition,
) -> Option<JoinError> {
    let (mut died, mut stopping) = (None, false);
    loop {
        tokio::select! {
            () = asked.cancelled(), if !stopping => {
                stopping = true;
                condition.not_ready("stopping");
                stop.cancel();
            }
            ended = loops.join_next() => match ended {
                None => return died,
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    stop.cancel();
                    died = Some(error);
                }
            }
        }
    }
}

/// A route per exchange and symbol.
fn routes(config: &ProducerConfig) -> Vec<Arc<Route>> {
    let exchanges: BTreeSet<Exchange> = config.sources.iter().map(|source| source.exchange).collect();
    let mut routes = Vec::new();
    for exchange in exchanges {
        let served =
            |symbol: &Symbol| config.sources.iter().any(|s| s.exchange == exchange && s.serves(symbol));
        for wanted in config.symbols.iter().filter(|wanted| served(&wanted.symbol)) {
            let route = Route::new(routes.len(), exchange, wanted.symbol.clone(), wanted.topic.clone());
            routes.push(Arc::new(route));
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
    let mut topics: BTreeSet<String> = config.symbols.iter().map(|route| route.topic.to_string()).collect();
    let mut client = kafka::producer(&config.kafka, credentials, &client_id());
    if config.sources.iter().any(|source| !matches!(source.feed, Feed::Rest(_))) {
        topics.insert(gaps_topic(&config.pipeline).to_string());
    }
    if config.sources.iter().any(|source| matches!(source.feed, Feed::Websocket(_))) {
        kafka::for_streams(&mut client);
    }
    Ok(Sink::start(SinkParts {
        client,
        username: credentials.map(|credentials| credentials.username.clone()),
        topics: topics.into_iter().collect(),
        guard: process.guard("kafka"),
        condition: process.health.condition("kafka"),
        heartbeat: process.health.heartbeat("kafka", feeds::ALIVE),
        events: events.clone(),
    })?)
}

/// Delivers what was accepted, and sums up.
async fn finish(
    sink: Arc<Sink>,
    options: &Options,
    died: Option<JoinError>,
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
pub(crate) fn client_id() -> String {
    let host =
        std::env::var("HOSTNAME").ok().or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let host = host.unwrap_or_default();
    let legal = |c: &char| c.is_ascii_alphanumeric() || "._-".contains(*c);
    let host: String = host.trim().chars().filter(legal).collect();
    format!("pricepipe-producer-{host}-{}", process::id())
}
