//! Which producer follows which symbol when several share them. Pure.
//!
//! The split depends on the symbols and the number of shards alone, so that every part of the system comes to the same
//! one. A symbol that comes or goes moves at most one other.

use crate::{
    Exchange, Symbol,
    config::{Feed, KafkaConnection, ProducerConfig, SourceConfig},
};

use super::{Pipeline, PipelineSymbol};

/// The streams of markets that one producer follows unless the pipeline says otherwise: two connections of Binance,
/// which bears 1,024 on each, and less than half of what one process was measured to bear.
pub const STREAMS_OF_ONE_PRODUCER: usize = 2_000;

/// The most shards of a pipeline.
pub const MOST_SHARDS: u32 = 50;

/// The producers with the same part of a pipeline's symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its place; a pipeline that is not split has the shard 0 alone.
    pub index: u32,
    /// The sources that serve any of its symbols, each with its share of the request weight.
    pub sources: Vec<SourceConfig>,
    /// Its symbols.
    pub symbols: Vec<PipelineSymbol>,
}

impl Shard {
    /// What its producer is told.
    pub fn producer_config(&self, pipeline: &Pipeline, kafka: KafkaConnection) -> ProducerConfig {
        ProducerConfig {
            pipeline: pipeline.name.clone(),
            kafka,
            sources: self.sources.clone(),
            symbols: self.symbols.iter().map(PipelineSymbol::route).collect(),
        }
    }
}

impl Pipeline {
    /// How many shards there are: as many as the pipeline says, or one for every 2,000 streams of markets begun; never
    /// more than symbols.
    pub fn shard_count(&self) -> u32 {
        let streams = |source: &SourceConfig| match source.feed {
            Feed::Websocket(_) => self.symbols.iter().filter(|s| source.serves(&s.symbol)).count(),
            Feed::Rest(_) | Feed::Replay(_) => 0,
        };
        let enough = || self.sources.iter().map(streams).sum::<usize>().div_ceil(STREAMS_OF_ONE_PRODUCER);
        let wanted = self.producer_shards.map_or_else(enough, |shards| shards as usize);
        u32::try_from(wanted.clamp(1, self.symbols.len().max(1))).unwrap_or(u32::MAX)
    }

    /// The shards, in their order. None is without a symbol.
    pub fn shards(&self) -> Vec<Shard> {
        let symbols: Vec<&Symbol> = self.symbols.iter().map(|s| &s.symbol).collect();
        let parts: Vec<Vec<PipelineSymbol>> = split(&symbols, self.shard_count())
            .into_iter()
            .map(|part| part.into_iter().map(|index| self.symbols[index].clone()).collect())
            .collect();
        let shard = |(index, symbols): (u32, &Vec<PipelineSymbol>)| Shard {
            index,
            sources: self.sources.iter().filter_map(|source| share(source, symbols, &parts)).collect(),
            symbols: symbols.clone(),
        };
        (0..).zip(&parts).map(shard).collect()
    }
}

/// The part of a source that serves these symbols; none when it serves none of them.
fn share(
    source: &SourceConfig,
    symbols: &[PipelineSymbol],
    parts: &[Vec<PipelineSymbol>],
) -> Option<SourceConfig> {
    let served = |symbols: &[PipelineSymbol]| symbols.iter().filter(|s| source.serves(&s.symbol)).count();
    let cost = |symbols: &[PipelineSymbol]| cost(source, served(symbols));
    if served(symbols) == 0 {
        return None;
    }
    let mut share = source.clone();
    share.symbols.retain(|name| symbols.iter().any(|s| s.symbol == *name));
    let all: u64 = parts.iter().map(|part| cost(part)).sum();
    let weight = u64::from(source.max_weight_per_minute()) * cost(symbols) / all.max(1);
    share.set_max_weight_per_minute(u32::try_from(weight).unwrap_or(u32::MAX).max(1));
    Some(share)
}

/// What so many symbols of a source cost, in proportion: by the poll, or by the market whose history is asked for.
fn cost(source: &SourceConfig, symbols: usize) -> u64 {
    match (&source.feed, symbols) {
        (_, 0) => 0,
        (Feed::Rest(_), symbols) => u64::from(poll_cost(source.exchange, symbols)),
        (Feed::Websocket(_) | Feed::Replay(_), symbols) => symbols as u64,
    }
}

/// The request weight to reckon with for a poll of so many symbols. One alone is asked for in a form that may cost
/// less, but a second one may come.
pub fn poll_cost(exchange: Exchange, symbols: usize) -> u32 {
    exchange.price_request_weight(symbols).max(if exchange == Exchange::Binance { 4 } else { 1 })
}

/// The indexes of the symbols of each of so many parts.
///
/// A symbol belongs to the part that values it highest (rendezvous hashing): another symbol changes nothing about that,
/// another part takes only what it values most. A part that comes out empty takes what it values most from the largest.
fn split(symbols: &[&Symbol], count: u32) -> Vec<Vec<usize>> {
    let value = |index: usize, part: u32| value(symbols[index], part);
    let mut parts: Vec<Vec<usize>> = vec![Vec::new(); count as usize];
    for index in 0..symbols.len() {
        let best = (0..count).max_by_key(|part| value(index, *part)).unwrap_or_default();
        parts[best as usize].push(index);
    }
    for empty in 0..count {
        if parts[empty as usize].is_empty()
            && let Some(largest) =
                parts.iter_mut().filter(|part| part.len() > 1).max_by_key(|part| part.len())
        {
            let place = (0..largest.len()).max_by_key(|place| value(largest[*place], empty));
            let taken = largest.remove(place.unwrap_or_default());
            parts[empty as usize].push(taken);
        }
    }
    parts
}

