//! Coinbase's channels: which there are, who has subscribed to what, and what each says when.

use std::time::Duration;

use pricepipe_core::Symbol;
use serde_json::{Value, json};

use crate::{
    market::Market,
    server::Sim,
    stream::{Acks, Cut, Dialect, Manners, Outbox, TOO_SLOW, follow},
    tape::{Moment, Tape},
    times,
    trade::Trade,
};

const CHANNELS: &[&str] = &["matches", "ticker", "ticker_batch", "heartbeat"];
const BEAT: Duration = Duration::from_secs(1);
const BATCH_EVERY: Duration = Duration::from_secs(5);
/// Between two matches the exchange counts messages of other channels, so that the sequence of matches has steps.
const SEQUENCE_STEP: u64 = 3;

/// The channels of one product, and how far its tape has been told.
#[derive(Debug)]
struct Feed {
    product: String,
    place: usize,
    cursor: u64,
    matches: bool,
    ticker: bool,
    /// When each was last told.
    ticker_batch: Option<Duration>,
    heartbeat: Option<Duration>,
}

/// One connection's subscriptions.
#[derive(Debug)]
pub(super) struct CoinbaseStreams {
    subscribe_within: Duration,
    feeds: Vec<Feed>,
}

/// A `subscribe` or `unsubscribe`: products by channel.
type Wanted = Vec<(String, Vec<String>)>;

impl CoinbaseStreams {
    pub(super) fn new(subscribe_within: Duration) -> Self {
        CoinbaseStreams { subscribe_within, feeds: Vec::new() }
    }

    fn subscribe(&mut self, wanted: &Wanted, sim: &Sim, out: &mut Outbox) -> Result<(), String> {
        let (now, mut market) = (sim.moment(), sim.market());
        let mut places = Vec::new();
        for (channel, products) in wanted {
            for product in products {
                let symbol: Option<Symbol> = market.find_coinbase(product);
                let place = symbol.and_then(|symbol| market.tape_place(&symbol));
                let place = place.ok_or_else(|| format!("{product} is not a valid product"))?;
                places.push((channel.as_str(), product, place));
            }
        }
        for (channel, product, place) in places {
            let tape = market.tape_at(place);
            let end = tape.subscribe(now);
            if let Some(last) = tape.last().filter(|_| channel == "matches") {
                out.data(tape.name(), matched("last_match", product, last, tape));
            }
            self.feed(product, place, end).switch(channel, true, now.elapsed);
        }
        Ok(())
    }

    fn feed(&mut self, product: &str, place: usize, cursor: u64) -> &mut Feed {
        let known = self.feeds.iter().position(|feed| feed.place == place);
        let index = known.unwrap_or_else(|| {
            self.feeds.push(Feed {
                product: product.to_owned(),
                place,
                cursor,
                matches: false,
                ticker: false,
                ticker_batch: None,
                heartbeat: None,
            });
            self.feeds.len() - 1
        });
        &mut self.feeds[index]
    }

    fn unsubscribe(&mut self, wanted: &Wanted) {
        for (channel, products) in wanted {
            for feed in self.feeds.iter_mut().filter(|feed| products.contains(&feed.product)) {
                feed.switch(channel, false, Duration::ZERO);
            }
        }
        self.feeds.retain(Feed::is_wanted);
    }

    /// All subscriptions, as each answer lists them.
    fn subscriptions(&self) -> String {
        let channels = CHANNELS.iter().filter_map(|channel| {
            let products = self.feeds.iter().filter(|feed| feed.has(channel)).map(|feed| &feed.product);
            let products: Vec<_> = products.collect();
            (!products.is_empty()).then(|| json!({ "name": channel, "product_ids": products }))
        });
        let channels = Value::from(channels.collect::<Vec<_>>());
        format!(r#"{{"type":"subscriptions","channels":{channels}}}"#)
    }
}

impl Feed {
    fn switch(&mut self, channel: &str, on: bool, now: Duration) {
        match channel {
            "matches" => self.matches = on,
            "ticker" => self.ticker = on,
            "ticker_batch" => self.ticker_batch = on.then_some(now),
            _ => self.heartbeat = on.then_some(now),
        }
    }

