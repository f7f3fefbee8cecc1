//! One WebSocket connection from its opening to its end. Reads and writes that one socket.

use std::{
    collections::VecDeque,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket},
    http::Uri,
};
use futures::SinkExt;
use tokio::time::{sleep, timeout};

use super::{
    Acks, Cut, Dialect, Gate, Manners, StreamFault, StreamLedger,
    frame::Outbox,
    ledger::StreamCounts,
    spoil::{Spoiler, Step},
};
use crate::{
    server::Sim,
    transfer::{Ending, Transfer},
    wire::Connection,
};

/// How often a connection looks for news.
const BEAT: Duration = Duration::from_millis(5);
/// It rests so many times as long as it takes to look, so that very many symbols do not keep a core busy.
const REST: u32 = 4;
/// How long it rests while there is more than fits into one batch.
const HURRY: Duration = Duration::from_millis(1);
/// How long the server waits for the client's half of a close.
const FAREWELL: Duration = Duration::from_secs(1);

/// How a connection ended.
enum End {
    Cut(Cut),
    /// By the client, or the network.
    Left,
    /// The exchange stops.
    Stopped,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Cut(Cut::Close(code, reason)) => write!(f, "closed with {code}: {reason}"),
            End::Cut(Cut::Abort) => f.write_str("torn off"),
            End::Left => f.write_str("the client left"),
            End::Stopped => f.write_str("the exchange stopped"),
        }
    }
}

/// A connection.
pub(super) struct Session {
    sim: Arc<Sim>,
    connection: Connection,
    path: String,
    dialect: Box<dyn Dialect>,
    manners: Manners,
    ledger: StreamLedger,
    number: u64,
    opened: Instant,
    gate: Option<Gate>,
    spoiler: Spoiler,
    faults_seen: u64,
    pinged: Instant,
    unanswered: VecDeque<(Bytes, Instant)>,
    silent: bool,
}

impl Session {
    /// Notes the connection in the ledger.
    pub(super) fn open(sim: Arc<Sim>, connection: Connection, uri: &Uri, dialect: Box<dyn Dialect>) -> Self {
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let number = sim.streams.opened(dialect.exchange(), target, sim.now_millis());
        let (manners, now) = (dialect.manners(), Instant::now());
        Session {
            ledger: sim.streams.clone(),
            spoiler: Spoiler::new(sim.seed.wrapping_add(number)),
            sim,
            connection,
            path: uri.path().to_owned(),
            dialect,
            manners,
            number,
            opened: now,
            gate: manners.messages_per_second.map(|most| Gate::new(most, Duration::from_secs(1))),
            faults_seen: 0,
            pinged: now,
            unanswered: VecDeque::new(),
            silent: false,
        }
    }

    /// Serves the connection until its end.
    pub(super) async fn run(mut self, mut socket: WebSocket) {
        let stop = self.sim.stop.clone();
        let end = tokio::select! {
            () = stop.cancelled() => End::Stopped,
            end = self.serve(&mut socket) => end,
        };
        tracing::debug!(connection = self.number, %end, "a stream ended");
        self.ledger.note(self.number, |connection| connection.ended = Some(end.to_string()));
        match end {
            End::Cut(Cut::Close(code, reason)) => farewell(socket, code, reason).await,
            End::Cut(Cut::Abort) => {
                self.connection.send_next_as(Transfer::ended(Ending::Reset));
                // The attempt to write is what tears it off.
                let _torn = socket.send(Message::Ping(Bytes::new())).await;
            }
            End::Left | End::Stopped => {}
        }
    }

    async fn serve(&mut self, socket: &mut WebSocket) -> End {
        let mut out = Outbox::default();
        self.meet_faults(Instant::now());
        if let Err(cut) = self.dialect.greet(&self.sim, &mut out) {
            return End::Cut(cut);
        }
        loop {
            let began = Instant::now();
            let more = match self.turn(&mut out) {
                Ok(more) => more,
                Err(cut) => return End::Cut(cut),
            };
            let pause = if more { HURRY } else { BEAT.max(REST * began.elapsed()) };
            match self.write(socket, &mut out).await {
                Ok(None) => {}
                Ok(Some(cut)) => return End::Cut(cut),
                Err(_) => return End::Left,
            }
            if self.silent {
                // Neither reads nor answers: as if the other end of the line were gone.
                std::future::pending::<()>().await;
            }
            let heard = tokio::select! {
                biased;
                message = socket.recv() => message,
                () = sleep(pause) => continue,
            };
            match heard {
                Some(Ok(message)) => {
                    if let Err(cut) = self.hear(message, &mut out) {
                        return End::Cut(cut);
                    }
                }
                _ => return End::Left,
            }
        }
    }

    /// Everything that is due by the clock. True when there is more to say at once.
    fn turn(&mut self, out: &mut Outbox) -> Result<bool, Cut> {
        let now = Instant::now();
        self.meet_faults(now);
        let age = now.saturating_duration_since(self.opened);
        if self.manners.lifetime.is_some_and(|lifetime| age >= lifetime) {
            return Err(Cut::Close(1001, "24h"));
        }
        let late = self.manners.subscribe_within.is_some_and(|within| age >= within);
        if late && !self.dialect.has_subscribed() {
            return Err(Cut::Close(1008, "Failed to subscribe in time"));
        }
        let oldest = self.unanswered.front();
        if oldest.is_some_and(|(_, sent)| {
            now.saturating_duration_since(*sent) >= self.sim.limits_of_streams.pong_within
        }) {
            return Err(Cut::Close(1008, "Pong timeout"));
        }
        if self.spoiler.is_over(now) {
            return Err(Cut::Close(1001, "serverShutdown"));
        }
        let moment = self.sim.moment();
        self.dialect.speak(moment, &mut self.sim.market(), out)
    }

