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
    binance,
    config::{Limits, SimConfig},
    control,
    error::SimError,
    faults::Faults,
    ledger::Ledger,
    locked,
    market::Market,
    requests::RequestLog,
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
    market: Mutex<Market>,
    weight: Mutex<WeightMeter>,
    started: Instant,
}

impl Sim {
    fn new(config: &SimConfig) -> Result<Self, SimError> {
        Ok(Sim {
            faults: Faults::default(),
            ledger: Ledger::new(config.ledger_capacity),
            requests: RequestLog::new(config.request_capacity),
            limits: config.limits,
            market: Mutex::new(Market::new(config)?),
            weight: Mutex::new(WeightMeter::new(config.limits)),
            started: Instant::now(),
        })
    }

    pub(crate) fn market(&self) -> MutexGuard<'_, Market> {
        locked(&self.market)
    }

    /// Charges a request's weight. Gives what was used in this minute, and what to tell the client.
    pub(crate) fn charge(&self, now_millis: i64, weight: u32) -> (u32, Verdict) {
        locked(&self.weight).charge(now_millis, weight)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn now_millis(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
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
    let stop = CancellationToken::new();
    let (alive, connections) = mpsc::channel(1);
    let router = binance::router().merge(control::router()).with_state(sim.clone());
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

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every price that was served.
    pub fn ledger(&self) -> Ledger {
        self.sim.ledger.clone()
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
