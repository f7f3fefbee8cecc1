//! The command line of the worker binaries: one configuration file, and nothing secret.

use std::{
    fs,
    io::{ErrorKind, Write},
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::ExitCode,
};

use serde::de::DeserializeOwned;

use crate::{
    shutdown::IMPATIENT_EXIT,
    telemetry::{LOG_FILTER, LOG_FORMAT},
};

/// The variable that says where the admin server listens.
pub const ADMIN_ADDRESS: &str = "PRICEPIPE_ADMIN_ADDRESS";
/// The variable that names the configuration file when no argument does.
pub const CONFIG_FILE: &str = "PRICEPIPE_CONFIG";

/// The exit code for a command line that cannot be used.
pub const USAGE_EXIT: u8 = 2;
/// The exit code for a configuration that cannot be used.
pub const CONFIG_EXIT: u8 = 3;

/// Every exit code with its meaning, for `--help` and the documentation.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "stopped as asked"),
    (1, "something accepted could not be delivered in time, or a fault in the program"),
    (USAGE_EXIT, "usage"),
    (CONFIG_EXIT, "the configuration cannot be used, or the admin address is taken"),
    (IMPATIENT_EXIT as u8, "a second signal ended it before it had drained"),
];

/// The variables of every process, with their meanings.
pub const VARIABLES: &[(&str, &str)] = &[
    (ADMIN_ADDRESS, "where the admin pages are served, as `host:port`; `0.0.0.0:8080` when absent"),
    (LOG_FILTER, "what is logged, as in `debug` or `pricepipe_consumer=debug`; `info` when absent"),
    (LOG_FORMAT, "`json` or `text`; `json` when absent"),
];

const EVERY_INTERFACE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 8080);

/// What a binary says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Binary {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a few words.
    pub purpose: &'static str,
    /// Whether it takes a configuration file.
    pub takes_config: bool,
    /// The variables that only it reads, with their meanings.
    pub variables: &'static [(&'static str, &'static str)],
}

/// Why a worker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The command line is not one file.
    #[error("usage: {usage}; --help tells more")]
    Usage {
        /// How it is called.
        usage: String,
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
    #[error(
        "{ADMIN_ADDRESS}: {value:?} is not an address such as 0.0.0.0:8080 or localhost:8080 ({problem})"
    )]
    AdminAddress {
        /// What the variable holds.
        value: String,
        /// What the system says.
        problem: std::io::Error,
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

/// What the command line asks of a binary.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Help,
    Version,
    Work(Option<PathBuf>),
}

impl Binary {
    /// Answers `--help` and `--version` on standard output, and says whether that was all that was asked. To be called
    /// before anything else: neither needs a configuration.
    pub fn answer(&self) -> Option<ExitCode> {
        let text = match self.read(std::env::args_os().skip(1)) {
            Ok(Asked::Help) => self.help(),
            Ok(Asked::Version) => format!("{} {}\n", self.name, env!("CARGO_PKG_VERSION")),
            Ok(Asked::Work(None)) if self.takes_config && std::env::var_os(CONFIG_FILE).is_none() => {
                return Some(told(&self.misused()));
            }
            Ok(Asked::Work(_)) => return None,
            Err(error) => return Some(told(&error)),
        };
        let mut output = std::io::stdout();
        Some(match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
            // A reader that has gone, as `head` does, is no failure.
            Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        })
    }

    /// The configuration that the command line or the environment names.
    ///
    /// # Errors
    /// No file, or one that holds no configuration.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, WorkerError> {
        let Asked::Work(named) = self.read(std::env::args_os().skip(1))? else { return Err(self.misused()) };
        let path = named.or_else(|| std::env::var_os(CONFIG_FILE).map(PathBuf::from));
        let path = path.ok_or_else(|| self.misused())?;
        match fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text).map_err(|source| WorkerError::Malformed { path, source }),
            Err(source) => Err(WorkerError::Unreadable { path, source }),
        }
    }

    fn read(&self, arguments: impl Iterator<Item = std::ffi::OsString>) -> Result<Asked, WorkerError> {
        let arguments: Vec<_> = arguments.collect();
        let is =
            |names: [&str; 2]| arguments.iter().any(|argument| names.iter().any(|name| argument == name));
        if is(["--help", "-h"]) {
            return Ok(Asked::Help);
        }
        if is(["--version", "-V"]) {
            return Ok(Asked::Version);
        }
        match &arguments[..] {
            [] => Ok(Asked::Work(None)),
            [path] if self.takes_config && !path.to_string_lossy().starts_with('-') => {
                Ok(Asked::Work(Some(path.into())))
            }
            _ => Err(self.misused()),
        }
    }

    fn misused(&self) -> WorkerError {
        WorkerError::Usage { usage: self.usage() }
    }

    fn usage(&self) -> String {
        match self.takes_config {
            true => format!("{} CONFIG.json, or set {CONFIG_FILE}", self.name),
            false => format!("{}, without arguments", self.name),
        }
    }

    fn help(&self) -> String {
        let mut text = format!("{}: {}\n\nUsage: {}\n", self.name, self.purpose, self.usage());
        if self.takes_config {
            text += "\nArguments:\n";
            text += &row("CONFIG.json", "the configuration; docs/workers.md tells its fields");
        }
        text += "\nOptions:\n";
        text += &row("-h, --help", "print this");
        text += &row("-V, --version", "print the version");
        text += "\nVariables:\n";
        let config = (CONFIG_FILE, "the configuration when no argument names it");
        let own = self.takes_config.then_some(config).into_iter().chain(self.variables.iter().copied());
        // What is code in the documentation is plain text here.
        own.chain(VARIABLES.iter().copied())
            .for_each(|(name, meaning)| text += &row(name, &meaning.replace('`', "")));
        if self.takes_config {
            text += &row(
                "<NAME>_FILE",
                "a file that holds the value of the variable NAME, such as a mounted Secret",
            );
        }
        text += "\nExit codes:\n";
        EXIT_CODES.iter().for_each(|(code, meaning)| text += &row(&code.to_string(), meaning));
        text
    }
}

