//! The simulated exchange in the test's own process, with its ledger as the oracle.

use std::{collections::HashMap, path::Path, time::UNIX_EPOCH};

use pricepipe_core::Symbol;
use pricepipe_exchange_sim::{Limits, Playback, Recording, Running, SimConfig, start, synthetic_symbols};

use crate::{oracle::Sequences, topics::Arrival};

/// A simulated exchange that knows no limits.
pub struct Exchange {
    running: Running,
    symbols: Vec<Symbol>,
}

impl Exchange {
    /// With the well-known symbols.
    pub async fn start() -> Exchange {
        Exchange::with(SimConfig::default()).await
    }

    /// With so many made-up symbols.
    pub async fn with_symbols(count: usize) -> Exchange {
        Exchange::with(SimConfig { symbols: synthetic_symbols(count), ..SimConfig::default() }).await
    }

    /// With recorded trades, cut into so many parts, each played as the price of a symbol of its own, a trade per
    /// request: one request plays a trade of each part, so that the request weight of a real exchange is kept.
    pub async fn playing_trades(file: &Path, parts: usize) -> Exchange {
        let text = std::fs::read_to_string(file).expect("a recording");
        let (header, rows) = text.split_once('\n').expect("a header");
        let rows: Vec<&str> = rows.lines().collect();
        let playback = |(n, rows): (usize, &[&str])| {
            let recording =
                Recording::from_reader("part", format!("{header}\n{}\n", rows.join("\n")).as_bytes());
            let symbol = format!("XRP{n}ETH").parse().expect("a symbol");
            Playback::per_request(symbol, recording.expect("a recording"))
        };
        let playbacks: Vec<Playback> =
            rows.chunks(rows.len().div_ceil(parts)).enumerate().map(playback).collect();
        let symbols: Vec<Symbol> = playbacks.iter().map(|playback| playback.symbol.clone()).collect();
        Exchange::with(SimConfig { symbols, playbacks, ..SimConfig::default() }).await
    }

    async fn with(config: SimConfig) -> Exchange {
        let limits = Limits { weight_per_minute: u32::MAX, ..Limits::default() };
        let symbols = config.symbols.clone();
        let running = start(SimConfig { limits, ..config }).await.expect("the simulated exchange starts");
        Exchange { running, symbols }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        self.running.url()
    }

    /// The symbols that it lists.
    pub fn symbols(&self) -> Vec<String> {
        self.symbols.iter().map(ToString::to_string).collect()
    }

    /// True when every row of every recording was served.
    pub fn is_played(&self) -> bool {
        self.symbols.iter().all(|symbol| self.running.remaining(symbol) == Some(0))
    }

    /// The prices that reached the client, by symbol and in order.
    pub fn served(&self) -> Sequences {
        let mut served = Sequences::new();
        for entry in self.running.ledger().delivered() {
            served.entry(entry.symbol.to_string()).or_default().push(entry.price.to_string());
        }
        served
    }

    /// From the arrival of the request at the exchange to the record being seen by a consumer, in milliseconds. A price
    /// that a symbol had twice is left out: it cannot be told which is which.
    pub fn latencies_millis(&self, arrivals: &[Arrival]) -> Vec<f64> {
        let mut seen: HashMap<(String, String), Vec<f64>> = HashMap::new();
        for arrival in arrivals {
            let price: Price<'_> = serde_json::from_slice(&arrival.value).expect("a message");
            let at = arrival.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3;
            seen.entry((price.symbol.to_owned(), price.price.get().to_owned())).or_default().push(at);
        }
        let requests: HashMap<u64, f64> = self.arrival_of_requests();
        let mut served: HashMap<(String, String), Vec<u64>> = HashMap::new();
        for entry in self.running.ledger().delivered() {
            served
                .entry((entry.symbol.to_string(), entry.price.to_string()))
                .or_default()
                .push(entry.request);
        }
        let once =
            |(key, request): (_, &Vec<u64>)| match (seen.get(key).map(Vec::as_slice), request.as_slice()) {
                (Some([at]), [request]) => Some(at - requests[request]),
                _ => None,
            };
        served.iter().filter_map(once).collect()
    }

    /// When each request arrived, in milliseconds since 1970 and finer: the log has a monotonic time for each.
    fn arrival_of_requests(&self) -> HashMap<u64, f64> {
        let (now, wall) = (std::time::Instant::now(), std::time::SystemTime::now());
        let wall = wall.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e3;
        let entries = self.running.requests().entries().into_iter();
        entries.map(|r| (r.number, wall - now.duration_since(r.arrived).as_secs_f64() * 1e3)).collect()
    }
}

#[derive(serde::Deserialize)]
struct Price<'a> {
    symbol: &'a str,
    #[serde(borrow)]
    price: &'a serde_json::value::RawValue,
}
