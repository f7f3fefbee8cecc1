//! The command line of `pricepipe gaps`.

use std::path::PathBuf;

use clap::Args;

use crate::rows::Output;

/// Shown by `pricepipe gaps --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  pricepipe gaps -f examples/trades.yaml
  KAFKA_BOOTSTRAP_SERVERS=localhost:9092 \\
    pricepipe gaps -f examples/three-exchanges.yaml --open
  pricepipe gaps -f examples/candles.yaml --output ndjson

A gap is a hole in what was received of a symbol: from the first number that is
missing to the last. Candles are named by the moments at which they begin. NOTICED
says how: a number was skipped, a new connection or a restart did not go on where
the one before had ended, or the exchange's heartbeat told of a later trade. What is
missing is asked for from the exchange's history. A gap is open until that has
answered, then filled, or unfillable where history does not hold all of it: REASON
says why, and MISSING how many.

The last word on each gap stays in the topic <pipeline>.gaps. Exit code 6 when one
of those that are listed is open or unfillable.";

#[derive(Debug, Args)]
pub(crate) struct GapsArgs {
    /// The pipeline's file
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Only gaps that are being repaired
    #[arg(long)]
    pub open: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}
