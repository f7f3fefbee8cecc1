//! Pictures of prices: what is to be drawn becomes SVG, and SVG becomes PNG. Pure: no clock, no file, no network.
//!
//! From the data to the bytes:
//!
//! 1. A [`Thinner`] or a [`BarMerger`] takes values one after the other and keeps no more than a picture can show, so
//!    that a million prices need no more memory than a thousand.
//! 2. A [`Chart`] says what is drawn: panels above each other that share a time axis, each with its layers.
//! 3. [`svg`] lays it out and writes it; the same chart always makes the same bytes.
//! 4. [`png`] paints that very SVG with a font of its own, so that a picture does not depend on the system.
//!
//! [`ticks`] are for whoever draws a [`Chart`] elsewhere, such as on a terminal.

mod bars;
mod chart;
mod png;
mod scale;
mod svg;
mod theme;
mod thin;
pub mod ticks;

pub use bars::{Bar, BarMerger, Bars};
pub use chart::{Chart, Ink, Layer, Move, Panel, Values};
pub use png::{PngError, png};
pub use scale::{Extent, Scale};
pub use svg::{Size, least_height, svg};
pub use theme::Theme;
pub use thin::{Dot, Line, Thinner};
