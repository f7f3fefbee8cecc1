//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use pricepipe_core::environment;
use pricepipe_service::{
    telemetry::{LOG_FILTER, LOG_FORMAT},
    worker::resolve,
};

use crate::{
    commands::{
        audit::args as audit, backfill::args as backfill, dead_letters::args as dead_letters,
        gaps::args as gaps, man, query::args as query, symbols::args as symbols, topics::args as topics,
        watch::args as watch,
    },
    exit::EXIT_CODES,
};

/// A list of market symbols becomes a running price pipeline: exchange → Kafka → store.
#[derive(Debug, Parser)]
#[command(name = "pricepipe", version = VERSION, about, after_long_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("PRICEPIPE_COMMIT"), ")");

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a pipeline on this machine
    #[command(after_long_help = run_notes())]
    Run(RunArgs),
    /// Store the history of a pipeline's symbols: candles or trades of a period
    #[command(after_long_help = backfill::EXAMPLES)]
    Backfill(backfill::BackfillArgs),
    /// List the symbols that an exchange has
    #[command(after_long_help = symbols::EXAMPLES)]
    Symbols(symbols::SymbolsArgs),
    /// Check pipeline files as the API server would, and report every fault
    #[command(after_long_help = VALIDATE_EXAMPLES)]
    Validate(ValidateArgs),
    /// Tell what a pipeline will take of the exchange, of Kafka and of the store
    #[command(after_long_help = ESTIMATE_EXAMPLES)]
    Estimate(EstimateArgs),
    /// Watch a pipeline that runs elsewhere
    #[command(after_long_help = watch::NOTES)]
    Watch(watch::WatchArgs),
    /// Look at what was stored
    #[command(after_long_help = query::EXAMPLES)]
    Query(query::QueryArgs),
    /// Show what lies in the pipeline's topics, and how far its consumers are
    #[command(after_long_help = topics::EXAMPLES)]
    Topics(topics::TopicsArgs),
    /// List the holes in what was received, and what became of them
    #[command(after_long_help = gaps::EXAMPLES)]
    Gaps(gaps::GapsArgs),
    /// Look at messages that could not be stored, and send them again
    #[command(after_long_help = dead_letters::EXAMPLES)]
    DeadLetters(dead_letters::DeadLettersArgs),
    /// Compare what lies in the topics with what is stored, and name what is missing or doubled
    #[command(after_long_help = audit::EXAMPLES)]
    Audit(audit::AuditArgs),
    /// Print the custom resource definition
    #[command(after_long_help = "Examples:\n  pricepipe crd | kubectl apply -f -")]
    Crd,
    /// Serve a simulated exchange that speaks the real wire format
    #[command(after_long_help = SIMULATE_EXAMPLES)]
    SimulateExchange(SimulateArgs),
    /// Print a completion script for a shell
    #[command(after_long_help = "Examples:\n  pricepipe completions bash > /etc/bash_completion.d/pricepipe")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print manual pages
    #[command(after_long_help = man::EXAMPLES)]
    Man(man::ManArgs),
}

impl Command {
    /// How it shows progress, where it does.
    pub(crate) fn progress(&self) -> Option<Progress> {
        match self {
            Command::Run(args) => Some(args.progress),
            Command::Backfill(args) => Some(args.run.progress),
            Command::Watch(args) => Some(args.progress),
            _ => None,
        }
    }
}

const RUN_EXAMPLES: &str = "\
Examples:
  pricepipe run examples/quickstart.yaml --simulate
  pricepipe run examples/quickstart.yaml
  KAFKA_BOOTSTRAP_SERVERS=localhost:9092 pricepipe run examples/quickstart.yaml
  MONGO_CONNECTION_STRING=mongodb://localhost \\
    pricepipe run examples/quickstart.yaml --embedded-kafka

Each part is chosen on its own. The exchange is the real one unless --simulate is
given. Kafka and the store are those that the environment (or a .env file) or the
pipeline names, else embedded ones; simulated prices go to embedded ones unless
--real-servers says otherwise.

Stored are the messages whose document is in the store; duplicates are those of
them whose document was there already.";

