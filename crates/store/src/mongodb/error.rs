//! What an answer of the server or the driver means. Pure.

use ::mongodb::error::{Error, ErrorKind};

use crate::{StoreError, StoreErrorKind};

/// Codes by which a server refuses one document for what is in it: bad values, types and ids, a validator, too large.
const DOCUMENT_CODES: &[i32] = &[2, 9, 14, 22, 53, 121, 10334, 17280, 17419];
/// The code of a key that is there already.
const DUPLICATE_KEY: i32 = 11000;
/// Codes of a node that stops being, or is not, the primary, and of a network in trouble: the next try may well
/// reach another node. These are the codes of retryable writes.
const PASSING_CODES: &[i32] = &[6, 7, 89, 91, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436];

/// What a write error says about its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DocumentVerdict {
    /// It is there already.
    Duplicate,
    /// It will never be taken.
    Rejected,
    /// Nothing: the store is in trouble.
    Unknown,
}

/// Judges a write error. A duplicate key counts as a duplicate only when it is the `_id`: under somebody's own
/// unique index another document is in the way, and ours would be lost if it counted as stored.
pub(super) fn judge(code: i32, duplicate_is_id: bool) -> DocumentVerdict {
    match code {
        DUPLICATE_KEY if duplicate_is_id => DocumentVerdict::Duplicate,
        DUPLICATE_KEY => DocumentVerdict::Rejected,
        code if DOCUMENT_CODES.contains(&code) => DocumentVerdict::Rejected,
        _ => DocumentVerdict::Unknown,
    }
}

/// True when the text of a duplicate-key error names the `_id` index, as MongoDB (`index: _id_ dup key`) and
/// FerretDB (`Index '_id_'`) write it. Only the first mention counts: what follows may quote the document.
pub(super) fn names_id_index(text: &str) -> bool {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    after("index: ").is_some_and(|rest| rest.starts_with("_id_ dup key"))
        || after("Index '").is_some_and(|rest| rest.starts_with("_id_'"))
}

/// What a command's own error code means.
pub(super) fn kind_of_code(code: i32) -> StoreErrorKind {
    match code {
        11 | 13 | 18 | 8000 => StoreErrorKind::Unauthorized,
        20 | 59 | 67 | 72 | 73 | 79 | 85 | 86 | 100 | 115 | 166 => StoreErrorKind::Conflict,
        24 | 50 | 64 | 89 | 202 | 262 => StoreErrorKind::TimedOut,
        _ => StoreErrorKind::Unavailable,
    }
}

/// True when the same command, sent again at once, may find another connection or another primary.
pub(super) fn is_passing(error: &Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => true,
        ErrorKind::Command(command) => PASSING_CODES.contains(&command.code),
        _ => false,
    }
}

/// The code of a command that failed.
pub(super) fn code(error: &Error) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        _ => None,
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        use StoreErrorKind::*;
        let (kind, text) = match error.kind.as_ref() {
            ErrorKind::Command(command) => {
                (kind_of_code(command.code), format!("{} (code {})", command.message, command.code))
            }
            ErrorKind::Authentication { message, .. } => (Unauthorized, message.clone()),
            ErrorKind::ServerSelection { message, .. } => server_selection(message),
            ErrorKind::InvalidTlsConfig { message, .. } => (Conflict, message.clone()),
            ErrorKind::InvalidArgument { message, .. } => (Conflict, message.clone()),
            ErrorKind::IncompatibleServer { message, .. } => (Conflict, message.clone()),
            ErrorKind::Io(io) if io.kind() == std::io::ErrorKind::TimedOut => (TimedOut, io.to_string()),
            // The kind alone: the error itself would repeat labels and replies.
            other => (Unavailable, other.to_string()),
        };
        StoreError::new(kind, format!("MongoDB: {text}"))
    }
}

/// What no server to talk to means. The driver writes its whole view of the deployment into one line; of it, the
/// first server's own trouble is what helps.
fn server_selection(message: &str) -> (StoreErrorKind, String) {
    let between = |start: &str, end: &str| {
        let rest = message.split_once(start)?.1;
        Some(rest.split(end).next().unwrap_or(rest))
    };
    let address = between("Address: ", ", ").unwrap_or("no address");
    match between("Error: Kind: ", ", labels:") {
        Some(problem) if problem.contains("timed out") => {
            (StoreErrorKind::TimedOut, format!("{address} does not answer ({problem})"))
        }
        Some(problem) => (StoreErrorKind::Unavailable, format!("{address} cannot be reached ({problem})")),
        None if message.contains("Type: Unknown") => {
            (StoreErrorKind::TimedOut, format!("{address} does not answer"))
        }
        None => (StoreErrorKind::Unavailable, format!("{address} is not a server to write to: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_index_makes_a_duplicate() {
        for (text, expected) in [
            (r#"E11000 duplicate key error collection: fx.btc index: _id_ dup key: { _id: "x" }"#, true),
            ("Duplicate key violation on the requested collection: Index '_id_'", true),
            (
                r#"E11000 duplicate key error collection: fx.btc index: uq dup key: { symbol: "index: _id_ dup key" }"#,
                false,
            ),
            (
                r#"E11000 duplicate key error collection: fx.btc index: _id_symbol dup key: { symbol: "A" }"#,
                false,
            ),
            ("Duplicate key violation on the requested collection: Index 'uq'", false),
            ("Duplicate key violation on the requested collection: Index '_id_2'", false),
            ("duplicate key", false),
        ] {
            assert_eq!(names_id_index(text), expected, "{text}");
        }
    }

    #[test]
    fn only_a_fault_of_the_document_rejects_it() {
        for code in [2, 121, 10334, 17419] {
            assert_eq!(judge(code, false), DocumentVerdict::Rejected, "{code}");
        }
        for code in [13, 18, 64, 91, 189, 10107, 11600, 14031, 8000] {
            assert_eq!(judge(code, false), DocumentVerdict::Unknown, "{code}");
        }
    }

    #[test]
    fn a_deployment_that_is_away_is_told_in_one_clause() {
        let refused = "Server selection timeout: No available servers. Topology: { Type: Unknown, Servers: [ { \
             Address: 127.0.0.1:1, Type: Unknown, Error: Kind: I/O error: Connection refused (os error 111), labels: \
             {}, source: None, server response: None } ] }";
        assert_eq!(
            server_selection(refused),
            (
                StoreErrorKind::Unavailable,
                "127.0.0.1:1 cannot be reached (I/O error: Connection refused (os error 111))".to_owned()
            )
        );
        let silent = "Server selection timeout: No available servers. Topology: { Type: Unknown, Servers: [ { \
             Address: 127.0.0.1:1, Type: Unknown } ] }";
        assert_eq!(
            server_selection(silent),
            (StoreErrorKind::TimedOut, "127.0.0.1:1 does not answer".to_owned())
        );
    }
}
