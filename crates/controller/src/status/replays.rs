//! How far the replays of a pipeline are, from the last words of its producers. Pure.

use std::collections::HashSet;

use pricepipe_api::ReplayStatus;
use pricepipe_core::{
    Pipeline, ReplayProgress, ReplayState, Symbol,
    config::{Feed, ReplayConfig, SourceConfig},
};

/// The longest reason for a failure: what is longer is in the producer's log.
const LONGEST_FAILURE: usize = 256;

/// Each source of the pipeline that replays, in the order of the spec. Words on anything else are left alone: sources that are
/// gone, symbols that they do not serve any more, and history that they replayed before.
pub(super) fn replays(pipeline: &Pipeline, words: &[ReplayProgress]) -> Vec<ReplayStatus> {
    sources(pipeline).map(|(source, replay)| status(pipeline, source, replay, words)).collect()
}

/// Leaves those that the pipeline still has.
pub(super) fn retain(replays: &mut Vec<ReplayStatus>, pipeline: &Pipeline) {
    replays.retain(|replay| sources(pipeline).any(|(source, _)| source.name == replay.source));
}

fn sources(pipeline: &Pipeline) -> impl Iterator<Item = (&SourceConfig, &ReplayConfig)> {
    pipeline.sources.iter().filter_map(|source| match &source.feed {
        Feed::Replay(replay) => Some((source, replay)),
        Feed::Rest(_) | Feed::Websocket(_) => None,
    })
}

fn status(
    pipeline: &Pipeline,
    source: &SourceConfig,
    replay: &ReplayConfig,
    words: &[ReplayProgress],
) -> ReplayStatus {
    let served = pipeline.symbols.iter().map(|symbol| &symbol.symbol).filter(|symbol| source.serves(symbol));
    let symbols: HashSet<&Symbol> = served.collect();
    let mut words: Vec<&ReplayProgress> =
        words.iter().filter(|word| is_of(word, source, replay) && symbols.contains(&word.symbol)).collect();
    words.sort_by_key(|word| &word.symbol);
    let failures = words.iter().filter_map(|word| match &word.state {
        ReplayState::Failed { reason } => Some(format!("{}: {reason}", word.symbol)),
        ReplayState::Running | ReplayState::Complete => None,
    });
    let done: f64 = words.iter().map(|word| word.fraction()).sum();
    let running = words.iter().filter(|word| word.state == ReplayState::Running).map(|word| word.reached);
    let have_ended = words.len() == symbols.len();
    let last = words.iter().map(|word| word.reached).max().filter(|_| have_ended);
    ReplayStatus {
        source: source.name.clone(),
        symbols: super::count(symbols.len()),
        complete: super::count(words.iter().filter(|word| word.state == ReplayState::Complete).count()),
        failed: super::count(failures.clone().count()),
        percent: percent(done, symbols.len()),
        reached: running.min().or(last).map(|moment| moment.to_string()),
        failure: failures.clone().next().map(|failure| failure.chars().take(LONGEST_FAILURE).collect()),
    }
}

/// True when a word is on what the source replays now.
fn is_of(word: &ReplayProgress, source: &SourceConfig, replay: &ReplayConfig) -> bool {
    (&word.source, word.exchange) == (&source.name, source.exchange)
        && (word.start, word.interval) == (replay.start, replay.interval)
        // Without an end it is the moment at which the producer began.
        && replay.end.is_none_or(|end| end == word.end)
}

