//! Stopping: the first signal asks, the second one ends the process.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code when a second signal ends the process before it has drained.
pub const IMPATIENT_EXIT: i32 = 130;

/// A token that is cancelled at the first SIGTERM or SIGINT. A second signal exits at once.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(IMPATIENT_EXIT);
            }
            stop.cancel();
        }
    });
    Ok(token)
}
