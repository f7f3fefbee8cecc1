//! The connections of one source: over how many its markets are spread, and how the source is.

mod connection;
mod gate;
mod hosts;
mod lane;
mod markets;
mod outbox;
mod subscription;

use std::{
    panic,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use pricepipe_core::{
    Symbol, Timestamp,
    config::{SourceConfig, WebsocketConfig},
};
use pricepipe_exchange::stream::{Limits, Topic};
use pricepipe_service::clock;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use self::{
    hosts::Hosts,
    lane::{Lane, LaneState},
    markets::Markets,
};
use super::Arrival;
use crate::{
    ProducerError,
    announcer::Announcer,
    endpoints::Exchanges,
    events::Events,
    feeds::{ALIVE, Shared},
    http,
    observations::Observations,
    poller::SourceTrouble,
    source::{SourceError, Trouble},
};

pub(crate) use self::gate::Gate;

/// So many arrivals of a source wait for whoever sequences them; then reading pauses.
const WAITING: usize = 64;
/// How often the silence of each symbol is told.
const TELL_SILENCE: Duration = Duration::from_secs(5);

/// Everything that listens for one source.
pub(crate) struct Connections {
    /// The source's name.
    name: String,
    context: Arc<Context>,
    lanes: Vec<Lane>,
    states: mpsc::UnboundedReceiver<(usize, LaneState)>,
    announcer: Announcer<SourceTrouble>,
    observations: Arc<Observations>,
    hint: Option<String>,
}

/// What all connections of a source share.
struct Context {
    topic: Topic,
    limits: Limits,
    /// A connection that brings nothing for so long is given up.
    silence: Duration,
    symbols: Vec<Symbol>,
    markets: Arc<Markets>,
    /// When each market was last heard of, in milliseconds since 1970; 0 before it is subscribed to.
    heard: Vec<AtomicI64>,
    numbers: AtomicU64,
    hosts: Hosts,
    arrivals: mpsc::Sender<Arrival>,
    events: Arc<Events>,
    stop: CancellationToken,
}

impl Connections {
    /// Makes the connections of a source; `symbols` are its markets, in the order of their places. What they bring
    /// comes out of the receiver.
    ///
    /// # Errors
    /// An endpoint that is none, or certificates that cannot be read.
    pub(crate) fn new(
        shared: &Shared<'_>,
        source: &SourceConfig,
        websocket: &WebsocketConfig,
        symbols: &[Symbol],
        exchanges: &mut Exchanges,
    ) -> Result<(Self, mpsc::Receiver<Arrival>), ProducerError> {
        let (arrivals, receiver) = mpsc::channel(WAITING);
        let context = Arc::new(Context::new(shared, source, websocket, symbols, exchanges, arrivals)?);
        let (state, states) = mpsc::unbounded_channel();
        let health = &shared.process.health;
        let shares = context.shares();
        let name = |place: usize| match shares.len() {
            1 => shared.label("stream", source),
            _ => shared.label(&format!("stream {}", place + 1), source),
        };
        let lane = |(place, markets): (usize, &Vec<usize>)| {
            let heartbeat = health.heartbeat(&name(place), ALIVE);
            Lane::new(place, markets.clone(), context.clone(), heartbeat, state.clone())
        };
        let connections = Connections {
            name: source.name.clone(),
            lanes: shares.iter().enumerate().map(lane).collect(),
            context: context.clone(),
            states,
            announcer: Announcer::new(health.condition(&shared.label("exchange", source)), ""),
            observations: shared.options.observations.clone(),
            hint: shared.options.unreachable_hint.clone(),
        };
        Ok((connections, receiver))
    }

    /// Listens until told to stop. The receiver ends with it.
    pub(crate) async fn run(mut self) {
        let mut board = vec![LaneState::Starting; self.lanes.len()];
        let mut lanes: JoinSet<()> = self.lanes.drain(..).map(Lane::run).collect();
        let mut ticks = interval(TELL_SILENCE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                ended = lanes.join_next() => match ended {
                    None => return,
                    Some(Err(error)) if error.is_panic() => panic::resume_unwind(error.into_panic()),
                    Some(_) => {}
                },
                Some((place, state)) = self.states.recv() => {
                    board[place] = state;
                    self.tell(&board);
                }
                _ = ticks.tick() => self.context.tell_silence(clock::now()),
            }
        }
    }

    /// Tells the user how the source is.
    fn tell(&mut self, board: &[LaneState]) {
        let down = board.iter().find_map(|state| match state {
            LaneState::Down(error) => Some(error),
            _ => None,
        });
        let up = board.iter().filter(|state| matches!(state, LaneState::Up(_))).count();
        let markets: usize =
            board.iter().map(|state| if let LaneState::Up(n) = state { *n } else { 0 }).sum();
        match down {
            Some(error) => self.tell_trouble(error, up, board.len()),
            None if up < board.len() => {}
            None if markets == 0 => {
                let text = format!("every symbol is unknown to {}", self.context.topic.exchange);
                self.observations.source_state(&self.name, &text);
                self.announcer.trouble(SourceTrouble::NoSymbols, &text);
            }
            None => {
                self.observations.source_state(&self.name, "listening");
                self.announcer.fine();
            }
        }
    }

    fn tell_trouble(&mut self, error: &SourceError, up: usize, all: usize) {
        let exchange = self.context.topic.exchange;
        let Some(trouble) = error.trouble() else { return };
        let hint = self.hint.as_deref().map(|hint| format!(" {hint}")).unwrap_or_default();
        let part = if all > 1 { format!(" ({up} of {all} connections are up)") } else { String::new() };
        let text = match trouble {
            Trouble::Unreachable => {
                format!("{exchange}'s streams cannot be reached: {error}; retrying{part}.{hint}")
            }
            Trouble::Unusable => {
                format!("{exchange}'s streams cannot be used: {error}; retrying{part}.{hint}")
            }
            _ => format!("{exchange}'s streams: {error}{part}"),
        };
        self.observations.source_state(&self.name, &text);
        // Hosts may fail turn by turn in different ways: each turn would be told otherwise.
        let kind = if trouble == Trouble::Unusable { Trouble::Unreachable } else { trouble };
        self.announcer.trouble(SourceTrouble::Exchange(kind), &text);
    }
}

