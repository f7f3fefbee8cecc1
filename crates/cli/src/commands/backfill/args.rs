//! The command line of `pricepipe backfill`.

use clap::Args;
use pricepipe_core::{KlineInterval, config::Pace};

use crate::{args::RunArgs, period::Moment};

/// Shown by `pricepipe backfill --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  pricepipe backfill examples/quickstart.yaml --start 2h --interval 1m --simulate
  pricepipe backfill examples/quickstart.yaml --interval 1h \\
    --start 2026-11-01 --end 2026-11-08
  pricepipe backfill examples/quickstart.yaml --trades --start 15m

The pipeline's sources are asked for history instead of what they do otherwise, each
within its request weight; Kafka and the store are chosen as by `pricepipe run`, whose
options these are besides. It ends when everything is stored. What was interrupted goes
on where it was when the same command is given again, and what is there already is not
asked for again: the end of an earlier backfill from the same --start is found in Kafka,
or, with an embedded Kafka, candles in the store.

Candles go to the collection <collection>_klines_<interval>, where pricepipe query finds
them by --stored-candles <interval>; trades go to the collection of the prices.";

#[derive(Debug, Args)]
pub(crate) struct BackfillArgs {
    #[command(flatten)]
    pub run: RunArgs,
    /// The first moment: 2026-11-23T06:00:00Z, 2026-11-23, or how long ago, as in 24h
    #[arg(long, value_name = "TIME")]
    pub start: Moment,
    /// The moment that is not read any more [default: now]
    #[arg(long, value_name = "TIME")]
    pub end: Option<Moment>,
    #[command(flatten)]
    pub kind: KindArgs,
    /// How fast: unpaced, realTime, or so many times as fast as it happened, as in 60x
    #[arg(long, value_name = "PACE", default_value_t = Pace::Unpaced)]
    pub pace: Pace,
}

/// What is stored.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct KindArgs {
    /// Candles of this interval, as in 1m or 1h
    #[arg(long, value_name = "INTERVAL")]
    pub interval: Option<KlineInterval>,
    /// Every trade
    #[arg(long)]
    pub trades: bool,
}