/// So many hundredths are done of so many, rounded down: 100 is said of the whole alone.
fn percent(done: f64, of: usize) -> i32 {
    if of == 0 { 100 } else { (done / of as f64 * 100.0).floor() as i32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::tests::pipeline;

    const SPEC: &str = "
symbols: [{symbol: AUSDT}, {symbol: BUSDT}, {symbol: CUSDT}, {symbol: DUSDT}]
sources:
- {name: live, exchange: binance, symbols: [AUSDT], websocket: {stream: trade}}
- {name: past, exchange: binance, symbols: [AUSDT, BUSDT, CUSDT], replay: {interval: 1m, start: '2026-11-01T00:00:00Z', end: '2026-11-03T00:00:00Z'}}
- {name: rest, exchange: kraken, replay: {trades: true, start: '2026-11-01T00:00:00Z'}}
";

    fn word(source: &str, exchange: &str, symbol: &str, reached: &str, state: ReplayState) -> ReplayProgress {
        let interval = if source == "past" { "1m".parse().ok() } else { None };
        ReplayProgress {
            source: source.to_owned(),
            exchange: exchange.parse().unwrap(),
            symbol: symbol.parse().unwrap(),
            interval,
            start: "2026-11-01T00:00:00Z".parse().unwrap(),
            end: "2026-11-03T00:00:00Z".parse().unwrap(),
            reached: format!("2026-11-{reached}:00:00Z").parse().unwrap(),
            records: 7,
            state,
        }
    }

    fn past(symbol: &str, reached: &str, state: ReplayState) -> ReplayProgress {
        word("past", "binance", symbol, reached, state)
    }

    fn failed(reason: &str) -> ReplayState {
        ReplayState::Failed { reason: reason.to_owned() }
    }

    #[test]
    fn each_source_that_replays_is_told_over_all_of_its_symbols() {
        use ReplayState::{Complete, Running};
        let pipeline = pipeline(SPEC);
        let told = |words: &[ReplayProgress]| replays(&pipeline, words);
        let nothing = told(&[]);
        let seen: Vec<_> = nothing.iter().map(|r| (r.source.as_str(), r.symbols, r.percent)).collect();
        assert_eq!(seen, [("past", 3, 0), ("rest", 4, 0)], "in the order of the spec");
        assert_eq!(nothing[0].reached, None);

        let mut words = vec![past("BUSDT", "02T00", Running), past("AUSDT", "01T12", Running)];
        let half = told(&words).remove(0);
        assert_eq!(
            (half.percent, half.complete, half.reached.as_deref()),
            (25, 0, Some("2026-11-01T12:00:00Z"))
        );
        words[1] = past("AUSDT", "03T00", Complete);
        let more = told(&words).remove(0);
        assert_eq!(
            (more.percent, more.complete, more.reached.as_deref()),
            (50, 1, Some("2026-11-02T00:00:00Z"))
        );
        words[0] = past("BUSDT", "03T00", Complete);
        assert_eq!((told(&words)[0].percent, &told(&words)[0].reached), (66, &None), "one has not begun");
        words.push(past("CUSDT", "01T00", failed(&"x".repeat(1_000))));
        let end = told(&words).remove(0);
        assert_eq!((end.percent, end.complete, end.failed), (100, 2, 1));
        assert_eq!(end.reached.as_deref(), Some("2026-11-03T00:00:00Z"));
        let failure = end.failure.unwrap();
        assert!(failure.starts_with("CUSDT: xxx") && failure.len() == LONGEST_FAILURE, "{failure}");
    }

    #[test]
    fn words_on_what_is_not_replayed_any_more_are_left_alone() {
        use ReplayState::Complete;
        let pipeline = pipeline(SPEC);
        let ours = past("AUSDT", "03T00", Complete);
        let start = "2026-10-01T00:00:00Z".parse().unwrap();
        let end = "2026-11-02T00:00:00Z".parse().unwrap();
        for other in [
            word("gone", "binance", "AUSDT", "03T00", Complete),
            word("past", "kraken", "AUSDT", "03T00", Complete),
            past("DUSDT", "03T00", Complete),
            ReplayProgress { start, ..ours.clone() },
            ReplayProgress { end, ..ours.clone() },
            ReplayProgress { interval: None, ..ours.clone() },
        ] {
            let told = replays(&pipeline, std::slice::from_ref(&other));
            assert!(told.iter().all(|replay| (replay.complete, replay.percent) == (0, 0)), "{other:?}");
        }
        assert_eq!(replays(&pipeline, &[ours])[0].complete, 1);
        let whenever = ReplayProgress { end, ..word("rest", "kraken", "AUSDT", "02T00", Complete) };
        assert_eq!(replays(&pipeline, &[whenever])[1].complete, 1, "its end is when it began");
    }

    #[test]
    fn nearly_everything_is_not_everything() {
        assert_eq!([percent(999.999, 1_000), percent(1_000.0, 1_000), percent(0.0, 0)], [99, 100, 100]);
    }
}
