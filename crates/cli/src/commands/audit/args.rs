//! The command line of `pricepipe audit`.

use std::path::PathBuf;

use clap::Args;

use crate::{args::ReadArgs, period::PeriodArgs, rows::Output};

/// Shown by `pricepipe audit --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  pricepipe audit -f examples/real-servers.yaml
  pricepipe audit -f examples/real-servers.yaml --since 24h
  pricepipe audit -f examples/real-servers.yaml --output json

Each message of the pipeline's topics is one of these:
  STORED    its observation is in the store, in the collection of its kind
  REPEATED  its observation was counted already; it is stored once
  LETTERS   it is a dead letter
  PENDING   its offset is not committed yet
  EXPIRED   its document is past the store's retention, and is not looked for
  MISSING   it is committed, and neither stored nor a dead letter

DISTINCT are the observations among them. SKIPPED are the slots without a price
between the first and the last of each symbol: not missing, since nobody had a
price there. DOUBLED are observations that are stored under more than one id:
polled prices of one exchange, symbol and time, of which at least one is not named
by its place in Kafka, as plain messages are. (Trades, tickers and quotes are told
apart by their numbers, and several may be of one moment.)

What Kafka's retention has removed is not looked at. An audit may run beside the
pipeline: it joins no group and changes nothing. Its memory grows by about 20 bytes
a message and 50 a dead letter.";

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The pipeline's file
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub period: PeriodArgs,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    #[command(flatten)]
    pub read: ReadArgs,
}
