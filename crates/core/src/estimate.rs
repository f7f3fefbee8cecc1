//! What a pipeline will take, worked out beforehand.

use std::borrow::Cow;

use serde::Serialize;

use crate::{Exchange, Kind, Pipeline, PriceMessage, Timestamp, identity};

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// What a pipeline will take of the exchange and of Kafka.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Messages in a day, one per symbol and slot.
    pub messages_per_day: u64,
    /// Request weight that polling uses in a minute.
    pub request_weight_per_minute: u64,
    /// Message values in a day, before compression, in bytes; measured by encoding one.
    pub kafka_bytes_per_day: u64,
}

impl Estimate {
    /// The estimate for a pipeline.
    pub fn of(pipeline: &Pipeline) -> Self {
        let polls_per_day = |interval_millis: u64| DAY_MILLIS / interval_millis.max(1);
        let mut estimate =
            Estimate { messages_per_day: 0, request_weight_per_minute: 0, kafka_bytes_per_day: 0 };
        for source in &pipeline.sources {
            let polls = polls_per_day(source.rest.interval_millis);
            let bytes: u64 = pipeline.symbols.iter().map(|s| message_bytes(source.exchange, s)).sum();
            estimate.messages_per_day += polls * pipeline.symbols.len() as u64;
            estimate.request_weight_per_minute +=
                polls / (24 * 60) * u64::from(source.exchange.price_request_weight());
            estimate.kafka_bytes_per_day += polls * bytes;
        }
        estimate
    }
}

/// The size of a typical message: a price of nine characters.
fn message_bytes(exchange: Exchange, symbol: &crate::pipeline::PipelineSymbol) -> u64 {
    let moment = Timestamp::from_millis(1_795_413_603_112);
    let (Ok(price), Ok(moment)) = ("67321.501".parse(), moment) else { return 0 };
    let message = PriceMessage {
        symbol: symbol.symbol.to_string(),
        price,
        exchange: Cow::Borrowed(exchange.as_str()),
        kind: Kind::Price,
        time: moment,
        received: moment,
        id: identity::poll(exchange, &symbol.symbol, moment),
    };
    message.encode().len() as u64
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
    }
}
