//! `pricepipe estimate`: what a pipeline will take of the exchange, of Kafka and of the store. Reads the file alone.

use pricepipe_core::{
    Exchange, Pipeline,
    config::{Feed, SourceConfig, Stream},
};
use serde::Serialize;

use crate::{
    args::{EstimateArgs, EstimateOutput},
    exit::{Exit, Failed},
    file, output,
};

const MINUTES_PER_DAY: u64 = 24 * 60;
const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Messages that one consumer stores in a second without effort: a tenth of what the benchmark measures on two cores that
/// it shares with Kafka and the store.
const STORED_PER_SECOND: u64 = 10_000;

/// Prints the estimate of a file's pipeline, or of what it would be with other numbers.
pub(crate) fn estimate(args: &EstimateArgs) -> Result<(), Failed> {
    let pipeline = supposed(file::pipeline(&args.file)?, args);
    let figures = Figures::of(&pipeline, args.days);
    match args.output {
        EstimateOutput::Table => output::answer(&figures.table()),
        EstimateOutput::Json => {
            let json = serde_json::to_string_pretty(&figures);
            output::answer(&(json.map_err(|error| Failed::new(Exit::Failure, error.to_string()))? + "\n"))
        }
    }
}

/// The pipeline as if it had other numbers of symbols and seconds.
fn supposed(mut pipeline: Pipeline, args: &EstimateArgs) -> Pipeline {
    if let Some(count) = args.symbols {
        pipeline.symbols = pipeline.symbols.iter().cycle().take(usize::from(count)).cloned().collect();
    }
    if let Some(seconds) = args.interval {
        for rest in pipeline.sources.iter_mut().filter_map(SourceConfig::rest_mut) {
            rest.interval_millis = u64::from(seconds) * 1_000;
        }
    }
    pipeline
}

/// Bytes are those of values and documents before compression, without indexes.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    pipeline: String,
    symbols: usize,
    interval_seconds: Vec<u64>,
    /// Streams of markets whose messages nobody can count beforehand.
    streams_not_counted: usize,
    producer_shards: u32,
    messages_per_minute: u64,
    messages_per_hour: u64,
    messages_per_day: u64,
    request_weight_per_minute: u64,
    request_weight_limit_per_minute: u64,
    /// The exchanges that would refuse what is asked of them.
    overloaded: Vec<Exchange>,
    bytes_per_message: u64,
    bytes_per_document: u64,
    kafka_bytes_per_day: u64,
    mongodb_bytes_per_day: u64,
    days: u64,
    kafka_bytes_in_days: u64,
    mongodb_bytes_in_days: u64,
    /// What lies in Kafka once the oldest is being deleted, all copies together.
    kafka_bytes_kept: u64,
    suggested_consumers: u64,
    suggested_partitions_per_topic: u64,
    partitions_per_topic: u32,
}

impl Figures {
    fn of(pipeline: &Pipeline, days: u32) -> Figures {
        let (estimate, days) = (pipeline.estimate(), u64::from(days));
        let messages = estimate.messages_per_day;
        let documents = messages / u64::from(pipeline.producer_replicas).max(1);
        let settings = &pipeline.topic_settings;
        let kept = u128::from(estimate.kafka_bytes_per_day)
            * u128::from(settings.retention_seconds)
            * u128::from(settings.replication_factor)
            / u128::from(SECONDS_PER_DAY);
        let consumers = messages.div_ceil(SECONDS_PER_DAY * STORED_PER_SECOND).max(1);
        let polled = polled(pipeline);
        Figures {
            pipeline: pipeline.name.to_string(),
            symbols: pipeline.symbols.len(),
            interval_seconds: pipeline
                .sources
                .iter()
                .filter_map(|s| Some(s.rest()?.interval_millis / 1_000))
                .collect(),
            streams_not_counted: streams_not_counted(pipeline),
            producer_shards: pipeline.shard_count(),
            messages_per_minute: messages / MINUTES_PER_DAY,
            messages_per_hour: messages / 24,
            messages_per_day: messages,
            request_weight_per_minute: estimate.request_weight_per_minute,
            request_weight_limit_per_minute: polled.iter().map(|exchange| limit(*exchange)).sum(),
            overloaded: polled.into_iter().filter(|exchange| is_overloaded(*exchange, pipeline)).collect(),
            bytes_per_message: estimate.kafka_bytes_per_day / messages.max(1),
            bytes_per_document: estimate.mongodb_bytes_per_day / documents.max(1),
            kafka_bytes_per_day: estimate.kafka_bytes_per_day,
            mongodb_bytes_per_day: estimate.mongodb_bytes_per_day,
            days,
            kafka_bytes_in_days: estimate.kafka_bytes_per_day.saturating_mul(days),
            mongodb_bytes_in_days: estimate.mongodb_bytes_per_day.saturating_mul(days),
            kafka_bytes_kept: u64::try_from(kept).unwrap_or(u64::MAX),
            suggested_consumers: consumers,
            suggested_partitions_per_topic: consumers.div_ceil(pipeline.topics().len().max(1) as u64),
            partitions_per_topic: settings.partitions,
        }
    }