/// Whoever types a command line wants to read what is wrong with it, so it is no log line.
fn told(error: &WorkerError) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{error}");
    error.exit_code()
}

fn row(name: &str, meaning: &str) -> String {
    format!("  {name:<38} {meaning}\n")
}

/// Where the admin server listens: port 8080 of every interface unless the environment says otherwise.
///
/// # Errors
/// A value that is no address, or a host that is not known.
pub fn admin_address() -> Result<SocketAddr, WorkerError> {
    match std::env::var(ADMIN_ADDRESS) {
        Ok(value) => resolve(&value).map_err(|problem| WorkerError::AdminAddress { value, problem }),
        Err(_) => Ok(EVERY_INTERFACE),
    }
}

/// The address that `host:port` means. Of several the first of IPv4, where there is one: that is what people and
/// scrapers mean by a name such as `localhost`.
///
/// # Errors
/// What the system says of a text that is no address, or of a host that it does not know.
pub fn resolve(text: &str) -> std::io::Result<SocketAddr> {
    let addresses: Vec<SocketAddr> = text.to_socket_addrs()?.collect();
    let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    first.copied().ok_or_else(|| std::io::Error::other("the name has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: Binary = Binary {
        name: "pricepipe-test",
        purpose: "does nothing",
        takes_config: true,
        variables: &[("KAFKA_PASSWORD", "`password` of a test")],
    };

    fn asked(binary: &Binary, arguments: &[&str]) -> Result<Asked, String> {
        binary.read(arguments.iter().map(Into::into)).map_err(|error| error.to_string())
    }

    #[test]
    fn help_and_version_win_over_everything_else_on_the_command_line() {
        assert_eq!(asked(&WORKER, &["a.json", "-h"]), Ok(Asked::Help));
        assert_eq!(asked(&WORKER, &["--version"]), Ok(Asked::Version));
        assert_eq!(asked(&WORKER, &["a.json"]), Ok(Asked::Work(Some("a.json".into()))));
        assert_eq!(asked(&WORKER, &[]), Ok(Asked::Work(None)));
        let usage = asked(&WORKER, &["--helpp"]).unwrap_err();
        assert_eq!(usage, "usage: pricepipe-test CONFIG.json, or set PRICEPIPE_CONFIG; --help tells more");
        assert!(asked(&WORKER, &["a.json", "b.json"]).is_err());
        assert!(asked(&Binary { takes_config: false, ..WORKER }, &["a.json"]).is_err());
    }

    #[test]
    fn help_names_the_argument_every_variable_and_every_exit_code() {
        let help = WORKER.help();
        let variables = VARIABLES.iter().map(|(name, _)| *name);
        for word in variables.chain(["CONFIG.json", CONFIG_FILE, "KAFKA_PASSWORD", "_FILE", "does nothing"]) {
            assert!(help.contains(word), "{word} is not in {help}");
        }
        for (code, meaning) in EXIT_CODES {
            assert!(help.contains(&row(&code.to_string(), meaning)), "{help}");
        }
        assert!(!help.contains('`'), "{help}");
    }

    #[test]
    fn a_host_name_is_an_address_and_a_port_alone_is_none() {
        assert_eq!(resolve("localhost:8991").unwrap(), SocketAddr::from(([127, 0, 0, 1], 8991)));
        assert_eq!(resolve("[::1]:1").unwrap().to_string(), "[::1]:1");
        assert!(resolve("8991").is_err() && resolve("localhost:http").is_err());
    }
}
