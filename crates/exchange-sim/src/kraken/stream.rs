//! Kraken's channels: which there are, who has subscribed to what, and what each says when.

use std::time::Duration;

use super::{
    control::{Answer, Channel, Control, Method, Wanted},
    frames,
};
use crate::{
    candle::Forming,
    history::{Span, candles},
    market::Market,
    server::Sim,
    stream::{self, Acks, Cut, Dialect, Manners, Outbox, TOO_SLOW, follow},
    tape::{Moment, Tape},
    trade::Trade,
};

/// A heartbeat comes after so long a silence.
const SILENCE: Duration = Duration::from_secs(1);
/// How often a candle is told that is still forming.
const CANDLE_EVERY: Duration = Duration::from_secs(1);
const SNAPSHOT_TRADES: usize = 50;
const SNAPSHOT_CANDLES: usize = 100;
/// The most trades in one message.
const TOGETHER: usize = 50;

/// A channel of one symbol, and how far its tape has been told.
#[derive(Debug)]
struct Feed {
    symbol: String,
    channel: Channel,
    place: usize,
    cursor: u64,
    forming: Option<Forming>,
    /// How many recorded candles were told.
    recorded: usize,
}

/// One connection's subscriptions.
#[derive(Debug, Default)]
pub(super) struct KrakenStreams {
    feeds: Vec<Feed>,
    spoke: Duration,
}

impl KrakenStreams {
    /// An answer for each symbol, and what belongs after it.
    fn subscribe(&mut self, wanted: &Wanted, answer: Answer<'_>, sim: &Sim, out: &mut Outbox) {
        let (now, mut market) = (sim.moment(), sim.market());
        for symbol in &wanted.symbols {
            let found = market.find_kraken(symbol).filter(|_| symbol.contains('/'));
            let Some(place) = found.and_then(|found| market.tape_place(&found)) else {
                let error = format!("Currency pair not supported {symbol}");
                out.note(answer.refused(&error, Some(symbol)));
                continue;
            };
            if self.feeds.iter().any(|feed| feed.is(wanted.channel, symbol)) {
                out.note(answer.refused("Already subscribed", Some(symbol)));
                continue;
            }
            out.note(answer.granted(wanted.result(symbol)));
            let feed = Feed::begin(symbol, wanted.channel, place, market.tape_at(place), now);
            if wanted.snapshot {
                feed.tell_snapshot(market.tape_at(place), now, out);
            }
            self.feeds.push(feed);
        }
    }

    fn unsubscribe(&mut self, wanted: &Wanted, answer: Answer<'_>, out: &mut Outbox) {
        for symbol in &wanted.symbols {
            let before = self.feeds.len();
            self.feeds.retain(|feed| !feed.is(wanted.channel, symbol));
            out.note(match self.feeds.len() < before {
                true => answer.granted(wanted.result(symbol)),
                false => answer.refused("Subscription Not Found", Some(symbol)),
            });
        }
    }
}

impl Feed {
    fn begin(symbol: &str, channel: Channel, place: usize, tape: &mut Tape, now: Moment) -> Feed {
        let cursor = tape.subscribe(now);
        let forming = channel.interval().map(|interval| {
            let current = candles(tape, interval, Span { from: None, to: None, most: 1 }, now);
            Forming::new(interval, current.first().filter(|_| tape.recorded_interval().is_none()).copied())
        });
        let recorded = tape.candles_made().len();
        Feed { symbol: symbol.to_owned(), channel, place, cursor, forming, recorded }
    }

    fn is(&self, channel: Channel, symbol: &str) -> bool {
        self.channel == channel && self.symbol == symbol
    }

    fn tell_snapshot(&self, tape: &Tape, now: Moment, out: &mut Outbox) {
        let symbol = &self.symbol;
        match (self.channel, self.channel.interval()) {
            (Channel::Candles { minutes }, Some(interval)) => {
                let span = Span { from: None, to: None, most: SNAPSHOT_CANDLES };
                let newest = candles(tape, interval, span, now);
                out.data(tape.name(), frames::candles("snapshot", symbol, minutes, &newest, now.millis));
            }
            (Channel::Ticker, _) => {
                if let Some(ticker) = frames::ticker("snapshot", symbol, tape) {
                    out.data(tape.name(), ticker);
                }
            }
            _ => {
                let newest = tape.trades().len().saturating_sub(SNAPSHOT_TRADES);
                let newest: Vec<&Trade> = tape.trades().range(newest..).collect();
                out.data(tape.name(), frames::trades("snapshot", symbol, &newest));
            }
        }
    }

