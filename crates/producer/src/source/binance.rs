//! Binance spot over REST: which symbols to ask for, and what to make of the answers.

mod wire;

use std::{sync::Arc, time::Instant};

use pricepipe_core::Symbol;

use crate::{
    endpoints::{Dialect, Endpoints},
    roster::Roster,
    source::{Poll, PriceSource, SourceError},
};

/// How Binance is spoken to.
pub(crate) const DIALECT: Dialect = Dialect {
    ping: wire::ping,
    read_ping: wire::read_ping,
    used_weight: wire::used_weight,
    weight_limit: wire::WEIGHT_LIMIT,
};

/// Polls the last price of many symbols.
pub(crate) struct Binance {
    endpoints: Arc<Endpoints>,
    roster: Roster,
}

impl Binance {
    pub(crate) fn new(endpoints: Arc<Endpoints>, symbols: impl IntoIterator<Item = Symbol>) -> Self {
        let symbols: Vec<Symbol> = symbols.into_iter().collect();
        let group_size = wire::group_size(&symbols);
        Binance { endpoints, roster: Roster::new(symbols, group_size) }
    }
}

impl PriceSource for Binance {
    async fn warm_up(&mut self) -> Result<(), SourceError> {
        self.endpoints.get(&wire::ping(), wire::read_ping).await
    }

    fn begin(&mut self) -> usize {
        self.roster.begin(Instant::now());
        self.roster.hopeful()
    }

    fn is_done(&self) -> bool {
        self.roster.next_group().is_empty()
    }

    async fn poll(&mut self) -> Option<Result<Poll, SourceError>> {
        let asked = self.roster.next_group();
        if asked.is_empty() {
            return None;
        }
        let read = |reply: &_| wire::read_prices(reply, &asked);
        Some(match self.endpoints.get(&wire::prices(&asked), read).await {
            Ok(poll) => {
                self.roster.answered();
                Ok(poll)
            }
            Err(SourceError::UnknownSymbol) => {
                Ok(Poll { unknown: self.roster.refused(Instant::now()), ..Poll::default() })
            }
            Err(error) => Err(error),
        })
    }
}
