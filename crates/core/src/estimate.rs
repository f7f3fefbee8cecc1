//! What a pipeline will take, worked out beforehand.

use std::borrow::Cow;

use serde::Serialize;

use crate::{Exchange, Kind, Pipeline, PriceMessage, Symbol, Timestamp, config::PriceType, identity};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// What a pipeline will take of the exchange, of Kafka and of the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Messages in a day, one per symbol and slot from each producer.
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
        let polls_per_day = |interval_millis: u64| DAY_MILLIS / interval_millis.max(1);
        let mut estimate = Estimate {
            messages_per_day: 0,
            request_weight_per_minute: 0,
            kafka_bytes_per_day: 0,
            mongodb_bytes_per_day: 0,
        };
        for source in &pipeline.sources {
            let polls = polls_per_day(source.rest.interval_millis);
            let sent = polls * u64::from(pipeline.producer_replicas);
            estimate.messages_per_day += sent * pipeline.symbols.len() as u64;
            estimate.request_weight_per_minute +=
                sent / (24 * 60) * u64::from(source.exchange.price_request_weight());
            for message in pipeline.symbols.iter().filter_map(|s| typical_message(source.exchange, &s.symbol))
            {
                estimate.kafka_bytes_per_day += sent * message.encode().len() as u64;
                estimate.mongodb_bytes_per_day += polls * document_bytes(&message, pipeline.price_type);
            }
        }
        estimate
    }
}

/// A message with a price of nine characters.
fn typical_message(exchange: Exchange, symbol: &Symbol) -> Option<PriceMessage> {
    let moment = Timestamp::from_millis(1_795_413_603_112).ok()?;
    Some(PriceMessage {
        symbol: symbol.to_string(),
        price: "67321.501".parse().ok()?,
        exchange: Cow::Borrowed(exchange.as_str()),
        kind: Kind::Price,
        time: moment,
        received: moment,
        id: identity::poll(exchange, symbol, moment),
    })
}

/// The size of a message's document in MongoDB: what BSON takes for its seven fields.
pub fn document_bytes(message: &PriceMessage, price_type: PriceType) -> u64 {
    const FRAME: usize = 5;
    let key = |name: &str| 1 + name.len() + 1;
    let text = |name: &str, value: &str| key(name) + 4 + value.len() + 1;
    let price = match price_type {
        PriceType::Decimal => 16,
        PriceType::Double => 8,
    };
    let bytes = FRAME
        + text("_id", &message.id)
        + text("symbol", &message.symbol)
        + text("exchange", &message.exchange)
        + text("kind", message.kind.as_str())
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
