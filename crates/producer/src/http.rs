//! The HTTP client. This file performs only I/O: no redirects, no proxies, no compression, bounded answers.

use std::{error::Error, time::Duration};

use pricepipe_core::{Timestamp, config::SourceConfig};
use pricepipe_exchange::Answer;
use pricepipe_service::clock;
use reqwest::{Client, Response, Url, header::HeaderMap, redirect::Policy};
use rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::{ProducerError, source::SourceError};

pub(crate) const USER_AGENT: &str = concat!("pricepipe/", env!("CARGO_PKG_VERSION"));

/// What was answered, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    status: u16,
    body: Vec<u8>,
    /// When the last byte arrived.
    received: Timestamp,
}

impl Reply {
    /// To be read.
    pub(crate) fn answer(&self) -> Answer<'_> {
        let Reply { headers, status, body, received } = self;
        Answer { status: *status, headers, body, received: *received }
    }
}

/// The base URLs of a source, checked.
pub(crate) fn base_urls(source: &SourceConfig) -> Result<Vec<Url>, ProducerError> {
    source.endpoints().iter().map(|text| base_url(&source.name, text, "http")).collect()
}

/// A base URL of a source, checked. Its scheme is this one, or the same with an `s`.
pub(crate) fn base_url(source: &str, text: &str, scheme: &'static str) -> Result<Url, ProducerError> {
    let faulty = |problem| ProducerError::Endpoint {
        source_name: source.to_owned(),
        // A password in front of an `@` is not repeated.
        url: text.rsplit('@').next().unwrap_or_default().to_owned(),
        problem,
        scheme,
    };
    let url: Url = text.parse().map_err(|_| faulty("is no URL"))?;
    match check(&url, scheme) {
        Some(problem) => Err(faulty(problem)),
        None => Ok(url),
    }
}

fn check(url: &Url, scheme: &str) -> Option<&'static str> {
    let fits = url.scheme() == scheme || url.scheme().strip_suffix('s') == Some(scheme);
    if !fits || !url.has_host() {
        Some("has another scheme")
    } else if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
        Some("has more than a scheme and a host")
    } else if !url.username().is_empty() || url.password().is_some() {
        Some("holds a user name, and prices need none")
    } else {
        None
    }
}

/// The host and, where it is not the usual one, the port: how an endpoint is named in metrics and logs.
pub(crate) fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A client for these hosts.
pub(crate) fn client(bases: &[Url]) -> Result<Client, reqwest::Error> {
    let builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .pool_max_idle_per_host(2)
        .tcp_keepalive(Duration::from_secs(30));
    if bases.iter().any(|base| base.scheme() == "https") {
        // An error means that a provider was installed before, which serves as well.
        let _ = ring::default_provider().install_default();
        return builder.build();
    }
    // Without TLS the system's certificates are not needed, and a bare image may have none.
    let tls = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_protocol_versions(rustls::ALL_VERSIONS);
    match tls {
        Ok(tls) => {
            let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
            builder.tls_backend_preconfigured(tls).build()
        }
        Err(_) => builder.build(),
    }
}

/// A path and query at this host.
pub(crate) fn url(base: &Url, path_and_query: &str) -> String {
    format!("{}{path_and_query}", base.as_str().trim_end_matches('/'))
}

/// Sends a request and reads the whole answer, both within `timeout`, and no more than `largest` bytes of it.
pub(crate) async fn get(
    client: &Client,
    url: String,
    timeout: Duration,
    largest: usize,
) -> Result<Reply, SourceError> {
    let fail = |error: reqwest::Error| failure(&error, timeout);
    let response = client.get(url).timeout(timeout).send().await.map_err(fail)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = body(response, timeout, largest).await?;
    Ok(Reply { status, headers, body, received: clock::now() })
}

async fn body(mut response: Response, timeout: Duration, largest: usize) -> Result<Vec<u8>, SourceError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error, timeout))? {
        if body.len() + chunk.len() > largest {
            return Err(SourceError::TooLarge(largest));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn failure(error: &reqwest::Error, timeout: Duration) -> SourceError {
    if error.is_timeout() {
        SourceError::Timeout(timeout)
    } else if error.is_connect() {
        SourceError::Unreachable(innermost(error))
    } else {
        SourceError::Interrupted(innermost(error))
    }
}

/// The cause at the bottom says what happened; what stands above it repeats where.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use pricepipe_core::{
        Exchange,
        config::{Feed, RestConfig},
    };

    use super::*;

    fn source(endpoints: &[&str]) -> SourceConfig {
        SourceConfig {
            name: "binance".to_owned(),
            exchange: Exchange::Binance,
            symbols: Vec::new(),
            feed: Feed::Rest(RestConfig {
                endpoints: endpoints.iter().map(|&url| url.to_owned()).collect(),
                interval_millis: 3_000,
                timeout_millis: 2_000,
                max_weight_per_minute: 1_200,
            }),
        }
    }

    #[test]
    fn an_endpoint_is_a_scheme_and_a_host_and_nothing_else() {
        assert!(base_urls(&source(&["https://api.binance.com", "http://127.0.0.1:8080/"])).is_ok());
        for url in [
            "file:///etc/passwd",
            "api.binance.com",
            "https://user:hunter2@host",
            "https://host/path",
            "https://host?x=1",
        ] {
            let error = base_urls(&source(&["https://ok", url])).unwrap_err().to_string();
            assert!(error.contains("source binance") && error.contains("https://host"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_stream_is_reached_by_another_scheme() {
        for (url, fits) in [("wss://host", true), ("ws://127.0.0.1:1", true), ("https://host", false)] {
            assert_eq!(base_url("s", url, "ws").is_ok(), fits, "{url}");
        }
        let error = base_url("s", "https://host", "ws").unwrap_err().to_string();
        assert!(error.ends_with("has another scheme; write it as wss://host"), "{error}");
    }

    #[test]
    fn an_endpoint_is_named_by_host_and_unusual_port() {
        let name = |text: &str| host_and_port(&text.parse().unwrap());
        assert_eq!(name("https://api.binance.com"), "api.binance.com");
        assert_eq!(name("http://127.0.0.1:8080"), "127.0.0.1:8080");
    }
}
