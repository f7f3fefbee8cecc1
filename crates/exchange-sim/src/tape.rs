//! The tape of a symbol: every trade, in order, each once. Streams and history read the same one. Pure; the clock
//! is an argument.

mod clockwork;
mod source;

use std::{collections::VecDeque, ops::RangeInclusive, sync::Arc, time::Duration};

use pricepipe_core::Symbol;

use self::source::{Clock, WalkTrades};
pub(crate) use self::{clockwork::Clockwork, source::Rows};
use crate::{
    candle::Candle,
    config::{TapePace, TapePlayback, TradeFlow},
    digits::{Digits, Sum},
    interval::Interval,
    recording::Events,
    trade::Trade,
};

/// The id of an aggregate is not the id of its trade. Counting from here keeps the two apart.
const FIRST_AGGREGATE: u64 = 7_000_001;

/// The trades that happen at once on a tape that goes forward as it is read: whoever is cut off misses no more.
const AT_ONCE: u64 = 128;

/// A moment by two clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Since the exchange started, by the monotonic clock.
    pub(crate) elapsed: Duration,
    /// Since 1970.
    pub(crate) millis: i64,
}

/// What went by since the exchange started, for tickers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day {
    pub(crate) open: Digits,
    pub(crate) high: Digits,
    pub(crate) low: Digits,
    pub(crate) volume: Sum,
    pub(crate) quote_volume: Sum,
    pub(crate) trades: u64,
}

/// Every trade of a symbol that history still holds, and what makes the next one.
#[derive(Debug)]
pub(crate) struct Tape {
    name: Arc<str>,
    rows: Rows,
    clock: Clock,
    /// How many rows have gone by, those included that were lost or passed over.
    made: u64,
    kept: VecDeque<Trade>,
    capacity: usize,
    /// How many trades were ever kept: the cursor of a reader who has read them all.
    pushed: u64,
    first_id: u64,
    last: Option<Trade>,
    day: Option<Day>,
    lost: Vec<RangeInclusive<u64>>,
    to_lose: u64,
    /// The moments at which the next trades are told to have happened.
    mistimed: VecDeque<i64>,
}

impl Tape {
    /// Trades that nobody has recorded, the past ones made at once.
    pub(crate) fn made_up(seed: u64, symbol: &Symbol, flow: &TradeFlow, started_millis: i64) -> Self {
        match Clockwork::new(seed, symbol, flow) {
            Some(clockwork) => Tape::clockwork(clockwork, symbol, flow, started_millis),
            None => Tape::walk(seed, symbol, flow, started_millis),
        }
    }

    /// Trades that follow from the clock.
    fn clockwork(clockwork: Clockwork, symbol: &Symbol, flow: &TradeFlow, started_millis: i64) -> Self {
        let (last, lead) = clockwork.number_at(started_millis);
        let past = (flow.past as u64).min(last);
        let clock = Clock::with_lead(flow.per_second, past, lead);
        let rows = Rows::Clockwork(clockwork, last + 1 - past);
        Tape::new(symbol, clockwork.first_id(), rows, clock, flow.history)
    }

    /// Trades along a random walk.
    fn walk(seed: u64, symbol: &Symbol, flow: &TradeFlow, started_millis: i64) -> Self {
        let walk = WalkTrades::new(seed, symbol, flow, started_millis);
        let clock = Clock::new(TapePace::PerSecond(flow.per_second), flow.start, flow.past);
        Tape::new(symbol, walk.first_id(), Rows::Walk(walk), clock, flow.history)
    }

    /// A recording.
    pub(crate) fn playback(playback: &TapePlayback) -> Self {
        let (rows, first_id) = match playback.recording.events() {
            Events::Trades(trades) => (Rows::Trades(trades.clone()), trades[0].id),
            Events::Klines(candles) => (Rows::Klines(candles.clone()), 1),
        };
        let clock = Clock::new(playback.pace, playback.start, playback.past);
        let mut tape = Tape::new(&playback.symbol, first_id, rows, clock, playback.recording.len());
        tape.lost.clone_from(&playback.lost);
        tape
    }

    fn new(symbol: &Symbol, first_id: u64, rows: Rows, clock: Clock, capacity: usize) -> Self {
        Tape {
            name: symbol.as_str().into(),
            rows,
            clock,
            made: 0,
            kept: VecDeque::new(),
            capacity: capacity.max(1),
            pushed: 0,
            first_id,
            last: None,
            day: None,
            lost: Vec::new(),
            to_lose: 0,
            mistimed: VecDeque::new(),
        }
    }

    /// Lets everything happen that has happened by now.
    pub(crate) fn advance(&mut self, now: Moment) {
        let due = self.clock.due(now.elapsed, &self.rows);
        // Trades that history would have forgotten before anybody could see them are not made up.
        if self.lives_now() {
            self.made = self.made.max(due.saturating_sub(2 * self.capacity as u64));
        }
        self.make_until(due);
    }