const VALIDATE_EXAMPLES: &str = "\
Examples:
  pricepipe validate examples/quickstart.yaml
  pricepipe validate examples/*.yaml";

const ESTIMATE_EXAMPLES: &str = "\
Examples:
  pricepipe estimate examples/quickstart.yaml
  pricepipe estimate examples/quickstart.yaml --symbols 500 --interval 1 --days 365

Bytes are those of messages and documents before compression and without indexes, measured
by encoding one.";

const SIMULATE_EXAMPLES: &str = "\
Examples:
  pricepipe simulate-exchange
  pricepipe simulate-exchange --address 127.0.0.1:9000 --seed 7
  pricepipe simulate-exchange --play XRPETH=trades.csv --speed 60
  curl 'http://127.0.0.1:8990/api/v3/ticker/price?symbols=%5B%22BTCUSDT%22%5D'";

/// Examples, and every variable that is read.
fn run_notes() -> String {
    let mut text =
        format!("{RUN_EXAMPLES}\n\nVariables; what is secret may be in a file that <NAME>_FILE names:\n");
    for (name, meaning) in environment::VARIABLES {
        text += &format!("  {name:<24} {}\n", meaning.replace('`', ""));
    }
    text += &format!("  {LOG_FILTER:<24} what is logged, as in debug or pricepipe_consumer=debug\n");
    text + &format!("  {LOG_FORMAT:<24} text or json")
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The pipeline's file
    pub file: PathBuf,
    /// Use the built-in simulated exchange, and with it the embedded Kafka and a store file of its own
    #[arg(long)]
    pub simulate: bool,
    /// Send simulated prices to the servers that the file or the environment names
    #[arg(long, requires = "simulate")]
    pub real_servers: bool,
    /// Use the embedded Kafka broker, whatever the file and the environment name
    #[arg(long)]
    pub embedded_kafka: bool,
    #[command(flatten)]
    pub store: StoreArgs,
    /// Where /metrics, /livez and /readyz are served [default: 127.0.0.1:8080, or any free port]
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub admin_address: Option<SocketAddr>,
    /// How progress is shown; `auto` is `table` on a terminal and `text` elsewhere
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    pub progress: Progress,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub stop_after: Option<u64>,
    /// Poll every so many milliseconds, for benchmarks
    #[arg(long, hide = true)]
    pub interval_millis: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// A live view on a terminal, lines elsewhere
    Auto,
    /// A live view
    Table,
    /// A readable line at a time
    Text,
    /// A JSON object per line
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// Use the embedded store, whatever the file and the environment name
    #[arg(long)]
    pub embedded_store: bool,
    /// The embedded store's file [default: <pipeline>.sqlite, or <pipeline>.simulated.sqlite]
    #[arg(long, value_name = "FILE")]
    pub store_file: Option<PathBuf>,
}

/// Which store is read.
#[derive(Debug, Args)]
pub(crate) struct ReadArgs {
    /// Look at what `run --simulate` has stored
    #[arg(long, conflicts_with = "store_file")]
    pub simulated: bool,
    #[command(flatten)]
    pub store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Files with one or more pipelines; - is standard input
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EstimateArgs {
    /// The pipeline's file; - is standard input
    pub file: PathBuf,
    /// As if it had so many symbols
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub symbols: Option<u16>,
    /// As if it polled every so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub interval: Option<u32>,
    /// Days to add up
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: u32,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = EstimateOutput::Table)]
    pub output: EstimateOutput,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EstimateOutput {
    /// For people
    Table,
    /// One JSON object
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Where it listens
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8990", value_parser = address)]
    pub address: SocketAddr,
    /// The seed of the invented market: one seed, one price of each symbol at each moment
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Trades a second of each symbol that no recording is played as
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    pub trades_per_second: f64,
    /// A CSV of trades or klines to play as a symbol's price, trades or candles
    #[arg(long = "play", value_name = "SYMBOL=FILE", value_parser = symbol_and_file)]
    pub recordings: Vec<(String, PathBuf)>,
    /// How much faster than real time a recording is played; 0 plays one row per request, and streams as they are read
    #[arg(long, default_value_t = 1.0)]
    pub speed: f64,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    resolve(text).map_err(|error| format!("not HOST:PORT, as in localhost:8080: {error}"))
}

fn symbol_and_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((symbol, file)) if !symbol.is_empty() && !file.is_empty() => {
            Ok((symbol.to_owned(), file.into()))
        }
        _ => Err("not SYMBOL=FILE, as in XRPETH=trades.csv".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_example_can_be_pasted_from_a_terminal_of_80_columns() {
        let mut command = Cli::command().term_width(80);
        command.build();
        for command in command.get_subcommands_mut() {
            let names: Vec<String> =
                command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
            let mut helps = vec![command.clone().term_width(80).render_long_help().to_string()];
            for name in names {
                let inner = command.find_subcommand(&name).unwrap().clone();
                helps.push(inner.term_width(80).render_long_help().to_string());
            }
            for help in helps {
                let examples = help.lines().skip_while(|line| !line.starts_with("Examples:"));
                for line in examples.take_while(|line| !line.is_empty()) {
                    assert!(line.chars().count() <= 80, "{line}");
                    assert!(line.starts_with("  ") || line.starts_with("Examples:"), "wrapped: {line}");
                }
            }
        }
    }

    #[test]
    fn the_help_of_run_names_every_variable() {
        let notes = run_notes();
        assert!(environment::VARIABLES.iter().all(|(name, _)| notes.contains(name)), "{notes}");
    }

    #[test]
    fn an_address_may_be_a_name_and_a_run_lasts_a_second_at_least() {
        assert_eq!(address("localhost:8991"), Ok(([127, 0, 0, 1], 8991).into()));
        assert!(address("localhost").unwrap_err().contains("HOST:PORT"));
        let run =
            |seconds: &str| Cli::try_parse_from(["pricepipe", "run", "x.yaml", "--stop-after", seconds]);
        assert!(run("0").is_err() && run("1").is_ok());
    }
}
