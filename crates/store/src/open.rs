//! Opens the store that the configuration names. Touches the disk for SQLite, and nothing for MongoDB.

use std::{path::PathBuf, sync::Arc};

use pricepipe_core::{Secret, config::StoreConfig, environment::MONGO_CONNECTION_STRING};

use crate::{History, Store, embedded::EmbeddedStore, mongodb::MongoStore};

/// Why a store cannot be opened. None of these passes by itself, and none of the texts holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A MongoDB store, and no connection string.
    #[error("the store is MongoDB, but there is no connection string; set {MONGO_CONNECTION_STRING}")]
    NoConnectionString,
    /// The connection string does not follow the format.
    #[error("{MONGO_CONNECTION_STRING}: the connection string cannot be read: {problem}")]
    InvalidConnectionString {
        /// What is wrong with it.
        problem: String,
    },
    /// The connection string switches certificate checks off.
    #[error(
        "{MONGO_CONNECTION_STRING} sets {option}, which lets anybody pose as the server; remove it, and name \
         the authority that signed the server's certificate with tlsCAFile"
    )]
    InsecureTls {
        /// The option, as it is documented.
        option: &'static str,
    },
    /// The file cannot be opened or created.
    #[error(
        "{path} cannot be opened: {problem}; check that its directory exists and that this user may write there"
    )]
    Unopenable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        problem: String,
    },
    /// There is no such file, and it was to be read only.
    #[error("{path} does not exist; nothing has been stored there yet, or the path is wrong")]
    NoSuchFile {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a later version.
    #[error(
        "{path} has format {found}, and this version knows formats up to {known}; use the newer pricepipe"
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that this version knows.
        known: i64,
    },
    /// The file is not a price store.
    #[error("{path} is not a price store ({problem}); choose another path")]
    NotAPriceStore {
        /// The file.
        path: PathBuf,
        /// How that was seen.
        problem: String,
    },
}

/// Opens a store for reading and writing. It does not wait: MongoDB is connected to on first use, so a server
/// that is away is an error of that use and not of this call.
pub fn open(config: &StoreConfig, connection_string: Option<&Secret>) -> Result<Arc<dyn Store>, OpenError> {
    match config {
        StoreConfig::Mongodb { .. } => Ok(open_for_reading(config, connection_string)?),
        StoreConfig::Embedded { path, retention_seconds } => {
            Ok(Arc::new(EmbeddedStore::open(path, *retention_seconds)?))
        }
    }
}

/// Opens a store for queries. The embedded kind creates nothing and refuses to write.
pub fn open_for_reading(
    config: &StoreConfig,
    connection_string: Option<&Secret>,
) -> Result<Arc<dyn History>, OpenError> {
    match config {
        StoreConfig::Mongodb { database, price_type, retention_seconds } => {
            let connection_string = connection_string.ok_or(OpenError::NoConnectionString)?;
            Ok(Arc::new(MongoStore::new(connection_string, database, *price_type, *retention_seconds)?))
        }
        StoreConfig::Embedded { path, .. } => Ok(Arc::new(EmbeddedStore::open_for_reading(path)?)),
    }
}