    /// Lets some more trades happen, if it goes forward as it is read. True when there may be yet more at once.
    pub(crate) fn pull(&mut self, now: Moment) -> bool {
        let made = self.made;
        if self.clock.pull(AT_ONCE) {
            self.advance(now);
        }
        self.made > made
    }

    /// A subscriber has come. Gives the cursor of one who wants what happens from now on.
    pub(crate) fn subscribe(&mut self, now: Moment) -> u64 {
        self.advance(now);
        self.clock.start(now.elapsed);
        self.pushed
    }

    /// The next trades shall be lost: neither streams nor history will tell them.
    pub(crate) fn lose(&mut self, count: u64) {
        self.to_lose += count;
    }

    /// The next trades shall be told at these moments.
    pub(crate) fn mistime(&mut self, moments: impl IntoIterator<Item = i64>) {
        self.mistimed.extend(moments);
    }

    fn make_until(&mut self, due: u64) {
        while self.made < due {
            let row = self.rows.trade(self.made, self.clock.began_nanos());
            self.made += 1;
            let Some(mut trade) = row else { continue };
            trade.time_nanos = self.mistimed.pop_front().unwrap_or(trade.time_nanos);
            if self.to_lose > 0 {
                self.to_lose -= 1;
            } else if !self.lost.iter().any(|lost| lost.contains(&trade.id)) {
                self.push(trade);
            }
        }
    }

    fn push(&mut self, trade: Trade) {
        let day = self.day.get_or_insert(Day {
            open: trade.price,
            high: trade.price,
            low: trade.price,
            volume: Sum::default(),
            quote_volume: Sum::default(),
            trades: 0,
        });
        day.high = day.high.max(trade.price);
        day.low = day.low.min(trade.price);
        day.volume.add(trade.quantity);
        day.quote_volume.add_product(trade.price, trade.quantity);
        day.trades += 1;
        if self.kept.len() == self.capacity {
            self.kept.pop_front();
        }
        self.kept.push_back(trade);
        self.pushed += 1;
        self.last = Some(trade);
    }

    /// The symbol.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The newest trade.
    pub(crate) fn last(&self) -> Option<&Trade> {
        self.last.as_ref()
    }

    /// The last price; the first one of a recording that has not begun.
    pub(crate) fn price(&self) -> Option<Digits> {
        let candle = || self.candles_made().last().map(|candle| candle.close);
        self.last.map(|trade| trade.price).or_else(candle).or_else(|| self.rows.first_price())
    }

    /// What went by since the exchange started.
    pub(crate) fn day(&self) -> Option<&Day> {
        self.day.as_ref()
    }

    /// The trades that history holds, the oldest first.
    pub(crate) fn trades(&self) -> &VecDeque<Trade> {
        &self.kept
    }

    /// Where in [`Tape::trades`] the first one is for which this is not true any more.
    pub(crate) fn position(&self, before: impl Fn(&Trade) -> bool) -> usize {
        self.kept.partition_point(before)
    }

    /// The cursor of one who has read everything.
    pub(crate) fn end(&self) -> u64 {
        self.pushed
    }

    /// The trades from a cursor on; none when history has forgotten where it stands.
    pub(crate) fn from(&self, cursor: u64) -> Option<impl Iterator<Item = &Trade>> {
        let behind = self.pushed - cursor.min(self.pushed);
        let known = self.kept.len() as u64;
        (behind <= known).then(|| self.kept.range((known - behind) as usize..))
    }

    /// The id of a trade's aggregate. Each trade is its own.
    pub(crate) fn aggregate_id(&self, trade: &Trade) -> u64 {
        trade.id - self.first_id + FIRST_AGGREGATE
    }

    /// The trade of an aggregate.
    pub(crate) fn trade_id(&self, aggregate_id: u64) -> u64 {
        aggregate_id.saturating_sub(FIRST_AGGREGATE).saturating_add(self.first_id)
    }

    /// The recorded candles that have gone by; none on a tape of trades.
    pub(crate) fn candles_made(&self) -> &[Candle] {
        match &self.rows {
            Rows::Klines(candles) => &candles[..candles.len().min(self.made as usize)],
            _ => &[],
        }
    }

    /// How long the recorded candles are, when it plays candles.
    pub(crate) fn recorded_interval(&self) -> Option<Interval> {
        self.rows.interval()
    }

    /// What a candle is up to now: the present for made-up trades, the last row for recorded ones.
    pub(crate) fn now_millis(&self, now: Moment) -> i64 {
        match &self.rows {
            Rows::Walk(_) | Rows::Clockwork(..) => now.millis,
            _ => self.last.map_or(now.millis, |trade| trade.time_millis()),
        }
    }

    /// True when candles end by the clock, and not only by the next trade.
    pub(crate) fn lives_now(&self) -> bool {
        matches!(self.rows, Rows::Walk(_) | Rows::Clockwork(..))
    }
}

#[cfg(test)]
mod tests;