    fn table(&self) -> String {
        let intervals: Vec<String> = self.interval_seconds.iter().map(u64::to_string).collect();
        let intervals = match intervals.is_empty() {
            true => String::new(),
            false => format!(", every {} s", intervals.join(" and ")),
        };
        let (weight, limit) = (self.request_weight_per_minute, self.request_weight_limit_per_minute);
        let rows = [
            ("symbols", format!("{}{intervals}", grouped(self.symbols as u64))),
            (
                "messages",
                format!(
                    "{} a minute, {} an hour, {} a day",
                    grouped(self.messages_per_minute),
                    grouped(self.messages_per_hour),
                    grouped(self.messages_per_day)
                ),
            ),
            (
                "request weight",
                match limit {
                    0 => "none but for history".to_owned(),
                    limit => {
                        let (weight, limit) = (grouped(weight), grouped(limit));
                        format!("{weight} a minute; the exchange allows {limit} per address")
                    }
                },
            ),
            (
                "Kafka",
                format!(
                    "{} a message, {} a day, {} in {} days; {} kept",
                    bytes(self.bytes_per_message),
                    bytes(self.kafka_bytes_per_day),
                    bytes(self.kafka_bytes_in_days),
                    self.days,
                    bytes(self.kafka_bytes_kept)
                ),
            ),
            (
                "MongoDB",
                format!(
                    "{} a document, {} a day, {} in {} days",
                    bytes(self.bytes_per_document),
                    bytes(self.mongodb_bytes_per_day),
                    bytes(self.mongodb_bytes_in_days),
                    self.days
                ),
            ),
            ("consumers", format!("{} can do it", grouped(self.suggested_consumers))),
            (
                "partitions",
                format!(
                    "{} per topic would do; the file has {}",
                    grouped(self.suggested_partitions_per_topic),
                    self.partitions_per_topic
                ),
            ),
        ];
        let line = |(what, figures): (&str, String)| format!("{what:<16}{figures}\n");
        rows.into_iter().chain(self.more()).map(line).collect()
    }

    /// What not every pipeline has.
    fn more(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        if self.streams_not_counted > 0 {
            let streams = grouped(self.streams_not_counted as u64);
            rows.push((
                "streams",
                format!("{streams}, not counted above: how much they bring is the market's matter"),
            ));
        }
        if self.producer_shards > 1 {
            rows.push(("producers", format!("the symbols are split over {}", self.producer_shards)));
        }
        if !self.overloaded.is_empty() {
            let names: Vec<&str> = self.overloaded.iter().map(Exchange::as_str).collect();
            let names = names.join(" and ");
            rows.push(("attention", format!("{names} would refuse this: poll less often, or fewer symbols")));
        }
        rows
    }
}

/// The exchanges whose prices are polled, each once.
fn polled(pipeline: &Pipeline) -> Vec<Exchange> {
    let polls = |exchange: &Exchange| {
        pipeline.sources.iter().any(|source| source.exchange == *exchange && source.rest().is_some())
    };
    Exchange::ALL.iter().copied().filter(polls).collect()
}

fn limit(exchange: Exchange) -> u64 {
    u64::from(exchange.request_weight_limit())
}

