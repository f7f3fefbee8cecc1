//! The connections of one source: over how many its markets are spread, and how the source is.

mod connection;
mod gate;
mod hosts;
mod lane;
mod lookout;
mod markets;
mod outbox;
mod roll;
mod subscription;

use std::{
    panic,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
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
    roll::Roll,
};
use super::Arrival;
use crate::{
    ProducerError,
    endpoints::{Endpoints, Exchanges},
    events::{Events, Rejection},
    feeds::{ALIVE, Shared},
    http,
    source::catalogue::Catalogue,
    teller::{Teller, Words},
};

pub(crate) use self::gate::Gate;

/// So many arrivals of a source wait for whoever sequences them; then reading pauses.
const WAITING: usize = 64;
/// How often the silence of each symbol is told.
const TELL_SILENCE: Duration = Duration::from_secs(5);

/// Everything that listens for one source.
pub(crate) struct Connections {
    context: Arc<Context>,
    lanes: Vec<Lane>,
    states: mpsc::UnboundedReceiver<(usize, LaneState)>,
    teller: Teller,
}

/// What all connections of a source share.
struct Context {
    topic: Topic,
    limits: Limits,
    /// A connection that brings nothing for so long is given up.
    silence: Duration,
    symbols: Vec<Symbol>,
    markets: Arc<Markets>,
    roll: Roll,
    /// Where to ask what is no stream's to tell.
    history: Arc<Endpoints>,
    catalogue: Arc<Catalogue>,
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
    /// comes out of the receiver. Which ones the exchange has is asked of `history`.
    ///
    /// # Errors
    /// An endpoint that is none, or certificates that cannot be read.
    pub(crate) fn new(
        shared: &Shared<'_>,
        source: &SourceConfig,
        websocket: &WebsocketConfig,
        symbols: &[Symbol],
        history: Arc<Endpoints>,
        exchanges: &mut Exchanges,
    ) -> Result<(Self, mpsc::Receiver<Arrival>), ProducerError> {
        let (arrivals, receiver) = mpsc::channel(WAITING);
        let context = Context::new(shared, source, websocket, symbols, history, exchanges, arrivals)?;
        let context = Arc::new(context);
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
            lanes: shares.iter().enumerate().map(lane).collect(),
            context: context.clone(),
            states,
            teller: shared.teller(source, Words { part: "'s streams", fails: "cannot be used" }),
        };
        Ok((connections, receiver))
    }

    /// Listens until told to stop. The receiver ends with it.
    pub(crate) async fn run(mut self) {
        let mut board = vec![LaneState::Starting; self.lanes.len()];
        let mut lanes: JoinSet<()> = self.lanes.drain(..).map(Lane::run).collect();
        let mut ticks = interval(TELL_SILENCE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let context = self.context.clone();
        let (mut lookout, mut news) = (pin!(context.look_for_markets()), context.roll.news());
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
                Ok(()) = news.changed() => self.tell(&board),
                never = &mut lookout => match never {},
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
        let up = board.iter().filter(|state| matches!(state, LaneState::Up)).count();
        let (unknown, refusal) = self.context.roll.unknown();
        match down {
            _ if unknown == self.context.markets.places().count() => {
                self.teller.no_symbols(refusal.as_deref());
            }
            Some(error) if board.len() > 1 => {
                let extent = format!(" ({up} of {} connections are up)", board.len());
                self.teller.trouble(error, &extent);
            }
            Some(error) => self.teller.trouble(error, ""),
            None if up < board.len() => {}
            None => self.teller.fine("listening"),
        }
    }
}

impl Context {
    fn new(
        shared: &Shared<'_>,
        source: &SourceConfig,
        websocket: &WebsocketConfig,
        symbols: &[Symbol],
        history: Arc<Endpoints>,
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
        let names = symbols.iter().map(|symbol| pricepipe_exchange::market(exchange, symbol));
        let markets = Markets::new(names);
        for (first, second) in markets.doubles() {
            shared.events.symbols_are_one(exchange, &symbols[first], &symbols[second]);
        }
        Ok(Context {
            topic,
            limits,
            silence: Duration::from_millis(websocket.silence_millis.max(1)),
            symbols: symbols.to_vec(),
            markets: Arc::new(markets),
            roll: Roll::default(),
            catalogue: Arc::new(Catalogue::new(history.clone(), shared.events.clone())),
            history,
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
        shares(&self.markets.places().collect::<Vec<_>>(), self.limits.markets_per_connection)
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
        if self.roll.accepted(market) {
            self.events.symbol_accepted(self.topic.exchange, self.symbol(market));
        }
        if self.roll.wants(market) {
            let (unheard, now) = (0, now.as_millis());
            let _ = self.heard[market].compare_exchange(unheard, now, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// The exchange does not have a market.
    fn missing(&self, market: usize) {
        // It may be subscribed to already; that it is silent is nobody's concern.
        self.heard[market].store(0, Ordering::Relaxed);
        if self.roll.missing(market, Instant::now()) {
            let (catalogue, symbol) = (self.catalogue.clone(), self.symbol(market).clone());
            self.events.price_rejected(self.topic.exchange, Rejection::UnknownSymbol);
            tokio::spawn(async move { catalogue.tell_unknown(&symbol).await });
        }
    }

    /// The exchange refuses a subscription to a market, in these words. Mostly it does not have it; its list tells.
    fn refused(&self, market: usize, words: &str) {
        if !self.roll.refused(market, words, Instant::now()) {
            return;
        }
        let (catalogue, events, exchange) =
            (self.catalogue.clone(), self.events.clone(), self.topic.exchange);
        let (symbol, name) = (self.symbol(market).clone(), self.markets.name(market).to_owned());
        let words = words.to_owned();
        tokio::spawn(async move {
            if catalogue.lists(&name).await {
                events.price_rejected(exchange, Rejection::Refused);
                events.symbol_refused(exchange, &symbol, &words);
            } else {
                events.price_rejected(exchange, Rejection::UnknownSymbol);
                catalogue.tell_unknown(&symbol).await;
            }
        });
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

fn shares(markets: &[usize], most: usize) -> Vec<Vec<usize>> {
    let connections = markets.len().div_ceil(most.max(1)).max(1);
    markets.chunks(markets.len().div_ceil(connections).max(1)).map(<[usize]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markets_are_spread_evenly_over_as_few_connections_as_the_limit_allows() {
        let places = |markets: usize| (0..markets).collect::<Vec<_>>();
        let sizes = |markets, most| shares(&places(markets), most).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(1_000, 1_024), [1_000]);
        assert_eq!(sizes(1_025, 1_024), [513, 512]);
        assert_eq!(sizes(250, 100), [84, 84, 82]);
        assert_eq!(shares(&places(250), 100).concat(), places(250));
    }
}
