//! The command line of `pricepipe topics`.

use std::path::PathBuf;

use clap::Args;

use crate::rows::Output;

/// Shown by `pricepipe topics --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  pricepipe topics -f examples/real-servers.yaml
  KAFKA_BOOTSTRAP_SERVERS=localhost:9092 \\
    pricepipe topics -f examples/quickstart.yaml
  pricepipe topics -f examples/real-servers.yaml --output csv

Lag: the messages that the pipeline's consumers have not committed yet. What they
have committed is stored or a dead letter. Messages: the offsets from the oldest to
the newest. The topics of dead letters and of gaps come last; nobody has a lag
there.";

#[derive(Debug, Args)]
pub(crate) struct TopicsArgs {
    /// The pipeline's file
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}
