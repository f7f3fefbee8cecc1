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
    /// What the environment asks for; `default` unless it is `text` or `json`. When logging starts it warns of any
    /// other value.
    pub fn from_environment(default: LogFormat) -> LogFormat {
        asked_for().and_then(|text| LogFormat::from_name(&text)).unwrap_or(default)
    }

    fn from_name(text: &str) -> Option<LogFormat> {
        match text {
            "json" => Some(LogFormat::Json),
            "text" => Some(LogFormat::Text),
            _ => None,
        }
    }
}

fn asked_for() -> Option<String> {
    std::env::var(LOG_FORMAT).ok().filter(|text| !text.is_empty())
}

/// What is wrong with the variables that choose what and how is logged.
fn faults(format: Option<&str>, filter: Option<&str>) -> Vec<String> {
    let format = format.filter(|text| LogFormat::from_name(text).is_none());
    let filter = filter.filter(|text| EnvFilter::try_new(text).is_err());
    let format = format.map(|text| format!("{LOG_FORMAT}: {text:?} is neither text nor json; it is ignored"));
    let filter = filter.map(|text| {
        format!(
            "{LOG_FILTER}: {text:?} is no filter such as debug or pricepipe_consumer=debug; it is ignored"
        )
    });
    format.into_iter().chain(filter).collect()
}

/// False when the user wants no colours anywhere: `NO_COLOR` is set and not empty, as <https://no-color.org> has it.
pub fn may_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Starts logging to standard error at `level` unless the environment says otherwise. To be called once.
pub fn start(format: LogFormat, level: &str) {
    let colours = std::io::stderr().is_terminal() && may_colour();
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
    for fault in faults(asked_for().as_deref(), std::env::var(LOG_FILTER).ok().as_deref()) {
        tracing::warn!("{fault}");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::Process;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_no_key_twice_and_no_debug_form() {
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer().json().flatten_event(true).with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let guard = Process::new("test").guard("store");
            (0..5).for_each(|_| {
                guard.failed();
            });
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains(r#""breaker":"store","state":"open""#), "{text}");
        assert_eq!(text.matches(r#""target":"#).count(), 1, "{text}");
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_told_and_a_good_one_is_not() {
        assert!(faults(Some("json"), Some("pricepipe_consumer=debug,info")).is_empty());
        assert!(faults(None, None).is_empty());
        let told = faults(Some("xml"), Some("=x=y="));
        assert!(told[0].starts_with(r#"PRICEPIPE_LOG_FORMAT: "xml" is neither"#), "{told:?}");
        assert!(told[1].starts_with("PRICEPIPE_LOG: "), "{told:?}");
    }
}
