//! That candles and quotes have collections of their own: none is another topic's. Pure.

use std::collections::BTreeMap;

use pricepipe_core::{
    Pipeline,
    names::{CollectionName, Shelf},
    pipeline::PipelineSymbol,
};

use crate::{Fault, PricePipelineSpec, fault::Faults, path};

/// What a pipeline really stores of a symbol must not lie where it stores something else of a symbol with another
/// collection: `btc_quotes` may be the quotes of `btc`, or a collection, but not both.
pub(super) fn collisions(pipeline: &Pipeline, spec: &PricePipelineSpec, faults: &mut Faults) {
    let mut taken: BTreeMap<CollectionName, (&PipelineSymbol, Shelf)> = BTreeMap::new();
    for symbol in &pipeline.symbols {
        for shelf in pipeline.shelves(&symbol.symbol).into_keys() {
            let name = shelf.collection(&symbol.collection);
            let Some((other, kept)) = taken.get(&name).copied() else {
                taken.insert(name, (symbol, shelf));
                continue;
            };
            if other.collection != symbol.collection {
                let message = format!(
                    "collection {:?} would hold {} ({}) and {} ({}); write another collection for one of the two",
                    name.as_str(),
                    content(other, kept),
                    other.symbol,
                    content(symbol, shelf),
                    symbol.symbol
                );
                faults.add(Fault::new(place(symbol, spec), message));
            }
        }
    }
}

fn content(symbol: &PipelineSymbol, shelf: Shelf) -> String {
    let what = match shelf {
        Shelf::Prices => "prices",
        Shelf::Klines(_) => "candles",
        Shelf::Quotes => "quotes",
    };
    format!("the {what} of {:?}", symbol.collection.as_str())
}

fn place(symbol: &PipelineSymbol, spec: &PricePipelineSpec) -> String {
    let index = spec.symbols.iter().position(|entry| entry.symbol == symbol.symbol.as_str());
    path::field(&path::item("spec.symbols", index.unwrap_or_default()), "collection")
}
