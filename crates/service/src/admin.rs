//! The admin HTTP server: `/metrics`, `/livez` and `/readyz`.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use prometheus::TextEncoder;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Process;

/// The admin server could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for /metrics, /livez and /readyz; choose another address")]
pub struct AdminError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Serves until `stop` is cancelled. Returns the bound address, which differs when port 0 was asked for.
pub async fn start(
    process: &Process,
    address: SocketAddr,
    stop: CancellationToken,
) -> Result<SocketAddr, AdminError> {
    let failed = |source| AdminError { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let serve = axum::serve(listener, router(process.clone())).with_graceful_shutdown(stop.cancelled_owned());
    tokio::spawn(async move {
        if let Err(error) = serve.await {
            tracing::error!(%error, "the admin server ended");
        }
    });
    Ok(bound)
}

fn router(process: Process) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(process)
}

async fn metrics(State(process): State<Process>) -> impl IntoResponse {
    match TextEncoder::new().encode_to_string(&process.registry.gather()) {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, prometheus::TEXT_FORMAT)], text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], error.to_string()),
    }
}

async fn livez(State(process): State<Process>) -> impl IntoResponse {
    verdict(process.health.stalled(), "alive")
}

async fn readyz(State(process): State<Process>) -> impl IntoResponse {
    verdict(process.health.unmet(), "ready")
}

fn verdict(faults: Vec<String>, good: &str) -> (StatusCode, String) {
    if faults.is_empty() {
        (StatusCode::OK, format!("{good}\n"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, faults.join("\n") + "\n")
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).await.unwrap();
        response
    }

    #[tokio::test]
    async fn readiness_has_reasons_and_liveness_does_not_follow_it() {
        let (process, stop) = (Process::new("test"), CancellationToken::new());
        let kafka = process.health.condition("kafka");
        let address = start(&process, ([127, 0, 0, 1], 0).into(), stop.clone()).await.unwrap();
        let response = get(address, "/readyz").await;
        assert!(
            response.starts_with("HTTP/1.1 503") && response.ends_with("kafka: starting\n"),
            "{response}"
        );
        assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
        kafka.ready();
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/metrics").await.contains("pricepipe_build_info{component=\"test\""));
        stop.cancel();
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let (process, stop) = (Process::new("test"), CancellationToken::new());
        let address = start(&process, ([127, 0, 0, 1], 0).into(), stop.clone()).await.unwrap();
        let error = start(&process, address, stop).await.unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}
