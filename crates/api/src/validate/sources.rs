//! `spec.sources`: where prices come from, and whether the exchange has and will bear what is asked of it. Pure.

use pricepipe_core::{
    Exchange, KlineInterval, Pipeline, Timestamp,
    config::{Feed, HistoryConfig, Pace, ReplayConfig, RestConfig, SourceConfig, Stream, WebsocketConfig},
    pipeline::{PipelineSymbol, poll_cost},
};

use crate::{
    Fault, HistorySpec, PricePipelineSpec, ReplaySpec, RestSpec, SourceSpec, WebsocketSpec, fault::Faults,
    path,
};

use super::{count, endpoint, markets};

/// The sources with what follows from each. One without a way to read prices is left out; a CEL rule reports it.
pub(super) fn sources(
    spec: &PricePipelineSpec,
    symbols: &[PipelineSymbol],
    faults: &mut Faults,
) -> Vec<SourceConfig> {
    let mut sources: Vec<SourceConfig> = Vec::new();
    for (index, source) in spec.sources.iter().enumerate() {
        let at = path::item("spec.sources", index);
        let Some(feed) = feed(source, &at, faults) else { continue };
        let source = SourceConfig {
            name: source.effective_name().to_owned(),
            exchange: source.exchange,
            symbols: markets::narrowed(source, spec, symbols, &at, faults),
            feed,
        };
        markets::same(&source, symbols, spec, faults);
        markets::twice(&sources, &source, symbols, &at, faults);
        sources.push(source);
    }
    markets::unserved(&sources, symbols, spec, faults);
    sources
}

fn feed(source: &SourceSpec, at: &str, faults: &mut Faults) -> Option<Feed> {
    let exchange = source.exchange;
    match (&source.rest, &source.websocket, &source.replay) {
        (Some(spec), None, None) => Some(Feed::Rest(rest(exchange, spec, &path::field(at, "rest"), faults))),
        (None, Some(spec), None) => {
            Some(Feed::Websocket(websocket(exchange, spec, &path::field(at, "websocket"), faults)))
        }
        (None, None, Some(spec)) => {
            replay(exchange, spec, &path::field(at, "replay"), faults).map(Feed::Replay)
        }
        _ => None,
    }
}

fn rest(exchange: Exchange, spec: &RestSpec, at: &str, faults: &mut Faults) -> RestConfig {
    RestConfig {
        endpoints: endpoints(exchange, &spec.endpoints, at, faults),
        interval_millis: millis(spec.interval_seconds),
        timeout_millis: millis(spec.timeout_seconds),
        max_weight_per_minute: weight(exchange, spec.max_weight_per_minute, at, faults),
    }
}

fn websocket(exchange: Exchange, spec: &WebsocketSpec, at: &str, faults: &mut Faults) -> WebsocketConfig {
    if !spec.stream.is_offered_by(exchange) {
        let offered = Stream::ALL.iter().filter(|stream| stream.is_offered_by(exchange)).map(Stream::as_str);
        let message = not_offered(exchange, "stream", spec.stream.as_str(), offered);
        faults.add(Fault::new(path::field(at, "stream"), message));
    } else {
        interval(exchange, spec.interval, at, faults);
    }
    let own = || exchange.default_stream_endpoints().iter().map(|endpoint| (*endpoint).to_owned()).collect();
    WebsocketConfig {
        endpoints: checked(&spec.endpoints, at, endpoint::check_stream, faults).unwrap_or_else(own),
        stream: spec.stream,
        interval: spec.interval,
        partial: spec.partial,
        silence_millis: millis(spec.silence_seconds),
        history: history(exchange, &spec.history, &path::field(at, "history"), faults),
    }
}

fn replay(exchange: Exchange, spec: &ReplaySpec, at: &str, faults: &mut Faults) -> Option<ReplayConfig> {
    interval(exchange, spec.interval, at, faults);
    let history = history(exchange, &spec.history, &path::field(at, "history"), faults);
    let mut moment = |field: &str, text: &str| {
        let problem = |error| format!("{text:?} is no moment to read from: {error}");
        faults.take(&path::field(at, field), text.parse::<Timestamp>().map_err(problem))
    };
    let start = moment("start", &spec.start);
    let end = spec.end.as_ref().map(|end| moment("end", end));
    let pace = faults.take(&path::field(at, "pace"), spec.pace.parse::<Pace>());
    Some(ReplayConfig {
        interval: spec.interval,
        start: start?,
        end: match end {
            Some(end) => Some(end?),
            None => None,
        },
        pace: pace?,
        on_complete: spec.on_complete,
        history,
    })
}

