//! One market of a source: its order, and what is to be asked of history about it. Pure.

use std::{sync::Arc, time::Duration};

use pricepipe_core::{Details, Noticed, Price, Timestamp, config::Stream, identity::Event};
use pricepipe_exchange::{Record, history::From, stream::Topic};

use super::{
    order::{Act, Fate, Fit, Order},
    steps::Steps,
};
use crate::{
    route::Route,
    streams::repair::{Page, Place},
};

/// What looks like a hole may be two frames that overtook each other: history is asked after so long.
const DISORDER: Duration = Duration::from_millis(50);
/// So often history has to tell what comes after a number without that number, until it counts as not there.
const CONFIRMATIONS: u32 = 2;
/// Between two such answers: another of the exchange's servers may be asked meanwhile.
const CONFIRM_AFTER: Duration = Duration::from_secs(1);
/// History that is behind the stream is asked again, first after so long, then after ever more.
const BEHIND: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// History that tells nothing for so many times, or leaves a number out, is asked from an earlier moment on: Kraken's goes by
/// the time, and the last one's may have been wrong by so much.
const SUSPICIOUS: u32 = 3;
const WRONG_CLOCK_MILLIS: i64 = 15 * 60_000;
/// History that tells nothing after a number for so many times, which is a minute, never will.
const MOST_EMPTY_ANSWERS: u32 = 12;

/// An observation on its way, without what all of its market share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) price: Price,
    pub(crate) details: Details,
    pub(crate) event: Event,
    pub(crate) time: Timestamp,
    pub(crate) received: Timestamp,
}

/// The last observation of a market that was sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Its number.
    pub(crate) number: u64,
    /// When it happened.
    pub(crate) time: Timestamp,
}

/// Why something that is missing stays missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// There never was such a candle: nothing was traded.
    NoTrade,
    /// History tells what comes after it, or nothing at all, and not this.
    NotHeld,
    /// History cannot be asked; in its words.
    Refused(String),
}

/// A market of a source.
#[derive(Debug)]
pub(crate) struct Market {
    pub(crate) route: Arc<Route>,
    pub(crate) order: Order<Item>,
    /// The last observation that has no order and was sent: only later ones are.
    latest: Option<Event>,
    /// The connection that brought the last one.
    connection: Option<u64>,
    /// A connection that is subscribed and has brought nothing yet: what was missed before it is seen only with its first.
    unheard: Option<u64>,
    /// When the last one that was sent happened.
    last: Option<Timestamp>,
    /// Where history goes on after its last page, when that did not reach what is missing.
    place: Option<Place>,
    /// A number that history does not tell, and how often it did not.
    doubt: (u64, u32),
    empty_answers: u32,
}

impl Market {
    /// A market that goes on after this mark.
    pub(crate) fn new(route: Arc<Route>, topic: &Topic, mark: Option<Mark>) -> Self {
        Market {
            route,
            order: Order::after(steps(topic), mark.map(|mark| mark.number)),
            latest: None,
            connection: None,
            unheard: None,
            last: mark.map(|mark| mark.time),
            place: None,
            doubt: (0, 0),
            empty_answers: 0,
        }
    }

    /// Takes what a connection brings.
    pub(crate) fn take(
        &mut self,
        record: Record,
        received: Timestamp,
        connection: u64,
        room: bool,
        acts: &mut Vec<Act<Item>>,
    ) -> Fate {
        let event = record.event;
        let item = item(record, received);
        let Some(number) = number(&event) else {
            if self.latest >= Some(event) {
                return Fate::Known;
            }
            self.latest = Some(event);
            acts.push(Act::Send(item));
            return Fate::Sent;
        };
        let noticed = self.noticed(connection);
        self.order.take(number, item, noticed, room, acts)
    }

    /// Leaves to history what a connection brings, as nothing more of this market can be sent now, nor wait to be.
    pub(crate) fn postpone(&mut self, record: &Record, connection: u64, acts: &mut Vec<Act<Item>>) -> Fate {
        let noticed = self.noticed(connection);
        match number(&record.event).filter(|number| Some(*number) >= self.order.next()) {
            Some(number) => {
                self.order.exists(number, noticed, acts);
                Fate::Postponed
            }
            None => Fate::Known,
        }
    }

    /// A connection has brought something: how a hole before it was noticed, should there be one.
    fn noticed(&mut self, connection: u64) -> Noticed {
        self.unheard.take_if(|unheard| *unheard == connection);
        match self.connection.replace(connection) {
            None => Noticed::Restart,
            Some(before) if before == connection => Noticed::Skip,
            Some(_) => Noticed::Reconnect,
        }
    }

    /// Something was sent.
    pub(crate) fn sent(&mut self, item: &Item) {
        self.last = Some(item.time);
    }

    /// A connection is subscribed. True when something may have been missed before it, which history is to be asked
    /// about if the market stays silent.
    pub(crate) fn subscribed(&mut self, connection: u64) -> bool {
        let is_new = self.order.next().is_some() && self.connection != Some(connection);
        self.unheard = Some(connection).filter(|_| is_new);
        is_new
    }

    /// What to ask history now; nothing when nothing is missing any more.
    pub(crate) fn question(&mut self, stream: Stream, now: Timestamp) -> Option<Place> {
        let unheard = self.unheard.take().is_some();
        let (from, end) = match self.order.wanted() {
            Some(wanted) => (wanted, if unheard { now } else { moment(self.order.beyond()) }),
            None => (self.order.next().filter(|_| unheard)?, now),
        };
        if let Some(place) = self.place.take() {
            return Some(place);
        }
        Some(match stream {
            Stream::Kline => Place::Candles { start: moment(from), end },
            _ => Place::Trades(From::Number(from, self.since())),
        })
    }