    /// What has happened since last time, as far as it fits into a batch.
    fn tell(&mut self, tape: &Tape, now: Moment, out: &mut Outbox) -> Result<(), Cut> {
        let news: Vec<&Trade> = tape.from(self.cursor).ok_or(TOO_SLOW)?.take(stream::BATCH).collect();
        self.cursor += news.len() as u64;
        match self.channel {
            Channel::Trade => {
                for together in news.chunks(TOGETHER) {
                    out.data(tape.name(), frames::trades("update", &self.symbol, together));
                }
            }
            Channel::Ticker => {
                let ticker = frames::ticker("update", &self.symbol, tape).filter(|_| !news.is_empty());
                ticker.into_iter().for_each(|ticker| out.data(tape.name(), ticker));
            }
            Channel::Candles { minutes } => self.tell_candles(minutes, &news, tape, now, out),
        }
        Ok(())
    }

    /// Candles that have ended, in their final form, and the one that is forming.
    fn tell_candles(&mut self, minutes: i64, news: &[&Trade], tape: &Tape, now: Moment, out: &mut Outbox) {
        let Some(forming) = &mut self.forming else { return };
        let mut told: Vec<_> = news.iter().flat_map(|trade| forming.take(trade)).collect();
        if tape.lives_now() {
            told.extend(forming.end_before(forming.interval.open_of(now.millis)));
        }
        if tape.recorded_interval() == Some(forming.interval) {
            let made = &tape.candles_made()[self.recorded..];
            self.recorded += made.len();
            told.extend(made);
        }
        told.extend(forming.news(now.elapsed, CANDLE_EVERY));
        for candle in told {
            out.data(tape.name(), frames::candles("update", &self.symbol, minutes, &[candle], now.millis));
        }
    }
}

impl Dialect for KrakenStreams {
    fn exchange(&self) -> &'static str {
        "kraken"
    }

    fn manners(&self) -> Manners {
        Manners { pings: false, lifetime: None, subscribe_within: None, messages_per_second: None }
    }

    fn greet(&mut self, sim: &Sim, out: &mut Outbox) -> Result<(), Cut> {
        // Larger than any signed number, as the real ones are.
        let connection = u64::MAX / 2 + sim.streams.opened_total();
        out.note(format!(
            r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.0","system":"online","api_version":"v2","connection_id":{connection}}}]}}"#
        ));
        self.spoke = sim.moment().elapsed;
        Ok(())
    }

    fn hear(&mut self, text: &str, sim: &Sim, acks: Acks, out: &mut Outbox) -> Result<(), Cut> {
        let now_millis = sim.now_millis();
        let Control { req_id, method } = match Control::read(text, now_millis) {
            Ok(control) => control,
            Err(refusal) => {
                out.note(refusal);
                return Ok(());
            }
        };
        let answer = |method| Answer { method, req_id, now_millis };
        match method {
            Method::Ping => out.note(answer("pong").pong()),
            Method::Subscribe(wanted) | Method::Unsubscribe(wanted) if acks == Acks::Refused => {
                for symbol in &wanted.symbols {
                    out.note(
                        answer("subscribe").refused("EService:Refused by a scripted fault", Some(symbol)),
                    );
                }
            }
            Method::Subscribe(wanted) => self.subscribe(&wanted, answer("subscribe"), sim, out),
            Method::Unsubscribe(wanted) => self.unsubscribe(&wanted, answer("unsubscribe"), out),
        }
        Ok(())
    }

    fn speak(&mut self, now: Moment, market: &mut Market, out: &mut Outbox) -> Result<bool, Cut> {
        let mut more = false;
        for feed in &mut self.feeds {
            more |= follow(market, feed.place, now, |tape| {
                feed.tell(tape, now, out)?;
                Ok(feed.cursor)
            })?;
        }
        if !out.frames.is_empty() {
            self.spoke = now.elapsed;
        } else if !self.feeds.is_empty() && now.elapsed.saturating_sub(self.spoke) >= SILENCE {
            self.spoke = now.elapsed;
            out.note(r#"{"channel":"heartbeat"}"#);
        }
        Ok(more)
    }

    fn has_subscribed(&self) -> bool {
        !self.feeds.is_empty()
    }

    fn shutdown_notice(&self, _now: Moment) -> Option<String> {
        let notice = r#"{"channel":"status","type":"update","data":[{"version":"2.0.0","system":"maintenance","api_version":"v2","connection_id":1}]}"#;
        Some(notice.to_owned())
    }

    fn unknown_message(&self, _now: Moment) -> String {
        r#"{"channel":"something_new","type":"update","data":[{"symbol":"BTC/USD","n":1}]}"#.to_owned()
    }
}