    fn meet_faults(&mut self, now: Instant) {
        let version = self.sim.faults.version();
        if version == self.faults_seen {
            return self.spoiler.expire(now);
        }
        let met = self.sim.faults.meet_stream(now, &self.path, self.number, self.spoiler.sent());
        self.faults_seen = version;
        self.spoiler.meet(met, now);
    }

    fn hear(&mut self, message: Message, out: &mut Outbox) -> Result<(), Cut> {
        if self.gate.as_mut().is_some_and(|gate| !gate.admits(Instant::now())) {
            return Err(Cut::Close(1008, "Too many requests"));
        }
        match message {
            Message::Text(text) => {
                self.ledger.note(self.number, |connection| connection.requests += 1);
                if self.spoiler.has(&StreamFault::NoAck) {
                    return Ok(());
                }
                let refused = self.spoiler.has(&StreamFault::ErrorAck);
                let acks = if refused { Acks::Refused } else { Acks::Honest };
                self.dialect.hear(&text, &self.sim, acks, out)
            }
            Message::Pong(payload) => {
                self.pong(&payload);
                Ok(())
            }
            // The WebSocket library answers pings and closes by itself.
            Message::Binary(_) | Message::Ping(_) | Message::Close(_) => Ok(()),
        }
    }

    /// Only a pong with the payload of a ping keeps the connection alive.
    fn pong(&mut self, payload: &Bytes) {
        if let Some(place) = self.unanswered.iter().position(|(sent, _)| sent == payload) {
            self.unanswered.drain(..=place);
            self.ledger.note(self.number, |connection| connection.pongs += 1);
        }
    }

    /// Sends what is to be sent, as faults have it.
    async fn write(&mut self, socket: &mut WebSocket, out: &mut Outbox) -> Result<Option<Cut>, axum::Error> {
        let (now, mut steps, mut news) =
            (Instant::now(), Vec::with_capacity(out.frames.len()), Tally::default());
        for frame in out.frames.drain(..) {
            let symbol = frame.data_of.clone();
            let spoilt = self.spoiler.take(frame, now, &mut steps);
            if let Some(symbol) = symbol {
                let (dropped, duplicated, reordered) = (spoilt.dropped, spoilt.duplicated, spoilt.reordered);
                news.add(&symbol, StreamCounts { sent: 0, dropped, duplicated, reordered });
            }
        }
        self.spoiler.pause(now, &mut steps);
        let ping = self.ping(now);
        let idle = steps.is_empty() && ping.is_none();
        let written = if idle { Ok(None) } else { self.send(socket, steps, ping, &mut news).await };
        self.ledger.count(self.number, &news.0);
        written
    }

    async fn send(
        &mut self,
        socket: &mut WebSocket,
        steps: Vec<Step>,
        ping: Option<Bytes>,
        news: &mut Tally,
    ) -> Result<Option<Cut>, axum::Error> {
        let mut cut = None;
        for step in steps {
            let message = match step {
                Step::Send { text, data_of } => {
                    if let Some(symbol) = data_of {
                        news.add(&symbol, StreamCounts { sent: 1, ..StreamCounts::default() });
                    }
                    Message::Text(text.into())
                }
                Step::SendBinary(bytes) => Message::Binary(bytes.into()),
                Step::SendUnknown => Message::Text(self.dialect.unknown_message(self.sim.moment()).into()),
                Step::Notice => match self.dialect.shutdown_notice(self.sim.moment()) {
                    Some(notice) => Message::Text(notice.into()),
                    None => continue,
                },
                Step::End(end) => {
                    cut = Some(end);
                    break;
                }
                Step::FallSilent => {
                    self.silent = true;
                    break;
                }
            };
            socket.feed(message).await?;
        }
        if let Some(payload) = ping.filter(|_| !self.silent) {
            socket.feed(Message::Ping(payload)).await?;
        }
        socket.flush().await?;
        Ok(cut)
    }

    /// The payload of the ping that is due.
    fn ping(&mut self, now: Instant) -> Option<Bytes> {
        let due = now.saturating_duration_since(self.pinged) >= self.sim.limits_of_streams.ping_every;
        if !self.manners.pings || !due || self.spoiler.has(&StreamFault::NoPings) {
            return None;
        }
        self.pinged = now;
        let payload = Bytes::from(self.sim.now_millis().to_string());
        self.unanswered.push_back((payload.clone(), now));
        self.ledger.note(self.number, |connection| connection.pings += 1);
        Some(payload)
    }
}

/// Counts of one batch, by symbol. The frames of a symbol mostly stand together.
#[derive(Default)]
struct Tally(Vec<(Arc<str>, StreamCounts)>);

impl Tally {
    fn add(&mut self, symbol: &Arc<str>, counts: StreamCounts) {
        match self.0.last_mut().filter(|(last, _)| Arc::ptr_eq(last, symbol)) {
            Some((_, sum)) => sum.add(&counts),
            None => self.0.push((symbol.clone(), counts)),
        }
    }
}

async fn farewell(mut socket: WebSocket, code: u16, reason: &'static str) {
    let goodbye = async {
        let frame = CloseFrame { code, reason: reason.into() };
        if socket.send(Message::Close(Some(frame))).await.is_ok() {
            while let Some(Ok(_)) = socket.recv().await {}
        }
    };
    if timeout(FAREWELL, goodbye).await.is_err() {
        tracing::debug!("the client did not answer a close");
    }
}
