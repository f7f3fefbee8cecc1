//! One connection: opens it, subscribes, reads, and hands over what it brings until it ends. This file performs the
//! I/O.

use std::{pin::pin, sync::Arc, time::Duration};

use futures::{FutureExt, SinkExt, StreamExt};
use pricepipe_exchange::{
    Record,
    stream::{Closer, Frame},
};
use pricepipe_service::{clock, health::Heartbeat};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::tungstenite::{
    Error, Message, Result as Read,
    protocol::{CloseFrame, frame::coding::CloseCode},
};
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    hosts::HostId,
    outbox::Outbox,
    subscription::{PATIENCE, Subscription},
};
use crate::{
    events::{FrameKind, Loss},
    source::SourceError,
    streams::{Arrival, client::Client},
};

/// A connection that has been replaced is read for so long, for what was on its way already.
const LINGER: Duration = Duration::from_secs(2);
/// The longest between two heartbeats.
const BEAT: Duration = Duration::from_secs(5);
/// So many frames in a row that nobody can read are a connection to something else than the exchange.
const MOST_JUNK: u32 = 100;
/// How long sending one message may take, and saying good-bye.
const SENDING: Duration = Duration::from_secs(5);
const GOOD_BYE: Duration = Duration::from_secs(1);
/// After too many requests, at least so long; twice that at most.
const TOO_MUCH: Duration = Duration::from_secs(30);

/// What a connection tells its lane.
#[derive(Debug)]
pub(super) enum Note {
    /// Every market is answered for.
    Subscribed,
    /// The exchange is about to end it.
    Leaving,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Which one.
    pub(super) number: u64,
    /// Why it was never subscribed, or why it is not any more.
    pub(super) why: Result<Loss, SourceError>,
    /// True when it brought an observation.
    pub(super) useful: bool,
}

/// A connection to be made.
pub(super) struct Connection {
    pub(super) number: u64,
    /// Its markets, by their places.
    pub(super) markets: Arc<[usize]>,
    pub(super) context: Arc<Context>,
    pub(super) notes: mpsc::UnboundedSender<(u64, Note)>,
    /// Cancelled when another connection has taken its place.
    pub(super) replaced: CancellationToken,
    pub(super) heartbeat: Heartbeat,
}

impl Connection {
    /// Lives until it ends, for whatever reason.
    pub(super) async fn run(self) -> Ended {
        let (number, context) = (self.number, self.context.clone());
        let opened = tokio::select! {
            opened = self.open() => opened,
            () = context.stop.cancelled() => return Ended { number, why: Ok(Loss::Stopped), useful: false },
        };
        let (client, host) = match opened {
            Ok(opened) => opened,
            Err(error) => return Ended { number, why: Err(error), useful: false },
        };
        let mut session = Session::new(self, client, host);
        let loss = session.listen().await;
        session.end(loss).await
    }

    /// Opens it. An exchange may let us wait for long.
    async fn open(&self) -> Result<(Client, HostId), SourceError> {
        let mut opening = pin!(self.context.hosts.open());
        loop {
            self.heartbeat.beat();
            if let Ok(opened) = timeout(BEAT, &mut opening).await {
                return opened;
            }
        }
    }
}

/// An open connection.
struct Session {
    of: Connection,
    client: Client,
    host: HostId,
    subscription: Subscription,
    outbox: Outbox,
    closer: Closer,
    /// Reused from frame to frame.
    records: Vec<Record>,
    last_frame: Instant,
    /// The silence was noticed, and the exchange was asked whether it is there.
    pinged: bool,
    /// Frames in a row that nobody can read.
    junk: u32,
    /// When it ends because it has been replaced.
    leaves: Option<Instant>,
    live: bool,
    useful: bool,
}

impl Session {
    fn new(of: Connection, client: Client, host: HostId) -> Self {
        let context = &of.context;
        let subscription = Subscription::new(context.topic, context.limits, context.markets.clone());
        let conflates = !context.topic.stream.is_complete();
        let outbox = Outbox::new(of.number, conflates, of.markets.len());
        Session {
            client,
            host,
            subscription,
            outbox,
            closer: Closer::default(),
            records: Vec::new(),
            last_frame: Instant::now(),
            pinged: false,
            junk: 0,
            leaves: None,
            live: false,
            useful: false,
            of,
        }
    }

