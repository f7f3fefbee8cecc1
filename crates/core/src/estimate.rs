//! What a pipeline will take, worked out beforehand.

use std::{borrow::Cow, convert::Infallible};

use serde::Serialize;

use crate::{
    Details, Exchange, Pipeline, PriceMessage, Symbol, Timestamp,
    config::{Feed, PriceType, SourceConfig, Stream, WebsocketConfig},
    identity::{self, Event},
    message::{Field, Kline},
    pipeline::Shard,
};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// What a pipeline will take of the exchange, of Kafka and of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Messages in a day, one per symbol and slot or candle from each producer. How many trades and offers there will
    /// be nobody knows beforehand: they are not counted.
    pub messages_per_day: u64,
    /// Request weight that polling uses in a minute, all producers together.
    pub request_weight_per_minute: u64,
    /// Message values in a day, before compression, in bytes; measured by encoding one.
    pub kafka_bytes_per_day: u64,
    /// Documents in a day, before compression and without indexes, in bytes. Two producers make the same document.
    pub mongodb_bytes_per_day: u64,
}

impl Estimate {
    /// The estimate for a pipeline.
    pub fn of(pipeline: &Pipeline) -> Self {
        let mut estimate = Estimate {
            messages_per_day: 0,
            request_weight_per_minute: 0,
            kafka_bytes_per_day: 0,
            mongodb_bytes_per_day: 0,
        };
        let shards = pipeline.shards();
        for source in &pipeline.sources {
            let Some((every_millis, event)) = regular(source) else { continue };
            let made = DAY_MILLIS / every_millis.max(1);
            let sent = made * u64::from(pipeline.producer_replicas);
            let served = || pipeline.symbols.iter().filter(|s| source.serves(&s.symbol));
            estimate.messages_per_day += sent * served().count() as u64;
            if source.rest().is_some() {
                let of = |shard: &Shard| shard.symbols.iter().filter(|s| source.serves(&s.symbol)).count();
                let asking = shards.iter().map(of).filter(|symbols| *symbols > 0);
                let weight: u64 = asking.map(|n| u64::from(source.exchange.price_request_weight(n))).sum();
                estimate.request_weight_per_minute += sent / (24 * 60) * weight;
            }
            for message in served().filter_map(|s| typical_message(source.exchange, &s.symbol, event)) {
                estimate.kafka_bytes_per_day += sent * message.encode().len() as u64;
                estimate.mongodb_bytes_per_day += made * document_bytes(&message, pipeline.price_type);
            }
        }
        estimate
    }
}

/// How often a source brings something of a symbol, in milliseconds, where that does not depend on the market: polls
/// and candles do, each trade and each offer does not, and history comes once.
fn regular(source: &SourceConfig) -> Option<(u64, Event)> {
    let moment = Timestamp::from_millis(1_795_413_600_000).ok()?;
    match &source.feed {
        Feed::Rest(rest) => Some((rest.interval_millis, Event::Poll(moment))),
        Feed::Websocket(WebsocketConfig { stream: Stream::Kline, interval: Some(interval), .. }) => {
            Some((interval.as_millis()?.unsigned_abs(), Event::Kline(*interval, moment)))
        }
        Feed::Websocket(_) | Feed::Replay(_) => None,
    }
}

/// A message with a price of nine characters.
fn typical_message(exchange: Exchange, symbol: &Symbol, event: Event) -> Option<PriceMessage> {
    let moment = Timestamp::from_millis(1_795_413_603_112).ok()?;
    let price = "67321.501".parse().ok()?;
    let details = match event {
        Event::Kline(interval, _) => Details::Kline(Box::new(Kline {
            interval,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: "12.34567".parse().ok()?,
            closed: true,
        })),
        _ => Details::Price,
    };
    Some(PriceMessage {
        symbol: symbol.to_string(),
        price,
        exchange: Cow::Borrowed(exchange.as_str()),
        details,
        time: moment,
        received: moment,
        id: identity::event(&identity::key(exchange, symbol), event),
    })
}

/// The size of a message's document in MongoDB: what BSON takes for its seven fields and those of its kind.
pub fn document_bytes(message: &PriceMessage, price_type: PriceType) -> u64 {
    const FRAME: usize = 5;
    let key = |name: &str| 1 + name.len() + 1;
    let text = |name: &str, value: &str| key(name) + 4 + value.len() + 1;
    let price = match price_type {
        PriceType::Decimal => 16,
        PriceType::Double => 8,
    };
    let mut details = 0;
    let _ = message.details.fields(|name, field| {
        details += match field {
            Field::Number(_) => key(name) + price,
            Field::Text(value) => text(name, value),
            Field::Flag(_) => key(name) + 1,
        };
        Ok::<(), Infallible>(())
    });
    let bytes = FRAME
        + text("_id", &message.id)
        + text("symbol", &message.symbol)
        + text("exchange", &message.exchange)
        + text("kind", message.kind().as_str())
        + details
        + (key("price") + price)
        + (key("time") + 8)
        + (key("received") + 8);
    bytes as u64
}

#[cfg(test)]
mod tests {
    use crate::pipeline::tests::majors;

    #[test]
    fn three_symbols_every_three_seconds_make_86_400_messages_a_day() {
        let estimate = majors().estimate();
        assert_eq!(estimate.messages_per_day, 86_400);
        assert_eq!(estimate.request_weight_per_minute, 80);
        assert!((80..300).contains(&(estimate.kafka_bytes_per_day / 86_400)));
        // The store's tests hold the size of one document against its bytes.
        assert_eq!(estimate.mongodb_bytes_per_day, 86_400 * 163);
    }

    #[test]
    fn a_second_producer_asks_and_sends_again_and_makes_the_same_documents() {
        let (one, mut twice) = (majors().estimate(), majors());
        twice.producer_replicas = 2;
        let twice = twice.estimate();
        assert_eq!(twice.messages_per_day, 2 * one.messages_per_day);
        assert_eq!(twice.request_weight_per_minute, 2 * one.request_weight_per_minute);
        assert_eq!(twice.kafka_bytes_per_day, 2 * one.kafka_bytes_per_day);
        assert_eq!(twice.mongodb_bytes_per_day, one.mongodb_bytes_per_day);
    }
}
