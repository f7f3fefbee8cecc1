//! `pricepipe`: a list of market symbols becomes a running price pipeline.

mod args;
mod commands;
mod exit;
mod file;
mod parts;
mod run;

use std::{io::Write, process::ExitCode};

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use exit::{Exit, Failed};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dot_env().and_then(|()| execute(cli.command)) {
        Ok(()) => Exit::Ok.into(),
        Err(failed) => {
            if !failed.message.is_empty() {
                eprintln!("{failed}");
            }
            failed.exit.into()
        }
    }
}

fn execute(command: Command) -> Result<(), Failed> {
    match command {
        Command::Validate(args) => commands::validate::validate(&args),
        Command::Crd => {
            print(&pricepipe_api::crd_yaml());
            Ok(())
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "pricepipe", &mut script);
            print(&String::from_utf8_lossy(&script));
            Ok(())
        }
        Command::Query(args) => asynchronously(commands::query::query(&args)),
        Command::SimulateExchange(args) => {
            asynchronously(commands::simulate_exchange::simulate_exchange(&args))
        }
        Command::Run(args) => asynchronously(run::run(&args)),
    }
}

/// Prints an answer. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn asynchronously(work: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failed::new(Exit::Failure, format!("no runtime: {error}")))?.block_on(work)
}

/// Reads `.env` of this folder or one above it; variables that are set already stay as they are.
fn dot_env() -> Result<(), Failed> {
    match dotenvy::dotenv() {
        Ok(_) => Ok(()),
        Err(error) if error.not_found() => Ok(()),
        // The error's own text may show the line, which may hold a password.
        Err(dotenvy::Error::LineParse(_, column)) => {
            Err(Failed::new(Exit::Invalid, format!(".env: a line is not NAME=value (near column {column})")))
        }
        Err(_) => Err(Failed::new(Exit::Invalid, ".env: cannot be read")),
    }
}