    /// Reads until something ends it. Reading comes before handing over, so that what is there already travels
    /// together; where there is no room for more, reading waits and so does the exchange.
    async fn listen(&mut self) -> Loss {
        let (arrivals, stop) = (self.of.context.arrivals.clone(), self.of.context.stop.clone());
        let (replaced, mut news) = (self.of.replaced.clone(), self.of.context.roll.news());
        self.ask_for_markets();
        let mut alarm = pin!(sleep_until(Instant::now()));
        loop {
            let loss = tokio::select! {
                biased;
                () = stop.cancelled() => Some(Loss::Stopped),
                () = &mut alarm => {
                    let loss = self.on_alarm(Instant::now()).await;
                    alarm.as_mut().reset(self.next_alarm());
                    loss
                }
                () = replaced.cancelled(), if self.leaves.is_none() => {
                    self.leaves = Some(Instant::now() + LINGER);
                    alarm.as_mut().reset(self.next_alarm());
                    None
                }
                Ok(()) = news.changed() => {
                    self.ask_for_markets();
                    alarm.as_mut().reset(self.next_alarm());
                    None
                }
                message = self.client.next(), if self.outbox.has_room() => {
                    let loss = self.on_message(message);
                    if !self.subscription.is_complete() {
                        alarm.as_mut().reset(self.next_alarm());
                    }
                    loss
                }
                permit = arrivals.reserve(), if !self.outbox.is_empty() => {
                    match (permit, self.outbox.take()) {
                        (Ok(permit), Some(arrival)) => { permit.send(arrival); None }
                        _ => Some(Loss::Stopped),
                    }
                }
            };
            if let Some(loss) = loss {
                return loss;
            }
        }
    }

    /// Does what is due by the clock.
    async fn on_alarm(&mut self, now: Instant) -> Option<Loss> {
        self.of.heartbeat.beat();
        if !self.outbox.has_room() {
            self.last_frame = now;
            self.subscription.forgive(now);
        }
        let silence = now.saturating_duration_since(self.last_frame);
        if self.leaves.is_some_and(|moment| moment <= now) {
            Some(Loss::Replaced)
        } else if self.subscription.deadline().is_some_and(|moment| moment <= now) {
            self.on_unanswered(now)
        } else if silence >= self.of.context.silence {
            Some(Loss::Silent)
        } else if let Some(message) = self.subscription.next_message(now) {
            self.send(Message::text(message)).await
        } else if silence >= self.of.context.silence / 2 && !self.pinged {
            self.pinged = true;
            self.send(
                self.of.context.topic.ping().map_or_else(|| Message::Ping(Vec::new().into()), Message::text),
            )
            .await
        } else {
            None
        }
    }

    /// The exchange does not answer a subscription. If it is to markets that it did not have before, that costs the others
    /// nothing.
    fn on_unanswered(&mut self, now: Instant) -> Option<Loss> {
        let (context, unanswered) = (&self.of.context, self.subscription.expired(now));
        if !unanswered.iter().all(|market| context.roll.tries(*market)) {
            return Some(Loss::Unacknowledged);
        }
        unanswered.iter().for_each(|market| context.refused(*market, "no answer"));
        None
    }

    fn next_alarm(&self) -> Instant {
        let (now, silence) = (Instant::now(), self.of.context.silence);
        let patience = if self.pinged { silence } else { silence / 2 };
        let moments = [
            self.leaves,
            self.subscription.deadline(),
            self.subscription.next_moment(now),
            Some(self.last_frame + patience),
        ];
        moments.into_iter().flatten().fold(now + BEAT, Instant::min)
    }

    async fn send(&mut self, message: Message) -> Option<Loss> {
        match timeout(SENDING, self.client.send(message)).await {
            Ok(Ok(())) => None,
            _ => Some(Loss::Broken),
        }
    }

    fn on_message(&mut self, message: Option<Read<Message>>) -> Option<Loss> {
        let message = match message {
            Some(Ok(message)) => message,
            Some(Err(Error::Capacity(_))) => {
                self.count(FrameKind::TooLarge);
                return Some(Loss::TooLarge);
            }
            Some(Err(_)) | None => return Some(Loss::Broken),
        };
        (self.last_frame, self.pinged) = (Instant::now(), false);
        match message {
            Message::Text(text) => self.on_text(&text),
            Message::Binary(_) => self.on_junk(FrameKind::Binary),
            Message::Close(frame) => Some(self.on_close(frame)),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {
                self.count(FrameKind::Control);
                // The library has its answer ready and sends it with the next read, which may have to wait.
                let _ = self.client.flush().now_or_never();
                None
            }
        }
    }

    fn on_text(&mut self, text: &str) -> Option<Loss> {
        let frame = match self.of.context.topic.read(text, &mut self.records) {
            Ok(frame) => frame,
            Err(_) => {
                self.records.clear();
                return self.on_junk(FrameKind::Malformed);
            }
        };
        self.junk = 0;
        self.count(match frame {
            Frame::Data { .. } => FrameKind::Data,
            Frame::Unknown => FrameKind::Unknown,
            _ => FrameKind::Control,
        });
        match frame {
            Frame::Data { rejected } => {
                let context = &self.of.context;
                rejected.iter().for_each(|bad| context.events.record_rejected(context.topic.exchange, bad));
                self.on_records();
            }
            Frame::Subscribed { request, markets } => self.on_acknowledged(request, &markets),
            Frame::Refused { request, market, reason } => {
                let context = &self.of.context;
                context.events.subscription_refused(context.topic.exchange, self.of.number, &reason);
                for market in self.subscription.refused(request, market.as_deref()) {
                    context.refused(market, &reason);
                }
                self.see_whether_subscribed();
            }
            Frame::Heartbeat { last_trade } => self.on_last_trade(last_trade),
            Frame::GoingAway => self.note(Note::Leaving),
            Frame::Status(status) => {
                let context = &self.of.context;
                context.events.exchange_status(context.topic.exchange, &status);
            }
            Frame::Unknown => {}
        }
        None
    }

