//! A client that reads an answer byte by byte, so that what is wrong with it can be seen.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use pricepipe_exchange_sim::Running;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Longer than any answer takes, so that a test that waits in vain fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came back, as far as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) ended: io::Result<()>,
    pub(crate) first_byte: Duration,
    pub(crate) last_byte: Duration,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.text.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub(crate) fn head(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or(&self.text, |(head, _)| head)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub(crate) fn is_whole(&self) -> bool {
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        self.ended.is_ok() && length == Some(self.body().len())
    }

    /// The prices in the body, which must be right.
    pub(crate) fn prices(&self) -> Vec<(String, String)> {
        assert_eq!(self.status(), 200, "{}", self.text);
        let tickers: Vec<serde_json::Value> = serde_json::from_str(self.body()).unwrap();
        let text = |ticker: &serde_json::Value, field: &str| ticker[field].as_str().unwrap().to_owned();
        tickers.iter().map(|ticker| (text(ticker, "symbol"), text(ticker, "price"))).collect()
    }
}

pub(crate) async fn get(exchange: &Running, path: &str) -> Answer {
    send(exchange.address(), &format!("GET {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\r\n")).await
}

/// `GET /api/v3/ticker/price` for several symbols.
pub(crate) async fn get_prices(exchange: &Running, symbols: &[&str]) -> Answer {
    get(exchange, &prices_path(symbols)).await
}

pub(crate) fn prices_path(symbols: &[&str]) -> String {
    let quoted: Vec<String> = symbols.iter().map(|symbol| format!("%22{symbol}%22")).collect();
    format!("/api/v3/ticker/price?symbols=%5B{}%5D", quoted.join(","))
}

pub(crate) async fn post(exchange: &Running, path: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {length}");
    send(exchange.address(), &format!("{head}\r\n\r\n{body}")).await
}

pub(crate) async fn send(address: SocketAddr, request: &str) -> Answer {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    timeout(PATIENCE, read(connection)).await.expect("an answer, or its end")
}

async fn read(mut connection: TcpStream) -> Answer {
    let started = Instant::now();
    let (mut bytes, mut first_byte) = (Vec::new(), None);
    let ended = loop {
        match connection.read_buf(&mut bytes).await {
            Ok(0) => break Ok(()),
            Ok(_) => first_byte = first_byte.or(Some(started.elapsed())),
            Err(error) => break Err(error),
        }
    };
    let last_byte = started.elapsed();
    let text = String::from_utf8(bytes).unwrap();
    Answer { text, ended, first_byte: first_byte.unwrap_or(last_byte), last_byte }
}
