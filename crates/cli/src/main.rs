//! `pricepipe`: a list of market symbols becomes a running price pipeline.

// They panic when nobody reads any more; `output` does not.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod cluster;
mod commands;
mod dotenv;
mod exit;
mod file;
mod live;
mod output;
mod parts;
mod period;
mod rows;
mod run;

use std::process::ExitCode;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use exit::{Exit, Failed};
use pricepipe_service::telemetry::LogFormat;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let format = cli.command.progress().map_or(LogFormat::Text, live::log_format);
    match execute(cli.command) {
        Ok(()) => Exit::Ok.into(),
        Err(failed) => {
            if !failed.message.is_empty() {
                output::say(format, "ERROR", &failed.message);
            }
            failed.exit.into()
        }
    }
}

fn execute(command: Command) -> Result<(), Failed> {
    match command {
        Command::Validate(args) => commands::validate::validate(&args),
        Command::Estimate(args) => commands::estimate::estimate(&args),
        Command::Crd => output::answer(&pricepipe_api::crd_yaml()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pricepipe", &mut script);
            output::answer(&String::from_utf8_lossy(&script))
        }
        Command::Man(args) => commands::man::man(&args, Cli::command()),
        Command::Query(args) => {
            dotenv::read()?;
            asynchronously(commands::query::query(&args))
        }
        Command::Topics(args) => {
            dotenv::read()?;
            commands::topics::topics(&args)
        }
        Command::Gaps(args) => {
            dotenv::read()?;
            commands::gaps::gaps(&args)
        }
        Command::DeadLetters(args) => {
            dotenv::read()?;
            commands::dead_letters::dead_letters(&args)
        }
        Command::Audit(args) => {
            dotenv::read()?;
            asynchronously(commands::audit::audit(&args))
        }
        Command::SimulateExchange(args) => {
            asynchronously(commands::simulate_exchange::simulate_exchange(&args))
        }
        Command::Run(args) => {
            dotenv::read()?;
            asynchronously(run::run(&args))
        }
        Command::Backfill(args) => {
            dotenv::read()?;
            asynchronously(commands::backfill::backfill(&args))
        }
        Command::Symbols(args) => asynchronously(commands::symbols::symbols(&args)),
        Command::Watch(args) => {
            dotenv::read()?;
            asynchronously(commands::watch::watch(&args))
        }
    }
}

fn asynchronously(work: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failed::new(Exit::Failure, format!("no runtime: {error}")))?.block_on(work)
}
