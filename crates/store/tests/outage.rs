//! A server that hangs in the middle of everything, and one that goes away and comes back.
//!
//! Between the store and the real server stands a relay that can be told to stand still or to refuse.

#![allow(clippy::unwrap_used, reason = "all of it is test code")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use pricepipe_core::{
    PriceMessage, Secret,
    config::{PriceType, StoreConfig},
};
use pricepipe_store::{Store, StoreErrorKind, open};
use support::{Mongo, collection, message};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

const FORWARD: u8 = 0;
const STAND_STILL: u8 = 1;
const BREAK: u8 = 2;

/// A relay to a server.
struct Relay {
    address: String,
    mode: Arc<AtomicU8>,
}

impl Relay {
    async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mode = Arc::new(AtomicU8::new(FORWARD));
        let shared = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if shared.load(Ordering::Relaxed) == BREAK {
                    continue;
                }
                let server = TcpStream::connect(&server).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(forward(from_client, to_server, Arc::clone(&shared)));
                tokio::spawn(forward(from_server, to_client, Arc::clone(&shared)));
            }
        });
        Relay { address, mode }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::Relaxed);
    }
}

async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: Arc<AtomicU8>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::time::timeout(Duration::from_millis(10), from.readable()).await;
        match mode.load(Ordering::Relaxed) {
            BREAK => return,
            STAND_STILL => tokio::time::sleep(Duration::from_millis(10)).await,
            _ if read.is_err() => {}
            _ => match from.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(length) => to.write_all(&buffer[..length]).await.unwrap_or_default(),
            },
        }
    }
}

/// A store that reaches the server by way of a relay.
async fn relayed(mongo: &Mongo) -> (Arc<dyn Store>, Relay) {
    let text = mongo.connection_string.expose();
    let rest = text.split_once("://").unwrap().1;
    let hosts = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let server = hosts.split(['/', '?', ',']).next().unwrap();
    let relay = Relay::to(server.to_owned()).await;
    let text = text.replacen(server, &relay.address, 1);
    let config = StoreConfig::Mongodb {
        database: mongo.database.name().parse().unwrap(),
        price_type: PriceType::Decimal,
        retention_seconds: 0,
    };
    (open(&config, Some(&Secret::new(text))).unwrap(), relay)
}

fn batch(first: i64) -> Arc<[PriceMessage]> {
    (first..first + 100).map(|n| message("BTCUSDT", n, "67321.50")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING), and takes 10 s"]
async fn a_write_that_its_caller_gave_up_goes_on_and_a_second_try_doubles_nothing() {
    let mongo = Mongo::connect().await;
    let (store, relay) = relayed(&mongo).await;
    let btc = collection("btc");
    store.write(&btc, batch(0)).await.unwrap();
    relay.set(STAND_STILL);
    for _ in 0..3 {
        // As a consumer that shuts down, or loses the partition, half-way.
        let dropped = tokio::time::timeout(Duration::from_millis(50), store.write(&btc, batch(100))).await;
        assert!(dropped.is_err());
    }
    let started = Instant::now();
    assert_eq!(store.ping().await.unwrap_err().kind, StoreErrorKind::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(7));
    relay.set(FORWARD);
    let mut written = store.write(&btc, batch(100)).await;
    while written.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        written = store.write(&btc, batch(100)).await;
    }
    let written = written.unwrap();
    assert_eq!(written.inserted + written.duplicates, 100);
    store.close().await;
    assert_eq!(mongo.documents("btc", Default::default()).await.len(), 200);
    mongo.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a MongoDB-compatible server (MONGO_CONNECTION_STRING), and takes 10 s"]
async fn a_server_that_goes_away_is_told_at_once_and_used_again_when_it_is_back() {
    let mongo = Mongo::connect().await;
    let (store, relay) = relayed(&mongo).await;
    let btc = collection("btc");
    store.write(&btc, batch(0)).await.unwrap();
    relay.set(BREAK);
    let started = Instant::now();
    for _ in 0..20 {
        let error = store.write(&btc, batch(100)).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unavailable, "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    relay.set(FORWARD);
    let back = Instant::now();
    while store.write(&btc, batch(100)).await.is_err() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(back.elapsed() < Duration::from_secs(3), "{:?}", back.elapsed());
    assert_eq!(mongo.documents("btc", Default::default()).await.len(), 200);
    mongo.drop().await;
}
