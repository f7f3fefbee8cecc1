//! Stopping: the first signal asks, the second one ends the process.

use std::{fs, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code when a second signal ends the process before it has drained.
pub const IMPATIENT_EXIT: i32 = 130;

/// A token that is cancelled at the first SIGTERM, SIGINT or SIGHUP, which a terminal sends when it is closed. A
/// second signal exits at once.
///
/// # Errors
/// What the system says when it does not let signals be handled.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    on_signal_with(|| {})
}

/// The same, for a host that has something to put in order, such as a terminal, before a second signal exits.
///
/// # Errors
/// What the system says when it does not let signals be handled.
pub fn on_signal_with(before_exit: impl Fn() + Send + 'static) -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    // Whoever starts a process with `nohup` wants it to outlive the terminal.
    let mut hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                () = received(&mut hangup) => {}
            }
            if stop.is_cancelled() {
                before_exit();
                std::process::exit(IMPATIENT_EXIT);
            }
            stop.cancel();
        }
    });
    Ok(token)
}

/// Cancels a token after this time.
pub fn after(time: Duration, stop: CancellationToken) {
    tokio::spawn(async move {
        tokio::time::sleep(time).await;
        stop.cancel();
    });
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process was started with SIGHUP ignored. Linux tells; where nobody does, it was not.
fn hangup_is_ignored() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// SIGHUP is signal 1, the lowest bit of the mask.
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::{process::Command, time::Duration};

    use super::*;

    #[tokio::test]
    async fn a_terminal_that_is_closed_asks_to_stop_as_sigterm_does() {
        if hangup_is_ignored() {
            eprintln!("skipped: this process was started with SIGHUP ignored");
            return;
        }
        let stop = on_signal().unwrap();
        let sent = Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status();
        assert!(sent.unwrap().success());
        tokio::time::timeout(Duration::from_secs(10), stop.cancelled()).await.unwrap();
    }

    #[test]
    fn nohup_is_seen_in_the_mask_of_ignored_signals() {
        assert!(ignores_hangup("Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\t0\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
        assert!(!ignores_hangup(""));
    }
}
