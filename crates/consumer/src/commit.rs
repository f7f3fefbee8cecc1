//! Commits offsets: in the background while messages flow, and with a deadline when it matters.
//!
//! Each commit is a synchronous one on a thread of its own. An asynchronous one would tell nobody when it failed:
//! librdkafka reports its outcome to a callback only, and the binding uses events. During a rebalance commits do
//! fail, and whoever then believes them done has the next member read everything again.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    consumer::{CommitMode, Consumer},
    error::KafkaResult,
};

use crate::{
    assignment::Place,
    client::{self, Client},
    intake::Intake,
};

/// How long the last commit of a tenure may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How soon it is tried again within that time.
const TRY_AGAIN: Duration = Duration::from_millis(300);

/// The commit that is under way, if one is.
#[derive(Default)]
pub(crate) struct Commits(Option<(Vec<Place>, Receiver<KafkaResult<()>>)>);

impl Commits {
    /// True while one is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.0.is_some()
    }
}

impl Intake {
    /// Begins to commit what moved, unless a commit is under way.
    pub(crate) fn commit(&mut self, client: &Client) {
        if self.look_after_commit() {
            let moved = self.assignment.take_commits();
            self.send_commits(client, moved);
        }
    }

    /// Commits what moved and waits for the broker's word, but not for ever.
    pub(crate) fn commit_now(&mut self, client: &Client) {
        let deadline = Instant::now() + TIMEOUT;
        self.wait_for_commit(deadline);
        loop {
            let moved = self.assignment.take_commits();
            if moved.is_empty() {
                return;
            }
            self.send_commits(client, moved);
            // A broker refuses commits for the moment in which it completes a rebalance.
            if self.wait_for_commit(deadline) || Instant::now() + TRY_AGAIN >= deadline {
                return;
            }
            thread::sleep(TRY_AGAIN);
        }
    }

    /// Begins to commit these offsets.
    pub(crate) fn send_commits(&mut self, client: &Client, commits: Vec<(Place, i64)>) {
        if commits.is_empty() {
            return;
        }
        let offsets = client::offsets(&self.routes, &commits);
        let outcome = client::call(client, move |client| client.commit(&offsets, CommitMode::Sync));
        let places = commits.into_iter().map(|(place, _)| place).collect();
        self.commits.0 = Some((places, outcome));
    }

    /// Learns what became of the commit under way. True when none is any more.
    fn look_after_commit(&mut self) -> bool {
        let Some((_, outcome)) = &self.commits.0 else { return true };
        match outcome.try_recv() {
            Ok(outcome) => self.committed(outcome.map_err(|error| error.to_string())),
            Err(TryRecvError::Disconnected) => self.committed(Err("the call broke off".to_owned())),
            Err(TryRecvError::Empty) => return false,
        }
        true
    }

    /// True when the commit under way, if any, succeeded in time.
    fn wait_for_commit(&mut self, deadline: Instant) -> bool {
        let Some((_, outcome)) = &self.commits.0 else { return true };
        let outcome = match outcome.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(RecvTimeoutError::Timeout) => Err("no answer in time".to_owned()),
            Err(RecvTimeoutError::Disconnected) => Err("the call broke off".to_owned()),
        };
        let succeeded = outcome.is_ok();
        self.committed(outcome);
        succeeded
    }

    fn committed(&mut self, outcome: Result<(), String>) {
        let places = self.commits.0.take().map(|(places, _)| places).unwrap_or_default();
        if let Err(problem) = outcome {
            self.events.commit_failed(&problem);
            places.into_iter().for_each(|place| self.assignment.commit_failed(place));
        }
    }
}
