//! Tells a user how a source is: by its readiness condition, in the log, and in what a live view reads.

use std::sync::Arc;

use pricepipe_core::Exchange;

use crate::{
    announcer::Announcer,
    observations::Observations,
    source::{SourceError, Trouble},
};

/// Why a source brings nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SourceTrouble {
    /// The exchange, or the way to it.
    Exchange(Trouble),
    /// The configuration: the exchange has none of its symbols.
    NoSymbols,
}

/// How one source is.
pub(crate) struct Teller {
    /// The source's name.
    pub(crate) source: String,
    pub(crate) exchange: Exchange,
    pub(crate) words: Words,
    pub(crate) announcer: Announcer<SourceTrouble>,
    pub(crate) observations: Arc<Observations>,
    /// What to tell a user whose exchange cannot be reached, after the reason.
    pub(crate) hint: Option<String>,
}

/// What is said of a kind of source.
pub(crate) struct Words {
    /// What of the exchange is meant, behind its name.
    pub(crate) part: &'static str,
    /// What it does when it answers, but not with what was asked for.
    pub(crate) fails: &'static str,
}

impl Teller {
    /// All is well, in short words.
    pub(crate) fn fine(&mut self, text: &str) {
        self.announcer.fine();
        self.observations.source_state(&self.source, text);
    }

    /// Something failed. Where it is nothing that a user could do something about, nothing is told. `extent` says how much
    /// of the source it concerns, if not all of it.
    pub(crate) fn trouble(&mut self, error: &SourceError, extent: &str) {
        let Some(trouble) = error.trouble() else { return };
        let Words { part, fails } = self.words;
        let hint = self.hint.as_deref().map(|hint| format!(" {hint}")).unwrap_or_default();
        let who = format!("{}{part}", self.exchange);
        let text = match trouble {
            Trouble::Unreachable => format!("{who} cannot be reached: {error}; retrying{extent}.{hint}"),
            Trouble::Unusable => format!("{who} {fails}: {error}; retrying{extent}.{hint}"),
            _ => format!("{who}: {error}{extent}"),
        };
        // Of two hosts one may be away and the other answer wrongly: turn by turn, that would be told for ever.
        let kind = if trouble == Trouble::Unusable { Trouble::Unreachable } else { trouble };
        self.say(SourceTrouble::Exchange(kind), &text);
    }

    /// The exchange has none of the symbols; or it refuses them, in these words.
    pub(crate) fn no_symbols(&mut self, refusal: Option<&str>) {
        let exchange = self.exchange;
        let text = match refusal {
            None => format!("every symbol is unknown to {exchange}"),
            Some(words) => format!("every symbol is unknown to {exchange} or refused by it: {words}"),
        };
        self.say(SourceTrouble::NoSymbols, &text);
    }

    fn say(&mut self, trouble: SourceTrouble, text: &str) {
        self.observations.source_state(&self.source, text);
        self.announcer.trouble(trouble, text);
    }
}
