//! Where a market's history is being read, page by page, and what of a page is new. Pure.

use std::ops::Range;

use pricepipe_core::{Exchange, KlineInterval, Timestamp, identity::Event, replay};
use pricepipe_exchange::{
    Answer, BadRecord, Record, Refusal, Request,
    history::{From, Klines, Page, Trades},
};

/// The last observation that an earlier replay has left, and when it happened.
pub type Position = (Event, Timestamp);

/// One market's way from the beginning to the end of what is replayed.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    exchange: Exchange,
    /// The market as streams call it.
    market: String,
    /// The interval of the candles; without it trades are read.
    interval: Option<KlineInterval>,
    range: Range<Timestamp>,
    next: Option<Next>,
    /// The highest number that was given out, or was there before.
    number: Option<u64>,
    /// How far it is.
    reached: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Trades(From),
    Klines(Timestamp),
}

/// An answer that could be read.
#[derive(Debug)]
pub(crate) struct Answered {
    records: Vec<Record>,
    next: Option<Next>,
    /// What could not be used, and why.
    pub(crate) rejected: Vec<BadRecord>,
    /// True when the exchange does not hold any more what comes before the records.
    pub(crate) begins_late: bool,
}

impl Course {
    /// From the beginning, or from behind what an earlier replay has left.
    pub(crate) fn new(
        exchange: Exchange,
        market: String,
        interval: Option<KlineInterval>,
        range: Range<Timestamp>,
        position: Option<Position>,
    ) -> Self {
        let begin = match (interval, position) {
            (None, None) => Next::Trades(From::Moment(range.start)),
            (None, Some((event, time))) => match event.number() {
                Some(number) => Next::Trades(From::Number(number + 1, Some(time))),
                None => Next::Trades(From::Moment(time)),
            },
            (Some(_), None) => Next::Klines(range.start),
            (Some(interval), Some((_, time))) => Next::Klines(after(time, interval)),
        };
        let reached = position.map_or(range.start, |(_, time)| time);
        let number = position.and_then(|(event, _)| event.number());
        let over = reached >= range.end || matches!(begin, Next::Klines(at) if at >= range.end);
        let next = Some(begin).filter(|_| !over);
        let reached = if over { range.end } else { reached };
        Course { exchange, market, interval, range, next, number, reached }
    }

    /// What to ask next; `None` at the end.
    pub(crate) fn request(&self) -> Option<Request> {
        Some(match self.next? {
            Next::Trades(from) => self.trades(from).request(),
            Next::Klines(start) => self.klines(start)?.request(),
        })
    }

    /// Reads the answer to [`Course::request`].
    pub(crate) fn read(&self, answer: &Answer<'_>) -> Result<Answered, Refusal> {
        match self.next {
            Some(Next::Trades(from)) => Ok(answered(self.trades(from).read(answer)?, Next::Trades)),
            Some(Next::Klines(start)) => match self.klines(start) {
                Some(klines) => Ok(answered(klines.read(answer.received, answer)?, Next::Klines)),
                None => Ok(answered(Page::default(), Next::Klines)),
            },
            None => Ok(answered(Page::default(), Next::Klines)),
        }
    }

    /// Goes on behind an answer. Gives what is new of it, the oldest first.
    pub(crate) fn advance(&mut self, answered: Answered) -> Vec<Record> {
        let Answered { mut records, next, .. } = answered;
        self.next = next;
        if records.iter().any(|record| record.time >= Some(self.range.end)) {
            self.next = None;
        }
        records.retain(|record| {
            let inside = record.time.is_none_or(|time| self.range.contains(&time));
            let new = record.event.number().is_none_or(|number| Some(number) > self.number);
            if inside && new {
                self.number = record.event.number().or(self.number);
            }
            inside && new
        });
        self.reached = records.iter().filter_map(|record| record.time).fold(self.reached, Timestamp::max);
        if self.next.is_none() {
            self.reached = self.range.end;
        }
        records
    }

    /// How far it is.
    pub(crate) fn reached(&self) -> Timestamp {
        self.reached
    }

    /// How much of the time lies before a moment, from 0 to 1.
    pub(crate) fn fraction(&self, moment: Timestamp) -> f64 {
        replay::fraction(&self.range, moment)
    }

    /// From when to when, not including that.
    pub(crate) fn range(&self) -> Range<Timestamp> {
        self.range.clone()
    }

    /// The interval of the candles; nothing of trades.
    pub(crate) fn interval(&self) -> Option<KlineInterval> {
        self.interval
    }

    fn trades(&self, from: From) -> Trades<'_> {
        Trades { exchange: self.exchange, aggregate: false, market: &self.market, from }
    }

    fn klines(&self, start: Timestamp) -> Option<Klines<'_>> {
        let interval = self.interval?;
        Some(Klines { exchange: self.exchange, market: &self.market, interval, start, end: self.range.end })
    }
}

/// The first moment at which the next candle may begin. Months differ in length.
fn after(time: Timestamp, interval: KlineInterval) -> Timestamp {
    let length = interval.as_millis().unwrap_or(1);
    Timestamp::from_millis(time.as_millis().saturating_add(length)).unwrap_or(Timestamp::MAX)
}

fn answered<N>(page: Page<N>, next: impl Fn(N) -> Next) -> Answered {
    let Page { records, rejected, next: at, begins_late } = page;
    Answered { records, next: at.map(next), rejected, begins_late }
}

#[cfg(test)]
mod tests;
