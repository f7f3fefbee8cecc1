//! Takes the terminal and gives it back, whatever the end is. The state of the terminal is one for the process, and
//! so is the note of it here.

use std::{
    io::{self, IsTerminal},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use ratatui::crossterm::{
    cursor::{Hide, Show},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};
use rustix::{
    process::{Signal, getpgrp, getpid, kill_current_process_group, kill_process},
    termios::tcgetpgrp,
};

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// How long a signal to stop may take to reach this process.
const UNTIL_STOPPED: Duration = Duration::from_millis(50);

/// Whether standard output is a terminal that can be drawn on, and this process the one that may.
pub(super) fn is_usable() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    // Whoever takes the terminal from the background is stopped by it.
    let background = tcgetpgrp(io::stdout()).is_ok_and(|foreground| foreground != getpgrp());
    io::stdout().is_terminal() && !dumb && !background
}

/// Takes the terminal: its other screen, no cursor, and each key as it is pressed.
pub(super) fn take() -> io::Result<()> {
    static RESTORE_ON_PANIC: Once = Once::new();
    RESTORE_ON_PANIC.call_once(|| {
        let told = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            // Or the message would be lost with the screen.
            restore();
            told(panic);
        }));
    });
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, Hide)
}

/// Gives the terminal back as it was. Does nothing when it was not taken.
pub(crate) fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // The terminal may have gone, and then there is nothing to put in order.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// Whether the terminal is ours.
pub(super) fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Does what Ctrl-C does outside of raw mode.
pub(super) fn interrupt() {
    // It cannot fail: every process may send itself a signal.
    let _ = kill_process(getpid(), Signal::INT);
}

/// Does what Ctrl-Z does outside of raw mode: the shell gets the terminal until it lets this job go on.
pub(super) fn suspend() -> io::Result<()> {
    restore();
    kill_current_process_group(Signal::TSTP)?;
    // The signal may reach another thread first. Where there is no shell nothing stops.
    thread::sleep(UNTIL_STOPPED);
    take()
}
