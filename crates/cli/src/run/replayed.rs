//! How far earlier replays came, by what is stored: an embedded Kafka has forgotten it.

use std::{collections::HashMap, sync::Arc};

use pricepipe_core::{
    KlineInterval, Pipeline, Timestamp,
    config::Feed,
    identity::{self, Event},
    names::{CollectionName, Shelf},
};
use pricepipe_producer::Position;
use pricepipe_service::clock;
use pricepipe_store::History;

pub(super) const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
/// So many candles are looked for at once.
const AT_ONCE: usize = 1_000;

/// For each market the candle before the first one that is not stored, by Kafka key. Trades have numbers that nobody can know
/// beforehand, so they are asked for again, and stored once as ever.
pub(super) async fn of(pipeline: &Pipeline, store: &Arc<dyn History>) -> HashMap<String, Position> {
    let mut positions = HashMap::new();
    for source in &pipeline.sources {
        let Feed::Replay(replay) = &source.feed else { continue };
        let Some(interval) = replay.interval else { continue };
        let end = replay.end.unwrap_or_else(clock::now);
        for symbol in pipeline.symbols.iter().filter(|symbol| source.serves(&symbol.symbol)) {
            let key = identity::key(source.exchange, &symbol.symbol);
            let candles = Candles {
                collection: Shelf::Klines(interval).collection(&symbol.collection),
                key: &key,
                interval,
                end,
            };
            if let Some(position) = candles.last_without_hole(store, replay.start).await {
                positions.insert(key, position);
            }
        }
    }
    positions
}

/// The candles of a market.
struct Candles<'a> {
    collection: CollectionName,
    key: &'a str,
    interval: KlineInterval,
    end: Timestamp,
}

impl Candles<'_> {
    /// The last candle up to which all are stored.
    async fn last_without_hole(&self, store: &Arc<dyn History>, start: Timestamp) -> Option<Position> {
        // Those of several days do not begin with a multiple of their length.
        let length = self.interval.as_millis().filter(|length| *length <= DAY_MILLIS)?;
        let first = (start.as_millis() + length - 1).div_euclid(length) * length;
        let mut begins = (first..self.end.as_millis()).step_by(usize::try_from(length).ok()?);
        let mut last = None;
        loop {
            let events: Vec<Position> =
                begins.by_ref().take(AT_ONCE).filter_map(|at| self.event(at)).collect();
            let ids = events.iter().map(|(event, _)| identity::event(self.key, *event)).collect();
            let missing = store.missing(&self.collection, ids).await.ok()?;
            let stored = events
                .iter()
                .take_while(|(event, _)| missing.first() != Some(&identity::event(self.key, *event)));
            last = stored.last().copied().or(last);
            if events.len() < AT_ONCE || !missing.is_empty() {
                return last;
            }
        }
    }

    fn event(&self, millis: i64) -> Option<Position> {
        let time = Timestamp::from_millis(millis).ok()?;
        Some((Event::Kline(self.interval, time), time))
    }
}
