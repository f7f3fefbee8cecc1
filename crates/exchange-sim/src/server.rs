//! Starts and stops the simulated exchange. Binds one socket and spawns one task.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use pricepipe_core::Symbol;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    binance, coinbase,
    config::{Limits, SimConfig, StreamLimits},
    control,
    error::SimError,
    faults::Faults,
    kraken,
    ledger::Ledger,
    locked,
    market::Market,
    requests::RequestLog,
    stream::{Bucket, Gate, StreamLedger},
    tape::Moment,
    trade::Trade,
    weight::{Verdict, WeightMeter},
    wire::{Connection, SimListener},
};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Sim {
    pub(crate) faults: Faults,
    pub(crate) ledger: Ledger,
    pub(crate) requests: RequestLog,
    pub(crate) limits: Limits,
    pub(crate) streams: StreamLedger,
    pub(crate) limits_of_streams: StreamLimits,
    /// New connections to Binance, requests to Coinbase, requests to Kraken.
    pub(crate) connects: Mutex<Gate>,
    pub(crate) coinbase: Mutex<Bucket>,
    pub(crate) kraken: Mutex<Bucket>,
    pub(crate) seed: u64,
    /// Cancelled when the exchange stops.
    pub(crate) stop: CancellationToken,
    market: Mutex<Market>,
    weight: Mutex<WeightMeter>,
    started: Instant,
    started_millis: i64,
    clock_ahead_millis: i64,
}

impl Sim {
    fn new(config: &SimConfig) -> Result<Self, SimError> {
        let streams = &config.streams;
        let ahead = config.clock_ahead_millis;
        let (started, started_millis) = (Instant::now(), unix_millis().saturating_add(ahead));
        Ok(Sim {
            faults: Faults::default(),
            ledger: Ledger::new(config.ledger_capacity),
            requests: RequestLog::new(config.request_capacity),
            limits: config.limits,
            streams: StreamLedger::new(streams.ledger_capacity),
            connects: Mutex::new(Gate::new(streams.connects_per_5_minutes, Duration::from_secs(300))),
            coinbase: Mutex::new(Bucket::new(streams.coinbase_requests)),
            kraken: Mutex::new(Bucket::new(streams.kraken_requests)),
            limits_of_streams: streams.clone(),
            seed: config.seed,
            stop: CancellationToken::new(),
            market: Mutex::new(Market::new(config, started_millis)?),
            weight: Mutex::new(WeightMeter::new(config.limits)),
            started,
            started_millis,
            clock_ahead_millis: ahead,
        })
    }

    pub(crate) fn market(&self) -> MutexGuard<'_, Market> {
        locked(&self.market)
    }

    /// Charges a request's weight. Gives what was used in this minute, and what to tell the client.
    pub(crate) fn charge(&self, now_millis: i64, weight: u32) -> (u32, Verdict) {
        locked(&self.weight).charge(now_millis, weight)
    }

    /// Now, by two clocks that never part: what happens on tapes must not depend on a clock that somebody sets.
    pub(crate) fn moment(&self) -> Moment {
        let elapsed = self.started.elapsed();
        let passed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        Moment { elapsed, millis: self.started_millis.saturating_add(passed) }
    }

    pub(crate) fn now_millis(&self) -> i64 {
        unix_millis().saturating_add(self.clock_ahead_millis)
    }
}

fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A simulated exchange at work. It stops when this is dropped.
#[derive(Debug)]
pub struct Running {
    sim: Arc<Sim>,
    address: SocketAddr,
    stop: CancellationToken,
    serve: JoinHandle<()>,
    connections: mpsc::Receiver<()>,
}

/// Starts a simulated exchange. It serves as soon as this returns.
pub async fn start(config: SimConfig) -> Result<Running, SimError> {
    let sim = Arc::new(Sim::new(&config)?);
    let failed = |source| SimError::Listen { address: config.address, source };
    let listener = TcpListener::bind(config.address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let stop = sim.stop.clone();
    let (alive, connections) = mpsc::channel(1);
    let exchanges = binance::router().merge(coinbase::router()).merge(kraken::router());
    let router = exchanges.merge(control::router()).with_state(sim.clone());
    let service = router.into_make_service_with_connect_info::<Connection>();
    let listener = SimListener::new(listener, stop.clone(), alive);
    let serve = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service).await {
            tracing::error!(%error, "the simulated exchange ended");
        }
    });
    tracing::info!(%address, symbols = sim.market().symbols().len(), "simulated exchange listening");
    Ok(Running { sim, address, stop, serve, connections })
}

impl Running {
    /// The base URL, such as `http://127.0.0.1:41873`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL of streams, such as `ws://127.0.0.1:41873`. Binance's begin below `/ws` and `/stream`,
    /// Coinbase's at `/`, Kraken's at `/v2`.
    pub fn stream_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every price that was served.
    pub fn ledger(&self) -> Ledger {
        self.sim.ledger.clone()
    }

    /// What streams have sent.
    pub fn streams(&self) -> StreamLedger {
        self.sim.streams.clone()
    }

    /// The trades of a symbol that have happened by now and that history still holds, the oldest first: the truth
    /// that streams and history tell. None of them for a symbol that is not listed.
    pub fn trades(&self, symbol: &Symbol) -> Vec<Trade> {
        let mut market = self.sim.market();
        let tape = market.tape_of(symbol, self.sim.moment());
        tape.map_or_else(Vec::new, |tape| tape.trades().iter().copied().collect())
    }

    /// The first and the last id of [`Running::trades`].
    pub fn trade_ids(&self, symbol: &Symbol) -> Option<(u64, u64)> {
        let mut market = self.sim.market();
        let trades = market.tape_of(symbol, self.sim.moment())?.trades();
        Some((trades.front()?.id, trades.back()?.id))
    }

    /// The next trades of a symbol are told at these moments, in nanoseconds since 1970, by streams and by history.
    pub fn mistime_trades(&self, symbol: &Symbol, moments: impl IntoIterator<Item = i64>) {
        let mut market = self.sim.market();
        if let Some(tape) = market.tape_of(symbol, self.sim.moment()) {
            tape.mistime(moments);
        }
    }

    /// Loses the next trades of a symbol: neither streams nor history will ever tell them.
    pub fn lose_trades(&self, symbol: &Symbol, count: u64) {
        let mut market = self.sim.market();
        if let Some(tape) = market.tape_of(symbol, self.sim.moment()) {
            tape.lose(count);
        }
    }

    /// Lists a symbol from now on, on every exchange.
    ///
    /// # Errors
    /// It is listed already.
    pub fn list(&self, symbol: &Symbol) -> Result<(), SimError> {
        self.sim.market().add(symbol)
    }

    /// What goes wrong from now on.
    pub fn faults(&self) -> Faults {
        self.sim.faults.clone()
    }

    /// Every request that came in.
    pub fn requests(&self) -> RequestLog {
        self.sim.requests.clone()
    }

    /// How many rows of a symbol's recording have not been served yet; none unless it is played per request.
    pub fn remaining(&self, symbol: &Symbol) -> Option<usize> {
        self.sim.market().remaining(symbol)
    }

    /// Stops listening and ends every connection, answers on their way included. Returns when all are gone.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.serve.abort();
        // No one ever sends: the channel ends with the last connection.
        while self.connections.recv().await.is_some() {}
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
        self.serve.abort();
    }
}
