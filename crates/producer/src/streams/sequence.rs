//! The order and the completeness of what the connections of a source bring.

mod order;
mod steps;
