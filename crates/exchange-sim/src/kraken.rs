//! Kraken's interfaces: which paths there are, and the answer to a request. A refusal is an answer like any other.

mod control;
mod frames;
mod pairs;
mod past;
mod stream;

use std::{collections::HashMap, sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{ConnectInfo, Query, State, ws::WebSocketUpgrade},
    http::Uri,
    response::Response,
    routing::get,
};
use pricepipe_core::Symbol;
use serde_json::{Value, json};

use self::{past::Past, stream::KrakenStreams};
use crate::{
    faults::{Effects, Fault},
    locked,
    reply::Reply,
    serve::{serve, spoil_page},
    server::Sim,
    stream::upgrade,
    wire::Connection,
};

/// Every path below `/0/public`, and streams at `/v2`.
pub(crate) fn router() -> Router<Arc<Sim>> {
    Router::new().route("/0/public/{method}", get(answer)).route("/v2", get(open))
}

async fn open(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: Uri,
    socket: WebSocketUpgrade,
) -> Response {
    upgrade(sim, connection, uri, socket, None, Box::new(KrakenStreams::default())).await
}

async fn answer(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: Uri,
) -> Response {
    let admitted = locked(&sim.kraken).admits(Instant::now());
    let query =
        Query::<HashMap<String, String>>::try_from_uri(&uri).map(|Query(query)| query).unwrap_or_default();
    let asked = query.get("pair").map(|pairs| {
        let mut market = sim.market();
        pairs.split(',').map(|name| market.find_kraken(name)).collect::<Vec<Option<Symbol>>>()
    });
    let asks_for = |symbol: &Symbol| {
        asked.as_ref().is_none_or(|asked| asked.iter().any(|found| found.as_ref() == Some(symbol)))
    };
    let answer = |effects: &Effects, number| {
        let request = Request { sim: &sim, query: &query, effects, number };
        request.answer(uri.path(), asked.as_deref(), admitted)
    };
    serve(&sim, &connection, &uri, asks_for, answer).await
}

/// A request and the faults that it meets.
struct Request<'a> {
    sim: &'a Sim,
    query: &'a HashMap<String, String>,
    effects: &'a Effects,
    number: u64,
}

/// Why there is no result, in Kraken's words.
type Refusal = &'static str;

const UNKNOWN_PAIR: Refusal = "EQuery:Unknown asset pair";
const INVALID_ARGUMENTS: Refusal = "EGeneral:Invalid arguments";

impl Request<'_> {
    fn answer(&self, path: &str, asked: Option<&[Option<Symbol>]>, admitted: bool) -> Reply {
        if let Some(Fault::Status(fault)) = &self.effects.turn {
            let body = fault.body.clone().unwrap_or_else(|| refused(reason(fault.status)));
            return Reply::text(body).with_status(fault.status).with_scripted_headers(fault);
        }
        if !admitted {
            return Reply::json(refused("EAPI:Rate limit exceeded"));
        }
        let method = path.trim_start_matches("/0/public/");
        let now_millis = self.sim.now_millis();
        let result = match method {
            "Time" => return Reply::json(granted(&pairs::time(now_millis))),
            "SystemStatus" => return Reply::json(granted(&pairs::system_status(now_millis))),
            "Ticker" => return self.ticker(asked),
            "AssetPairs" => self.asset_pairs(asked),
            "Trades" | "OHLC" => self.past(asked, method),
            _ => Err("EGeneral:Unknown method"),
        };
        Reply::json(result.map_or_else(refused, |result| granted(&result)))
    }

    /// The pairs that are asked for, or all. One that is unknown fails the request.
    fn pairs(&self, asked: Option<&[Option<Symbol>]>) -> Result<Vec<Symbol>, Refusal> {
        let lost =
            |symbol: &Symbol| self.effects.details.contains(&Fault::UnknownSymbol { symbol: symbol.clone() });
        match asked {
            Some(asked) => {
                let known = asked.iter().map(|symbol| symbol.clone().filter(|symbol| !lost(symbol)));
                known.collect::<Option<Vec<Symbol>>>().ok_or(UNKNOWN_PAIR)
            }
            None => {
                let mut market = self.sim.market();
                let listed = market.symbols().to_vec();
                // Of two listings of one market there is one pair.
                let first = |symbol: &&Symbol| {
                    let name = pairs::canonical(symbol);
                    !lost(symbol) && name.and_then(|name| market.find_kraken(&name)).as_ref() == Some(*symbol)
                };
                Ok(listed.iter().filter(first).cloned().collect())
            }
        }
    }

    fn asset_pairs(&self, asked: Option<&[Option<Symbol>]>) -> Result<String, Refusal> {
        let pairs = self.pairs(asked)?;
        let entries: serde_json::Map<String, Value> = pairs.iter().filter_map(pairs::listing).collect();
        Ok(Value::from(entries).to_string())
    }

    fn ticker(&self, asked: Option<&[Option<Symbol>]>) -> Reply {
        match self.pairs(asked) {
            Err(refusal) => Reply::json(refused(refusal)),
            Ok(pairs) => {
                let (result, delivery) = pairs::tickers(self.sim, self.effects, self.number, &pairs);
                Reply::json(granted(&result)).delivering(delivery)
            }
        }
    }

    fn past(&self, asked: Option<&[Option<Symbol>]>, method: &str) -> Result<String, Refusal> {
        let pairs = self.pairs(asked)?;
        let [pair] = pairs.as_slice() else { return Err(INVALID_ARGUMENTS) };
        let (mut market, now) = (self.sim.market(), self.sim.moment());
        let tape = market.tape_of(pair, now).ok_or(UNKNOWN_PAIR)?;
        let past = Past::read(self.query)?;
        let (mut rows, last) = if method == "Trades" { past.trades(tape) } else { past.candles(tape, now) };
        spoil_page(&mut rows, self.effects, self.sim.seed.wrapping_add(self.number));
        let name = pairs::canonical(pair).ok_or(UNKNOWN_PAIR)?;
        Ok(format!(r#"{{"{name}":[{}],"last":{last}}}"#, rows.join(",")))
    }
}

fn granted(result: &str) -> String {
    format!(r#"{{"error":[],"result":{result}}}"#)
}

fn refused(error: &str) -> String {
    json!({ "error": [error] }).to_string()
}

/// What Kraken says where others would send a status.
fn reason(status: u16) -> &'static str {
    match status {
        429 => "EAPI:Rate limit exceeded",
        503 => "EService:Unavailable",
        504 => "EService:Busy",
        _ => "EGeneral:Internal error",
    }
}
