//! The connection: options from the connection string, and the one way in which operations are run.
//!
//! A driver future that is dropped half-way can leave a connection in a bad state, and a socket that hangs has no
//! time limit of its own. So each operation is a task that is never cancelled; what has a limit is the wait for
//! it. A task holds a permit until it really ends: however long a server hangs, and however often callers try
//! again, no more than the permits are ever under way.

use std::{sync::Arc, time::Duration};

use ::mongodb::{
    Client, Database,
    event::EventHandler,
    options::{Acknowledgment, ClientOptions, ConnectionString, WriteConcern},
};
use pricepipe_core::{Secret, names::DatabaseName};
use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, sleep_until, timeout},
};

use super::reachability::Reachability;
use crate::{OpenError, StoreError, StoreErrorKind};

/// Connections, and so operations, unless the connection string says otherwise.
const POOL_SIZE: u32 = 20;
const SERVER_SELECTION_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_CONCERN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long closing waits for what is under way.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);
/// No replica set has more voting members than 7, so this many acknowledgements are always a majority.
const ALWAYS_A_MAJORITY: u32 = 4;

/// What switches certificate checks off.
const INSECURE_OPTIONS: &[&str] = &["tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames"];
/// Options whose values are secret or may hold one.
const SECRET_OPTIONS: &[&str] = &["tlscertificatekeyfilepassword", "authmechanismproperties"];

/// A deployment and a database in it. The client is made on first use.
pub(super) struct Connection {
    connection_string: ConnectionString,
    database: String,
    client: OnceCell<Client>,
    reachability: Arc<Reachability>,
    permits: Arc<Semaphore>,
    capacity: u32,
}

impl Connection {
    /// Reads the connection string; no name is resolved and no packet sent.
    pub(super) fn new(connection_string: &Secret, database: &DatabaseName) -> Result<Self, OpenError> {
        let text = connection_string.expose();
        if let Some(option) = insecure_option(text) {
            return Err(OpenError::InsecureTls { option });
        }
        let mut parsed = ConnectionString::parse(text)
            .map_err(|_| OpenError::InvalidConnectionString { problem: problem(text) })?;
        forget_socket_timeout(&mut parsed);
        let capacity = parsed.max_pool_size.filter(|size| *size > 0).unwrap_or(POOL_SIZE);
        Ok(Connection {
            connection_string: parsed,
            database: database.as_str().to_owned(),
            client: OnceCell::new(),
            reachability: Arc::new(Reachability::new()),
            permits: Arc::new(Semaphore::new(capacity as usize)),
            capacity,
        })
    }

    /// The write concern of every write: a journalled majority, unless the connection string asks for more.
    pub(super) fn write_concern(&self) -> WriteConcern {
        let asked = self.connection_string.write_concern.clone().unwrap_or_default();
        let mut concern = WriteConcern::majority();
        concern.w = match asked.w {
            Some(Acknowledgment::Nodes(nodes)) if nodes >= ALWAYS_A_MAJORITY => {
                Some(Acknowledgment::Nodes(nodes))
            }
            Some(Acknowledgment::Custom(name)) => Some(Acknowledgment::Custom(name)),
            _ => Some(Acknowledgment::Majority),
        };
        concern.journal = Some(true);
        concern.w_timeout = asked.w_timeout.or(Some(WRITE_CONCERN_TIMEOUT));
        concern
    }

    /// Runs an operation as a task of its own, and waits for it no longer than the limit.
    ///
    /// Dropping the returned future does not stop the operation.
    pub(super) async fn run<T, F, R>(
        self: &Arc<Self>,
        what: &'static str,
        limit: Duration,
        operation: F,
    ) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(Database) -> R + Send + 'static,
        R: Future<Output = Result<T, StoreError>> + Send,
    {
        let timed_out = |why: &str| {
            let text = format!("MongoDB: {what} was not answered within {} s{why}", limit.as_secs_f32());
            Err(StoreError::new(StoreErrorKind::TimedOut, text))
        };
        let deadline = Instant::now() + limit;
        let permit = tokio::select! {
            biased;
            permit = Arc::clone(&self.permits).acquire_owned() => permit,
            error = self.reachability.lost() => return Err(error),
            () = sleep_until(deadline) => {
                return timed_out("; earlier operations still wait for their answers");
            }
        };
        let permit =
            permit.map_err(|_| StoreError::new(StoreErrorKind::Unavailable, "the store is closed"))?;
        let connection = Arc::clone(self);
        let task = tokio::spawn(async move {
            let _permit = permit;
            let database = connection.database().await?;
            operation(database).await
        });
        tokio::select! {
            biased;
            outcome = task => outcome.unwrap_or_else(|_| {
                let text = format!("MongoDB: {what} was broken off");
                Err(StoreError::new(StoreErrorKind::Unavailable, text))
            }),
            error = self.reachability.lost() => Err(error),
            () = sleep_until(deadline) => timed_out(""),
        }
    }

    async fn database(&self) -> Result<Database, StoreError> {
        let client = self.client.get_or_try_init(|| self.connect()).await?;
        Ok(client.database(&self.database))
    }

