//! Which symbols a source serves, and that no market is followed twice in vain. Pure.

use std::collections::BTreeMap;

use pricepipe_core::{
    Symbol,
    config::{Feed, SourceConfig},
    pipeline::PipelineSymbol,
};

use crate::{Fault, PricePipelineSpec, SourceSpec, fault::Faults, path, suggest};

/// The symbols of the pipeline that a source is narrowed to; none when it serves all.
pub(super) fn narrowed(
    source: &SourceSpec,
    spec: &PricePipelineSpec,
    symbols: &[PipelineSymbol],
    at: &str,
    faults: &mut Faults,
) -> Vec<Symbol> {
    let list = path::field(at, "symbols");
    let mut narrowed: Vec<Symbol> = Vec::new();
    for (index, name) in source.symbols.iter().enumerate() {
        let at = path::item(&list, index);
        let Some(symbol) = symbols.iter().map(|s| &s.symbol).find(|symbol| symbol.as_str() == name) else {
            // One that is there and has a fault of its own need not be told again.
            if !spec.symbols.iter().any(|entry| entry.symbol == *name) {
                faults.add(Fault::new(at, unknown(name, spec)));
            }
            continue;
        };
        if narrowed.contains(symbol) {
            faults.add(Fault::new(at, format!("{name:?} is there twice; remove one")));
        } else {
            narrowed.push(symbol.clone());
        }
    }
    narrowed
}

fn unknown(name: &str, spec: &PricePipelineSpec) -> String {
    let near = suggest::nearest(name, spec.symbols.iter().map(|entry| entry.symbol.as_str()));
    let near = near.map(|near| format!("did you mean {near:?}?"));
    let remedy = near.unwrap_or_else(|| "add it there".to_owned());
    format!("{name:?} is none of spec.symbols; {remedy}")
}

/// Two symbols of one source that are the same market would be stored as one, or the other, by chance.
pub(super) fn same(
    source: &SourceConfig,
    symbols: &[PipelineSymbol],
    spec: &PricePipelineSpec,
    faults: &mut Faults,
) {
    let mut markets: BTreeMap<String, &Symbol> = BTreeMap::new();
    for symbol in symbols.iter().map(|s| &s.symbol).filter(|symbol| source.serves(symbol)) {
        let market = source.exchange.market(symbol).into_owned();
        if let Some(other) = markets.insert(market, symbol) {
            let message =
                format!("{symbol} and {other} are the same market of {}; remove one", source.exchange);
            faults.add(Fault::new(symbol_path(symbol, spec), message));
        }
    }
}

/// Two sources that listen to the same stream of a market would tell each trade twice.
pub(super) fn twice(
    before: &[SourceConfig],
    source: &SourceConfig,
    symbols: &[PipelineSymbol],
    at: &str,
    faults: &mut Faults,
) {
    let Feed::Websocket(stream) = &source.feed else { return };
    let markets = |of: &SourceConfig| -> Vec<String> {
        let served = symbols.iter().map(|s| &s.symbol).filter(|symbol| of.serves(symbol));
        served.map(|symbol| of.exchange.market(symbol).into_owned()).collect()
    };
    for other in before.iter().filter(|other| other.exchange == source.exchange) {
        let Feed::Websocket(known) = &other.feed else { continue };
        if (known.stream, known.interval) != (stream.stream, stream.interval) {
            continue;
        }
        let theirs = markets(other);
        if let Some(market) = markets(source).into_iter().find(|market| theirs.contains(market)) {
            let message = format!(
                "source {:?} listens to the same stream of {market} already; remove one, or narrow one with symbols",
                other.name
            );
            faults.add(Fault::new(path::field(&path::field(at, "websocket"), "stream"), message));
        }
    }
}

/// A symbol that no source serves would never have a price.
pub(super) fn unserved(
    sources: &[SourceConfig],
    symbols: &[PipelineSymbol],
    spec: &PricePipelineSpec,
    faults: &mut Faults,
) {
    if sources.is_empty() || sources.len() < spec.sources.len() {
        return;
    }
    for symbol in symbols.iter().map(|s| &s.symbol) {
        if !sources.iter().any(|source| source.serves(symbol)) {
            let message = format!("no source serves {symbol}: add it to the symbols of one");
            faults.add(Fault::new(symbol_path(symbol, spec), message));
        }
    }
}

fn symbol_path(symbol: &Symbol, spec: &PricePipelineSpec) -> String {
    let index = spec.symbols.iter().position(|entry| entry.symbol == symbol.as_str()).unwrap_or_default();
    format!("{}.symbol", path::item("spec.symbols", index))
}
