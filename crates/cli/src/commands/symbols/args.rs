//! The command line of `pricepipe symbols`.

use clap::Args;
use pricepipe_core::Exchange;

use crate::rows::Output;

/// Shown by `pricepipe symbols --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  pricepipe symbols --exchange kraken --search BTC
  pricepipe symbols --exchange coinbase --output ndjson
  pricepipe symbols --exchange binance --search ETH --simulate

A pipeline may name a symbol in either form: BTC/USD is the same for every exchange,
and the exchange's own form is another name for it. With --output json there are all
names that the exchange has for a symbol.";

#[derive(Debug, Args)]
pub(crate) struct SymbolsArgs {
    /// The exchange: binance, coinbase or kraken
    #[arg(short, long, value_name = "EXCHANGE")]
    pub exchange: Exchange,
    /// Only symbols with this in one of their names
    #[arg(short, long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Where to ask, as in https://host, instead of the exchange's own address; may be given more than once
    #[arg(long = "endpoint", value_name = "URL", conflicts_with = "simulate")]
    pub endpoints: Vec<String>,
    /// Ask the built-in simulated exchange
    #[arg(long)]
    pub simulate: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}
