//! What a dialect wants to say, before faults spoil it. Plain data.

use std::sync::Arc;

/// A frame that is to be sent.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) text: String,
    /// The symbol whose data it is; none for answers, heartbeats and the like, which faults leave alone.
    pub(crate) data_of: Option<Arc<str>>,
}

/// The frames that are to be sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) frames: Vec<Frame>,
}

impl Outbox {
    /// An answer, a heartbeat or a notice.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.frames.push(Frame { text: text.into(), data_of: None });
    }

    /// Data of a symbol.
    pub(crate) fn data(&mut self, symbol: &Arc<str>, text: String) {
        self.frames.push(Frame { text, data_of: Some(symbol.clone()) });
    }

    pub(crate) fn is_full(&self) -> bool {
        self.frames.len() >= super::BATCH
    }
}
