//! What goes wrong with a stream. Plain data.

use serde::{Deserialize, Serialize};

/// The largest frame that a fault makes: 100 MiB.
const MAX_FRAME: usize = 100 << 20;

/// Something that goes wrong with a stream. A connection meets all those in force, and each for itself: what is
/// counted is counted anew on every connection. Frames are data frames; answers and heartbeats are not counted and,
/// but for half-open connections, not spoilt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "does", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum StreamFault {
    /// The connection ends after so many frames.
    Cut {
        /// The frames.
        after_frames: u64,
        /// The close code, such as 1001 or 1008; torn off (1006) when not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        close: Option<u16>,
    },
    /// After so many frames the server says nothing any more, not even to a ping; the connection stays.
    HalfOpen {
        /// The frames.
        after_frames: u64,
    },
    /// Requests of the client are lost: no answer, no effect.
    NoAck,
    /// Requests of the client are refused.
    ErrorAck,
    /// This percentage of frames is never sent.
    Drop {
        /// 0 to 100.
        percent: u8,
    },
    /// This percentage of frames is sent twice.
    Duplicate {
        /// 0 to 100.
        percent: u8,
    },
    /// This percentage of frames comes after the one that should follow it.
    Reorder {
        /// 0 to 100.
        percent: u8,
    },
    /// Every frame is sent so many times.
    Flood {
        /// How many times.
        times: u32,
    },
    /// A frame comes between that should not be there.
    Insert {
        /// What frame.
        frame: OddFrame,
        /// After so many frames.
        after_frames: u64,
    },
    /// Every frame has a field that no client knows.
    ExtraField,
    /// The server says that it will go, where the exchange has a notice for that, and then goes.
    Shutdown {
        /// The frames before the notice.
        after_frames: u64,
        /// Milliseconds from the notice to the end.
        cut_after_millis: u64,
    },
    /// The server sends no pings.
    NoPings,
}

/// A frame that should not be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum OddFrame {
    /// Binary instead of text.
    Binary,
    /// JSON that is broken off.
    Malformed,
    /// A message of a type that no client knows.
    UnknownType,
    /// A frame of at least this many bytes; at most 100 MiB.
    Oversized {
        /// The bytes.
        bytes: usize,
    },
    /// This text.
    Text {
        /// The text.
        text: String,
    },
}

impl StreamFault {
    /// Each connection is torn off after so many frames.
    pub fn cut_after(after_frames: u64) -> Self {
        StreamFault::Cut { after_frames, close: None }
    }

    /// What makes it impossible to carry out, with the remedy.
    pub(crate) fn problem(&self) -> Option<String> {
        use StreamFault::*;
        match self {
            Drop { percent } | Duplicate { percent } | Reorder { percent } if *percent > 100 => {
                Some(format!("fault.percent is {percent}; use 0 to 100"))
            }
            Cut { close: Some(code), .. } if !may_be_sent(*code) => Some(format!(
                "fault.close is {code}; use 1000, 1001, 1002, 1003, 1007 to 1014, or 3000 to 4999"
            )),
            Flood { times } if *times == 0 => Some("fault.times is 0; use 1 or more".to_owned()),
            Insert { frame: OddFrame::Oversized { bytes }, .. } if *bytes > MAX_FRAME => {
                Some(format!("fault.frame.bytes is {bytes}; use at most {MAX_FRAME}"))
            }
            _ => None,
        }
    }
}

/// Whether a close frame may carry the code; the others stand for a close frame that never came.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
