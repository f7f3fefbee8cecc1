//! A request that becomes a WebSocket connection, or is refused.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{extract::ws::WebSocketUpgrade, http::Uri, response::Response};

use super::{Dialect, session::Session};
use crate::{faults::Fault, reply::Reply, server::Sim, transfer::Transfer, wire::Connection};

/// Opens a stream, unless a fault or `refusal` says otherwise.
pub(crate) async fn upgrade(
    sim: Arc<Sim>,
    connection: Connection,
    uri: Uri,
    socket: WebSocketUpgrade,
    refusal: Option<Reply>,
    dialect: Box<dyn Dialect>,
) -> Response {
    let number = sim.requests.arrived(&uri, sim.now_millis());
    let met = sim.faults.meet_upgrade(Instant::now(), uri.path());
    match &met {
        Some(Fault::Delay { millis }) => tokio::time::sleep(Duration::from_millis(*millis)).await,
        Some(Fault::Hang) => std::future::pending().await,
        _ => {}
    }
    let scripted = match &met {
        Some(Fault::Status(fault)) => Some(Reply::scripted_status(fault)),
        _ => None,
    };
    if let Some(refused) = scripted.or(refusal) {
        sim.requests.answered(number, refused.status());
        let (transfer, response) = refused.send(None);
        connection.send_next_as(transfer);
        return response;
    }
    sim.requests.answered(number, 101);
    connection.send_next_as(Transfer::default());
    let session = Session::open(sim, connection, &uri, dialect);
    socket.on_upgrade(move |socket| session.run(socket))
}
