//! Logs: one line per event on standard error, for people or for machines.

use std::io::IsTerminal;

pub use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// The variable that chooses the log format.
pub const LOG_FORMAT: &str = "PRICEPIPE_LOG_FORMAT";
/// The variable that chooses what is logged, in the usual form (`info`, `pricepipe_consumer=debug` …).
pub const LOG_FILTER: &str = "PRICEPIPE_LOG";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// What the environment asks for; `default` unless it is `text` or `json`.
    pub fn from_environment(default: LogFormat) -> LogFormat {
        match std::env::var(LOG_FORMAT).as_deref() {
            Ok("json") => LogFormat::Json,
            Ok("text") => LogFormat::Text,
            _ => default,
        }
    }
}

/// Starts logging to standard error at `level` unless the environment says otherwise. To be called once.
pub fn start(format: LogFormat, level: &str) {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    start_with(format, level, colours, BoxMakeWriter::new(std::io::stderr));
}

/// The same to another writer, which is given a line at a time.
pub fn start_with(format: LogFormat, level: &str, colours: bool, writer: BoxMakeWriter) {
    let filter = EnvFilter::try_from_env(LOG_FILTER).unwrap_or_else(|_| EnvFilter::new(level));
    let registry = tracing_subscriber::registry().with(filter);
    let started = match format {
        LogFormat::Json => {
            registry.with(fmt::layer().json().flatten_event(true).with_writer(writer)).try_init()
        }
        LogFormat::Text => {
            registry.with(fmt::layer().with_target(false).with_ansi(colours).with_writer(writer)).try_init()
        }
    };
    if started.is_err() {
        tracing::debug!("logging was started already");
    }
}