    fn has(&self, channel: &str) -> bool {
        match channel {
            "matches" => self.matches,
            "ticker" => self.ticker,
            "ticker_batch" => self.ticker_batch.is_some(),
            _ => self.heartbeat.is_some(),
        }
    }

    fn is_wanted(&self) -> bool {
        CHANNELS.iter().any(|channel| self.has(channel))
    }

    /// The trades since last time, as far as they fit into a batch.
    fn tell_trades(&mut self, tape: &Tape, out: &mut Outbox) -> Result<(), Cut> {
        let mut newest = None;
        for trade in tape.from(self.cursor).ok_or(TOO_SLOW)? {
            if out.is_full() {
                break;
            }
            self.cursor += 1;
            newest = Some(trade);
            if self.matches {
                out.data(tape.name(), matched("match", &self.product, trade, tape));
            }
        }
        if let Some(trade) = newest.filter(|_| self.ticker) {
            out.data(tape.name(), ticker(&self.product, trade, tape));
        }
        Ok(())
    }

    fn tell_by_clock(&mut self, tape: &Tape, now: Moment, out: &mut Outbox) {
        let due = |told: Option<Duration>, every| {
            told.is_some_and(|told| now.elapsed.saturating_sub(told) >= every)
        };
        if due(self.ticker_batch, BATCH_EVERY) {
            self.ticker_batch = Some(now.elapsed);
            if let Some(trade) = tape.last() {
                out.data(tape.name(), ticker(&self.product, trade, tape));
            }
        }
        if due(self.heartbeat, BEAT) {
            self.heartbeat = Some(now.elapsed);
            out.note(heartbeat(&self.product, tape, now));
        }
    }
}

impl Dialect for CoinbaseStreams {
    fn exchange(&self) -> &'static str {
        "coinbase"
    }

    fn manners(&self) -> Manners {
        let subscribe_within = Some(self.subscribe_within);
        Manners { pings: false, lifetime: None, subscribe_within, messages_per_second: Some(100) }
    }

    fn greet(&mut self, _sim: &Sim, _out: &mut Outbox) -> Result<(), Cut> {
        Ok(())
    }

