//! Kraken's history: trades and candles since a moment. Pure.

use std::collections::HashMap;

use super::{INVALID_ARGUMENTS, Refusal};
use crate::{
    candle::Candle,
    history::{Span, candles},
    interval::Interval,
    tape::{Moment, Tape},
    times,
    trade::Side,
};

const MOST_TRADES: usize = 1_000;
const MOST_CANDLES: usize = 720;
/// The lengths of candles, in minutes.
const MINUTES: &[i64] = &[1, 5, 15, 30, 60, 240, 1_440, 10_080, 21_600];
/// A `since` above this is in nanoseconds, as `last` gives it; below, in seconds.
const LARGEST_SECONDS: i64 = 100_000_000_000;

/// What of the past is asked for.
#[derive(Debug)]
pub(super) struct Past {
    since: i64,
    count: usize,
    minutes: i64,
}

impl Past {
    pub(super) fn read(query: &HashMap<String, String>) -> Result<Past, Refusal> {
        let number = |name: &str, or: i64| match query.get(name) {
            None => Ok(or),
            Some(text) => text.parse::<i64>().map_err(|_| INVALID_ARGUMENTS),
        };
        let (since, count, minutes) =
            (number("since", 0)?, number("count", MOST_TRADES as i64)?, number("interval", 1)?);
        if since < 0 || !(1..=MOST_TRADES as i64).contains(&count) || !MINUTES.contains(&minutes) {
            return Err(INVALID_ARGUMENTS);
        }
        Ok(Past { since, count: count as usize, minutes })
    }

    /// The trades after `since`, the oldest first, or the newest ones without it; and the `last` to go on from.
    pub(super) fn trades(&self, tape: &Tape) -> (Vec<String>, String) {
        let since = if self.since < LARGEST_SECONDS { self.since * 1_000_000_000 } else { self.since };
        // Told one by one: a trade whose time is wrong must not hide others from a search by halves.
        let found: Vec<_> = match self.since {
            0 => tape.trades().range(tape.trades().len().saturating_sub(self.count)..).collect(),
            _ => tape.trades().iter().filter(|trade| trade.time_nanos > since).take(self.count).collect(),
        };
        let last = found.last().map_or(since, |trade| trade.time_nanos);
        let rows = found.into_iter().map(|trade| {
            let side = if trade.side == Side::Buy { 'b' } else { 's' };
            let (price, volume, time, id) =
                (trade.price, trade.quantity, times::seconds(trade.time_nanos), trade.id);
            format!(r#"["{price}","{volume}",{time},"{side}","l","",{id}]"#)
        });
        (rows.collect(), format!(r#""{last}""#))
    }

    /// The newest candles after `since`. The last of them is still forming; `last` is the one before it.
    pub(super) fn candles(&self, tape: &Tape, now: Moment) -> (Vec<String>, String) {
        let since = if self.since < LARGEST_SECONDS { self.since * 1_000 } else { self.since / 1_000_000 };
        let interval = Interval::Millis(self.minutes * 60_000);
        let found = candles(tape, interval, Span { from: None, to: None, most: MOST_CANDLES }, now);
        let last = found.len().checked_sub(2).map_or(self.since, |before| found[before].open_millis / 1_000);
        let wanted = found.iter().filter(|candle| candle.open_millis > since || self.since == 0);
        (wanted.map(row).collect(), last.to_string())
    }
}

fn row(candle: &Candle) -> String {
    let Candle { open, high, low, close, volume, trades, .. } = candle;
    let average =
        candle.quote_volume.over(*volume).map_or_else(|| "0".to_owned(), |average| average.to_string());
    let seconds = candle.open_millis / 1_000;
    format!(r#"[{seconds},"{open}","{high}","{low}","{close}","{average}","{volume}",{trades}]"#)
}