/// How much a part values a symbol: a number that looks drawn by lot and is always the same (FNV-1a, then the last step
/// of SplitMix64, which spreads neighbouring parts).
fn value(symbol: &Symbol, part: u32) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = symbol.as_str().bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let mut mixed = hash ^ u64::from(part).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{
        config::{HistoryConfig, Stream, WebsocketConfig},
        pipeline::tests::majors,
    };

    use super::*;

    fn pipeline(symbols: usize, shards: Option<u32>) -> Pipeline {
        let mut pipeline = majors();
        let symbol = |n: usize| PipelineSymbol {
            symbol: format!("A{n}USDT").parse().unwrap(),
            ..pipeline.symbols[0].clone()
        };
        pipeline.symbols = (0..symbols).map(symbol).collect();
        pipeline.producer_shards = shards;
        pipeline
    }

    fn streamed(mut pipeline: Pipeline, sources: usize) -> Pipeline {
        let history = HistoryConfig {
            endpoints: vec!["https://a.example".to_owned()],
            timeout_millis: 2_000,
            max_weight_per_minute: 1_200,
        };
        let feed = Feed::Websocket(WebsocketConfig {
            endpoints: vec!["wss://a.example".to_owned()],
            stream: Stream::Trade,
            interval: None,
            partial: false,
            silence_millis: 30_000,
            history,
        });
        let source = SourceConfig { feed, ..pipeline.sources[0].clone() };
        pipeline.sources = vec![source; sources];
        pipeline
    }

    /// Where each symbol is.
    fn places(pipeline: &Pipeline) -> BTreeMap<String, u32> {
        let places = |shard: &Shard| {
            let index = shard.index;
            shard.symbols.iter().map(move |s| (s.symbol.to_string(), index)).collect::<Vec<_>>()
        };
        pipeline.shards().iter().flat_map(places).collect()
    }

    #[test]
    fn a_pipeline_is_split_when_one_producer_would_follow_too_many_streams() {
        for (symbols, sources, expected) in
            [(1, 1, 1), (1_000, 1, 1), (1_000, 2, 1), (1_000, 3, 2), (1_000, 8, 4)]
        {
            assert_eq!(
                streamed(pipeline(symbols, None), sources).shard_count(),
                expected,
                "{symbols} {sources}"
            );
        }
        assert_eq!(pipeline(1_000, None).shard_count(), 1, "one poll serves all symbols");
        assert_eq!(pipeline(3, Some(50)).shard_count(), 3, "no shard is without a symbol");
    }

    #[test]
    fn one_shard_is_the_whole_pipeline() {
        let whole = majors();
        let shards = whole.shards();
        assert_eq!((shards.len(), shards[0].index), (1, 0));
        let kafka = KafkaConnection::default();
        assert_eq!(shards[0].producer_config(&whole, kafka.clone()), whole.producer_config(kafka));
    }

    #[test]
    fn every_symbol_has_one_shard_and_every_shard_a_fair_part() {
        for (symbols, shards) in [(2, 2), (3, 2), (3, 3), (50, 50), (1_000, 4), (1_000, 50)] {
            let pipeline = pipeline(symbols, Some(shards));
            assert_eq!(places(&pipeline).len(), symbols);
            let parts: Vec<usize> = pipeline.shards().iter().map(|shard| shard.symbols.len()).collect();
            assert_eq!(parts.len(), shards as usize);
            let fair = symbols / shards as usize;
            assert!(parts.iter().all(|part| (1..=2 * fair + 10).contains(part)), "{symbols}: {parts:?}");
        }
    }

    #[test]
    fn a_symbol_that_comes_moves_no_other_and_another_shard_takes_only_its_own() {
        let before = places(&pipeline(200, Some(4)));
        for (symbol, place) in places(&pipeline(201, Some(4))) {
            assert!(before.get(&symbol).is_none_or(|known| *known == place), "{symbol}");
        }
        let moved =
            places(&pipeline(200, Some(5))).into_iter().filter(|(symbol, place)| before[symbol] != *place);
        let moved: Vec<_> = moved.collect();
        assert!(moved.iter().all(|(_, place)| *place == 4) && moved.len() < 70, "{moved:?}");
    }

    #[test]
    fn a_shard_has_its_share_of_the_weight_and_only_sources_that_serve_it() {
        let mut pipeline = streamed(pipeline(10, Some(4)), 2);
        let one = pipeline.symbols[3].symbol.clone();
        pipeline.sources[1].symbols = vec![one.clone()];
        let shards = pipeline.shards();
        let weights = |index: usize| {
            let sources = shards.iter().flat_map(move |shard| shard.sources.iter().skip(index).take(1));
            sources.map(SourceConfig::max_weight_per_minute).collect::<Vec<_>>()
        };
        let total: u32 = weights(0).iter().sum();
        assert!((1_190..=1_200).contains(&total), "{:?}", weights(0));
        assert_eq!(weights(1), [1_200], "the narrow source stands in one shard with all of its weight");
        let with_both = shards.iter().find(|shard| shard.sources.len() == 2).unwrap();
        assert!(with_both.symbols.iter().any(|s| s.symbol == one));
        assert_eq!(with_both.sources[1].symbols, [one]);
    }

    #[test]
    fn every_shard_polls_at_the_cost_of_a_poll() {
        let weights: Vec<u32> =
            pipeline(100, Some(4)).shards().iter().map(|s| s.sources[0].max_weight_per_minute()).collect();
        assert_eq!(weights, [300; 4]);
    }
}
