//! The interface under `/sim` by which faults are set and what was served is read.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Query, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use pricepipe_core::Symbol;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{faults::Rule, server::Sim, trade::Trade};

/// Every path below `/sim`.
pub(crate) fn router() -> Router<Arc<Sim>> {
    Router::new()
        .route("/sim/faults", get(faults).post(add_faults).delete(clear_faults))
        .route("/sim/ledger", get(ledger))
        .route("/sim/requests", get(requests))
        .route("/sim/streams", get(streams))
        .route("/sim/trades", get(trades).delete(lose_trades))
}

async fn faults(State(sim): State<Arc<Sim>>) -> impl IntoResponse {
    Json(sim.faults.rules())
}

async fn add_faults(State(sim): State<Arc<Sim>>, body: Bytes) -> impl IntoResponse {
    match read_rules(&body) {
        Ok(rules) => {
            rules.into_iter().for_each(|rule| sim.faults.add(rule));
            (StatusCode::OK, Json(sim.faults.rules())).into_response()
        }
        Err(problem) => (StatusCode::BAD_REQUEST, problem + "\n").into_response(),
    }
}

async fn clear_faults(State(sim): State<Arc<Sim>>) -> StatusCode {
    sim.faults.clear();
    StatusCode::NO_CONTENT
}

/// One rule, or an array of them.
fn read_rules(body: &[u8]) -> Result<Vec<Rule>, String> {
    let failed = |error| {
        format!(
            "not a fault: {error}; write {{\"fault\":{{\"kind\":\"status\",\"status\":503}},\"lasts\":{{\"requests\":1}}}}"
        )
    };
    let rules = match serde_json::from_slice(body).map_err(failed)? {
        Value::Array(rules) => rules,
        rule => vec![rule],
    };
    let rules: Result<Vec<Rule>, _> = rules.into_iter().map(serde_json::from_value).collect();
    let rules = rules.map_err(failed)?;
    rules.iter().find_map(Rule::problem).map_or(Ok(rules), Err)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn ledger(State(sim): State<Arc<Sim>>, Query(After { after }): Query<After>) -> impl IntoResponse {
    lines(&sim.ledger.entries_after(after))
}

async fn requests(State(sim): State<Arc<Sim>>) -> impl IntoResponse {
    lines(&sim.requests.entries())
}

async fn streams(State(sim): State<Arc<Sim>>) -> impl IntoResponse {
    Json(json!({ "connections": sim.streams.connections(), "symbols": sim.streams.symbols() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSymbol {
    symbol: Symbol,
    #[serde(default)]
    after: u64,
    #[serde(default)]
    count: u64,
}

async fn trades(State(sim): State<Arc<Sim>>, Query(asked): Query<OfSymbol>) -> Response {
    let mut trades: Vec<Trade> = Vec::new();
    if let Some(tape) = sim.market().tape_of(&asked.symbol, sim.moment()) {
        let begin = tape.position(|trade| trade.id <= asked.after);
        trades.extend(tape.trades().range(begin..));
    }
    lines(&trades)
}

async fn lose_trades(State(sim): State<Arc<Sim>>, Query(asked): Query<OfSymbol>) -> StatusCode {
    match sim.market().tape_of(&asked.symbol, sim.moment()) {
        Some(tape) => {
            tape.lose(asked.count);
            StatusCode::NO_CONTENT
        }
        None => StatusCode::NOT_FOUND,
    }
}

/// JSON, one value a line.
fn lines(values: &[impl Serialize]) -> Response {
    let mut text = String::new();
    for value in values {
        match serde_json::to_string(value) {
            Ok(line) => text.push_str(&line),
            Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
        text.push('\n');
    }
    ([(CONTENT_TYPE, "application/x-ndjson")], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Fault;

    #[test]
    fn one_rule_or_several_are_read() {
        let one = br#"{"fault":{"kind":"hang"}}"#;
        assert_eq!(read_rules(one).unwrap(), [Rule::once(Fault::Hang)]);
        let two = br#"[{"fault":{"kind":"pass"},"lasts":{"requests":2}},{"fault":{"kind":"hang"}}]"#;
        assert_eq!(read_rules(two).unwrap(), [Rule::times(2, Fault::Pass), Rule::once(Fault::Hang)]);
    }

    #[test]
    fn a_faulty_rule_is_refused_with_an_example() {
        let problem = read_rules(b"{}").unwrap_err();
        assert!(problem.contains("missing field `fault`") && problem.contains("write {"), "{problem}");
        let problem = read_rules(br#"{"fault":{"kind":"status","status":7}}"#).unwrap_err();
        assert_eq!(problem, "fault.status is 7; use 200 to 599");
    }
}
