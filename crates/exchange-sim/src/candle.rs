//! Candles, made of trades or recorded, and one that is still forming. Pure; the clock is an argument.

use std::time::Duration;

use crate::{
    digits::{Digits, Sum},
    interval::Interval,
    trade::{Side, Trade},
};

/// The most empty candles that are told at once between two trades.
const MAX_EMPTY: usize = 1_000;

/// Open, high, low, close and volume of some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candle {
    pub(crate) open_millis: i64,
    pub(crate) open: Digits,
    pub(crate) high: Digits,
    pub(crate) low: Digits,
    pub(crate) close: Digits,
    pub(crate) volume: Sum,
    /// The volume in the quote asset.
    pub(crate) quote_volume: Sum,
    /// What takers bought, in the base asset and in the quote asset.
    pub(crate) taker_volume: Sum,
    pub(crate) taker_quote_volume: Sum,
    pub(crate) trades: u64,
    /// The ids of its first and last trade, when it has any.
    pub(crate) ids: Option<(u64, u64)>,
}

impl Candle {
    /// A candle in which nothing was traded.
    pub(crate) fn flat(open_millis: i64, price: Digits) -> Self {
        Candle {
            open_millis,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Sum::of(Digits::new(0, 8)),
            quote_volume: Sum::of(Digits::new(0, 8)),
            taker_volume: Sum::of(Digits::new(0, 8)),
            taker_quote_volume: Sum::of(Digits::new(0, 8)),
            trades: 0,
            ids: None,
        }
    }

    /// Its first trade makes it.
    pub(crate) fn of(open_millis: i64, trade: &Trade) -> Self {
        let mut candle = Candle { volume: Sum::default(), ..Candle::flat(open_millis, trade.price) };
        candle.add(trade);
        candle
    }

    pub(crate) fn add(&mut self, trade: &Trade) {
        if self.trades == 0 {
            (self.open, self.high, self.low) = (trade.price, trade.price, trade.price);
        }
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        self.volume.add(trade.quantity);
        self.quote_volume.add_product(trade.price, trade.quantity);
        if trade.side == Side::Buy {
            self.taker_volume.add(trade.quantity);
            self.taker_quote_volume.add_product(trade.price, trade.quantity);
        }
        self.trades += 1;
        self.ids = Some((self.ids.map_or(trade.id, |(first, _)| first), trade.id));
    }

    /// Makes one candle of itself and the one that follows it.
    pub(crate) fn join(&mut self, next: &Candle) {
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.volume.plus(next.volume);
        self.quote_volume.plus(next.quote_volume);
        self.taker_volume.plus(next.taker_volume);
        self.taker_quote_volume.plus(next.taker_quote_volume);
        self.trades += next.trades;
        self.ids = match (self.ids, next.ids) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (ours, theirs) => ours.or(theirs),
        };
    }
}

/// The candle of a stream that is still forming, and those that it leaves behind.
#[derive(Clone, Debug)]
pub(crate) struct Forming {
    pub(crate) interval: Interval,
    candle: Option<Candle>,
    told: Option<Duration>,
    changed: bool,
}

impl Forming {
    /// Goes on from the candle that has formed so far.
    pub(crate) fn new(interval: Interval, candle: Option<Candle>) -> Self {
        Forming { interval, candle, told: None, changed: candle.is_some() }
    }

    /// Adds a trade. Gives the candles that it ends.
    pub(crate) fn take(&mut self, trade: &Trade) -> Vec<Candle> {
        let open = self.interval.open_of(trade.time_millis());
        let ended = self.end_before(open);
        match &mut self.candle {
            Some(candle) if candle.open_millis >= open => candle.add(trade),
            candle => {
                *candle = Some(Candle::of(open, trade));
                self.told = None;
            }
        }
        self.changed = true;
        ended
    }

    /// Ends the candles whose time is over, traded or not.
    pub(crate) fn end_before(&mut self, open: i64) -> Vec<Candle> {
        let mut ended = Vec::new();
        while let Some(candle) = self.candle.filter(|candle| candle.open_millis < open) {
            if ended.len() < MAX_EMPTY {
                ended.push(candle);
            }
            let next = self.interval.after(candle.open_millis);
            self.candle = (next <= open).then(|| Candle::flat(next, candle.close));
            self.told = None;
        }
        ended
    }

    /// The candle, when it has changed and was not told for so long.
    pub(crate) fn news(&mut self, now: Duration, every: Duration) -> Option<Candle> {
        let due = self.told.is_none_or(|told| now.saturating_sub(told) >= every);
        let candle = self.candle.filter(|_| self.changed && due)?;
        (self.told, self.changed) = (Some(now), false);
        Some(candle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(id: u64, millis: i64, price: &str) -> Trade {
        Trade {
            id,
            time_nanos: millis * 1_000_000,
            price: price.parse().unwrap(),
            quantity: "2.0".parse().unwrap(),
            side: Side::Buy,
        }
    }

    #[test]
    fn a_trade_ends_the_candle_before_it_and_the_empty_ones_between() {
        let mut forming = Forming::new(Interval::Millis(60_000), None);
        assert!(forming.take(&trade(1, 60_000, "10.0")).is_empty());
        assert!(forming.take(&trade(2, 61_000, "12.0")).is_empty());
        let ended = forming.take(&trade(3, 185_000, "11.0"));
        let opens: Vec<_> = ended.iter().map(|c| (c.open_millis, c.trades, c.close.to_string())).collect();
        assert_eq!(opens, [(60_000, 2, "12.0".to_owned()), (120_000, 0, "12.0".to_owned())]);
        assert_eq!((ended[0].open.to_string(), ended[0].volume.to_string()), ("10.0".into(), "4.0".into()));
        assert_eq!(ended[0].quote_volume.to_string(), "44.00000000");
        assert_eq!(ended[0].ids, Some((1, 2)));
        let every = Duration::from_secs(2);
        assert_eq!(forming.news(Duration::from_secs(9), every).unwrap().open_millis, 180_000);
        assert_eq!(forming.news(Duration::from_secs(99), every), None);
    }

    #[test]
    fn the_clock_ends_a_candle_without_a_trade() {
        let mut forming = Forming::new(Interval::Millis(1_000), None);
        forming.take(&trade(1, 1_500, "10.0"));
        let ended = forming.end_before(3_000);
        assert_eq!(
            ended.iter().map(|c| (c.open_millis, c.trades)).collect::<Vec<_>>(),
            [(1_000, 1), (2_000, 0)]
        );
        assert!(forming.end_before(3_000).is_empty());
        let ended = forming.take(&trade(2, 4_000, "9.0"));
        assert_eq!(ended.iter().map(|c| (c.open_millis, c.trades)).collect::<Vec<_>>(), [(3_000, 0)]);
    }
}
