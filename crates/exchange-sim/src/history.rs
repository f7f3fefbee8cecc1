//! Candles of the past, from the trades or the candles of a tape. Pure.

use crate::{
    candle::Candle,
    interval::Interval,
    tape::{Moment, Tape},
};

/// Which candles are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// None opens before this; without it, the newest ones are wanted.
    pub(crate) from: Option<i64>,
    /// None opens after this.
    pub(crate) to: Option<i64>,
    /// The most that are wanted.
    pub(crate) most: usize,
}

/// The candles of a span, the oldest first. The last one may still be forming.
pub(crate) fn candles(tape: &Tape, interval: Interval, span: Span, now: Moment) -> Vec<Candle> {
    match tape.recorded_interval() {
        Some(recorded) => from_candles(tape.candles_made(), recorded, interval, span),
        None => from_trades(tape, interval, span, now),
    }
}

fn from_trades(tape: &Tape, interval: Interval, span: Span, now: Moment) -> Vec<Candle> {
    let Some(first) = tape.trades().front() else { return Vec::new() };
    let newest = interval.open_of(span.to.unwrap_or(i64::MAX / 2).min(tape.now_millis(now)));
    let wanted = match span.from {
        Some(from) if interval.open_of(from) == from => from,
        Some(from) => interval.after(interval.open_of(from)),
        None => interval.before(newest, span.most as i64 - 1),
    };
    let mut open = wanted.max(interval.open_of(first.time_millis()));
    let start = tape.position(|trade| trade.time_millis() < open);
    let mut price =
        start.checked_sub(1).and_then(|before| tape.trades().get(before)).map(|trade| trade.price);
    let mut trades = tape.trades().range(start..).peekable();
    let mut candles = Vec::new();
    while open <= newest && candles.len() < span.most {
        let next = interval.after(open);
        let mut candle: Option<Candle> = price.map(|price| Candle::flat(open, price));
        while let Some(trade) = trades.next_if(|trade| trade.time_millis() < next) {
            match &mut candle {
                Some(candle) => candle.add(trade),
                None => candle = Some(Candle::of(open, trade)),
            }
        }
        price = candle.map(|candle| candle.close);
        candles.extend(candle);
        open = next;
    }
    candles
}

fn from_candles(made: &[Candle], recorded: Interval, wanted: Interval, span: Span) -> Vec<Candle> {
    let joined = if recorded == wanted { made.to_vec() } else { join(made, recorded, wanted) };
    let begin = span.from.map_or(0, |from| joined.partition_point(|candle| candle.open_millis < from));
    let end = span.to.map_or(joined.len(), |to| joined.partition_point(|candle| candle.open_millis <= to));
    let found = &joined[begin.min(end)..end];
    let skipped = if span.from.is_some() { 0 } else { found.len().saturating_sub(span.most) };
    found[skipped..].iter().take(span.most).copied().collect()
}

/// Longer candles from shorter ones; none when they do not fit.
fn join(made: &[Candle], recorded: Interval, wanted: Interval) -> Vec<Candle> {
    let fits = match (recorded, wanted) {
        (Interval::Millis(short), Interval::Millis(long)) => long % short == 0,
        (Interval::Millis(_), Interval::Week | Interval::Month) => true,
        _ => false,
    };
    let mut joined: Vec<Candle> = Vec::new();
    for candle in made.iter().filter(|_| fits) {
        let open = wanted.open_of(candle.open_millis);
        match joined.last_mut().filter(|last| last.open_millis == open) {
            Some(last) => last.join(candle),
            None => joined.push(Candle { open_millis: open, ..*candle }),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{config::TapePlayback, recording::Recording};

    const NOW: Moment = Moment { elapsed: Duration::ZERO, millis: 1_700_000_000_000 };

    fn past(text: &str) -> Tape {
        let recording = Recording::from_reader("test", text.as_bytes()).unwrap();
        let mut tape = Tape::playback(&TapePlayback::past("BTCUSDT".parse().unwrap(), recording));
        tape.advance(NOW);
        tape
    }

    fn opens(
        tape: &Tape,
        length: i64,
        from: Option<i64>,
        to: Option<i64>,
        most: usize,
    ) -> Vec<(i64, String)> {
        let candles = candles(tape, Interval::Millis(length), Span { from, to, most }, NOW);
        candles.iter().map(|candle| (candle.open_millis, candle.close.to_string())).collect()
    }

    fn expect(pairs: &[(i64, &str)]) -> Vec<(i64, String)> {
        pairs.iter().map(|(open, close)| (*open, (*close).to_owned())).collect()
    }

    #[test]
    fn trades_make_candles_and_silence_makes_flat_ones() {
        let tape = past(
            "id,time_ms,price,quantity,side\n1,1000,0.10,1,buy\n2,1900,0.20,1,buy\n3,4000,0.30,1,sell\n4,5000,0.40,1,buy\n",
        );
        let all =
            expect(&[(1_000, "0.20"), (2_000, "0.20"), (3_000, "0.20"), (4_000, "0.30"), (5_000, "0.40")]);
        assert_eq!(opens(&tape, 1_000, Some(0), None, 100), all);
        assert_eq!(opens(&tape, 1_000, None, None, 2), all[3..]);
        assert_eq!(opens(&tape, 1_000, Some(1_500), None, 2), all[1..3]);
        assert_eq!(opens(&tape, 1_000, Some(2_000), Some(3_999), 100), all[1..3]);
        assert_eq!(opens(&tape, 1_000, None, Some(3_999), 2), all[1..3]);
        assert_eq!(opens(&tape, 4_000, None, None, 100), expect(&[(0, "0.20"), (4_000, "0.40")]));
        assert_eq!(opens(&tape, 1_000, Some(6_000), None, 100), []);
    }

    #[test]
    fn recorded_candles_are_told_as_they_are_or_joined() {
        let tape = past(
            "open_time_ms,open,high,low,close,volume\n60000,1.0,3.0,0.5,2.0,10.5\n120000,2.0,2.5,1.5,2.4,1\n\
             180000,2.4,9.0,2.0,8.0,2\n",
        );
        let all = expect(&[(60_000, "2.0"), (120_000, "2.4"), (180_000, "8.0")]);
        assert_eq!(opens(&tape, 60_000, Some(60_000), None, 2), all[..2]);
        assert_eq!(opens(&tape, 60_000, None, None, 2), all[1..]);
        let joined = candles(&tape, Interval::Millis(120_000), Span { from: None, to: None, most: 9 }, NOW);
        assert_eq!(joined.iter().map(|c| c.open_millis).collect::<Vec<_>>(), [0, 120_000]);
        let last = joined[1];
        assert_eq!((last.high.to_string(), last.volume.to_string()), ("9.0".to_owned(), "3".to_owned()));
        assert_eq!(opens(&tape, 90_000, None, None, 9), []);
    }
}
