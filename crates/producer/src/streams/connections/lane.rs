//! A share of a source's markets: sees to it that there is always one connection for them, and replaces it before it
//! ends.

use std::{panic, sync::Arc, time::Duration};

use pricepipe_core::Backoff;
use pricepipe_service::health::Heartbeat;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    connection::{Connection, Ended, Note},
};
use crate::{events::Loss, source::SourceError};

/// A lost connection is opened again within so long, at random; each time that it was of no use, within twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Connections that ended in a row without having brought anything are trouble, even if each could be opened.
const MOST_USELESS: u32 = 3;
/// The longest between two heartbeats.
const BEAT: Duration = Duration::from_secs(5);
/// Hosts that are blocked or that have to be waited for are asked about at least this often.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How a lane is.
#[derive(Clone, Debug)]
pub(super) enum LaneState {
    /// Nothing is known yet.
    Starting,
    /// It listens to all that there is to listen to.
    Up,
    /// It cannot be.
    Down(SourceError),
}

/// One lane.
pub(super) struct Lane {
    place: usize,
    markets: Arc<[usize]>,
    context: Arc<Context>,
    heartbeat: Heartbeat,
    states: mpsc::UnboundedSender<(usize, LaneState)>,
    connections: JoinSet<Ended>,
    /// The one that serves.
    current: Option<Open>,
    /// The one that is to serve.
    next: Option<Open>,
    /// When the next one is to be opened, if none is under way.
    open_at: Option<Instant>,
    backoff: Backoff,
    useless: u32,
}

struct Open {
    number: u64,
    replaced: CancellationToken,
}

impl Lane {
    pub(super) fn new(
        place: usize,
        markets: Vec<usize>,
        context: Arc<Context>,
        heartbeat: Heartbeat,
        states: mpsc::UnboundedSender<(usize, LaneState)>,
    ) -> Self {
        Lane {
            place,
            markets: markets.into(),
            context,
            heartbeat,
            states,
            connections: JoinSet::new(),
            current: None,
            next: None,
            open_at: Some(Instant::now()),
            backoff: Backoff::new(FIRST_WAIT, LONGEST_WAIT),
            useless: 0,
        }
    }

    /// Runs until told to stop, and until its connections have ended then.
    pub(super) async fn run(mut self) {
        let (notes, mut noted) = mpsc::unbounded_channel();
        let (stop, mut news) = (self.context.stop.clone(), self.context.roll.news());
        while !(stop.is_cancelled() && self.connections.is_empty()) {
            self.heartbeat.beat();
            let open_at = self.open_at.filter(|_| self.next.is_none() && !stop.is_cancelled());
            let beat = Instant::now() + BEAT;
            tokio::select! {
                () = stop.cancelled(), if self.connections.is_empty() => {}
                Some((number, note)) = noted.recv() => self.on_note(number, note),
                Some(ended) = self.connections.join_next() => match ended {
                    Ok(ended) => self.on_end(ended),
                    Err(error) if error.is_panic() => panic::resume_unwind(error.into_panic()),
                    Err(_) => {}
                },
                () = sleep_until(open_at.unwrap_or(beat).min(beat)) => {
                    if open_at.is_some_and(|at| at <= Instant::now()) {
                        self.open(notes.clone());
                    }
                }
                Ok(()) = news.changed(), if self.is_idle() => self.open_at = Some(Instant::now()),
            }
        }
        self.heartbeat.end();
    }

    /// True when it has no connection and none is to be opened.
    fn is_idle(&self) -> bool {
        self.current.is_none() && self.next.is_none() && self.open_at.is_none()
    }

    /// Opens a connection, if there is anything to listen to.
    fn open(&mut self, notes: mpsc::UnboundedSender<(u64, Note)>) {
        self.open_at = None;
        if !self.markets.iter().any(|market| self.context.roll.wants(*market)) {
            let _ = self.states.send((self.place, LaneState::Up));
            return;
        }
        let (number, replaced) = (self.context.next_number(), CancellationToken::new());
        self.next = Some(Open { number, replaced: replaced.clone() });
        let connection = Connection {
            number,
            markets: self.markets.clone(),
            context: self.context.clone(),
            notes,
            replaced,
            heartbeat: self.heartbeat.clone(),
        };
        self.connections.spawn(connection.run());
    }

    fn on_note(&mut self, number: u64, note: Note) {
        match note {
            Note::Subscribed if is(&self.next, number) => {
                if let Some(before) = std::mem::replace(&mut self.current, self.next.take()) {
                    before.replaced.cancel();
                }
                self.open_at = self.replace_at();
                let _ = self.states.send((self.place, LaneState::Up));
            }
            Note::Leaving if is(&self.current, number) => self.open_at = Some(Instant::now()),
            Note::Subscribed | Note::Leaving => {}
        }
    }

    fn on_end(&mut self, ended: Ended) {
        let mine = |open: &mut Option<Open>| open.take_if(|open| open.number == ended.number).is_some();
        if !mine(&mut self.current) && !mine(&mut self.next) {
            return;
        }
        if ended.useful {
            (self.useless, self.backoff) = (0, Backoff::new(FIRST_WAIT, LONGEST_WAIT));
        } else {
            self.useless += 1;
        }
        let wait = self.backoff.next_wait(fastrand::f64());
        let rest = ended.why.as_ref().err().map_or(Some(Duration::ZERO), SourceError::retry_in);
        let wait = wait.max(rest.unwrap_or(LONGEST_REST).min(LONGEST_REST));
        self.open_at = Some(Instant::now() + wait);
        let trouble = match ended.why {
            Err(error) => Some(error),
            Ok(Loss::Stopped) => None,
            Ok(loss) if self.useless >= MOST_USELESS => Some(SourceError::Interrupted(format!(
                "{}, again and again",
                loss.as_str().replace('_', " ")
            ))),
            Ok(_) => None,
        };
        // While another one serves, a replacement that failed is no trouble yet.
        if let Some(error) = trouble.filter(|_| self.current.is_none()) {
            let _ = self.states.send((self.place, LaneState::Down(error)));
        }
    }

    /// The moment to replace the connection that begins now.
    fn replace_at(&self) -> Option<Instant> {
        let lifetime = Duration::from_millis(self.context.limits.lifetime_millis?);
        Some(Instant::now() + time_to_replace(lifetime, fastrand::f64()))
    }
}

fn is(open: &Option<Open>, number: u64) -> bool {
    open.as_ref().is_some_and(|open| open.number == number)
}

/// How long a connection serves that the exchange ends after `lifetime`: some minutes less, at random, so that neither
/// all connections nor all producers are replaced at once. Of a short life it keeps the greater part.
fn time_to_replace(lifetime: Duration, random: f64) -> Duration {
    let most = Duration::from_secs(15 * 60).min(lifetime / 4);
    lifetime - most.mul_f64(1.0 / 3.0 + random * 2.0 / 3.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_replaced_five_to_fifteen_minutes_before_its_end() {
        let day = Duration::from_secs(24 * 60 * 60);
        let before = |random| (day - time_to_replace(day, random)).as_secs_f64().round();
        assert_eq!((before(0.0), before(1.0)), (300.0, 900.0));
        let minute = Duration::from_secs(60);
        assert!(time_to_replace(minute, 1.0) >= minute / 2);
    }
}
