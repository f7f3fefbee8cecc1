//! Runs a consumer: wires its parts together, replaces a client that fails, and ends in good order.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    thread,
    time::{Duration, Instant},
};

use pricepipe_core::{
    Backoff,
    config::{ConsumerConfig, KafkaCredentials},
};
use pricepipe_service::{Process, kafka};
use pricepipe_store::Store;
use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
use tokio::{
    runtime::Handle,
    sync::{Mutex as AsyncMutex, oneshot},
};
use tokio_util::sync::CancellationToken;

use crate::{
    client::{self, Client},
    context::Context,
    dead_letter::DeadLetters,
    error::ConsumerError,
    events::Events,
    intake::{End, Intake},
    observations::Observations,
    promise::Promise,
    routes::Routes,
    sink::{Sink, TopicIds},
    writer::Writers,
};

/// How long what is under way may take at the end …
const DRAIN_TIMEOUT: Duration = Duration::from_secs(12);
/// … and how long leaving the group may take. With 3 s for the last commit, the end comes within 20 s.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The intake has stopped turning when it gives no sign of life for this long.
const HEARTBEAT_LIMIT: Duration = Duration::from_secs(60);
/// A client that worked for this long is replaced without delay.
const PROVEN_AFTER: Duration = Duration::from_secs(60);

/// How a consumer is told to end.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Ends at once: what was taken is stored and committed, and nothing more is taken.
    pub now: CancellationToken,
    /// Ends once everything is stored that was in Kafka when this was cancelled. To be cancelled after the
    /// producer's last flush. It may never come true, so whoever cancels it cancels `now` at a deadline.
    pub when_drained: CancellationToken,
}

/// What a consumer did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages taken from Kafka.
    pub consumed: u64,
    /// Documents that were new.
    pub stored: u64,
    /// Documents that were there already.
    pub duplicates: u64,
    /// Messages that went to the dead-letter topic.
    pub dead_letters: u64,
}

/// Runs until told to stop. Outages of Kafka or the store are waited for, and shown by metrics and readiness.
///
/// # Errors
///
/// Only for what does not pass by itself: settings that no client can be made of.
pub async fn run(
    config: ConsumerConfig,
    credentials: Option<KafkaCredentials>,
    store: Arc<dyn Store>,
    process: &Process,
    stop: Stop,
    observations: Option<Observations>,
) -> Result<Summary, ConsumerError> {
    config.check()?;
    let sink = sink(&config, credentials.as_ref(), store, process, observations);
    let clients = Clients::new(&config, credentials, &sink);
    let first = clients.open().map_err(ConsumerError::client)?;
    tokio::spawn(Arc::clone(&sink).prepare());
    tokio::spawn(Arc::clone(&sink).watch_store());
    let promise = Promise::from_environment();
    let writers =
        Writers::new(Handle::current(), Arc::clone(&sink), config.batch.max_documents as usize, promise);
    let heartbeat = process.health.heartbeat("intake", HEARTBEAT_LIMIT);
    let intake = Intake::new((Arc::clone(&sink), writers), config.batch, (stop.clone(), promise), heartbeat);
    let (sender, ended) = oneshot::channel();
    thread::Builder::new()
        .name("intake".to_owned())
        .spawn(move || {
            supervise(intake, first, &clients, &stop);
            // Whoever waited has gone.
            let _ = sender.send(());
        })
        .map_err(ConsumerError::Thread)?;
    let ended = ended.await;
    sink.abandon.cancel();
    ended.map_err(|_| ConsumerError::IntakeEnded).map(|()| sink.events.summary())
}

/// Works on one client after the other until told to stop.
fn supervise(mut intake: Intake, first: Client, clients: &Clients, stop: &Stop) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    let mut client = first;
    loop {
        let started = Instant::now();
        match intake.run(&client) {
            End::Stopped => break,
            End::Restart(reason) => {
                clients.events.client_restarts(&reason);
                client::close(client, CLOSE_TIMEOUT);
                if started.elapsed() > PROVEN_AFTER {
                    backoff.reset();
                }
            }
        }
        match clients.open_again(&mut backoff, stop) {
            Some(next) => client = next,
            None => return intake.sink.abandon.cancel(),
        }
    }
    intake.finish(&client, DRAIN_TIMEOUT);
    client::close(client, CLOSE_TIMEOUT);
}

fn sink(
    config: &ConsumerConfig,
    credentials: Option<&KafkaCredentials>,
    store: Arc<dyn Store>,
    process: &Process,
    observations: Option<Observations>,
) -> Arc<Sink> {
    let events = Arc::new(Events::new(process));
    let connection = (&config.kafka, credentials);
    let name = (config.dead_letter_topic.clone(), config.pipeline.to_string());
    let client_id = format!("pricepipe-{}-topic-ids", config.pipeline);
    let admin = kafka::admin(&config.kafka, credentials, &client_id);
    Arc::new(Sink {
        store,
        store_guard: process.guard("store"),
        routes: Arc::new(Routes::new(&config.topics)),
        dead_letters: DeadLetters::new(name, connection, process.guard("dead-letter"), Arc::clone(&events)),
        topic_ids: TopicIds::new(admin, process.guard("topic-id")),
        events,
        observations,
        prepared: CancellationToken::new(),
        shelves: AsyncMutex::default(),
        abandon: CancellationToken::new(),
        writing: AtomicUsize::new(0),
    })
}

/// Makes clients.
struct Clients {
    config: ClientConfig,
    credentials: Option<KafkaCredentials>,
    routes: Arc<Routes>,
    events: Arc<Events>,
}

impl Clients {
    fn new(config: &ConsumerConfig, credentials: Option<KafkaCredentials>, sink: &Sink) -> Self {
        let client_id = format!("pricepipe-{}-consumer", config.pipeline);
        let mut settings = kafka::consumer(&config.kafka, credentials.as_ref(), &client_id, &config.group);
        // The binding would ask the `log` crate, which nobody set up, and keep every warning to itself.
        settings.set_log_level(RDKafkaLogLevel::Warning);
        settings.set("session.timeout.ms", config.session_timeout_millis.to_string());
        Clients {
            config: settings,
            credentials,
            routes: Arc::clone(&sink.routes),
            events: Arc::clone(&sink.events),
        }
    }

    fn open(&self) -> rdkafka::error::KafkaResult<Client> {
        let context =
            Context::new(Arc::clone(&self.routes), Arc::clone(&self.events), self.credentials.clone());
        client::open(&self.config, context, &self.routes)
    }

    /// Tries until there is one. `None` when told to stop.
    fn open_again(&self, backoff: &mut Backoff, stop: &Stop) -> Option<Client> {
        loop {
            let until = Instant::now() + backoff.next_wait(fastrand::f64());
            while Instant::now() < until {
                if stop.now.is_cancelled() {
                    return None;
                }
                thread::sleep(Duration::from_millis(100));
            }
            match self.open() {
                Ok(client) => return Some(client),
                Err(error) => self.events.client_restarts(&ConsumerError::client(error).to_string()),
            }
        }
    }
}
