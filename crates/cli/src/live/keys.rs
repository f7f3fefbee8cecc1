//! The keys that are pressed and the sizes that the terminal gets, read by a thread of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use ratatui::crossterm::event::{Event, poll, read};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How often the thread looks whether anybody still wants keys.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Keys, until it is dropped.
pub(super) struct Keys {
    events: UnboundedReceiver<Event>,
    unwanted: Arc<AtomicBool>,
}

impl Keys {
    /// Begins to read.
    pub(super) fn read() -> Self {
        let (sender, events) = unbounded_channel();
        let unwanted = Arc::new(AtomicBool::new(false));
        let end = unwanted.clone();
        thread::spawn(move || pass_on(&sender, &end));
        Keys { events, unwanted }
    }

    /// The next event; never returns when there can be none any more.
    pub(super) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.unwanted.store(true, Ordering::Relaxed);
    }
}

/// Ends when the terminal has gone, too.
fn pass_on(sender: &UnboundedSender<Event>, unwanted: &AtomicBool) {
    while !unwanted.load(Ordering::Relaxed) {
        let event = match poll(LOOK_EVERY) {
            Ok(false) => continue,
            Ok(true) => read(),
            Err(_) => return,
        };
        if event.is_err() || event.is_ok_and(|event| sender.send(event).is_err()) {
            return;
        }
    }
}
