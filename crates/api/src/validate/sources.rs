//! `spec.sources`: where prices come from, and whether the exchange will bear it. Pure.

use pricepipe_core::{
    Exchange,
    config::{Feed, RestConfig, SourceConfig},
};

use crate::{Fault, PricePipelineSpec, RestSpec, fault::Faults, path};

use super::{count, endpoint};

/// The sources with what follows from each. One without a way to read prices is left out; a CEL rule reports it.
pub(super) fn sources(spec: &PricePipelineSpec, faults: &mut Faults) -> Vec<SourceConfig> {
    let mut sources = Vec::new();
    for (index, source) in spec.sources.iter().enumerate() {
        let Some(rest) = &source.rest else { continue };
        let at = path::field(&path::item("spec.sources", index), "rest");
        weight(source.exchange, spec.symbols.len(), rest, &at, faults);
        sources.push(SourceConfig {
            name: source.effective_name().to_owned(),
            exchange: source.exchange,
            symbols: Vec::new(),
            feed: Feed::Rest(RestConfig {
                endpoints: endpoints(source.exchange, rest, &at, faults),
                interval_millis: u64::from(count(rest.interval_seconds)) * 1_000,
                timeout_millis: u64::from(count(rest.timeout_seconds)) * 1_000,
                max_weight_per_minute: count(rest.max_weight_per_minute),
            }),
        });
    }
    sources
}

fn endpoints(exchange: Exchange, rest: &RestSpec, at: &str, faults: &mut Faults) -> Vec<String> {
    if rest.endpoints.is_empty() {
        return exchange.default_endpoints().iter().map(|endpoint| (*endpoint).to_owned()).collect();
    }
    let list = path::field(at, "endpoints");
    for (index, text) in rest.endpoints.iter().enumerate() {
        let at = path::item(&list, index);
        faults.take(&at, endpoint::check(text));
        if rest.endpoints[..index].contains(text) {
            faults.add(Fault::new(at, "is there twice; remove one"));
        }
    }
    rest.endpoints.clone()
}

/// The request weight that polling takes must fit the budget, or slots would be skipped for ever.
fn weight(exchange: Exchange, symbols: usize, rest: &RestSpec, at: &str, faults: &mut Faults) {
    let (interval, budget) = (count(rest.interval_seconds), count(rest.max_weight_per_minute));
    let per_minute =
        |interval: u32| 60_u32.div_ceil(interval) * exchange.price_request_weight(symbols.max(2));
    if interval == 0 || per_minute(interval) <= budget {
        return;
    }
    let needed = per_minute(interval);
    let remedy = match (interval..=60).find(|longer| per_minute(*longer) <= budget) {
        Some(fits) => format!("poll every {fits} s or less often, or raise maxWeightPerMinute to {needed}"),
        None => format!("raise maxWeightPerMinute to {needed}"),
    };
    let message = format!(
        "polling every {interval} s takes {needed} of request weight in a minute, above maxWeightPerMinute {budget}; {remedy}"
    );
    faults.add(Fault::new(path::field(at, "intervalSeconds"), message));
}
