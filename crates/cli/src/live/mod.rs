//! The live view of a pipeline: full-screen on a terminal, a line for each price elsewhere.
//!
//! A [`Source`] says how the pipeline is at a moment, a [`Snapshot`]; [`Screen`] shows it. What is drawn follows from
//! the snapshot and from the keys that were pressed, and from nothing else.

mod controls;
mod frame;
mod help;
mod keys;
mod lines;
#[cfg(test)]
mod picture;
mod screen;
mod snapshot;
mod state;
mod table;
mod terminal;
#[cfg(test)]
mod tests;
mod theme;
mod trends;
mod view;
mod window;
mod wrap;

pub(crate) use screen::{Screen, Source};
#[cfg(test)]
pub(crate) use snapshot::tests::row;
pub(crate) use snapshot::{Part, Phase, Row, Share, Snapshot, State, Sums, age, interval, stale_after};
pub(crate) use terminal::restore;
pub(crate) use view::{log_format, print_sums};

/// What does not change while a pipeline is looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Titles {
    /// What is done: `run` or `watch`.
    pub command: &'static str,
    /// With which pipeline.
    pub pipeline: String,
    /// What else there is to know of it, each with its name.
    pub details: Vec<(&'static str, String)>,
    /// What somebody should look at twice.
    pub warnings: Vec<String>,
}
