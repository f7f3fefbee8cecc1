//! Tells of trouble once, when it begins or changes, and of its end; keeps the readiness condition up to date.

use pricepipe_service::health::Condition;

/// Follows one readiness condition. `K` says which troubles are alike.
pub(crate) struct Announcer<K> {
    condition: Condition,
    /// What stands before the reason in the log; the condition's own name stands before it elsewhere.
    prefix: &'static str,
    state: State<K>,
}

enum State<K> {
    Starting,
    Fine,
    Trouble(K),
}

impl<K: PartialEq> Announcer<K> {
    pub(crate) fn new(condition: Condition, prefix: &'static str) -> Self {
        Announcer { condition, prefix, state: State::Starting }
    }

    /// There is trouble. The condition always has the latest words; the log has a line only for another kind.
    pub(crate) fn trouble(&mut self, kind: K, text: &str) {
        if !matches!(&self.state, State::Trouble(before) if *before == kind) {
            tracing::warn!("{}{text}", self.prefix);
        }
        self.condition.not_ready(text);
        self.state = State::Trouble(kind);
    }

    /// All is well.
    pub(crate) fn fine(&mut self) {
        if !matches!(self.state, State::Fine) {
            self.condition.ready();
            self.state = State::Fine;
        }
    }
}
