//! Standard output and standard error. `println!` panics when its reader has gone; these do not.

use std::io::{self, Write};

use pricepipe_service::{clock, telemetry::LogFormat};

use crate::exit::{Exit, Failed};

/// Writes an answer. A reader that has seen enough (`| head`) is no failure; a full disk is.
pub(crate) fn answer(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What became of something that was written to standard output.
pub(crate) fn written(result: io::Result<()>) -> Result<(), Failed> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failed::new(Exit::Failure, format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Tells something on standard error, in the form of the log lines there.
pub(crate) fn say(format: LogFormat, level: &str, message: &str) {
    match format {
        LogFormat::Text => note(message),
        LogFormat::Json => {
            note(serde_json::json!({"timestamp": clock::now(), "level": level, "message": message}));
        }
    }
}

/// Writes a line for people to standard error. There is nobody to tell when that fails.
pub(crate) fn note(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_no_failure_and_a_full_disk_is() {
        assert!(written(Err(io::ErrorKind::BrokenPipe.into())).is_ok());
        let full = written(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert!(full.exit == Exit::Failure && full.message.starts_with("standard output: "), "{full:?}");
    }
}
