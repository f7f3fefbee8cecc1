//! Binance's REST interface: which paths there are, what each weighs, and the answer to a request.

mod body;
mod call;
mod refusal;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{ConnectInfo, State},
    http::Uri,
    response::Response,
    routing::get,
};
use pricepipe_core::{Price, Symbol};

use self::{
    body::{InfoBody, Tickers},
    call::{Call, Endpoint, Selection},
    refusal::Refusal,
};
use crate::{
    faults::{Effects, Fault},
    ledger::Delivery,
    market::Market,
    reply::Reply,
    server::Sim,
    weight::Verdict,
    wire::Connection,
};

/// Every path below `/api`.
pub(crate) fn router() -> Router<Arc<Sim>> {
    Router::new().route("/api/{*path}", get(answer))
}

async fn answer(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: Uri,
) -> Response {
    let now_millis = sim.now_millis();
    let number = sim.requests.arrived(&uri, now_millis);
    let call = Call::read(&uri);
    let (used, verdict) = sim.charge(now_millis, call.weight());
    let effects = sim.faults.meet(Instant::now(), uri.path(), |symbol| call.asks_for(symbol));
    match &effects.turn {
        Some(Fault::Delay { millis }) => tokio::time::sleep(Duration::from_millis(*millis)).await,
        Some(Fault::Hang) => std::future::pending().await,
        _ => {}
    }
    let reply = reply(&sim, &call, &effects, verdict, number).with_used_weight(used, &effects.details);
    sim.requests.answered(number, reply.status());
    let (transfer, response) = reply.send(effects.turn.as_ref());
    connection.send_next_as(transfer);
    response
}

/// The answer, but for what the connection does to it.
fn reply(sim: &Sim, call: &Call, effects: &Effects, verdict: Verdict, number: u64) -> Reply {
    let limit = sim.limits.weight_per_minute;
    if let Some(Fault::Status(fault)) = &effects.turn {
        return refusal::scripted(fault, sim.now_millis(), limit);
    }
    if let Some(refused) = refusal::by_weight(verdict, limit) {
        return refused;
    }
    let answered = match (call.endpoint, &call.selection) {
        (None, _) => return refusal::not_found(),
        (_, Err(refusal)) => Err(refusal.clone()),
        (Some(Endpoint::Ping), _) => Ok(Reply::json("{}".to_owned())),
        (Some(Endpoint::Time), _) => Ok(Reply::json(body::time(sim.now_millis()))),
        (Some(Endpoint::TickerPrice), Ok(selection)) => prices(sim, selection, effects, number),
        (Some(Endpoint::ExchangeInfo), Ok(selection)) => exchange_info(sim, selection, effects),
    };
    answered.unwrap_or_else(|refusal| refusal.reply())
}

/// Takes the next price of each symbol and writes it into the ledger, in one step: no other answer comes between.
fn prices(sim: &Sim, selection: &Selection, effects: &Effects, number: u64) -> Result<Reply, Refusal> {
    let mut market = sim.market();
    let symbols = listed(&mut market, selection, &effects.details)?;
    let elapsed = sim.elapsed();
    let mut tickers = Vec::with_capacity(symbols.len());
    for symbol in symbols.iter().filter(|symbol| !is_missing(symbol, &effects.details)) {
        match scripted_price(symbol, &effects.details) {
            Some(text) => tickers.push((Arc::from(symbol.as_str()), Arc::from(text))),
            None => tickers.extend(market.next(symbol, elapsed)),
        }
    }
    let delivery = effects.turn.as_ref().is_none_or(leaves_intact).then(Delivery::default);
    let usable = |price: &str| delivery.clone().filter(|_| price.parse::<Price>().is_ok());
    let entries = tickers.iter().map(|(symbol, price)| (symbol.clone(), price.clone(), usable(price)));
    sim.ledger.record(number, sim.now_millis(), entries);
    drop(market);
    let tickers = Tickers { tickers, single: selection.is_single() };
    Ok(Reply::json(tickers.write(effects)).delivering(delivery))
}

fn exchange_info(sim: &Sim, selection: &Selection, effects: &Effects) -> Result<Reply, Refusal> {
    let symbols = listed(&mut sim.market(), selection, &effects.details)?;
    let symbols: Vec<_> = symbols.iter().filter(|symbol| !is_missing(symbol, &effects.details)).collect();
    let weight_per_minute = sim.limits.weight_per_minute;
    Ok(Reply::json(InfoBody { symbols, weight_per_minute, now_millis: sim.now_millis() }.write()))
}

/// The symbols that are asked for. One that is not listed fails the whole request.
fn listed(market: &mut Market, selection: &Selection, details: &[Fault]) -> Result<Vec<Symbol>, Refusal> {
    let delisted = |symbol: &Symbol| {
        details.iter().any(|f| matches!(f, Fault::UnknownSymbol { symbol: s } if s == symbol))
    };
    let symbols = match selection.named() {
        None => market.symbols().iter().filter(|symbol| !delisted(symbol)).cloned().collect(),
        Some(named) => {
            if named.iter().any(|symbol| delisted(symbol) || !market.lists(symbol)) {
                return Err(Refusal::invalid_symbol());
            }
            named.to_vec()
        }
    };
    match (selection.halted_only, selection.is_single()) {
        (false, _) => Ok(symbols),
        (true, false) => Ok(Vec::new()),
        (true, true) => Err(Refusal::status_mismatch()),
    }
}

fn is_missing(symbol: &Symbol, details: &[Fault]) -> bool {
    details.iter().any(|fault| matches!(fault, Fault::MissingSymbol { symbol: missing } if missing == symbol))
}

fn scripted_price<'a>(symbol: &Symbol, details: &'a [Fault]) -> Option<&'a str> {
    details.iter().find_map(|fault| match fault {
        Fault::PriceText { symbol: s, text } if s == symbol => Some(text.as_str()),
        _ => None,
    })
}

/// True when a client can use the answer, be it late or slow.
fn leaves_intact(turn: &Fault) -> bool {
    use Fault::*;
    matches!(turn, Pass | Delay { .. } | SlowHeaders { .. } | SlowBody { .. })
}