impl Context {
    fn new(
        shared: &Shared<'_>,
        source: &SourceConfig,
        websocket: &WebsocketConfig,
        symbols: &[Symbol],
        exchanges: &mut Exchanges,
        arrivals: mpsc::Sender<Arrival>,
    ) -> Result<Self, ProducerError> {
        let exchange = source.exchange;
        let WebsocketConfig { stream, interval, partial, .. } = *websocket;
        let topic = Topic { exchange, stream, interval, partial };
        let limits = topic.limits();
        let longest = shared.options.longest_connection.map(|longest| longest.as_millis() as u64);
        let lifetime_millis = limits.lifetime_millis.into_iter().chain(longest).min();
        let limits = Limits { lifetime_millis, ..limits };
        let base = |text: &String| http::base_url(&source.name, text, "ws");
        let bases = websocket.endpoints.iter().map(base).collect::<Result<_, _>>()?;
        let gate = exchanges.gate(exchange, &limits);
        let hosts = Hosts::new(exchange, bases, topic.path(), gate, exchanges, shared.events)?;
        let names = symbols.iter().map(|symbol| exchange.market(symbol).into_owned());
        Ok(Context {
            topic,
            limits,
            silence: Duration::from_millis(websocket.silence_millis.max(1)),
            symbols: symbols.to_vec(),
            markets: Arc::new(Markets::new(names)),
            heard: symbols.iter().map(|_| AtomicI64::new(0)).collect(),
            numbers: AtomicU64::new(0),
            hosts,
            arrivals,
            events: shared.events.clone(),
            stop: shared.stop.clone(),
        })
    }

    /// The markets of each connection, by their places: as few connections as there may be, all about as large.
    fn shares(&self) -> Vec<Vec<usize>> {
        shares(self.symbols.len(), self.limits.markets_per_connection)
    }

    /// Connections are numbered from 1 in the order of opening.
    fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn symbol(&self, market: usize) -> &Symbol {
        &self.symbols[market]
    }

    /// A market brought something.
    fn heard(&self, market: usize, now: Timestamp) {
        self.heard[market].store(now.as_millis(), Ordering::Relaxed);
    }

    /// A market is subscribed to: if it was never heard of, its silence counts from here.
    fn subscribed(&self, market: usize, now: Timestamp) {
        let _ = self.heard[market].compare_exchange(0, now.as_millis(), Ordering::Relaxed, Ordering::Relaxed);
    }

    fn tell_silence(&self, now: Timestamp) {
        for (symbol, heard) in self.symbols.iter().zip(&self.heard) {
            let heard = heard.load(Ordering::Relaxed);
            if heard > 0 {
                let silence = u64::try_from(now.as_millis() - heard).unwrap_or(0);
                self.events.symbol_silent_for(self.topic.exchange, symbol, Duration::from_millis(silence));
            }
        }
    }
}

fn shares(markets: usize, most: usize) -> Vec<Vec<usize>> {
    let connections = markets.div_ceil(most.max(1)).max(1);
    let places: Vec<usize> = (0..markets).collect();
    places.chunks(markets.div_ceil(connections).max(1)).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markets_are_spread_evenly_over_as_few_connections_as_the_limit_allows() {
        let sizes = |markets, most| shares(markets, most).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(1_000, 1_024), [1_000]);
        assert_eq!(sizes(1_025, 1_024), [513, 512]);
        assert_eq!(sizes(250, 100), [84, 84, 82]);
        assert_eq!(shares(250, 100).concat(), (0..250).collect::<Vec<_>>());
    }
}
