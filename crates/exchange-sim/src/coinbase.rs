//! Coinbase's interfaces: which paths there are, and the answer to a request.

mod page;
mod stream;

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{ConnectInfo, State, ws::WebSocketUpgrade},
    http::Uri,
    response::Response,
    routing::get,
};
use pricepipe_core::Symbol;
use serde_json::{Value, json};

use self::{
    page::{Page, Rows},
    stream::CoinbaseStreams,
};
use crate::{
    digits::Digits,
    faults::{Effects, Fault},
    locked,
    names::Pair,
    reply::Reply,
    serve::{Prices, serve, spoil_page, unquoted},
    server::Sim,
    stream::upgrade,
    times,
    wire::Connection,
};

/// Every path below `/products`, and streams at `/`.
pub(crate) fn router() -> Router<Arc<Sim>> {
    Router::new()
        .route("/products", get(answer))
        .route("/products/{*path}", get(answer))
        .route("/time", get(answer))
        .route("/", get(open))
}

async fn open(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: Uri,
    socket: WebSocketUpgrade,
) -> Response {
    let streams = CoinbaseStreams::new(sim.limits_of_streams.subscribe_within);
    upgrade(sim, connection, uri, socket, None, Box::new(streams)).await
}

async fn answer(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    uri: Uri,
) -> Response {
    let admitted = locked(&sim.coinbase).admits(Instant::now());
    let parts: Vec<&str> = uri.path().split('/').skip(1).collect();
    let product = parts.get(1).and_then(|name| sim.market().find_coinbase(name));
    let asks_for = |symbol: &Symbol| parts == ["products"] || product.as_ref() == Some(symbol);
    let answer = |effects: &Effects, number| {
        let request = Request { sim: &sim, uri: &uri, effects, number };
        request.answer(&parts, product.as_ref(), admitted)
    };
    serve(&sim, &connection, &uri, asks_for, answer).await
}

/// A request and the faults that it meets.
struct Request<'a> {
    sim: &'a Sim,
    uri: &'a Uri,
    effects: &'a Effects,
    number: u64,
}

impl Request<'_> {
    fn answer(&self, parts: &[&str], product: Option<&Symbol>, admitted: bool) -> Reply {
        if let Some(Fault::Status(fault)) = &self.effects.turn {
            let body = fault.body.clone().unwrap_or_else(|| message(reason(fault.status)));
            return Reply::text(body).with_status(fault.status).with_scripted_headers(fault);
        }
        if !admitted {
            return refused(429, reason(429));
        }
        match (parts, product.filter(|product| !self.has_lost(product))) {
            (["time"], _) => Reply::json(time(self.sim.now_millis())),
            (["products"], _) => self.products(),
            (["products", _], Some(product)) => Reply::json(Value::from(listing(product)).to_string()),
            (["products", _, "ticker"], Some(product)) => self.ticker(product),
            (["products", _, kind @ ("trades" | "candles")], Some(product)) => self.page(product, kind),
            _ => refused(404, reason(404)),
        }
    }

    fn has_lost(&self, product: &Symbol) -> bool {
        self.effects.details.contains(&Fault::UnknownSymbol { symbol: product.clone() })
    }

    fn products(&self) -> Reply {
        let mut market = self.sim.market();
        let listed: Vec<Symbol> = market.symbols().to_vec();
        let products = listed.iter().filter(|symbol| !self.has_lost(symbol)).filter_map(|symbol| {
            let name = Pair::of(symbol)?.coinbase();
            // Of two listings of one market there is one product.
            (market.find_coinbase(&name).as_ref() == Some(symbol)).then(|| listing(symbol)).flatten()
        });
        Reply::json(Value::from(products.collect::<Vec<_>>()).to_string())
    }

    fn ticker(&self, product: &Symbol) -> Reply {
        let (mut market, now) = (self.sim.market(), self.sim.moment());
        let prices = Prices::new(self.sim, self.effects, self.number);
        let name: Arc<str> = Pair::of(product).map_or_else(String::new, |pair| pair.coinbase()).into();
        let Some(price) = prices.take(&mut market, product, &name) else { return refused(404, reason(404)) };
        let Some(tape) = market.tape_of(product, now) else { return refused(404, reason(404)) };
        let (last, day) = (tape.last(), tape.day());
        let nearby = price.parse::<Digits>().or(tape.price().ok_or(crate::DigitsError));
        let (bid, ask) = nearby.map_or_else(
            |_| Default::default(),
            |price| (price.beside(false).to_string(), price.beside(true).to_string()),
        );
        let mut ticker = json!({
            "ask": ask,
            "bid": bid,
            "volume": day.map_or_else(|| "0".to_owned(), |day| day.volume.to_string()),
            "trade_id": last.map_or(0, |trade| trade.id),
            "price": &*price,
            "size": last.map_or_else(|| "0".to_owned(), |trade| trade.quantity.to_string()),
            "time": times::to_micros(now.millis * 1_000_000),
        });
        if self.effects.details.contains(&Fault::ExtraField) {
            ticker["a_field_of_the_future"] = json!({ "new": [1, null] });
        }
        let ticker = match self.effects.turn {
            Some(Fault::PriceAsNumber) => unquoted(&ticker.to_string(), r#""price":"#, &price),
            Some(Fault::WrongShape) => json!([ticker]).to_string(),
            _ => ticker.to_string(),
        };
        Reply::json(ticker).delivering(prices.delivery)
    }

    fn page(&self, product: &Symbol, kind: &str) -> Reply {
        let (mut market, now) = (self.sim.market(), self.sim.moment());
        let Some(tape) = market.tape_of(product, now) else { return refused(404, reason(404)) };
        let page = match Page::read(self.uri) {
            Ok(page) => page,
            Err(problem) => return refused(400, problem),
        };
        let found = if kind == "trades" { Ok(page.trades(tape)) } else { page.candles(tape, now) };
        match found {
            Err(problem) => refused(400, problem),
            Ok(Rows { mut rows, newest_and_oldest }) => {
                spoil_page(&mut rows, self.effects, self.sim.seed.wrapping_add(self.number));
                let reply = Reply::json(format!("[{}]", rows.join(",")));
                match newest_and_oldest {
                    Some((newest, oldest)) => reply
                        .with_named("cb-before", &newest.to_string())
                        .with_named("cb-after", &oldest.to_string()),
                    None => reply,
                }
            }
        }
    }
}

fn listing(symbol: &Symbol) -> Option<Value> {
    let pair = Pair::of(symbol)?;
    Some(json!({
        "id": pair.coinbase(),
        "base_currency": pair.base,
        "quote_currency": pair.quote,
        "quote_increment": "0.00000001",
        "base_increment": "0.00000001",
        "display_name": pair.coinbase(),
        "min_market_funds": "1",
        "margin_enabled": false,
        "post_only": false,
        "limit_only": false,
        "cancel_only": false,
        "status": "online",
        "status_message": "",
        "trading_disabled": false,
        "auction_mode": false,
    }))
}

fn time(now_millis: i64) -> String {
    let iso = times::to_micros(now_millis * 1_000_000);
    format!(r#"{{"iso":"{iso}","epoch":{}.{:03}}}"#, now_millis / 1_000, now_millis % 1_000)
}

fn refused(status: u16, text: &str) -> Reply {
    Reply::json(message(text)).with_status(status)
}

fn message(text: &str) -> String {
    json!({ "message": text }).to_string()
}

/// What Coinbase says with a status.
fn reason(status: u16) -> &'static str {
    match status {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        429 => "Public rate limit exceeded",
        503 => "Service unavailable",
        _ => "Internal server error",
    }
}
