//! The command line of `pricepipe dead-letters`.

use std::{fmt, path::PathBuf, str::FromStr};

use clap::{Args, Subcommand, ValueEnum, builder::PossibleValuesParser};
use pricepipe_consumer::letter;

use crate::{period::PeriodArgs, rows::Output};

/// Shown by `pricepipe dead-letters --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  pricepipe dead-letters list -f examples/real-servers.yaml
  pricepipe dead-letters show -f examples/real-servers.yaml 0:17
  pricepipe dead-letters replay -f examples/real-servers.yaml --all --dry-run

A dead letter is a message that the consumer could not store: it lies in the topic
<pipeline>.dead-letter with its origin and the reason.";

const LIST_EXAMPLES: &str = "\
Examples:
  pricepipe dead-letters list -f examples/real-servers.yaml --since 24h
  pricepipe dead-letters list -f examples/real-servers.yaml --reason not_json -l 10
  pricepipe dead-letters list -f examples/real-servers.yaml --output ndjson

The newest comes last. Nothing is committed, and no consumer is disturbed.";

const SHOW_EXAMPLES: &str = "\
Examples:
  pricepipe dead-letters show -f examples/real-servers.yaml 0:17
  pricepipe dead-letters show -f examples/real-servers.yaml 0:17 --output json";

const REPLAY_EXAMPLES: &str = "\
Examples:
  pricepipe dead-letters replay -f examples/real-servers.yaml 0:17 0:18
  pricepipe dead-letters replay -f examples/real-servers.yaml --all --dry-run
  pricepipe dead-letters replay -f examples/real-servers.yaml --all \\
    --reason rejected_by_store --since 7d

Each message goes back to its topic with its own key and value. What it took from
where it lay, its id and its times, is written into the value: it is the same
observation as before, so that replaying it twice, or again after an interruption,
stores it once. Letters stay where they are. A message that is refused again becomes
a dead letter again.";

#[derive(Debug, Args)]
pub(crate) struct DeadLettersArgs {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Show the dead letters, the newest last
    #[command(after_long_help = LIST_EXAMPLES)]
    List {
        /// The pipeline's file
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        filter: FilterArgs,
        /// Only the newest so many, up to 100000
        #[arg(short, long, value_name = "LETTERS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: Option<u32>,
        /// How the answer is written
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Show all of a dead letter: its headers, key and value
    #[command(after_long_help = SHOW_EXAMPLES)]
    Show {
        /// The pipeline's file
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        /// Which, as `list` names it
        #[arg(value_name = "PARTITION:OFFSET")]
        letter: LetterId,
        /// How the answer is written
        #[arg(short, long, value_enum, default_value_t = ShowOutput::Text)]
        output: ShowOutput,
    },
    /// Send messages back to the topics that they came from
    #[command(after_long_help = REPLAY_EXAMPLES)]
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The pipeline's file
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Which, as `list` names them
    #[arg(value_name = "PARTITION:OFFSET", required_unless_present = "all", conflicts_with = "all")]
    pub letters: Vec<LetterId>,
    /// All that are there now, or all of them that the other options choose
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Send nothing, and tell what would be sent
    #[arg(long)]
    pub dry_run: bool,
    /// Send also what this version could not store either, as to a consumer that is newer
    #[arg(long)]
    pub force: bool,
    /// How the answer is written
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// Which letters are meant.
#[derive(Debug, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only those with this reason; may be given more than once
    #[arg(long = "reason", value_name = "REASON", value_parser = PossibleValuesParser::new(letter::reasons()), hide_possible_values = true)]
    pub reasons: Vec<String>,
    /// Only those that came from this topic; may be given more than once
    #[arg(long = "topic", value_name = "TOPIC")]
    pub topics: Vec<String>,
    #[command(flatten)]
    pub period: PeriodArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowOutput {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// Where a letter lies in the dead-letter topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LetterId {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.partition, self.offset)
    }
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(partition, offset)| {
            Some(LetterId { partition: partition.parse().ok()?, offset: offset.parse().ok()? })
        });
        let id = parsed.filter(|id| id.partition >= 0 && id.offset >= 0);
        id.ok_or_else(|| "not PARTITION:OFFSET, as `dead-letters list` shows it, as in 0:17".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn a_letter_is_named_by_partition_and_offset() {
        let id: LetterId = "2:41".parse().unwrap();
        assert_eq!((id, id.to_string()), (LetterId { partition: 2, offset: 41 }, "2:41".to_owned()));
        for text in ["", "7", "0:", ":7", "-1:7", "0:-7", "0:7:1", "a:b"] {
            assert!(text.parse::<LetterId>().unwrap_err().contains("0:17"), "{text}");
        }
    }

    #[test]
    fn a_replay_says_which_letters_and_a_reason_is_one_that_there_is() {
        let parse = |words: &str| {
            let words = format!("pricepipe dead-letters {words} -f x.yaml");
            Cli::try_parse_from(words.split(' ')).map(drop).map_err(|error| error.to_string())
        };
        for good in ["replay 0:1 0:2", "replay --all", "replay --all --reason not_json", "list --since 1h"] {
            assert_eq!(parse(good), Ok(()), "{good}");
        }
        for bad in ["replay", "replay --reason not_json", "replay 0:1 --all", "list --limit 0"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let unknown = parse("list --reason nonsense").unwrap_err();
        assert!(unknown.contains("rejected_by_store"), "{unknown}");
    }
}
