//! Where earlier runs left off listening, by what is stored: an embedded Kafka has forgotten it.

use std::{collections::HashSet, ops::Range, sync::Arc};

use pricepipe_core::{
    Exchange, KlineInterval, Pipeline, Timestamp,
    config::{Feed, Stream, WebsocketConfig},
    identity::{self, Event},
    names::CollectionName,
    pipeline::PipelineSymbol,
};
use pricepipe_producer::Watermark;
use pricepipe_store::{History, StoreError, beginning_with};

use super::replayed::DAY_MILLIS;

/// So many observations before the newest are looked for: what is missing among them was on its way when a run ended.
const LOOK_BACK: u64 = 1_000;

/// Of each market of each stream the last observation before which none is missing, as far as it was looked for.
pub(super) async fn of(pipeline: &Pipeline, store: &Arc<dyn History>) -> Result<Vec<Watermark>, StoreError> {
    let mut watermarks = Vec::new();
    for source in &pipeline.sources {
        let Feed::Websocket(websocket) = &source.feed else { continue };
        let Some(series) = Series::of(websocket) else { continue };
        for symbol in pipeline.symbols.iter().filter(|symbol| source.serves(&symbol.symbol)) {
            let collection = source.feed.shelf().collection(&symbol.collection);
            let market = Market { store, collection, symbol, exchange: source.exchange, series };
            watermarks.extend(market.watermark().await?);
        }
    }
    Ok(watermarks)
}

/// Observations whose numbers follow each other.
#[derive(Clone, Copy)]
enum Series {
    Trades,
    Aggregates,
    /// Each so many milliseconds after the one before.
    Candles(KlineInterval, u64),
}

impl Series {
    /// None of a stream that is not complete, and of candles that follow each other irregularly.
    fn of(websocket: &WebsocketConfig) -> Option<Self> {
        match websocket.stream {
            Stream::Trade => Some(Series::Trades),
            Stream::AggTrade => Some(Series::Aggregates),
            Stream::Kline => {
                let interval = websocket.interval.unwrap_or_default();
                let length = interval.as_millis().filter(|length| *length <= DAY_MILLIS)?;
                Some(Series::Candles(interval, length.unsigned_abs()))
            }
            Stream::MiniTicker | Stream::BookTicker => None,
        }
    }

    /// What stands before the number in an id.
    fn kind(self) -> String {
        match self {
            Series::Trades => "trade".to_owned(),
            Series::Aggregates => "aggTrade".to_owned(),
            Series::Candles(interval, _) => format!("kline:{interval}"),
        }
    }

    fn event(self, number: u64) -> Option<Event> {
        Some(match self {
            Series::Trades => Event::Trade(number),
            Series::Aggregates => Event::AggTrade(number),
            Series::Candles(interval, _) => {
                Event::Kline(interval, Timestamp::from_millis(i64::try_from(number).ok()?).ok()?)
            }
        })
    }

    /// The number of an event of the series; of a candle that may still change it is that of the closed one.
    fn number(event: &Event) -> Option<u64> {
        match event {
            Event::Kline(_, open) | Event::PartialKline(_, open, _) => u64::try_from(open.as_millis()).ok(),
            event => event.number(),
        }
    }

    fn step(self) -> u64 {
        match self {
            Series::Trades | Series::Aggregates => 1,
            Series::Candles(_, length) => length,
        }
    }
}

/// A series of a symbol of an exchange.
struct Market<'a> {
    store: &'a Arc<dyn History>,
    collection: CollectionName,
    symbol: &'a PipelineSymbol,
    exchange: Exchange,
    series: Series,
}

impl Market<'_> {
    async fn watermark(&self) -> Result<Option<Watermark>, StoreError> {
        let key = identity::key(self.exchange, &self.symbol.symbol);
        let id = |number| Some(identity::event(&key, self.series.event(number)?));
        let begin = format!("{key}:{}:", self.series.kind());
        let newest = self.newest(beginning_with(&begin)).await?;
        let number = newest.and_then(|(newest, _)| Series::number(&identity::parse(&key, &newest)?));
        let Some(number) = number else { return Ok(None) };
        let ids: Vec<String> = numbers_up_to(number, self.series.step()).filter_map(id).collect();
        let missing: HashSet<String> =
            self.store.missing(&self.collection, ids.clone()).await?.into_iter().collect();
        let Some(last) = last_without_hole(&ids, |id| !missing.contains(id)) else { return Ok(None) };
        let found = self.newest(last.clone()..format!("{last}\0")).await?;
        Ok(found.map(|(id, time)| Watermark { id, time }))
    }

    async fn newest(&self, ids: Range<String>) -> Result<Option<(String, Timestamp)>, StoreError> {
        self.store.newest(&self.collection, self.symbol.symbol.as_str(), ids).await
    }
}

/// The numbers before the newest and itself, in their order.
fn numbers_up_to(newest: u64, step: u64) -> impl Iterator<Item = u64> {
    (0..LOOK_BACK).rev().filter_map(move |back| newest.checked_sub(back * step))
}

/// The last before a hole. What is missing before the first was never stored.
fn last_without_hole(ids: &[String], is_stored: impl Fn(&str) -> bool) -> Option<&String> {
    let from_the_first = ids.iter().skip_while(|id| !is_stored(id));
    from_the_first.take_while(|id| is_stored(id)).last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_holds_a_watermark_back_and_the_beginning_of_what_is_stored_is_none() {
        let last = |stored: &[u64]| {
            let ids: Vec<String> = numbers_up_to(9, 1).map(|number| number.to_string()).collect();
            last_without_hole(&ids, |id| stored.contains(&id.parse().unwrap())).cloned()
        };
        for (stored, expected) in [
            (vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9], Some("9")),
            (vec![6, 7, 8, 9], Some("9")),
            (vec![4, 5, 8, 9], Some("5")),
            (vec![9], Some("9")),
            (vec![], None),
        ] {
            assert_eq!(last(&stored).as_deref(), expected, "{stored:?}");
        }
    }

    #[test]
    fn ids_begin_with_their_kind() {
        let minute: KlineInterval = "1m".parse().unwrap();
        for series in [Series::Trades, Series::Aggregates, Series::Candles(minute, 60_000)] {
            let id = identity::event("binance:BTCUSDT", series.event(60_000).unwrap());
            assert_eq!(id, format!("binance:BTCUSDT:{}:60000", series.kind()));
        }
    }

    #[test]
    fn as_many_are_looked_for_as_a_store_takes_at_once() {
        assert_eq!(numbers_up_to(5_000, 1).collect::<Vec<_>>(), (4_001..=5_000).collect::<Vec<_>>());
        let candles: Vec<u64> = numbers_up_to(180_000, 60_000).collect();
        assert_eq!(candles, [0, 60_000, 120_000, 180_000]);
    }
}
