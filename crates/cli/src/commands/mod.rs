//! One file per command.

pub(crate) mod audit;
pub(crate) mod backfill;
pub(crate) mod dead_letters;
pub(crate) mod estimate;
pub(crate) mod gaps;
pub(crate) mod man;
pub(crate) mod query;
pub(crate) mod simulate_exchange;
pub(crate) mod symbols;
pub(crate) mod topics;
pub(crate) mod validate;
pub(crate) mod watch;
