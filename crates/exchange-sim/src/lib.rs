//! A simulated exchange that speaks the real wire formats.
