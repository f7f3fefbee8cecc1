//! Binance's market streams: which there are, who has subscribed to what, and what each says when.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use pricepipe_core::Symbol;
use serde_json::Value;

use super::{
    control::{self, Control, Method},
    frames::{Micros, Pen},
};
use crate::{
    candle::{Candle, Forming},
    config::StreamLimits,
    history::{Span, candles},
    interval::Interval,
    market::Market,
    server::Sim,
    stream::{Acks, Cut, Dialect, Manners, Outbox, TOO_SLOW, follow},
    tape::{Moment, Tape},
};

const SECOND: Duration = Duration::from_secs(1);

/// What a stream tells of its symbol.
#[derive(Debug)]
enum Kind {
    Trade,
    AggTrade,
    BookTicker,
    MiniTicker { told: Option<Duration> },
    Kline { name: String, forming: Box<Forming>, recorded: usize },
}

#[derive(Debug)]
struct Stream {
    name: String,
    kind: Kind,
    /// Where the tape was when it was subscribed to: what happened before is none of its business.
    from: u64,
}

/// The streams of one symbol, and how far its tape has been told.
#[derive(Debug)]
struct Feed {
    place: usize,
    cursor: u64,
    streams: Vec<Stream>,
}

/// One connection's subscriptions.
#[derive(Debug)]
pub(super) struct BinanceStreams {
    combined: bool,
    micros: Micros,
    limits: StreamLimits,
    asked_at_opening: Vec<String>,
    /// The names that were asked for, those included of which nobody knows anything.
    names: Vec<String>,
    feeds: Vec<Feed>,
    feed_of: HashMap<usize, usize>,
}

impl BinanceStreams {
    pub(super) fn new(asked: Vec<String>, combined: bool, micros: bool, limits: StreamLimits) -> Self {
        BinanceStreams {
            combined,
            micros: Micros(micros),
            limits,
            asked_at_opening: asked,
            names: Vec::new(),
            feeds: Vec::new(),
            feed_of: HashMap::new(),
        }
    }

    fn subscribe(&mut self, names: Vec<String>, sim: &Sim) -> Result<(), Cut> {
        let now = sim.moment();
        let mut market = sim.market();
        let mut known: HashSet<String> = self.names.iter().cloned().collect();
        for name in names {
            self.add(&name, &mut market, now);
            if known.insert(name.clone()) {
                self.names.push(name);
            }
        }
        let most = self.limits.streams_per_connection;
        if self.names.len() > most { Err(Cut::Close(1008, "Too many streams")) } else { Ok(()) }
    }

    /// Adds a stream, once. One of which nobody knows anything stays silent, until it is asked for again and is known.
    fn add(&mut self, name: &str, market: &mut Market, now: Moment) {
        let Some((symbol, kind)) = parsed(name) else { return };
        let Some(place) = market.tape_place(&symbol) else { return };
        let feed = self.feed_of.get(&place).map(|feed| &self.feeds[*feed]);
        if feed.is_some_and(|feed| feed.streams.iter().any(|stream| stream.name == name)) {
            return;
        }
        let tape = market.tape_at(place);
        let end = tape.subscribe(now);
        let kind = match kind {
            Kind::Kline { name, forming, .. } => {
                let current = candles(tape, forming.interval, Span { from: None, to: None, most: 1 }, now);
                let current = current.first().filter(|_| tape.recorded_interval().is_none()).copied();
                let recorded = tape.candles_made().len();
                Kind::Kline { name, forming: Box::new(Forming::new(forming.interval, current)), recorded }
            }
            kind => kind,
        };
        let feeds = &mut self.feeds;
        let feed = *self.feed_of.entry(place).or_insert_with(|| {
            feeds.push(Feed { place, cursor: end, streams: Vec::new() });
            feeds.len() - 1
        });
        feeds[feed].streams.push(Stream { name: name.to_owned(), kind, from: end });
    }

