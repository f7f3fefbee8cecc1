//! The last price of many symbols of one exchange: which to ask for, in as few requests as it lets us, and what to make
//! of the answers.

use std::{panic, sync::Arc, time::Instant};

use pricepipe_core::{Exchange, Symbol};
use pricepipe_exchange::{Answer, last};
use tokio::task::JoinSet;

use crate::{
    endpoints::Endpoints,
    roster::{Group, Roster},
    source::{Poll, Quote, SourceError},
};

/// The most requests that are under way together, where a slot takes several.
const UNDER_WAY: usize = 5;

/// Polls the last price of many symbols.
pub(crate) struct LastPrices {
    endpoints: Arc<Endpoints>,
    roster: Roster,
    under_way: JoinSet<(Group, Result<Poll, SourceError>)>,
    /// What is under way.
    busy: Vec<Group>,
}

impl LastPrices {
    pub(crate) fn new(endpoints: Arc<Endpoints>, symbols: impl IntoIterator<Item = Symbol>) -> Self {
        let symbols: Vec<Symbol> = symbols.into_iter().collect();
        let markets: Vec<String> = markets(endpoints.exchange(), &symbols);
        let group_size = last::group_size(endpoints.exchange(), &texts(&markets));
        let roster = Roster::new(symbols, group_size);
        LastPrices { endpoints, roster, under_way: JoinSet::new(), busy: Vec::new() }
    }

    /// Opens the connection before the first slot needs it.
    pub(crate) async fn warm_up(&mut self) -> Result<(), SourceError> {
        self.endpoints.ping().await
    }

    /// A slot begins. Returns how many prices it may bring. What is still under way is an answer of this slot, too, and not
    /// asked for again: where requests come slowly, one that waits for its turn would never have it otherwise.
    pub(crate) fn begin(&mut self) -> usize {
        self.roster.begin(Instant::now(), &self.busy);
        self.roster.hopeful()
    }

    /// True when the slot has nothing more to ask for.
    pub(crate) fn is_done(&self) -> bool {
        self.roster.is_done() && self.under_way.is_empty()
    }

    /// The slot's next answer; `None` when everything was asked for and answered. After an error the same request comes
    /// again.
    pub(crate) async fn poll(&mut self) -> Option<Result<Poll, SourceError>> {
        while self.under_way.len() < UNDER_WAY
            && let Some(group) = self.roster.take()
        {
            self.busy.push(group.clone());
            let (asked, endpoints) = (self.roster.symbols(&group), self.endpoints.clone());
            self.under_way.spawn(async move { (group, ask(&endpoints, &asked).await) });
        }
        let (group, polled) = match self.under_way.join_next().await? {
            Ok(answered) => answered,
            Err(died) => panic::resume_unwind(died.into_panic()),
        };
        self.busy.retain(|busy| *busy != group);
        Some(match polled {
            Ok(poll) => {
                self.roster.answered(group);
                Ok(poll)
            }
            Err(SourceError::UnknownSymbol) => {
                Ok(Poll { unknown: self.roster.refused(group, Instant::now()), ..Poll::default() })
            }
            Err(error) => {
                self.roster.failed(group);
                Err(error)
            }
        })
    }
}

/// Asks for the last prices of these symbols in one request.
async fn ask(endpoints: &Endpoints, asked: &[Symbol]) -> Result<Poll, SourceError> {
    let markets = markets(endpoints.exchange(), asked);
    let question = last::Prices { exchange: endpoints.exchange(), markets: &texts(&markets) };
    let read = |answer: &Answer<'_>| Ok((question.read(answer)?, answer.received));
    let (prices, received) = endpoints.get(&question.request(), read).await?;
    let symbol = |place: usize| asked[place].clone();
    Ok(Poll {
        quotes: prices.found.into_iter().map(|(at, price, _)| Quote { symbol: symbol(at), price }).collect(),
        missing: prices.missing.into_iter().map(symbol).collect(),
        rejected: prices.rejected.into_iter().map(|(at, error)| (symbol(at), error.into())).collect(),
        unknown: None,
        received: Some(received),
    })
}

fn markets(exchange: Exchange, symbols: &[Symbol]) -> Vec<String> {
    symbols.iter().map(|symbol| pricepipe_exchange::market(exchange, symbol)).collect()
}

fn texts(markets: &[String]) -> Vec<&str> {
    markets.iter().map(String::as_str).collect()
}
