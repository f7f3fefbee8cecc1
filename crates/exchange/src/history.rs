//! History: what was traded before, page by page.
//!
//! A question makes its [`Request`] and reads the [`Answer`]; the page says what to ask next, until nothing is left:
//!
//! ```
//! # use pricepipe_core::{Exchange, Timestamp};
//! # use pricepipe_exchange::{Answer, Refusal, Request, history::{From, Page, Trades}};
//! fn replay(start: Timestamp, get: impl Fn(Request) -> Vec<u8>) -> Result<(), Refusal> {
//!     let mut from = Some(From::Moment(start));
//!     while let Some(next) = from {
//!         let question = Trades { exchange: Exchange::Kraken, aggregate: false, market: "BTC/USD", from: next };
//!         let body = get(question.request());
//!         let answer = Answer { status: 200, headers: &Default::default(), body: &body, received: start };
//!         let Page { records, next, .. } = question.read(&answer)?;
//!         println!("{} trades", records.len());
//!         from = next;
//!     }
//!     Ok(())
//! }
//! ```

mod binance;
mod coinbase;
mod kraken;

use pricepipe_core::{Details, Exchange, KlineInterval, Timestamp, identity::Event, message::Kline};
use serde_json::value::RawValue;

use crate::{Answer, BadRecord, Record, Refusal, Request, raw};

/// Which trades are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Those from this number on. With the moment of this trade or of one shortly before it, where that is known: Kraken
    /// pages by time, and without it begins with the first trade ever.
    Number(u64, Option<Timestamp>),
    /// Those from this moment on. The first pages may bring nothing: they look for the number.
    Moment(Timestamp),
    /// A step on the way to a moment, among the trades from `low` on and before `high`. Only a page makes it.
    Between {
        /// The moment.
        moment: Timestamp,
        /// Everything before this number is older.
        low: u64,
        /// This number is not older.
        high: u64,
    },
    /// Where a page ended, in the exchange's own count. Only a page makes it.
    Cursor(u64),
}

/// Trades of a market, or aggregate trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trades<'a> {
    /// The exchange.
    pub exchange: Exchange,
    /// True for aggregate trades, which Binance alone has.
    pub aggregate: bool,
    /// The market as streams call it.
    pub market: &'a str,
    /// Which ones.
    pub from: From,
}

/// Candles of a market that begin from `start` on and before `end`; as many of the first as the exchange gives at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Klines<'a> {
    /// The exchange.
    pub exchange: Exchange,
    /// The market as streams call it.
    pub market: &'a str,
    /// How long they last; one of those that the exchange offers.
    pub interval: KlineInterval,
    /// The first moment at which a candle may begin.
    pub start: Timestamp,
    /// The moment at which none begins any more.
    pub end: Timestamp,
}

/// A page of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<Next> {
    /// The observations that were asked for, the oldest first. What a [`From::Cursor`] brings may begin with some that
    /// came before: their numbers tell.
    pub records: Vec<Record>,
    /// What could not be used, and why.
    pub rejected: Vec<BadRecord>,
    /// Where to go on; `None` when nothing is left.
    pub next: Option<Next>,
    /// True when the exchange does not hold any more what comes before these records, so that the beginning of what was
    /// asked for cannot be had. Kraken keeps 720 candles of an interval.
    pub begins_late: bool,
}

impl Trades<'_> {
    /// What to ask.
    pub fn request(&self) -> Request {
        match self.exchange {
            Exchange::Binance => binance::trades(self),
            Exchange::Coinbase => coinbase::trades(self),
            Exchange::Kraken => kraken::trades(self),
        }
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// An answer that is no page.
    pub fn read(&self, answer: &Answer<'_>) -> Result<Page<From>, Refusal> {
        let mut page = match self.exchange {
            Exchange::Binance => binance::read_trades(self, answer),
            Exchange::Coinbase => coinbase::read_trades(self, answer),
            Exchange::Kraken => kraken::read_trades(self, answer),
        }?;
        page.records.retain(|record| match self.from {
            From::Number(number, _) => record.event.number() >= Some(number),
            From::Moment(moment) | From::Between { moment, .. } => record.time >= Some(moment),
            From::Cursor(_) => true,
        });
        page.next = page.next.filter(|next| next.is_after(self.from));
        Ok(page)
    }
}

