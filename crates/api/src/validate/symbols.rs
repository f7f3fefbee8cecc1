//! `spec.symbols`: the topic and the collection of each symbol. Pure.

use pricepipe_core::{
    Symbol,
    names::{self, CollectionName, PipelineName, TopicName},
    pipeline::PipelineSymbol,
};

use crate::{Fault, PricePipelineSpec, SymbolSpec, fault::Faults, path, resource::MAX_SYMBOLS};

use super::count;

const TEMPLATE: &str = "spec.kafka.topics.nameTemplate";

/// The symbols with what follows from each.
pub(super) fn symbols(spec: &PricePipelineSpec, pipeline: &str, faults: &mut Faults) -> Vec<PipelineSymbol> {
    let template = spec.kafka.topics.name_template.as_str();
    let mut symbols: Vec<PipelineSymbol> = Vec::new();
    // The schema refuses more; every symbol is compared with those before it.
    for (index, entry) in spec.symbols.iter().enumerate().take(MAX_SYMBOLS) {
        let at = path::item("spec.symbols", index);
        if let Some(symbol) = symbol(entry, template, pipeline, &at, faults) {
            reserved(&symbol.topic, pipeline, entry, &at, faults);
            shared(&symbols, &symbol, entry, &at, faults);
            symbols.push(symbol);
        }
    }
    symbols
}

fn symbol(
    entry: &SymbolSpec,
    template: &str,
    pipeline: &str,
    at: &str,
    faults: &mut Faults,
) -> Option<PipelineSymbol> {
    let symbol: Symbol = faults.take(&format!("{at}.symbol"), entry.symbol.parse())?;
    let topic = topic(entry, &symbol, template, pipeline, at, faults)?;
    let collection = collection(entry, &topic, at, faults)?;
    Some(PipelineSymbol { symbol, topic, collection, partitions: entry.partitions.map(count) })
}

fn topic(
    entry: &SymbolSpec,
    symbol: &Symbol,
    template: &str,
    pipeline: &str,
    at: &str,
    faults: &mut Faults,
) -> Option<TopicName> {
    if let Some(topic) = &entry.topic {
        return faults.take(&format!("{at}.topic"), topic.parse());
    }
    let mut text = template.to_owned();
    if template.contains("{base}") {
        let base = entry.base.as_ref().map(|base| base.to_ascii_lowercase()).or_else(|| symbol.base_asset());
        let Some(base) = base else {
            let message = format!(
                "missing: the base asset of {symbol} cannot be told from its name; write it, as in base: btc"
            );
            faults.add(Fault::new(format!("{at}.base"), message));
            return None;
        };
        text = text.replace("{base}", &base);
    }
    text = text
        .replace("{symbol}", &symbol.as_str().to_ascii_lowercase().replace('/', "-"))
        .replace("{pipeline}", pipeline);
    let parsed = text.parse::<TopicName>();
    faults
        .take(TEMPLATE, parsed.map_err(|error| format!("makes the topic {text:?} of {symbol}, but {error}")))
}

fn collection(
    entry: &SymbolSpec,
    topic: &TopicName,
    at: &str,
    faults: &mut Faults,
) -> Option<CollectionName> {
    let path = format!("{at}.collection");
    if let Some(collection) = &entry.collection {
        return faults.take(&path, collection.parse());
    }
    let default = names::default_collection(topic);
    let remedy = |error| {
        format!(
            "topic {topic:?} would make the collection {default:?}, but {error}; write a collection",
            topic = topic.as_str()
        )
    };
    faults.take(&path, default.parse().map_err(remedy))
}

/// Prices may not go to a topic that has another purpose. Kafka takes `.` and `_` for the same in the names of its
/// metrics and refuses a topic that differs from another in nothing else.
fn reserved(topic: &TopicName, pipeline: &str, entry: &SymbolSpec, at: &str, faults: &mut Faults) {
    let Ok(pipeline) = pipeline.parse::<PipelineName>() else { return };
    let kept = [
        (names::dead_letter_topic(&pipeline), "messages that cannot be stored"),
        (names::gaps_topic(&pipeline), "holes in what was received"),
    ];
    if let Some((name, purpose)) = kept.iter().find(|(name, _)| alike(topic, name)) {
        let message = format!("{:?} is kept for {purpose} ({name}); choose another topic", topic.as_str());
        faults.add(Fault::new(topic_path(entry, at), message));
    }
}

/// What symbols of one topic must have in common, and what topics must not.
fn shared(
    before: &[PipelineSymbol],
    new: &PipelineSymbol,
    entry: &SymbolSpec,
    at: &str,
    faults: &mut Faults,
) {
    let Some(other) = before.iter().find(|other| alike(&other.topic, &new.topic)) else { return };
    if other.topic != new.topic {
        let message = format!(
            "topics {:?} and {:?} differ only in '.' and '_', which Kafka refuses; rename one",
            other.topic.as_str(),
            new.topic.as_str()
        );
        faults.add(Fault::new(topic_path(entry, at), message));
    } else if other.collection != new.collection {
        let message = format!(
            "symbols of one topic share its collection: {} stores {:?} in {:?} and this one in {:?}; write the same collection for both",
            other.symbol,
            new.topic.as_str(),
            other.collection.as_str(),
            new.collection.as_str()
        );
        faults.add(Fault::new(format!("{at}.collection"), message));
    }
}

fn topic_path(entry: &SymbolSpec, at: &str) -> String {
    if entry.topic.is_some() { format!("{at}.topic") } else { TEMPLATE.to_owned() }
}

/// True for topics that are the same, but for '.' and '_'.
fn alike(one: &TopicName, other: &TopicName) -> bool {
    let plain = |b: u8| if b == b'.' { b'_' } else { b };
    one.as_str().bytes().map(plain).eq(other.as_str().bytes().map(plain))
}