    /// Asks for those of its markets that are to be listened to and were not asked for.
    fn ask_for_markets(&mut self) {
        let roll = &self.of.context.roll;
        self.subscription
            .want(&self.of.markets.iter().copied().filter(|market| roll.wants(*market)).collect());
        self.see_whether_subscribed();
    }

    fn on_records(&mut self) {
        let (context, received) = (&self.of.context, clock::now());
        self.closer.settle(&context.topic, &mut self.records);
        let ours = self.records.drain(..).filter_map(|record| {
            let market = context.markets.place(&record.market)?;
            context.heard(market, received);
            self.useful = true;
            Some((market, record))
        });
        let left_out = self.outbox.add(ours, received);
        if left_out > 0 {
            let (exchange, stream) = (context.topic.exchange, context.topic.stream.as_str());
            context.events.conflated(exchange, stream, left_out as u64);
        }
    }

    fn on_acknowledged(&mut self, request: Option<u64>, markets: &[String]) {
        let markets = self.subscription.acknowledged(request, markets);
        if !markets.is_empty() {
            let now = clock::now();
            markets.iter().for_each(|market| self.of.context.subscribed(*market, now));
            self.outbox.push(Arrival::Subscribed { connection: self.of.number, markets });
        }
        self.see_whether_subscribed();
    }

    fn see_whether_subscribed(&mut self) {
        if self.live || !self.subscription.is_complete() {
            return;
        }
        self.live = true;
        self.of.context.hosts.succeeded(self.host);
        self.of.context.events.connection_live(self.of.context.topic.exchange);
        self.note(Note::Subscribed);
    }

    fn on_last_trade(&mut self, last_trade: Option<(String, u64)>) {
        let place =
            last_trade.and_then(|(name, number)| Some((self.of.context.markets.place(&name)?, number)));
        if let Some((market, number)) = place {
            self.outbox.push(Arrival::LastTrade { connection: self.of.number, market, number });
        }
    }

    fn on_close(&mut self, frame: Option<CloseFrame>) -> Loss {
        self.count(FrameKind::Control);
        let too_much = frame.is_some_and(|frame| {
            frame.code == CloseCode::Policy && frame.reason.to_ascii_lowercase().contains("too many")
        });
        if !too_much {
            return Loss::Closed;
        }
        let wait = TOO_MUCH.mul_f64(1.0 + fastrand::f64());
        self.of.context.hosts.too_much("close code 1008", wait);
        Loss::TooManyRequests
    }

    fn on_junk(&mut self, kind: FrameKind) -> Option<Loss> {
        self.count(kind);
        self.junk += 1;
        (self.junk >= MOST_JUNK).then_some(Loss::Malformed)
    }

    /// Says good-bye and hands over what is left: what has arrived is not thrown away.
    async fn end(mut self, loss: Loss) -> Ended {
        let context = self.of.context.clone();
        context.events.connection_ended(context.topic.exchange, self.of.number, loss, self.live);
        let code = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _ = timeout(GOOD_BYE, self.client.close(Some(code))).await;
        self.outbox.push(Arrival::Lost { connection: self.of.number });
        while let Some(arrival) = self.outbox.take() {
            let sent = tokio::select! {
                sent = context.arrivals.send(arrival) => sent.is_ok(),
                () = async { context.stop.cancelled().await; sleep(GOOD_BYE).await } => false,
            };
            if !sent {
                break;
            }
        }
        let why = match loss {
            Loss::Stopped | Loss::Replaced => Ok(loss),
            _ if self.live => Ok(loss),
            _ => Err(self.unsubscribed(loss)),
        };
        Ended { number: self.of.number, why, useful: self.useful }
    }

    /// It ended before it was subscribed: that is a failure of its host.
    fn unsubscribed(&self, loss: Loss) -> SourceError {
        let error = match loss {
            Loss::Unacknowledged => SourceError::Timeout(PATIENCE),
            Loss::Silent => SourceError::Timeout(self.of.context.silence),
            Loss::Malformed => SourceError::Malformed("what no exchange sends".to_owned()),
            loss => SourceError::Interrupted(loss.as_str().replace('_', " ")),
        };
        self.of.context.hosts.failed(self.host, &error);
        error
    }

    fn note(&self, note: Note) {
        // The lane ends after its connections.
        let _ = self.of.notes.send((self.of.number, note));
    }

    fn count(&self, kind: FrameKind) {
        self.of.context.events.frame(self.of.context.topic.exchange, kind);
    }
}