    fn unsubscribe(&mut self, names: &[String]) {
        self.names.retain(|name| !names.contains(name));
        for feed in &mut self.feeds {
            feed.streams.retain(|stream| !names.contains(&stream.name));
        }
        self.feeds.retain(|feed| !feed.streams.is_empty());
        self.feed_of = self.feeds.iter().enumerate().map(|(index, feed)| (feed.place, index)).collect();
    }

    fn obey(&mut self, control: Control, sim: &Sim) -> Result<String, Cut> {
        let result = match control.method {
            Method::Subscribe(names) => {
                self.subscribe(names, sim)?;
                Value::Null
            }
            Method::Unsubscribe(names) => {
                self.unsubscribe(&names);
                Value::Null
            }
            Method::List => self.names.clone().into(),
            Method::SetCombined(combined) => {
                self.combined = combined;
                Value::Null
            }
            Method::GetCombined => self.combined.into(),
        };
        Ok(control::done(&control.id, &result))
    }
}

impl Dialect for BinanceStreams {
    fn exchange(&self) -> &'static str {
        "binance"
    }

    fn manners(&self) -> Manners {
        Manners {
            pings: true,
            lifetime: Some(self.limits.lifetime),
            subscribe_within: None,
            messages_per_second: Some(self.limits.messages_per_second),
        }
    }

    fn greet(&mut self, sim: &Sim, _out: &mut Outbox) -> Result<(), Cut> {
        let asked = std::mem::take(&mut self.asked_at_opening);
        self.subscribe(asked, sim)
    }

    fn hear(&mut self, text: &str, sim: &Sim, acks: Acks, out: &mut Outbox) -> Result<(), Cut> {
        let control = match Control::read(text) {
            Err(refusal) => {
                out.note(refusal);
                return Ok(());
            }
            Ok(control) => control,
        };
        let answer = match acks {
            Acks::Refused => control::invalid(&control.id, "the request is refused by a scripted fault"),
            _ => self.obey(control, sim)?,
        };
        out.note(answer);
        Ok(())
    }

    fn speak(&mut self, now: Moment, market: &mut Market, out: &mut Outbox) -> Result<bool, Cut> {
        let teller = Teller { combined: self.combined, micros: self.micros, now };
        let mut more = false;
        for feed in &mut self.feeds {
            more |= follow(market, feed.place, now, |tape| {
                teller.tell_trades(feed, tape, out)?;
                teller.tell_by_clock(feed, tape, out);
                Ok(feed.cursor)
            })?;
        }
        Ok(more)
    }

    fn has_subscribed(&self) -> bool {
        !self.names.is_empty()
    }

    fn shutdown_notice(&self, now: Moment) -> Option<String> {
        let notice = format!(r#"{{"e":"serverShutdown","E":{}}}"#, self.micros.of(now.millis));
        Some(match self.combined {
            true => format!(r#"{{"stream":"!serverShutdown","data":{notice}}}"#),
            false => notice,
        })
    }

    fn unknown_message(&self, now: Moment) -> String {
        let message = format!(r#"{{"e":"somethingNew","E":{},"s":"BTCUSDT","n":1}}"#, now.millis);
        match self.combined {
            true => format!(r#"{{"stream":"btcusdt@somethingNew","data":{message}}}"#),
            false => message,
        }
    }
}

/// Puts what has happened into words.
struct Teller {
    combined: bool,
    micros: Micros,
    now: Moment,
}

impl Teller {
    fn pen<'a>(&self, stream: &'a str, symbol: &'a str) -> Pen<'a> {
        let event = self.micros.of(self.now.millis);
        Pen { wrap: self.combined.then_some(stream), symbol, event, micros: self.micros }
    }

    /// The trades since last time, as far as they fit into a batch.
    fn tell_trades(&self, feed: &mut Feed, tape: &Tape, out: &mut Outbox) -> Result<(), Cut> {
        let symbol = tape.name();
        for trade in tape.from(feed.cursor).ok_or(TOO_SLOW)? {
            if out.is_full() {
                break;
            }
            let place = feed.cursor;
            feed.cursor += 1;
            for Stream { name, kind, .. } in feed.streams.iter_mut().filter(|stream| stream.from <= place) {
                let pen = self.pen(name, symbol);
                match kind {
                    Kind::Trade => out.data(symbol, pen.trade(trade)),
                    Kind::AggTrade => out.data(symbol, pen.agg_trade(tape, trade)),
                    Kind::BookTicker => out.data(symbol, pen.book_ticker(tape, trade)),
                    Kind::MiniTicker { .. } => {}
                    Kind::Kline { name, forming, .. } => {
                        for candle in forming.take(trade) {
                            out.data(symbol, pen.kline(name, forming.interval, &candle, true));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// What is due by the clock.
    fn tell_by_clock(&self, feed: &mut Feed, tape: &Tape, out: &mut Outbox) {
        for Stream { name, kind, .. } in &mut feed.streams {
            let pen = self.pen(name, tape.name());
            match kind {
                Kind::MiniTicker { told } => self.tell_mini_ticker(&pen, told, tape, out),
                Kind::Kline { name, forming, recorded } => {
                    if tape.lives_now() {
                        let open = forming.interval.open_of(self.now.millis);
                        for candle in forming.end_before(open) {
                            out.data(tape.name(), pen.kline(name, forming.interval, &candle, true));
                        }
                    }
                    let every = if name == "1s" { SECOND } else { 2 * SECOND };
                    if let Some(candle) = forming.news(self.now.elapsed, every) {
                        out.data(tape.name(), pen.kline(name, forming.interval, &candle, false));
                    }
                    tell_recorded(&pen, name, forming, recorded, tape, out);
                }
                Kind::Trade | Kind::AggTrade | Kind::BookTicker => {}
            }
        }
    }

    fn tell_mini_ticker(&self, pen: &Pen<'_>, told: &mut Option<Duration>, tape: &Tape, out: &mut Outbox) {
        let due = told.is_none_or(|told| self.now.elapsed.saturating_sub(told) >= SECOND);
        if let (true, Some(last), Some(day)) = (due, tape.last(), tape.day()) {
            *told = Some(self.now.elapsed);
            out.data(tape.name(), pen.mini_ticker(last.price, day));
        }
    }
}

/// Recorded candles, each first as one that has just begun and then as the final one.
fn tell_recorded(
    pen: &Pen<'_>,
    name: &str,
    forming: &Forming,
    told: &mut usize,
    tape: &Tape,
    out: &mut Outbox,
) {
    if tape.recorded_interval() != Some(forming.interval) {
        return;
    }
    let symbol: &Arc<str> = tape.name();
    for candle in tape.candles_made().iter().skip(*told) {
        if out.is_full() {
            break;
        }
        *told += 1;
        let begun = Candle::flat(candle.open_millis, candle.open);
        out.data(symbol, pen.kline(name, forming.interval, &begun, false));
        out.data(symbol, pen.kline(name, forming.interval, candle, true));
    }
}

/// `btcusdt@kline_1m`, read.
fn parsed(name: &str) -> Option<(Symbol, Kind)> {
    let (symbol, kind) = name.split_once('@')?;
    if symbol.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let kind = match kind {
        "trade" => Kind::Trade,
        "aggTrade" => Kind::AggTrade,
        "bookTicker" => Kind::BookTicker,
        "miniTicker" => Kind::MiniTicker { told: None },
        _ => {
            let name = kind.strip_prefix("kline_")?.to_owned();
            let forming = Box::new(Forming::new(Interval::from_binance(&name)?, None));
            Kind::Kline { name, forming, recorded: 0 }
        }
    };
    Some((symbol.to_ascii_uppercase().parse().ok()?, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_a_symbol_in_lower_case_and_a_known_kind() {
        for (name, known) in [
            ("btcusdt@trade", true),
            ("1000satsusdt@kline_1M", true),
            ("BTCUSDT@trade", false),
            ("btcusdt@depth", false),
            ("btcusdt@kline_7m", false),
            ("btcusdt", false),
        ] {
            assert_eq!(parsed(name).is_some(), known, "{name}");
        }
    }
}
