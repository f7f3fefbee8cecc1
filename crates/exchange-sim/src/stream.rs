//! Live streams over WebSocket: what a connection does, whichever exchange it is of. Each exchange's own words are a
//! [`Dialect`] beside its requests.

mod fault;
mod frame;
mod gate;
mod ledger;
mod session;
mod spoil;
mod upgrade;

use std::time::Duration;

pub use self::{
    fault::{OddFrame, StreamFault},
    ledger::{StreamConnection, StreamCounts, StreamLedger},
};
pub(crate) use self::{
    frame::Outbox,
    gate::{Bucket, Gate},
    upgrade::upgrade,
};
use crate::{
    market::Market,
    server::Sim,
    tape::{Moment, Tape},
};

/// The most frames that a connection is given at once.
pub(crate) const BATCH: usize = 8_192;

/// What a connection of some exchange keeps to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// Whether the server sends pings and wants their payload back.
    pub(crate) pings: bool,
    /// How long it lives.
    pub(crate) lifetime: Option<Duration>,
    /// How soon it must subscribe.
    pub(crate) subscribe_within: Option<Duration>,
    /// How many messages of the client a second it bears.
    pub(crate) messages_per_second: Option<usize>,
}

/// How requests of the client are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acks {
    Honest,
    /// The request is refused.
    Refused,
}

/// How the server ends a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// In good order, with a code and a reason.
    Close(u16, &'static str),
    /// Torn off (RST), which a client sees as 1006.
    Abort,
}

/// The words of one exchange on one connection.
pub(crate) trait Dialect: Send {
    /// The exchange, for the ledger.
    fn exchange(&self) -> &'static str;
    /// What the connection keeps to.
    fn manners(&self) -> Manners;
    /// What is said first.
    fn greet(&mut self, sim: &Sim, out: &mut Outbox) -> Result<(), Cut>;
    /// Answers a message of the client.
    fn hear(&mut self, text: &str, sim: &Sim, acks: Acks, out: &mut Outbox) -> Result<(), Cut>;
    /// Says what is due. True when there is more to say at once.
    fn speak(&mut self, now: Moment, market: &mut Market, out: &mut Outbox) -> Result<bool, Cut>;
    /// True once it has asked for anything.
    fn has_subscribed(&self) -> bool;
    /// The notice that the server is about to go, where the exchange gives one.
    fn shutdown_notice(&self, now: Moment) -> Option<String>;
    /// A message of a type that no client knows.
    fn unknown_message(&self, now: Moment) -> String;
}

/// Lets a tape go on, and has `tell` say what is new of it and how far it came. True when there is more to say at once.
pub(crate) fn follow(
    market: &mut Market,
    place: usize,
    now: Moment,
    tell: impl FnOnce(&Tape) -> Result<u64, Cut>,
) -> Result<bool, Cut> {
    let tape = market.tape_at(place);
    tape.advance(now);
    let pulled = tape.pull(now);
    Ok(tell(tape)? < tape.end() || pulled)
}

/// A client that reads so slowly that history has forgotten where it is.
pub(crate) const TOO_SLOW: Cut = Cut::Close(1008, "ErrSlowConsume");