fn history(exchange: Exchange, spec: &HistorySpec, at: &str, faults: &mut Faults) -> HistoryConfig {
    HistoryConfig {
        endpoints: endpoints(exchange, &spec.endpoints, at, faults),
        timeout_millis: millis(spec.timeout_seconds),
        max_weight_per_minute: weight(exchange, spec.max_weight_per_minute, at, faults),
    }
}

/// An interval that an exchange does not have is a fault.
fn interval(exchange: Exchange, interval: Option<KlineInterval>, at: &str, faults: &mut Faults) {
    if let Some(interval) = interval.filter(|wanted| !KlineInterval::of(exchange).any(|own| own == *wanted)) {
        let offered = KlineInterval::of(exchange);
        let message = not_offered(exchange, "interval", interval.as_str(), offered.map(|own| own.as_str()));
        faults.add(Fault::new(path::field(at, "interval"), message));
    }
}

fn not_offered<'a>(
    exchange: Exchange,
    what: &str,
    wanted: &str,
    offered: impl Iterator<Item = &'a str>,
) -> String {
    format!("{exchange} has no {what} {wanted}; it has {}", offered.collect::<Vec<_>>().join(", "))
}

fn endpoints(exchange: Exchange, named: &[String], at: &str, faults: &mut Faults) -> Vec<String> {
    let own = || exchange.default_endpoints().iter().map(|endpoint| (*endpoint).to_owned()).collect();
    checked(named, at, endpoint::check, faults).unwrap_or_else(own)
}

/// The endpoints that were named; none where none was.
fn checked(
    named: &[String],
    at: &str,
    check: fn(&str) -> Result<(), String>,
    faults: &mut Faults,
) -> Option<Vec<String>> {
    let list = path::field(at, "endpoints");
    for (index, text) in named.iter().enumerate() {
        let at = path::item(&list, index);
        faults.take(&at, check(text));
        if named[..index].contains(text) {
            faults.add(Fault::new(at, "is there twice; remove one"));
        }
    }
    (!named.is_empty()).then(|| named.to_vec())
}

/// The request weight of a minute: what was said, or what is usual for the exchange.
fn weight(exchange: Exchange, said: Option<i32>, at: &str, faults: &mut Faults) -> u32 {
    let limit = exchange.request_weight_limit();
    let weight = said.map_or_else(|| exchange.usual_request_weight(), count);
    if weight > limit {
        let message = format!(
            "{weight} is above the {limit} that {exchange} allows in a minute; write at most {limit}, or leave the field out"
        );
        faults.add(Fault::new(path::field(at, "maxWeightPerMinute"), message));
    }
    weight
}

/// The request weight that polling takes must fit the budget of each source, or slots would be skipped for ever.
pub(super) fn weights(pipeline: &Pipeline, faults: &mut Faults) {
    let shards = pipeline.shards();
    for (index, source) in pipeline.sources.iter().enumerate() {
        let Some(rest) = source.rest() else { continue };
        let served = |symbols: &[PipelineSymbol]| symbols.iter().filter(|s| source.serves(&s.symbol)).count();
        let asking = shards.iter().map(|shard| served(&shard.symbols)).filter(|symbols| *symbols > 0);
        let poll: u32 = asking.map(|symbols| poll_cost(source.exchange, symbols)).sum();
        let seconds = u32::try_from(rest.interval_millis / 1_000).unwrap_or(u32::MAX);
        if let Some(message) = too_often(source.exchange, seconds, poll, rest.max_weight_per_minute) {
            let at = path::field(&path::item("spec.sources", index), "rest");
            faults.add(Fault::new(path::field(&at, "intervalSeconds"), message));
        }
    }
}

/// What is wrong with polling every so many seconds at so much a poll; nothing when the budget bears it.
fn too_often(exchange: Exchange, interval: u32, poll: u32, budget: u32) -> Option<String> {
    let per_minute = |interval: u32| 60_u32.div_ceil(interval) * poll;
    if interval == 0 || per_minute(interval) <= budget {
        return None;
    }
    let needed = per_minute(interval);
    let slower = (interval..=60).find(|longer| per_minute(*longer) <= budget);
    let slower = slower.map(|fits| format!("poll every {fits} s or less often"));
    let raise =
        (needed <= exchange.request_weight_limit()).then(|| format!("raise maxWeightPerMinute to {needed}"));
    let remedies: Vec<String> = slower.into_iter().chain(raise).collect();
    let remedy = match remedies.is_empty() {
        true => "listen to a stream instead (websocket), or follow fewer symbols".to_owned(),
        false => remedies.join(", or "),
    };
    Some(format!(
        "polling every {interval} s takes {needed} of request weight in a minute, above maxWeightPerMinute {budget}; {remedy}"
    ))
}

fn millis(seconds: i32) -> u64 {
    u64::from(count(seconds)) * 1_000
}
