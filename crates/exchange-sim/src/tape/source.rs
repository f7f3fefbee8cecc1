//! What makes the rows of a tape, and how many have gone by. Pure; elapsed time is an argument.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use pricepipe_core::Symbol;

use super::clockwork::Clockwork;
use crate::{
    candle::Candle,
    config::{Start, TapePace, TradeFlow},
    digits::Digits,
    interval::Interval,
    trade::{Side, Trade},
    walk::{Walk, seed_of},
};

pub(super) const NANOS_PER_SECOND: f64 = 1e9;
/// The decimals of a quantity that is made up, as Binance writes them.
const QUANTITY_SCALE: u8 = 8;
/// Quantities are multiples of this, so that many end with zeros, as real ones do.
const QUANTITY_STEP: u64 = 1_000;

/// What makes the rows of a tape.
#[derive(Debug)]
pub(crate) enum Rows {
    Walk(WalkTrades),
    /// Those of the clock, from the one with this number on.
    Clockwork(Clockwork, u64),
    Trades(Arc<[Trade]>),
    Klines(Arc<[Candle]>),
}

impl Rows {
    /// The row with this number, counted from 0, when it is a trade and there is one.
    pub(super) fn trade(&mut self, number: u64, began_nanos: i64) -> Option<Trade> {
        match self {
            Rows::Walk(walk) => Some(walk.next(number, began_nanos)),
            Rows::Clockwork(clockwork, first) => Some(clockwork.trade(*first + number)),
            Rows::Trades(trades) => trades.get(usize::try_from(number).ok()?).copied(),
            Rows::Klines(_) => None,
        }
    }

    /// How many rows there are.
    pub(super) fn count(&self) -> u64 {
        match self {
            Rows::Walk(_) | Rows::Clockwork(..) => u64::MAX,
            Rows::Trades(trades) => trades.len() as u64,
            Rows::Klines(candles) => candles.len() as u64,
        }
    }

    /// The first price of a recording.
    pub(super) fn first_price(&self) -> Option<Digits> {
        match self {
            Rows::Walk(_) | Rows::Clockwork(..) => None,
            Rows::Trades(trades) => trades.first().map(|trade| trade.price),
            Rows::Klines(candles) => candles.first().map(|candle| candle.open),
        }
    }

    /// When a row happened, in milliseconds.
    fn time_millis(&self, number: usize) -> Option<i64> {
        match self {
            Rows::Walk(_) | Rows::Clockwork(..) => None,
            Rows::Trades(trades) => trades.get(number).map(Trade::time_millis),
            Rows::Klines(candles) => candles.get(number).map(|candle| candle.open_millis),
        }
    }

    /// How many rows have happened by a time of the recording.
    fn until(&self, millis: i64) -> u64 {
        let count = match self {
            Rows::Walk(_) | Rows::Clockwork(..) => 0,
            Rows::Trades(trades) => trades.partition_point(|trade| trade.time_millis() <= millis),
            Rows::Klines(candles) => candles.partition_point(|candle| candle.open_millis <= millis),
        };
        count as u64
    }

    /// The shortest time between two recorded candles.
    pub(super) fn interval(&self) -> Option<Interval> {
        let Rows::Klines(candles) = self else { return None };
        let between = candles.windows(2).map(|pair| pair[1].open_millis - pair[0].open_millis);
        Some(Interval::Millis(between.filter(|millis| *millis > 0).min().unwrap_or(60_000)))
    }
}

/// How many rows have gone by.
#[derive(Debug)]
pub(super) struct Clock {
    pace: TapePace,
    past: u64,
    /// How much of the time to the next row had passed when it began.
    lead: f64,
    /// When it began to run, after the start of the exchange.
    began: Option<Duration>,
    pulled: u64,
}

impl Clock {
    pub(super) fn new(pace: TapePace, start: Start, past: usize) -> Self {
        let began = (start == Start::AtOnce).then_some(Duration::ZERO);
        Clock { pace, past: past as u64, lead: 0.0, began, pulled: 0 }
    }

    /// A clock that began when so much of the time to the next row had passed.
    pub(super) fn with_lead(per_second: f64, past: u64, lead: f64) -> Self {
        let pace = TapePace::PerSecond(per_second);
        Clock { pace, past, lead, began: Some(Duration::ZERO), pulled: 0 }
    }

    pub(super) fn start(&mut self, elapsed: Duration) {
        self.began.get_or_insert(elapsed);
    }

    pub(super) fn began_nanos(&self) -> i64 {
        self.began.map_or(0, |began| i64::try_from(began.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Goes forward, if it does so as it is read.
    pub(super) fn pull(&mut self, count: u64) -> bool {
        let as_read = self.pace == TapePace::AsRead && self.began.is_some();
        self.pulled += if as_read { count } else { 0 };
        as_read
    }

    /// How many rows have gone by in all.
    pub(super) fn due(&self, elapsed: Duration, rows: &Rows) -> u64 {
        let Some(began) = self.began else { return self.past };
        let running = elapsed.saturating_sub(began).as_secs_f64();
        let due = match self.pace {
            TapePace::AsRead => self.past + self.pulled,
            TapePace::PerSecond(rate) => self.past + (running * rate + self.lead) as u64,
            TapePace::Speed(factor) => {
                let first = rows.time_millis(self.past as usize).unwrap_or(i64::MAX);
                rows.until(first.saturating_add((running * factor * 1_000.0) as i64)).max(self.past)
            }
        };
        due.min(rows.count())
    }
}

/// Trades along a random walk, one after the other.
#[derive(Debug)]
pub(crate) struct WalkTrades {
    walk: Walk,
    random: Rng,
    first_id: u64,
    past: i64,
    started_nanos: i64,
    nanos_between: f64,
}

impl WalkTrades {
    pub(super) fn new(seed: u64, symbol: &Symbol, flow: &TradeFlow, started_millis: i64) -> Self {
        let own = seed_of(seed, symbol);
        WalkTrades {
            walk: Walk::new(seed, symbol),
            random: Rng::with_seed(own.rotate_left(32)),
            first_id: first_id(own),
            past: i64::try_from(flow.past).unwrap_or(i64::MAX),
            started_nanos: started_millis.saturating_mul(1_000_000),
            nanos_between: NANOS_PER_SECOND / if flow.per_second > 0.0 { flow.per_second } else { 1.0 },
        }
    }

    pub(super) fn first_id(&self) -> u64 {
        self.first_id
    }

    fn next(&mut self, number: u64, began_nanos: i64) -> Trade {
        self.walk.step();
        let after_start = (number as i64 - self.past + 1) as f64 * self.nanos_between;
        let began = if after_start > 0.0 { began_nanos } else { 0 };
        Trade {
            id: self.first_id + number,
            time_nanos: self.started_nanos + began + after_start as i64,
            price: self.walk.digits(),
            quantity: quantity(&mut self.random),
            side: if self.random.bool() { Side::Buy } else { Side::Sell },
        }
    }
}

/// Different for each symbol, and of as many digits as real ones.
pub(super) fn first_id(own: u64) -> u64 {
    100_000_000 + own % 900_000_000
}

/// A quantity that is made up.
pub(super) fn quantity(random: &mut Rng) -> Digits {
    Digits::new(random.u64(1..=2_000_000) * QUANTITY_STEP, QUANTITY_SCALE)
}
