//! What all requests have in common: they are logged, meet faults, and are answered or not.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{http::Uri, response::Response};
use fastrand::Rng;
use pricepipe_core::{Price, Symbol};

use crate::{
    faults::{Effects, Fault},
    ledger::Delivery,
    market::Market,
    reply::Reply,
    server::Sim,
    wire::Connection,
};

/// Answers a request as the faults that it meets will have it. `asks_for` says whether the answer would hold a
/// symbol; `answer` is given the faults and the number of the request.
pub(crate) async fn serve(
    sim: &Sim,
    connection: &Connection,
    uri: &Uri,
    asks_for: impl Fn(&Symbol) -> bool,
    answer: impl FnOnce(&Effects, u64) -> Reply,
) -> Response {
    let number = sim.requests.arrived(uri, sim.now_millis());
    let effects = sim.faults.meet(Instant::now(), uri.path(), asks_for);
    match &effects.turn {
        Some(Fault::Delay { millis }) => tokio::time::sleep(Duration::from_millis(*millis)).await,
        Some(Fault::Hang) => std::future::pending().await,
        _ => {}
    }
    let reply = answer(&effects, number).with_date(sim.now_millis());
    sim.requests.answered(number, reply.status());
    let (transfer, response) = reply.send(effects.turn.as_ref());
    connection.send_next_as(transfer);
    response
}

/// Leaves rows out of a page of history, or turns it round, as faults will have it.
pub(crate) fn spoil_page<T>(rows: &mut Vec<T>, effects: &Effects, seed: u64) {
    let mut random = Rng::with_seed(seed);
    for fault in &effects.details {
        match fault {
            Fault::HistoryGaps { percent } => rows.retain(|_| random.u8(0..100) >= *percent),
            Fault::Reordered => rows.reverse(),
            _ => {}
        }
    }
}

/// A body in which a price is a number, in the same digits. `before` is what stands before it.
pub(crate) fn unquoted(body: &str, before: &str, price: &str) -> String {
    if serde_json::from_str::<serde_json::Number>(price).is_err() {
        return body.to_owned();
    }
    body.replacen(&format!(r#"{before}"{price}""#), &format!("{before}{price}"), 1)
}

/// The prices of one answer. What is taken is served: it stands in the ledger.
pub(crate) struct Prices<'a> {
    pub(crate) sim: &'a Sim,
    pub(crate) effects: &'a Effects,
    pub(crate) number: u64,
    /// Set once the answer has gone out; none when no client can use it.
    pub(crate) delivery: Option<Delivery>,
}

impl<'a> Prices<'a> {
    pub(crate) fn new(sim: &'a Sim, effects: &'a Effects, number: u64) -> Self {
        let intact = effects.turn.as_ref().is_none_or(leaves_intact);
        Prices { sim, effects, number, delivery: intact.then(Delivery::default) }
    }

    /// The next price of a symbol, written into the ledger under the name that the exchange has for it. None for a
    /// symbol that a fault leaves out.
    pub(crate) fn take(&self, market: &mut Market, symbol: &Symbol, name: &Arc<str>) -> Option<Arc<str>> {
        if self.effects.details.contains(&Fault::MissingSymbol { symbol: symbol.clone() }) {
            return None;
        }
        let scripted = self.effects.details.iter().find_map(|fault| match fault {
            Fault::PriceText { symbol: s, text } if s == symbol => Some(Arc::from(text.as_str())),
            _ => None,
        });
        let price = match scripted {
            Some(text) => text,
            None => market.next(symbol, self.sim.moment())?.1,
        };
        let usable = self.delivery.clone().filter(|_| price.parse::<Price>().is_ok());
        let entry = std::iter::once((name.clone(), price.clone(), usable));
        self.sim.ledger.record(self.number, self.sim.now_millis(), entry);
        Some(price)
    }
}

/// True when a client can use the answer, be it late or slow.
fn leaves_intact(turn: &Fault) -> bool {
    use Fault::*;
    matches!(turn, Pass | Delay { .. } | SlowHeaders { .. } | SlowBody { .. })
}
