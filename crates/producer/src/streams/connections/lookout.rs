//! Looks for markets that the exchange does not have: by asking for their last prices, where it would take a subscription to
//! them without a word, and again when it is time. It runs beside the connections, and nobody waits for it. Network I/O.

use std::{
    convert::Infallible,
    future,
    time::{Duration, Instant},
};

use pricepipe_core::Backoff;
use pricepipe_exchange::last;
use tokio::time::{sleep, sleep_until};

use super::Context;
use crate::source::SourceError;

/// Between two tries to get an answer.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Context {
    /// Looks for ever.
    pub(super) async fn look_for_markets(&self) -> Infallible {
        let mut news = self.roll.news();
        if self.topic.accepts_unknown() {
            self.look(self.markets.places().collect()).await;
        }
        loop {
            tokio::select! {
                _ = news.changed() => {}
                () = at(self.roll.next_recheck()) => self.look_again().await,
            }
        }
    }

    /// Has those tried whose time has come: all of them where the exchange says at a subscription what it has not, else
    /// those that it has by now.
    async fn look_again(&self) {
        let mut due = self.roll.due(Instant::now());
        if self.topic.accepts_unknown() {
            due = self.look(due).await;
        }
        self.roll.try_again(&due);
    }

    /// Asks which of these markets the exchange has, until it has answered for each. One that it does not have makes it
    /// refuse all that are asked for together: then they are asked for in halves.
    async fn look(&self, markets: Vec<usize>) -> Vec<usize> {
        let names: Vec<&str> = markets.iter().map(|market| self.markets.name(*market)).collect();
        let together = last::group_size(self.topic.exchange, &names);
        let mut groups: Vec<Vec<usize>> = markets.chunks(together.max(1)).map(<[usize]>::to_vec).collect();
        let (mut found, mut backoff) = (Vec::new(), Backoff::new(FIRST_WAIT, LONGEST_WAIT));
        while let Some(mut group) = groups.pop() {
            match self.ask(&group).await {
                Ok(()) => found.extend(group),
                Err(SourceError::UnknownSymbol) if group.len() == 1 => self.missing(group[0]),
                Err(SourceError::UnknownSymbol) => {
                    groups.push(group.split_off(group.len() / 2));
                    groups.push(group);
                }
                Err(error) => {
                    tracing::debug!(exchange = %self.topic.exchange, %error, "it does not tell which symbols it has");
                    let wait = backoff.next_wait(fastrand::f64());
                    sleep(error.retry_in().unwrap_or(LONGEST_WAIT).max(wait)).await;
                    groups.push(group);
                }
            }
        }
        found
    }

    /// Asks for the last prices of these markets, whatever they are.
    async fn ask(&self, markets: &[usize]) -> Result<(), SourceError> {
        let markets: Vec<&str> = markets.iter().map(|market| self.markets.name(*market)).collect();
        let question = last::Prices { exchange: self.topic.exchange, markets: &markets };
        self.history.get(&question.request(), |answer| question.read(answer).map(drop)).await
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => future::pending().await,
    }
}
