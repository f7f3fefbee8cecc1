//! The file's format: its table, its version, and how a file is opened.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::unopenable;
use crate::OpenError;

/// Marks the file as ours; `file` and the like show it.
const APPLICATION_ID: i64 = 0x7072_6970;
/// The format that is written. A file with a later one is left alone.
const FORMAT: i64 = 2;
/// How long to wait for another process that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// One table, keyed as MongoDB's collections are. A price is text: SQLite has no exact decimal. The fields of a kind's
/// own are one JSON object with every digit, or null: no query of ours looks into them, and a later kind needs no other
/// table.
const CREATE: &str = "
    CREATE TABLE price (
        collection TEXT NOT NULL,
        id TEXT NOT NULL,
        symbol TEXT NOT NULL,
        price TEXT NOT NULL,
        exchange TEXT NOT NULL,
        kind TEXT NOT NULL,
        time INTEGER NOT NULL,
        received INTEGER NOT NULL,
        details TEXT,
        PRIMARY KEY (collection, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX price_by_symbol_and_time ON price (collection, symbol, time DESC);
";

/// What format 1 lacks: it has prices only. The rows stay as they are, so it takes no time.
const TO_FORMAT_2: &str = "ALTER TABLE price ADD COLUMN details TEXT";

/// Opens the file for writing; creates it and its table when they are absent, and brings an earlier format up to date.
pub(super) fn open_or_create(path: &Path) -> Result<Connection, OpenError> {
    let failed = |error| refused(path, error);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    let found = format(&connection, path)?;
    if found == 0 {
        // Write-ahead mode lets others read meanwhile; it is a property of the file.
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    }
    if found < FORMAT {
        bring_up_to_date(&mut connection, path)?;
    }
    // A commit returns when it is on the disk: stored means durable. It costs a flush for each batch.
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    // The header alone is read so far. A file that cannot be written must be told now, not at the first batch.
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(failed)?;
    Ok(connection)
}

/// Opens a file that is there already, for reading. The right to read the file is enough.
pub(super) fn open_existing(path: &Path) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::NoSuchFile { path: path.to_owned() });
    }
    // In write-ahead mode readers too write: files beside this one, which whoever may only read cannot make. While
    // nobody writes there is nothing in them, and SQLite may take the file for one that does not change.
    let is_still = !beside(path, "-wal").exists();
    let opened = match read_only(path, "") {
        Err(OpenError::Unopenable { .. }) if is_still => read_only(path, "?immutable=1"),
        opened => opened,
    };
    match opened? {
        (_, 0) => Err(OpenError::NotAPriceStore {
            path: path.to_owned(),
            problem: "it has no table yet".to_owned(),
        }),
        (connection, _) => Ok(connection),
    }
}

/// A connection that does not write, and the file's format.
fn read_only(path: &Path, parameters: &str) -> Result<(Connection, i64), OpenError> {
    let failed = |error| refused(path, error);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path, parameters), flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    let found = format(&connection, path)?;
    // The header alone tells no more than that there is a file.
    objects(&connection).map_err(failed)?;
    Ok((connection, found))
}

/// The path as SQLite takes it with parameters.
fn uri(path: &Path, parameters: &str) -> std::ffi::OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = b"file://".to_vec();
    for byte in absolute.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => uri.extend(format!("%{byte:02x}").bytes()),
            byte => uri.push(*byte),
        }
    }
    uri.extend(parameters.bytes());
    std::ffi::OsString::from_vec(uri)
}

/// The file that SQLite keeps beside this one.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The file's format; 0 of an empty one.
fn format(connection: &Connection, path: &Path) -> Result<i64, OpenError> {
    let read = |name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|e| refused(path, e))
    };
    let (application, found, objects) = (read("application_id")?, read("user_version")?, objects(connection));
    if application != APPLICATION_ID && objects.map_err(|error| refused(path, error))? > 0 {
        let problem = "it is the database of another program".to_owned();
        return Err(OpenError::NotAPriceStore { path: path.to_owned(), problem });
    }
    if found > FORMAT {
        return Err(OpenError::NewerFormat { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(found)
}

fn objects(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))
}

/// Two processes may come here at once; the second finds the work done.
fn bring_up_to_date(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| refused(path, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    match format(&transaction, path)? {
        0 => transaction.execute_batch(CREATE).map_err(failed)?,
        1 => transaction.execute_batch(TO_FORMAT_2).map_err(failed)?,
        _ => return Ok(()),
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", FORMAT).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn refused(path: &Path, error: rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            OpenError::NotAPriceStore { path: path.to_owned(), problem: error.to_string() }
        }
        _ => unopenable(path, error),
    }
}