    fn hear(&mut self, text: &str, sim: &Sim, acks: Acks, out: &mut Outbox) -> Result<(), Cut> {
        let mut data = Outbox::default();
        let done = match (acks, read(text)) {
            (Acks::Refused, _) => Err("refused by a scripted fault".to_owned()),
            (_, Ok((true, wanted))) => self.subscribe(&wanted, sim, &mut data),
            (_, Ok((false, wanted))) => {
                self.unsubscribe(&wanted);
                Ok(())
            }
            (_, Err(reason)) => Err(reason),
        };
        match done {
            Ok(()) => out.note(self.subscriptions()),
            Err(reason) => {
                let reason = Value::from(reason);
                out.note(format!(r#"{{"type":"error","message":"Failed to subscribe","reason":{reason}}}"#));
            }
        }
        out.frames.append(&mut data.frames);
        Ok(())
    }

    fn speak(&mut self, now: Moment, market: &mut Market, out: &mut Outbox) -> Result<bool, Cut> {
        let mut more = false;
        for feed in &mut self.feeds {
            more |= follow(market, feed.place, now, |tape| {
                feed.tell_trades(tape, out)?;
                feed.tell_by_clock(tape, now, out);
                Ok(feed.cursor)
            })?;
        }
        Ok(more)
    }

    fn has_subscribed(&self) -> bool {
        !self.feeds.is_empty()
    }

    fn shutdown_notice(&self, _now: Moment) -> Option<String> {
        None
    }

    fn unknown_message(&self, _now: Moment) -> String {
        r#"{"type":"something_new","product_id":"BTC-USD","n":1}"#.to_owned()
    }
}

/// Whether to subscribe, and to what.
fn read(text: &str) -> Result<(bool, Wanted), String> {
    let message: Value = serde_json::from_str(text).map_err(|_| "Malformed JSON".to_owned())?;
    let subscribe = match message["type"].as_str() {
        Some("subscribe") => true,
        Some("unsubscribe") => false,
        _ => return Err("Type has to be either subscribe or unsubscribe".to_owned()),
    };
    let products = |value: &Value| {
        let names = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let common = products(&message["product_ids"]);
    let mut wanted = Vec::new();
    for channel in message["channels"].as_array().into_iter().flatten() {
        let (name, own) = match channel {
            Value::String(name) => (name.as_str(), Vec::new()),
            other => (other["name"].as_str().unwrap_or_default(), products(&other["product_ids"])),
        };
        if !CHANNELS.contains(&name) {
            return Err(format!("{name} is not a valid channel"));
        }
        wanted.push((name.to_owned(), if own.is_empty() { common.clone() } else { own }));
    }
    if wanted.iter().all(|(_, products)| products.is_empty()) {
        return Err("No channels or product_ids provided".to_owned());
    }
    Ok((subscribe, wanted))
}

fn sequence(trade: &Trade, tape: &Tape) -> u64 {
    tape.aggregate_id(trade) * SEQUENCE_STEP
}

fn matched(kind: &str, product: &str, trade: &Trade, tape: &Tape) -> String {
    let (id, sequence, time) = (trade.id, sequence(trade, tape), times::to_micros(trade.time_nanos));
    let (size, price, side) = (trade.quantity, trade.price, trade.side.of_maker().as_str());
    format!(
        r#"{{"type":"{kind}","trade_id":{id},"maker_order_id":"00000000-0000-4000-8000-{id:012x}","taker_order_id":"00000000-0000-4000-9000-{id:012x}","side":"{side}","size":"{size}","price":"{price}","product_id":"{product}","sequence":{sequence},"time":"{time}"}}"#
    )
}

fn ticker(product: &str, trade: &Trade, tape: &Tape) -> String {
    let (id, sequence, time) = (trade.id, sequence(trade, tape), times::to_micros(trade.time_nanos));
    let ((bid, ask), size, price, side) = (trade.quote(), trade.quantity, trade.price, trade.side.as_str());
    let day = tape.day();
    let (open, low, high) = day.map_or((price, price, price), |day| (day.open, day.low, day.high));
    let volume = day.map_or_else(|| "0".to_owned(), |day| day.volume.to_string());
    format!(
        r#"{{"type":"ticker","sequence":{sequence},"product_id":"{product}","price":"{price}","open_24h":"{open}","volume_24h":"{volume}","low_24h":"{low}","high_24h":"{high}","volume_30d":"{volume}","best_bid":"{bid}","best_bid_size":"{size}","best_ask":"{ask}","best_ask_size":"{size}","side":"{side}","time":"{time}","trade_id":{id},"last_size":"{size}"}}"#
    )
}

fn heartbeat(product: &str, tape: &Tape, now: Moment) -> String {
    let last: Option<&Trade> = tape.last();
    let (id, sequence) = last.map_or((0, 0), |trade| (trade.id, sequence(trade, tape) + 1));
    let time = times::to_micros(now.millis * 1_000_000);
    format!(
        r#"{{"type":"heartbeat","last_trade_id":{id},"product_id":"{product}","sequence":{sequence},"time":"{time}"}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_name_their_own_products_or_take_the_common_ones() {
        let (subscribe, wanted) = read(
            r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["ticker",{"name":"heartbeat","product_ids":["ETH-USD"]}]}"#,
        )
        .unwrap();
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert!(subscribe);
        assert_eq!(
            wanted,
            [("ticker".to_owned(), list(&["BTC-USD"])), ("heartbeat".to_owned(), list(&["ETH-USD"]))]
        );
        for (faulty, reason) in [
            ("x", "Malformed JSON"),
            (r#"{"type":"join"}"#, "Type has to be"),
            (
                r#"{"type":"subscribe","product_ids":["A-B"],"channels":["level9"]}"#,
                "level9 is not a valid channel",
            ),
            (r#"{"type":"subscribe","channels":["ticker"]}"#, "No channels"),
        ] {
            assert!(read(faulty).unwrap_err().starts_with(reason), "{faulty}");
        }
    }
}
