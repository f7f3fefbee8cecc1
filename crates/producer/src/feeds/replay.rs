//! Replays history: every market of a source from the beginning to the end, each in its own order.

use std::{
    collections::HashMap,
    panic,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use pricepipe_core::{
    Timestamp,
    config::{KafkaConnection, KafkaCredentials, OnComplete, ReplayConfig, SourceConfig},
    names::gaps_topic,
};
use pricepipe_service::{clock, health::Heartbeat, kafka};
use rdkafka::ClientConfig;
use tokio::{
    sync::Semaphore,
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use super::{ALIVE, Loop, Shared, probe_for_ever};
use crate::{
    ProducerError,
    announcer::Announcer,
    endpoints::Exchanges,
    replay::{
        course::{Course, Position},
        market::{Common, Market},
        progress::Progress,
        resume::{Found, Wanted},
    },
    route::Route,
    source::{Trouble, catalogue::Catalogue},
};

const CLIENT_ID: &str = "pricepipe-replay";
/// So many markets are read together.
const AT_ONCE: usize = 4;
const BEAT_EVERY: Duration = Duration::from_secs(10);
/// How long to wait before Kafka is asked again how far an earlier replay came.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// A source that replays.
struct Replay {
    source: SourceConfig,
    config: ReplayConfig,
    common: Arc<Common>,
    routes: Vec<Arc<Route>>,
    wanted: Arc<Wanted>,
    /// What the host knows of earlier replays, by Kafka key.
    known: HashMap<String, Position>,
    heartbeat: Heartbeat,
}

impl Shared<'_> {
    /// The loops of a source that replays.
    pub(super) fn replay(
        &self,
        source: &SourceConfig,
        replay: &ReplayConfig,
        exchanges: &mut Exchanges,
    ) -> Result<Vec<Loop>, ProducerError> {
        let endpoints = Arc::new(exchanges.endpoints(source, self.events)?);
        let mut routes: Vec<Arc<Route>> = self.routes_of(source).into_values().collect();
        routes.sort_by_key(|route| route.index);
        let routes: Vec<_> = routes.iter().map(|route| Arc::new(route.replaying(replay.start))).collect();
        self.options.observations.replay_begins(source, routes.iter().map(|route| route.symbol.clone()));
        let health = &self.process.health;
        let announcer = Announcer::new(health.condition(&self.label("exchange", source)), "");
        let common = Arc::new(Common {
            name: source.name.clone(),
            pace: replay.pace,
            endpoints: endpoints.clone(),
            catalogue: Catalogue::new(endpoints.clone(), self.events.clone()),
            sink: self.sink.clone(),
            events: self.events.clone(),
            observations: self.options.observations.clone(),
            progress: Progress::new(
                gaps_topic(&self.config.pipeline),
                self.sink.clone(),
                routes.len(),
                replay.on_complete == OnComplete::Loop,
            ),
            announcer: Mutex::new(announcer),
            at_once: Semaphore::new(AT_ONCE),
            stop: self.stop.clone(),
        });
        let wanted = Wanted {
            client: reader(&self.config.kafka, self.credentials),
            routes: routes.clone(),
            interval: replay.interval,
            stop: self.stop.clone(),
        };
        let work = Replay {
            source: source.clone(),
            config: replay.clone(),
            common,
            routes,
            wanted: Arc::new(wanted),
            known: self.options.replayed.clone(),
            heartbeat: health.heartbeat(&self.label("replay", source), ALIVE),
        };
        Ok(vec![Box::pin(probe_for_ever(endpoints, self.stop.clone())), Box::pin(work.run())])
    }
}

/// The settings of a client that reads, and neither joins a group nor commits anything.
fn reader(connection: &KafkaConnection, credentials: Option<&KafkaCredentials>) -> ClientConfig {
    let mut config = kafka::reader(connection, credentials, CLIENT_ID, CLIENT_ID);
    config
        .set("enable.auto.offset.store", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        // What was removed meanwhile is passed over.
        .set("auto.offset.reset", "earliest")
        .set("queued.max.messages.kbytes", "4096");
    config
}

impl Replay {
    /// Replays once or for ever, and rests at the end, until told to stop.
    async fn run(self) {
        let stop = self.common.stop.clone();
        let end = self.config.end.unwrap_or_else(clock::now);
        let mut positions = match self.positions().await {
            Some(positions) => positions,
            None => return self.heartbeat.end(),
        };
        self.announced(|announcer| announcer.fine());
        while !stop.is_cancelled() {
            self.pass(end, &positions).await;
            if self.config.on_complete == OnComplete::Suspend {
                break;
            }
            positions = Found::new();
            // A history without a single record would be asked for without a pause.
            stop.run_until_cancelled(sleep(Duration::from_secs(1))).await;
        }
        while !stop.is_cancelled() {
            self.tick();
            stop.run_until_cancelled(sleep(BEAT_EVERY)).await;
        }
        self.heartbeat.end();
    }

    /// How far earlier replays came. Without an answer nothing begins. `None` when told to stop.
    async fn positions(&self) -> Option<Found> {
        let stop = &self.common.stop;
        loop {
            self.heartbeat.beat();
            let wanted = self.wanted.clone();
            let found = spawn_blocking(move || wanted.find()).await;
            if stop.is_cancelled() {
                return None;
            }
            match found {
                Ok(Ok(mut found)) => {
                    found.extend(self.known.clone());
                    return Some(found);
                }
                Ok(Err(error)) => {
                    let text =
                        format!("Kafka does not tell how far an earlier replay came: {error}; retrying");
                    self.common.observations.source_state(&self.source.name, &text);
                    self.announced(|announcer| announcer.trouble(Trouble::Unreachable, &text));
                }
                Err(died) => panic::resume_unwind(died.into_panic()),
            }
            stop.run_until_cancelled(sleep(ASK_AGAIN)).await;
        }
    }

    /// Replays every market to the end.
    async fn pass(&self, end: Timestamp, positions: &Found) {
        let mut markets = JoinSet::new();
        for (index, route) in self.routes.iter().enumerate() {
            let market = pricepipe_exchange::market(route.exchange, &route.symbol);
            let position = positions.get(&route.key).copied();
            let range = self.config.start..end;
            let course = Course::new(route.exchange, market, self.config.interval, range, position);
            markets.spawn(Market::new(self.common.clone(), route.clone(), index, course).run());
        }
        loop {
            tokio::select! {
                ended = markets.join_next() => match ended {
                    None => return,
                    Some(Ok(())) => {}
                    Some(Err(died)) => panic::resume_unwind(died.into_panic()),
                },
                () = sleep(BEAT_EVERY) => self.tick(),
            }
        }
    }

    fn tick(&self) {
        self.heartbeat.beat();
        self.common.progress.tick();
    }

    fn announced(&self, say: impl FnOnce(&mut Announcer<Trouble>)) {
        say(&mut self.common.announcer.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
