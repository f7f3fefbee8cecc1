//! The command line of `pricepipe watch`.

use std::path::PathBuf;

use clap::Args;

use crate::args::{Progress, StoreArgs};

/// Shown by `pricepipe watch --help`.
pub(crate) const NOTES: &str = "\
Examples:
  pricepipe watch -f examples/quickstart.yaml
  pricepipe watch -f examples/quickstart.yaml --symbol BTCUSDT
  pricepipe watch -f examples/quickstart.yaml --progress json --stop-after 60
  KAFKA_BOOTSTRAP_SERVERS=localhost:29092 \\
    MONGO_CONNECTION_STRING=mongodb://localhost:27017 \\
    pricepipe watch -f examples/quickstart.yaml

Prices are read from the pipeline's topics from their end, beside its consumers and not
as one of them; nothing is written anywhere. Counts begin with the watch. Stored are the
messages below the offsets that the consumers have committed; duplicates are messages of
an observation that another message had told already.

An embedded Kafka cannot be reached from another process: of such a pipeline the store is
looked at, once a second.";

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// The pipeline's file
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Only this symbol; may be given more than once
    #[arg(short, long = "symbol", value_name = "SYMBOL")]
    pub symbols: Vec<String>,
    /// Watch what `run --simulate` does
    #[arg(long, conflicts_with = "store_file")]
    pub simulated: bool,
    #[command(flatten)]
    pub store: StoreArgs,
    /// How it is shown; `auto` is `table` on a terminal and `text` elsewhere
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub stop_after: Option<u64>,
}