    async fn connect(&self) -> ::mongodb::error::Result<Client> {
        let mut options = ClientOptions::parse(self.connection_string.clone()).await?;
        options.app_name.get_or_insert_with(|| "pricepipe".to_owned());
        options.max_pool_size.get_or_insert(POOL_SIZE);
        options.server_selection_timeout.get_or_insert(SERVER_SELECTION_TIMEOUT);
        options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
        let reachability = Arc::clone(&self.reachability);
        options.sdam_event_handler = Some(EventHandler::callback(move |event| reachability.observe(event)));
        Client::with_options(options)
    }

    /// Waits for what is under way, but not for ever; refuses what comes after.
    pub(super) async fn close(&self) {
        let idle = timeout(CLOSE_LIMIT, self.permits.acquire_many(self.capacity)).await.is_ok();
        self.permits.close();
        if let Some(client) = self.client.get() {
            let shutdown = client.clone().shutdown().immediate(!idle);
            // As any other operation it may hang, and must not be dropped half-way.
            let task = tokio::spawn(async move { shutdown.await });
            let _ = timeout(CLOSE_LIMIT, task).await;
        }
    }

    /// How many operations have not ended.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.capacity as usize - self.permits.available_permits()
    }
}

/// The driver refuses a whole connection string for an option that it does not have; every operation has a limit
/// here anyway.
#[allow(deprecated)]
fn forget_socket_timeout(connection_string: &mut ConnectionString) {
    if connection_string.socket_timeout.take().is_some() {
        tracing::warn!("socketTimeoutMS in the MongoDB connection string has no effect");
    }
}

/// The options of a connection string, in lower case, with their values.
fn options(connection_string: &str) -> impl Iterator<Item = (String, &str)> {
    let options = connection_string.split_once('?').map_or("", |(_, options)| options);
    options.split('&').filter_map(|pair| pair.split_once('=')).map(|(key, value)| (key.to_lowercase(), value))
}

fn insecure_option(connection_string: &str) -> Option<&'static str> {
    let set = |option: &str| {
        options(connection_string).any(|(key, value)| key == option.to_lowercase() && value != "false")
    };
    INSECURE_OPTIONS.iter().copied().find(|option| set(option))
}

/// What is wrong with a connection string, without a word of what may be secret in it.
///
/// The driver's own text can quote a piece of a password that was not percent-encoded, so it is asked again with
/// the credentials replaced: what it says then is safe to show, and when it is content the credentials are at fault.
fn problem(connection_string: &str) -> String {
    let Some(public) = Public::of(connection_string) else { return UNENCODED.to_owned() };
    if public.hosts.split(',').any(has_odd_port) {
        return ODD_PORT.to_owned();
    }
    match ConnectionString::parse(public.text()) {
        Err(error) => match *error.kind {
            ::mongodb::error::ErrorKind::InvalidArgument { message, .. } => message,
            other => other.to_string(),
        },
        Ok(_) => UNENCODED.to_owned(),
    }
}

const UNENCODED: &str = "in the user name or the password, or in an option, one of : / ? # [ ] @ % is not \
                         percent-encoded, or one part is missing";
const ODD_PORT: &str = "behind the colon of a host stands no port, which is a number from 1 to 65535; a user and a \
                        password stand before the host and an @";

/// The parts of a connection string that hold no secret.
struct Public<'a> {
    scheme: &'a str,
    has_credentials: bool,
    hosts: &'a str,
    path: &'a str,
    options: Vec<&'a str>,
}

impl<'a> Public<'a> {
    /// `None` when it cannot be told where the secrets end.
    fn of(connection_string: &'a str) -> Option<Self> {
        let Some((scheme, rest)) = connection_string.split_once("://") else {
            return Some(Public {
                scheme: "",
                has_credentials: false,
                hosts: "",
                path: "",
                options: Vec::new(),
            });
        };
        // The last '@' of all, not only of the first part: an unencoded '?' or '/' may stand in the password.
        let (credentials, rest) = rest.rsplit_once('@').map_or((None, rest), |(c, rest)| (Some(c), rest));
        if credentials.is_some_and(|credentials| credentials.contains('?')) {
            return None;
        }
        let (address, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = address.split_once('/').unwrap_or((address, ""));
        let is_public = |pair: &&str| {
            let key = pair.split('=').next().unwrap_or_default().to_lowercase();
            !SECRET_OPTIONS.contains(&key.as_str())
        };
        let options = options.split('&').filter(is_public).collect();
        Some(Public { scheme, has_credentials: credentials.is_some(), hosts, path, options })
    }

    /// A connection string with an invented user where there was one.
    fn text(&self) -> String {
        let credentials = if self.has_credentials { "user:password@" } else { "" };
        let options = self.options.join("&");
        format!("{}://{credentials}{}/{}?{options}", self.scheme, self.hosts, self.path)
    }
}

/// What stands for a port and is none may be the password of a string that lacks its host: it is never shown.
fn has_odd_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']') && !port.parse::<u16>().is_ok_and(|p| p > 0))
}

#[cfg(test)]
mod tests;
