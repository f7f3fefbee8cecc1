//! Candles of an exchange that does not say when one is over. Pure: a candle is over when the next one begins.

use std::{collections::HashMap, mem};

use pricepipe_core::{Details, Exchange, config::Stream, identity::Event};

use super::Topic;
use crate::Record;

/// Finds the final candles of one connection among those that [`Topic::read`] adds.
///
/// Pass it what each frame brought, whichever the exchange: where the exchange itself says which candle is final, and
/// where a frame has none, nothing is touched.
///
/// - One `Closer` a connection, and a new one with each new connection: a candle that was open when a connection ended may
///   have changed afterwards. History tells it; so does the snapshot that the new connection begins with.
/// - A candle of a quiet market is final as soon as a later trade begins the next one, not before.
#[derive(Debug, Default)]
pub struct Closer {
    /// The latest candle of each market.
    open: HashMap<String, Record>,
}

impl Closer {
    /// Puts a final candle before the first one of the same market that begins later, and takes the unfinished ones away
    /// unless they are wanted.
    pub fn settle(&mut self, topic: &Topic, records: &mut Vec<Record>) {
        if (topic.exchange, topic.stream) != (Exchange::Kraken, Stream::Kline) {
            return;
        }
        for record in mem::take(records) {
            let Event::PartialKline(_, begin, state) = record.event else {
                records.push(record);
                continue;
            };
            let Some(open) = self.open.get_mut(&record.market) else {
                self.open.insert(record.market.clone(), record.clone());
                records.extend(topic.partial.then_some(record));
                continue;
            };
            let Event::PartialKline(_, open_begin, open_state) = open.event else { continue };
            // A snapshot may repeat what is past.
            if (begin, state) < (open_begin, open_state) {
                continue;
            }
            let before = mem::replace(open, record.clone());
            records.extend((begin > open_begin).then(|| closed(before)).flatten());
            records.extend(topic.partial.then_some(record));
        }
    }
}

/// The candle as a final one.
fn closed(mut record: Record) -> Option<Record> {
    let Event::PartialKline(interval, begin, _) = record.event else { return None };
    let Details::Kline(kline) = &mut record.details else { return None };
    kline.closed = true;
    record.event = Event::Kline(interval, begin);
    Some(record)
}
