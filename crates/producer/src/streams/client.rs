//! The WebSocket client. This file performs only I/O: no redirects, no proxies, no compression, bounded frames.

use std::{sync::Arc, time::Duration};

use pricepipe_core::Exchange;
use pricepipe_exchange::{Answer, Refusal, refusal_of_connecting};
use pricepipe_service::clock;
use reqwest::Url;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest,
        handshake::client::Response,
        http::{HeaderValue, Response as HttpResponse, header::USER_AGENT},
        protocol::WebSocketConfig,
    },
};

use crate::{ProducerError, http, source::SourceError};

/// No frame of an exchange is nearly as large.
const LARGEST_FRAME: usize = 1 << 20;
/// Each connection keeps one of these; a frame that is larger gets what it needs.
const READ_BUFFER: usize = 16 << 10;
/// We send little: subscriptions and pongs.
const WRITE_BUFFER: usize = 64 << 10;
/// From the first packet to the exchange's consent.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open connection.
pub(super) type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What connections to these hosts are made with.
///
/// # Errors
/// Certificates that cannot be read, where they are needed.
pub(super) fn connector(bases: &[Url]) -> Result<Connector, ProducerError> {
    if bases.iter().all(|base| base.scheme() == "ws") {
        return Ok(Connector::Plain);
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    if roots.add_parsable_certificates(found.certs).0 == 0 {
        let problem = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(ProducerError::Certificates(problem));
    }
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .map_err(|error| ProducerError::Certificates(error.to_string()))?;
    Ok(Connector::Rustls(Arc::new(tls.with_root_certificates(roots).with_no_client_auth())))
}

/// Opens a connection to a host at this path.
pub(super) async fn open(
    exchange: Exchange,
    base: &Url,
    path: &str,
    connector: &Connector,
) -> Result<Client, SourceError> {
    let failure = |error| failure(exchange, error);
    let url = format!("{}{path}", base.as_str().trim_end_matches('/'));
    let mut request = url.into_client_request().map_err(failure)?;
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(http::USER_AGENT));
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(LARGEST_FRAME))
        .max_frame_size(Some(LARGEST_FRAME));
    let connector = match base.scheme() {
        "ws" => Connector::Plain,
        _ => connector.clone(),
    };
    let opening = connect_async_tls_with_config(request, Some(config), true, Some(connector));
    let opened: Result<(Client, Response), Error> =
        timeout(PATIENCE, opening).await.map_err(|_| SourceError::Timeout(PATIENCE))?;
    opened.map(|(client, _)| client).map_err(failure)
}

fn failure(exchange: Exchange, error: Error) -> SourceError {
    match error {
        Error::Http(response) => refusal(exchange, &response).into(),
        Error::Io(error) => SourceError::Unreachable(error.to_string()),
        Error::Tls(error) => SourceError::Unreachable(error.to_string()),
        other => SourceError::Interrupted(other.to_string()),
    }
}

/// What an answer means that is no consent.
fn refusal(exchange: Exchange, response: &HttpResponse<Option<Vec<u8>>>) -> Refusal {
    let answer = Answer {
        status: response.status().as_u16(),
        headers: response.headers(),
        body: response.body().as_deref().unwrap_or_default(),
        received: clock::now(),
    };
    refusal_of_connecting(exchange, &answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, wait: Option<&str>) -> Refusal {
        let response = HttpResponse::builder().status(status);
        let response = wait.into_iter().fold(response, |r, wait| r.header("Retry-After", wait));
        refusal(Exchange::Binance, &response.body(None).unwrap())
    }

    #[test]
    fn a_refusal_to_connect_means_what_it_means_to_a_request() {
        let seconds = Duration::from_secs;
        for (answer, refusal) in [
            (refused(429, Some("7")), Refusal::RateLimited { said: "HTTP 429".to_owned(), wait: seconds(7) }),
            (refused(418, None), Refusal::Banned(seconds(120))),
            (refused(451, None), Refusal::GeoBlocked),
            (refused(403, None), Refusal::Forbidden),
            (refused(503, None), Refusal::Unavailable("HTTP 503".to_owned())),
            (refused(404, None), Refusal::UnexpectedStatus(404)),
        ] {
            assert_eq!(answer, refusal);
        }
    }

    #[test]
    fn open_connections_need_no_certificates() {
        let base = "ws://127.0.0.1:1".parse().unwrap();
        assert!(matches!(connector(&[base]), Ok(Connector::Plain)));
    }
}