impl Klines<'_> {
    /// What to ask.
    pub fn request(&self) -> Request {
        match self.exchange {
            Exchange::Binance => binance::klines(self),
            Exchange::Coinbase => coinbase::klines(self),
            Exchange::Kraken => kraken::klines(self),
        }
    }

    /// Reads the answer; `next` is the `start` to go on with. A candle that is not over yet is left out: it may still
    /// change. Whether it is over is a question of the exchange's clock, and of `now` where the answer does not tell that.
    ///
    /// # Errors
    /// An answer that is no page.
    pub fn read(&self, now: Timestamp, answer: &Answer<'_>) -> Result<Page<Timestamp>, Refusal> {
        let now = answer.sent().unwrap_or(now);
        let mut page = match self.exchange {
            Exchange::Binance => binance::read_klines(self, now, answer),
            Exchange::Coinbase => coinbase::read_klines(self, answer),
            Exchange::Kraken => kraken::read_klines(self, answer),
        }?;
        let asked = Some(self.start)..Some(self.end);
        page.records.retain(|record| asked.contains(&record.time) && self.is_over(record.time, now));
        page.next = page.next.filter(|next| *next > self.start && *next < self.end && *next <= now);
        Ok(page)
    }

    /// Whether the candle that begins then is over. How long a month is, is not told by the interval.
    fn is_over(&self, begin: Option<Timestamp>, now: Timestamp) -> bool {
        let Some((begin, length)) = begin.zip(self.interval.as_millis()) else { return true };
        begin.as_millis().saturating_add(length) <= now.as_millis()
    }
}

impl From {
    /// Whether going on from here after `asked` asks for something new, so that no answer makes anybody ask for ever.
    fn is_after(&self, asked: From) -> bool {
        match (asked, *self) {
            (From::Number(asked, _), From::Number(next, _)) => next > asked,
            (From::Cursor(asked), From::Cursor(next)) => next > asked,
            (From::Between { low, high, .. }, From::Between { low: next_low, high: next_high, .. }) => {
                next_high.saturating_sub(next_low) < high.saturating_sub(low)
            }
            _ => true,
        }
    }
}

impl<Next> Default for Page<Next> {
    fn default() -> Self {
        Page { records: Vec::new(), rejected: Vec::new(), next: None, begins_late: false }
    }
}

/// Reads every row by itself: a bad one spoils no other, and one that is none of ours is `None`. The oldest comes first,
/// whatever their order.
fn page<'a, Next>(
    rows: impl IntoIterator<Item = &'a RawValue>,
    read: impl Fn(&'a str) -> Result<Option<Record>, BadRecord>,
) -> Page<Next> {
    let mut page = Page::default();
    for row in rows {
        match read(row.get()) {
            Ok(record) => page.records.extend(record),
            Err(bad) => page.rejected.push(bad),
        }
    }
    page.records.sort_by_key(|record| (record.event.number(), record.time));
    page
}

/// A final candle: open, high, low and close.
fn kline(
    asked: &Klines<'_>,
    begin: Timestamp,
    prices: [&RawValue; 4],
    volume: &RawValue,
) -> Result<Record, BadRecord> {
    let [open, high, low, close] = prices.map(|text| raw::price(Some(text)));
    let interval = asked.interval;
    let (close, volume) = (close?, raw::quantity(Some(volume))?);
    let kline = Kline { interval, open: open?, high: high?, low: low?, close, volume, closed: true };
    Ok(Record {
        market: asked.market.to_owned(),
        price: close,
        details: Details::Kline(Box::new(kline)),
        event: Event::Kline(interval, begin),
        time: Some(begin),
    })
}

#[cfg(test)]
mod tests;
