//! What the driver's monitor knows of the servers, so that an operation need not wait out the whole server
//! selection to learn that nobody is there.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use ::mongodb::{error::Error, event::sdam::SdamEvent, options::ServerAddress};
use tokio::sync::watch;

use crate::StoreError;

/// A connection that broke is tried again at once, which is over well within this time.
const GRACE: Duration = Duration::from_millis(300);

/// The last heartbeat of each server.
pub(super) struct Reachability {
    servers: Mutex<HashMap<ServerAddress, Option<Error>>>,
    /// Why no server at all can be reached; none while one can, or while that is not known yet.
    trouble: watch::Sender<Option<StoreError>>,
}

impl Reachability {
    pub(super) fn new() -> Self {
        Reachability { servers: Mutex::default(), trouble: watch::Sender::new(None) }
    }

    /// Takes note of what the monitor saw.
    pub(super) fn observe(&self, event: SdamEvent) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            SdamEvent::ServerOpening(opening) => drop(servers.insert(opening.address, None)),
            SdamEvent::ServerClosed(closed) => drop(servers.remove(&closed.address)),
            SdamEvent::ServerHeartbeatSucceeded(beat) => drop(servers.insert(beat.server_address, None)),
            SdamEvent::ServerHeartbeatFailed(beat) => {
                servers.insert(beat.server_address, Some(beat.failure));
            }
            _ => return,
        }
        self.trouble.send_replace(trouble(&servers));
    }

    /// Ends when no server can be reached, and has not been for a moment.
    pub(super) async fn lost(&self) -> StoreError {
        let mut trouble = self.trouble.subscribe();
        loop {
            if trouble.wait_for(Option::is_some).await.is_err() {
                // The sender lives as long as this does.
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(GRACE).await;
            if let Some(error) = trouble.borrow().clone() {
                return error;
            }
        }
    }
}

fn trouble(servers: &HashMap<ServerAddress, Option<Error>>) -> Option<StoreError> {
    if servers.values().any(Option::is_none) {
        return None;
    }
    let (address, error) = servers.iter().min_by_key(|(address, _)| address.to_string())?;
    let mut trouble = StoreError::from(error.clone()?);
    trouble.message = format!("{} (at {address})", trouble.message);
    Some(trouble)
}
