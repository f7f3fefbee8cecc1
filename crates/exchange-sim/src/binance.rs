//! Binance's interfaces: which paths there are, what each weighs, and the answer to a request.

mod body;
mod call;
mod control;
mod frames;
mod history;
mod refusal;
mod stream;

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{ConnectInfo, Query, State, ws::WebSocketUpgrade},
    http::Uri,
    response::Response,
    routing::get,
};
use pricepipe_core::Symbol;

use self::{
    body::{InfoBody, Tickers},
    call::{Call, Endpoint, Selection},
    refusal::Refusal,
    stream::BinanceStreams,
};
use crate::{
    faults::{Effects, Fault},
    locked,
    market::Market,
    reply::Reply,
    serve::{Prices, serve, spoil_page},
    server::Sim,
    stream::upgrade,
    weight::Verdict,
    wire::Connection,
};

/// Every path below `/api`, `/ws` and `/stream`.
pub(crate) fn router() -> Router<Arc<Sim>> {
    Router::new()
        .route("/api/{*path}", get(answer))
        .route("/ws", get(raw))
        .route("/ws/{*streams}", get(raw))
        .route("/stream", get(combined))
}

async fn answer(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: Uri,
) -> Response {
    let call = Call::read(&uri);
    let (used, verdict) = sim.charge(sim.now_millis(), call.weight());
    let asks_for = |symbol: &Symbol| call.asks_for(symbol);
    let answer = |effects: &Effects, number| {
        reply(&sim, &call, effects, verdict, number).with_used_weight(used, &effects.details)
    };
    serve(&sim, &connection, &uri, asks_for, answer).await
}

async fn raw(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: Uri,
    socket: WebSocketUpgrade,
) -> Response {
    let names = uri.path().trim_start_matches("/ws").trim_start_matches('/');
    let names = names.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    open(sim, connection, uri, socket, names, false).await
}

async fn combined(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: Uri,
    socket: WebSocketUpgrade,
) -> Response {
    let names = parameter(&uri, "streams").unwrap_or_default();
    let names = names.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    open(sim, connection, uri, socket, names, true).await
}

async fn open(
    sim: Arc<Sim>,
    connection: Connection,
    uri: Uri,
    socket: WebSocketUpgrade,
    names: Vec<String>,
    combined: bool,
) -> Response {
    let micros = parameter(&uri, "timeUnit").is_some_and(|unit| unit.eq_ignore_ascii_case("MICROSECOND"));
    let refusal = (!locked(&sim.connects).admits(Instant::now())).then(refusal::too_many_connects);
    let streams = BinanceStreams::new(names, combined, micros, sim.limits_of_streams.clone());
    upgrade(sim, connection, uri, socket, refusal, Box::new(streams)).await
}

fn parameter(uri: &Uri, name: &str) -> Option<String> {
    let Query(parameters) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    parameters.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
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
        (Some(endpoint), Ok(selection)) => past(sim, endpoint, selection, call, effects, number),
    };
    answered.unwrap_or_else(|refusal| refusal.reply())
}

/// Takes the next price of each symbol and writes it into the ledger, in one step: no other answer comes between.
fn prices(sim: &Sim, selection: &Selection, effects: &Effects, number: u64) -> Result<Reply, Refusal> {
    let mut market = sim.market();
    let symbols = listed(&mut market, selection, &effects.details)?;
    let prices = Prices::new(sim, effects, number);
    let mut tickers = Vec::with_capacity(symbols.len());
    for symbol in &symbols {
        let Some(name) = market.name(symbol) else { continue };
        tickers.extend(prices.take(&mut market, symbol, &name).map(|price| (name, price)));
    }
    drop(market);
    let tickers = Tickers { tickers, single: selection.is_single() };
    Ok(Reply::json(tickers.write(effects)).delivering(prices.delivery))
}

fn exchange_info(sim: &Sim, selection: &Selection, effects: &Effects) -> Result<Reply, Refusal> {
    let symbols = listed(&mut sim.market(), selection, &effects.details)?;
    let symbols: Vec<_> = symbols.iter().filter(|symbol| !is_missing(symbol, &effects.details)).collect();
    let weight_per_minute = sim.limits.weight_per_minute;
    Ok(Reply::json(InfoBody { symbols, weight_per_minute, now_millis: sim.now_millis() }.write()))
}

/// A page of the past of one symbol.
fn past(
    sim: &Sim,
    endpoint: Endpoint,
    selection: &Selection,
    call: &Call,
    effects: &Effects,
    number: u64,
) -> Result<Reply, Refusal> {
    let (mut market, now) = (sim.market(), sim.moment());
    let symbols = listed(&mut market, selection, &effects.details)?;
    let page = call.page.as_ref().map_err(Refusal::clone)?;
    let tape =
        symbols.first().and_then(|symbol| market.tape_of(symbol, now)).ok_or_else(Refusal::invalid_symbol)?;
    let mut rows = match endpoint {
        Endpoint::AggTrades => page.aggregates(tape)?,
        Endpoint::Klines => page.klines(tape, now)?,
        _ => page.trades(tape),
    };
    spoil_page(&mut rows, effects, sim.seed.wrapping_add(number));
    Ok(Reply::json(serde_json::Value::from(rows).to_string()))
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