/// True when all that is asked of an exchange together is more than it allows.
fn is_overloaded(exchange: Exchange, pipeline: &Pipeline) -> bool {
    let mut alone = pipeline.clone();
    alone.sources.retain(|source| source.exchange == exchange);
    alone.estimate().request_weight_per_minute > limit(exchange)
}

/// Streams of markets that bring as much as happens there: all but those of candles.
fn streams_not_counted(pipeline: &Pipeline) -> usize {
    let markets = |source: &SourceConfig| match &source.feed {
        Feed::Websocket(websocket) if websocket.stream != Stream::Kline => {
            pipeline.symbols.iter().filter(|s| source.serves(&s.symbol)).count()
        }
        _ => 0,
    };
    pipeline.sources.iter().map(markets).sum()
}

/// `86400` as `86,400`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the decimal unit that suits them, with three digits.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut figure = count as f64 / 1_000.0;
    let mut unit = 0;
    while figure >= 999.5 && unit + 1 < UNITS.len() {
        figure /= 1_000.0;
        unit += 1;
    }
    let decimals = if figure < 9.995 { 2 } else { usize::from(figure < 99.95) };
    format!("{figure:.decimals$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(symbols: Option<u16>, interval: Option<u32>) -> Figures {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/quickstart.yaml").into();
        let args = EstimateArgs { file, symbols, interval, days: 30, output: EstimateOutput::Table };
        Figures::of(&supposed(file::pipeline(&args.file).unwrap(), &args), args.days)
    }

    #[test]
    fn three_symbols_every_three_seconds() {
        let figures = figures(None, None);
        let messages = (figures.messages_per_minute, figures.messages_per_hour, figures.messages_per_day);
        assert_eq!(messages, (60, 3_600, 86_400));
        let weight = (figures.request_weight_per_minute, figures.request_weight_limit_per_minute);
        assert_eq!(weight, (80, 6_000));
        assert_eq!(figures.bytes_per_document, 163);
        assert_eq!(figures.kafka_bytes_in_days, figures.bytes_per_message * 86_400 * 30);
        assert_eq!((figures.suggested_consumers, figures.suggested_partitions_per_topic), (1, 1));
        assert!(figures.table().contains("60 a minute, 3,600 an hour, 86,400 a day"), "{}", figures.table());
    }

    #[test]
    fn each_exchange_has_its_own_limit_and_streams_are_not_counted() {
        let text = "{apiVersion: pricepipe.dev/v1alpha1, kind: PricePipeline, metadata: {name: a}, spec: {symbols: \
                    [{symbol: BTC/USD}], sources: [{exchange: kraken, rest: {intervalSeconds: 1}}, \
                    {exchange: binance, rest: {intervalSeconds: 1}}, {name: s, exchange: kraken, websocket: {stream: trade}}]}}";
        let mut pipeline = pricepipe_api::parse(text).unwrap().remove(0).1;
        let figures = Figures::of(&pipeline, 1);
        assert_eq!((figures.request_weight_limit_per_minute, figures.overloaded.len()), (6_060, 0));
        assert_eq!(figures.streams_not_counted, 1);
        assert!(figures.table().contains("streams         1, not counted above"), "{}", figures.table());
        pipeline.producer_replicas = 2;
        let figures = Figures::of(&pipeline, 1);
        assert_eq!(figures.overloaded, [Exchange::Kraken], "120 of 60, though Binance has room");
        assert!(figures.table().contains("kraken would refuse this"), "{}", figures.table());
    }

    #[test]
    fn other_numbers_are_supposed() {
        let figures = figures(Some(1_000), Some(1));
        assert_eq!(figures.messages_per_day, 86_400_000);
        assert_eq!((figures.symbols, figures.interval_seconds), (1_000, vec![1]));
        assert_eq!(figures.request_weight_per_minute, 240);
    }

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!([0, 999, 1_000, 86_400_000].map(grouped), ["0", "999", "1,000", "86,400,000"]);
        let written = [999, 1_000, 16_329_600, 99_960_000, 999_600_000, u64::MAX].map(bytes);
        assert_eq!(written, ["999 B", "1.00 kB", "16.3 MB", "100 MB", "1.00 GB", "18.4 EB"]);
    }
}
