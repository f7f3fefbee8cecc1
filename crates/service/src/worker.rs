//! The command line of the worker binaries: one configuration file, and nothing secret.

use std::{fs, net::SocketAddr, path::PathBuf, process::ExitCode};

use serde::de::DeserializeOwned;

/// The variable that says where the admin server listens.
pub const ADMIN_ADDRESS: &str = "PRICEPIPE_ADMIN_ADDRESS";
/// The variable that names the configuration file when no argument does.
pub const CONFIG_FILE: &str = "PRICEPIPE_CONFIG";

/// The exit code for a command line that cannot be used.
pub const USAGE_EXIT: u8 = 2;
/// The exit code for a configuration that cannot be used.
pub const CONFIG_EXIT: u8 = 3;

const EVERY_INTERFACE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8080);

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The command line is not one file.
    #[error("usage: {binary} CONFIG.json, or set {CONFIG_FILE}")]
    Usage {
        /// The binary's name.
        binary: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not a configuration.
    #[error("{} is not a configuration", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The admin address is not one.
    #[error("{ADMIN_ADDRESS}: {value:?} is not an address such as 0.0.0.0:8080")]
    AdminAddress {
        /// What the variable holds.
        value: String,
    },
}

impl WorkerError {
    /// The exit code that goes with it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            WorkerError::Usage { .. } => USAGE_EXIT.into(),
            _ => CONFIG_EXIT.into(),
        }
    }
}

/// The configuration that the command line or the environment names.
pub fn config<T: DeserializeOwned>(binary: &'static str) -> Result<T, WorkerError> {
    let mut arguments = std::env::args_os().skip(1);
    let (named, rest) = (arguments.next(), arguments.next());
    let path = match (named, rest) {
        (Some(path), None) if !path.to_string_lossy().starts_with('-') => PathBuf::from(path),
        (None, None) => {
            std::env::var_os(CONFIG_FILE).map(PathBuf::from).ok_or(WorkerError::Usage { binary })?
        }
        _ => return Err(WorkerError::Usage { binary }),
    };
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|source| WorkerError::Malformed { path, source }),
        Err(source) => Err(WorkerError::Unreadable { path, source }),
    }
}

/// Where the admin server listens: port 8080 of every interface unless the environment says otherwise.
pub fn admin_address() -> Result<SocketAddr, WorkerError> {
    match std::env::var(ADMIN_ADDRESS) {
        Ok(value) => value.parse().map_err(|_| WorkerError::AdminAddress { value }),
        Err(_) => Ok(EVERY_INTERFACE),
    }
}
