//! `pricepipe backfill`: the history of a pipeline's symbols, through its Kafka into its store.

pub(crate) mod args;

use std::ops::Range;

use pricepipe_core::{
    Exchange, KlineInterval, Pipeline, Symbol, Timestamp,
    config::{Feed, HistoryConfig, OnComplete, ReplayConfig, SourceConfig},
};
use pricepipe_service::clock;

use self::args::BackfillArgs;
use crate::{
    exit::{Exit, Failed},
    run,
};

/// Runs the pipeline's sources as replays, until what they bring is stored.
pub(crate) async fn backfill(args: &BackfillArgs) -> Result<(), Failed> {
    let mut pipeline = run::pipeline(&args.run)?;
    let period = period(args, clock::now())?;
    pipeline.sources = replays(&pipeline, args, &period)?;
    run::replay(pipeline, &args.run).await
}

fn period(args: &BackfillArgs, now: Timestamp) -> Result<Range<Timestamp>, Failed> {
    let (start, end) = (args.start.before(now), args.end.map_or(now, |end| end.before(now)));
    if start >= end {
        let message = format!("--start {start} is not before --end {end}; give an earlier --start");
        return Err(Failed::new(Exit::Usage, message));
    }
    Ok(start..end)
}

/// A source for each exchange that the pipeline reads from.
fn replays(
    pipeline: &Pipeline,
    args: &BackfillArgs,
    period: &Range<Timestamp>,
) -> Result<Vec<SourceConfig>, Failed> {
    let mut replays: Vec<SourceConfig> = Vec::new();
    for source in &pipeline.sources {
        offered(source.exchange, args.kind.interval)?;
        match replays.iter_mut().find(|replay| replay.exchange == source.exchange) {
            None => replays.push(replay(source, args, period)),
            Some(replay) => widen(&mut replay.symbols, &source.symbols),
        }
    }
    Ok(replays)
}

/// Serves what either source serves; an empty list is every symbol.
fn widen(symbols: &mut Vec<Symbol>, more: &[Symbol]) {
    if symbols.is_empty() || more.is_empty() {
        return symbols.clear();
    }
    for symbol in more {
        if !symbols.contains(symbol) {
            symbols.push(symbol.clone());
        }
    }
}

fn replay(source: &SourceConfig, args: &BackfillArgs, period: &Range<Timestamp>) -> SourceConfig {
    let history = HistoryConfig {
        endpoints: source.endpoints().clone(),
        timeout_millis: source.timeout_millis(),
        max_weight_per_minute: source.max_weight_per_minute(),
    };
    let replay = ReplayConfig {
        interval: args.kind.interval,
        start: period.start,
        end: Some(period.end),
        pace: args.pace,
        on_complete: OnComplete::Suspend,
        history,
    };
    SourceConfig { feed: Feed::Replay(replay), ..source.clone() }
}

/// Not every exchange has candles of every interval.
fn offered(exchange: Exchange, interval: Option<KlineInterval>) -> Result<(), Failed> {
    let Some(interval) = interval else { return Ok(()) };
    let offered: Vec<KlineInterval> = KlineInterval::of(exchange).collect();
    if offered.contains(&interval) {
        return Ok(());
    }
    let offered: Vec<&str> = offered.iter().map(KlineInterval::as_str).collect();
    let message =
        format!("--interval {interval}: {exchange} has no such candles; use {}", offered.join(", "));
    Err(Failed::new(Exit::Usage, message))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use pricepipe_core::config::Pace;

    use super::*;
    use crate::args::{Cli, Command};

    fn args(line: &str) -> BackfillArgs {
        let words = format!("pricepipe backfill x.yaml {line}");
        match Cli::try_parse_from(words.split(' ')).unwrap().command {
            Command::Backfill(args) => args,
            other => panic!("{other:?}"),
        }
    }

    fn pipeline(sources: &str) -> Pipeline {
        let text = format!(
            "{{apiVersion: pricepipe.dev/v1alpha1, kind: PricePipeline, metadata: {{name: a}}, \
             spec: {{symbols: [{{symbol: BTCUSDT}}, {{symbol: ETHUSDT}}], sources: {sources}}}}}"
        );
        pricepipe_api::parse(&text).unwrap().remove(0).1
    }

    #[test]
    fn candles_or_trades_must_be_chosen_and_the_period_must_not_be_empty() {
        let parsed = |line: &str| Cli::try_parse_from(format!("pricepipe backfill x.yaml {line}").split(' '));
        assert!(parsed("--start 1h").is_err() && parsed("--start 1h --trades --interval 1m").is_err());
        assert!(parsed("--trades").is_err(), "--start is missing");
        let now: Timestamp = "2026-11-23T06:00:00Z".parse().unwrap();
        let found = period(&args("--start 2h --end 1h --trades"), now).unwrap();
        assert_eq!(found, "2026-11-23T04:00:00Z".parse().unwrap().."2026-11-23T05:00:00Z".parse().unwrap());
        let failed = period(&args("--start 1h --end 2h --trades"), now).unwrap_err();
        assert!(failed.exit == Exit::Usage && failed.message.contains("--start 2026-11-23T05:00:00Z"));
    }

    #[test]
    fn each_exchange_is_asked_once_for_all_symbols_that_its_sources_serve() {
        let mut pipeline = pipeline("[{exchange: binance, rest: {}}]");
        let (btc, eth): (Symbol, Symbol) = ("BTCUSDT".parse().unwrap(), "ETHUSDT".parse().unwrap());
        let mut second = SourceConfig { name: "b".to_owned(), ..pipeline.sources[0].clone() };
        (pipeline.sources[0].symbols, second.symbols) = (vec![btc.clone()], vec![eth.clone(), btc.clone()]);
        pipeline.sources.push(second);
        let args = args("--start 2h --interval 1m --pace 60x");
        let period = period(&args, clock::now()).unwrap();
        let made = replays(&pipeline, &args, &period).unwrap();
        let [only] = &made[..] else { panic!("{made:?}") };
        assert_eq!(only.symbols, [btc, eth]);
        assert!(matches!(&only.feed, Feed::Replay(replay) if replay.pace == Pace::Times(60)));
        pipeline.sources[1].symbols.clear();
        assert_eq!(replays(&pipeline, &args, &period).unwrap()[0].symbols, []);
    }

    #[test]
    fn an_interval_that_the_exchange_does_not_have_is_refused_with_those_it_has() {
        let failed = offered(Exchange::Coinbase, "3m".parse().ok()).unwrap_err();
        assert_eq!(
            failed.message,
            "--interval 3m: coinbase has no such candles; use 1m, 5m, 15m, 1h, 6h, 1d"
        );
        assert!(offered(Exchange::Binance, "3m".parse().ok()).is_ok());
    }
}
