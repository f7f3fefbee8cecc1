//! A WebSocket client that sees every frame.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use pricepipe_exchange_sim::{Recording, Running, Trade};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

/// Longer than any frame takes, so that a test that waits in vain fails.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(crate) async fn open(exchange: &Running, target: &str) -> Socket {
        Socket::try_open(exchange, target).await.unwrap()
    }

    /// The connection, or the status with which it is refused.
    pub(crate) async fn try_open(exchange: &Running, target: &str) -> Result<Socket, u16> {
        match connect_async(format!("{}{target}", exchange.stream_url())).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next frame, whatever it is; none when the connection is gone.
    pub(crate) async fn frame(&mut self) -> Option<Result<Message, Error>> {
        timeout(PATIENCE, self.0.next()).await.expect("a frame, or the end")
    }

    /// The next text frame, as JSON.
    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    pub(crate) async fn text(&mut self) -> String {
        loop {
            match self.frame().await.unwrap().unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not text: {other:?}"),
            }
        }
    }

    /// The next text frame that is wanted, as JSON.
    pub(crate) async fn wait_for(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let frame = self.json().await;
            if wanted(&frame) {
                return frame;
            }
        }
    }

    /// Every text frame until the end, and the close code; 1006 when the connection was torn off.
    pub(crate) async fn until_the_end(&mut self) -> (Vec<String>, u16) {
        let mut texts = Vec::new();
        loop {
            match self.frame().await {
                Some(Ok(Message::Text(text))) => texts.push(text.to_string()),
                Some(Ok(Message::Close(Some(frame)))) => return (texts, frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return (texts, 1006),
            }
        }
    }

    /// True when nothing comes for so long.
    pub(crate) async fn is_silent(&mut self, millis: u64) -> bool {
        timeout(Duration::from_millis(millis), self.0.next()).await.is_err()
    }
}

/// So many recorded trades, one a second, with ids from `first_id` on.
pub(crate) fn recording(first_id: u64, count: u64) -> Recording {
    let mut text = "id,time_ms,price,quantity,side\n".to_owned();
    for n in 0..count {
        let side = if n % 3 == 0 { "buy" } else { "sell" };
        let (id, time) = (first_id + n, 1_570_752_000_000 + n * 1_000);
        text.push_str(&format!("{id},{time},0.0014{n:04},{}.50000000,{side}\n", n + 1));
    }
    Recording::from_reader("recorded", text.as_bytes()).unwrap()
}

/// Id, price and quantity of each trade that the exchange knows.
pub(crate) fn truth(exchange: &Running, symbol: &str) -> Vec<(u64, String, String)> {
    let row = |trade: &Trade| (trade.id, trade.price.to_string(), trade.quantity.to_string());
    exchange.trades(&symbol.parse().unwrap()).iter().map(row).collect()
}
