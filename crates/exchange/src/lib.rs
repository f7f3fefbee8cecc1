//! What exchanges are asked and what they answer, in one form for all of them. Pure: texts in, values out.
//!
//! - [`stream`]: what to say on a connection, and what each frame says.
//! - [`history`]: what was traded before, page by page.
//! - [`listing`]: which symbols there are.
//!
//! Whoever does the I/O chooses the exchange and need not know its words. Nothing here panics, whatever a frame or an
//! answer holds, and no number passes through a float.

mod answer;
pub mod history;
pub mod listing;
mod record;
pub mod stream;

pub use answer::{Answer, Refusal, Request};
pub use record::{BadRecord, Record};
