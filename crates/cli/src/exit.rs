//! Exit codes. They are part of the interface: scripts read them.

use std::process::ExitCode;

/// Why a command ended as it did. The number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// Something that should not happen.
    Failure = 1,
    /// The command line cannot be used.
    Usage = 2,
    /// A file or a variable says something that cannot be used.
    Invalid = 3,
    /// A server that the command cannot do without cannot be reached.
    Unreachable = 4,
    /// What was asked for is not there.
    NotFound = 5,
    /// Observations are missing or doubled.
    Discrepancy = 6,
}

/// Every exit code with its meaning, for `--help` and the documentation.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    all went well
  1    something that should not happen, such as prices that were lost
  2    the command line cannot be used
  3    a file or a variable says something that cannot be used
  4    a server that the command cannot do without cannot be reached
  5    what was asked for is not there
  6    observations are missing or doubled
  130  ended by a second signal before all was drained";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// A command that did not do what it was asked to: what to say, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failed {
    /// The exit code.
    pub exit: Exit,
    /// What to say.
    pub message: String,
}

impl Failed {
    /// With the message of an error and of its sources.
    pub(crate) fn because(exit: Exit, error: &dyn std::error::Error) -> Self {
        Failed { exit, message: pricepipe_service::with_causes(error) }
    }

    /// With a message of its own.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failed { exit, message: message.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented() {
        for exit in [
            Exit::Ok,
            Exit::Failure,
            Exit::Usage,
            Exit::Invalid,
            Exit::Unreachable,
            Exit::NotFound,
            Exit::Discrepancy,
        ] {
            let line = format!("\n  {}  ", exit as u8);
            assert!(EXIT_CODES.contains(&line), "{exit:?}");
        }
        assert!(EXIT_CODES.contains(&pricepipe_service::shutdown::IMPATIENT_EXIT.to_string()));
    }
}