    /// A moment before that of the number that is wanted.
    fn since(&self) -> Option<Timestamp> {
        let last = self.last?;
        let is_suspect = self.is_doubted() || self.empty_answers >= SUSPICIOUS;
        let earlier =
            || Timestamp::from_millis(last.as_millis() - WRONG_CLOCK_MILLIS).unwrap_or(Timestamp::MIN);
        Some(if is_suspect { earlier() } else { last })
    }

    /// Takes what history answered. Returns how many it filled in, and why something was given up if it was.
    pub(crate) fn fill(
        &mut self,
        page: Page,
        received: Timestamp,
        acts: &mut Vec<Act<Item>>,
    ) -> (u64, Option<Loss>) {
        if self.order.wanted().is_none() {
            self.learn(&page, acts);
        }
        let Some(wanted) = self.order.wanted() else { return (0, None) };
        let (mut filled, mut loss, mut ahead) = (0, None, false);
        for record in page.records {
            let Some(number) = number(&record.event) else { continue };
            let item = item(record, received);
            let mut fit = self.order.fill(number, item.clone(), acts);
            if fit == Fit::Ahead {
                ahead = true;
                let Some(certain) = self.is_lost(page.begins_late, &item.event) else { break };
                loss = Some(certain);
                self.order.give_up(number, acts);
                fit = self.order.fill(number, item, acts);
            }
            filled += u64::from(fit == Fit::Sent);
        }
        self.place = page.next.filter(|_| !ahead);
        if filled > 0 || loss.is_some() || self.order.wanted() != Some(wanted) {
            self.empty_answers = 0;
        } else if !ahead && self.place.is_none() {
            self.empty_answers += 1;
            if self.empty_answers >= MOST_EMPTY_ANSWERS {
                self.empty_answers = 0;
                self.order.give_up(u64::MAX, acts);
                loss = Some(Loss::NotHeld);
            }
        }
        (filled, loss)
    }

    /// History was asked in case something is missing: what it tells besides what was sent is.
    fn learn(&mut self, page: &Page, acts: &mut Vec<Act<Item>>) {
        let noticed = if self.connection.is_none() { Noticed::Restart } else { Noticed::Reconnect };
        if let Some(newest) = page.records.iter().filter_map(|record| number(&record.event)).max() {
            self.order.exists(newest, noticed, acts);
        }
    }

    /// When to ask history, or ask it again.
    pub(crate) fn patience(&self) -> Duration {
        match self.empty_answers {
            _ if self.place.is_some() => Duration::ZERO,
            0 if self.is_doubted() => CONFIRM_AFTER,
            0 => DISORDER,
            answers => BEHIND.saturating_mul(1 << answers.min(10)).min(LONGEST_WAIT),
        }
    }

    fn is_doubted(&self) -> bool {
        self.order.wanted() == Some(self.doubt.0)
    }

    /// History has told what comes after the number that is wanted, and not that number: whether that is certain.
    fn is_lost(&mut self, begins_late: bool, event: &Event) -> Option<Loss> {
        let wanted = self.order.wanted()?;
        if begins_late {
            return Some(Loss::NotHeld);
        }
        self.doubt = (wanted, if self.doubt.0 == wanted { self.doubt.1 + 1 } else { 1 });
        let loss = if matches!(event, Event::Kline(..)) { Loss::NoTrade } else { Loss::NotHeld };
        (self.doubt.1 >= CONFIRMATIONS).then_some(loss)
    }
}

impl std::fmt::Display for Loss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Loss::NoTrade => f.write_str("the exchange has no candle of it: nothing was traded"),
            Loss::NotHeld => f.write_str("the exchange's history does not hold it"),
            Loss::Refused(words) => write!(f, "the exchange's history cannot be asked: {words}"),
        }
    }
}

/// The number of an observation of a stream that is complete.
pub(crate) fn number(event: &Event) -> Option<u64> {
    match event {
        Event::Trade(number) | Event::AggTrade(number) => Some(*number),
        Event::Kline(_, begin) => Some(begin.as_millis().unsigned_abs()),
        Event::Poll(_) | Event::Ticker(_) | Event::Quote(_) | Event::PartialKline(..) => None,
    }
}

/// True when a stream brings such observations, and in order.
pub(crate) fn is_of(topic: &Topic, event: &Event) -> bool {
    match event {
        Event::Trade(_) => topic.stream == Stream::Trade,
        Event::AggTrade(_) => topic.stream == Stream::AggTrade,
        Event::Kline(interval, _) => topic.stream == Stream::Kline && topic.kline_interval() == *interval,
        _ => false,
    }
}

/// The number before one of a stream.
pub(crate) fn before(topic: &Topic, number: u64) -> u64 {
    steps(topic).before(number)
}

fn steps(topic: &Topic) -> Steps {
    match topic.stream {
        Stream::Kline => Steps::between_candles(topic.kline_interval()),
        _ => Steps::Of(1),
    }
}

fn moment(millis: u64) -> Timestamp {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    Timestamp::from_millis(millis).unwrap_or(if millis <= 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn item(record: Record, received: Timestamp) -> Item {
    let Record { price, details, event, time, .. } = record;
    Item { price, details, event, time: time.unwrap_or(received), received }
}

#[cfg(test)]
mod tests;
