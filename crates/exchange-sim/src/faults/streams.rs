//! How connections meet the faults of streams: each for itself, for as long as the fault lasts. Pure; time is an argument.

use std::time::{Duration, Instant};

use super::{Fault, Faults, Lasts, Scripted};
use crate::{locked, stream::StreamFault};

/// A fault of a stream that a connection has met.
#[derive(Clone, Debug)]
pub(crate) struct StreamFaultInForce {
    /// The number of its rule.
    pub(crate) rule: u64,
    pub(crate) fault: StreamFault,
    /// When it ends; if not then, with the connection.
    pub(crate) until: Option<Instant>,
    /// How many frames the connection had sent when it met the fault.
    pub(crate) met_at_frame: u64,
}

impl Faults {
    /// The faults that a connection meets: those that it has met before, and those that are still to be met.
    pub(crate) fn meet_stream(
        &self,
        now: Instant,
        path: &str,
        connection: u64,
        frames: u64,
    ) -> Vec<StreamFaultInForce> {
        let mut script = locked(&self.script);
        script.iter_mut().filter_map(|scripted| scripted.meet_stream(now, path, connection, frames)).collect()
    }
}

impl Scripted {
    pub(super) fn stream_fault(&self) -> Option<&StreamFault> {
        match &self.rule.fault {
            Fault::Stream(fault) => Some(fault),
            _ => None,
        }
    }

    fn meet_stream(
        &mut self,
        now: Instant,
        path: &str,
        connection: u64,
        frames: u64,
    ) -> Option<StreamFaultInForce> {
        let fault = self.stream_fault()?.clone();
        if !self.connections.contains_key(&connection) {
            if !self.is_for(path) || self.is_over(now) {
                return None;
            }
            self.met += 1;
            self.first_met.get_or_insert(now);
            self.connections.insert(connection, frames);
        }
        let until = match self.rule.lasts {
            Lasts::Millis(millis) => self.first_met.map(|first| first + Duration::from_millis(millis)),
            Lasts::Requests(_) | Lasts::UntilCleared => None,
        };
        let met_at_frame = self.connections.get(&connection).copied().unwrap_or_default();
        Some(StreamFaultInForce { rule: self.number, fault, until, met_at_frame })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Rule;

    #[test]
    fn a_fault_of_streams_is_met_by_connections_each_for_itself_and_not_by_requests() {
        let faults = Faults::default();
        let cut = StreamFault::cut_after(5);
        faults.add(Rule::times(2, Fault::Stream(cut.clone())).on_path("/ws"));
        let now = Instant::now();
        assert_eq!(faults.meet(now, "/api/v3/ticker/price", |_| true).turn, None);
        let met = |path, connection| {
            let met = faults.meet_stream(now, path, connection, 10 * connection);
            met.into_iter().map(|met| (met.fault, met.met_at_frame)).collect::<Vec<_>>()
        };
        assert_eq!(met("/v2", 1), []);
        assert_eq!(met("/ws/btcusdt@trade", 2), [(cut.clone(), 20)]);
        assert_eq!(met("/ws", 3), [(cut.clone(), 30)]);
        assert_eq!(met("/ws", 4), [], "two have met it");
        assert_eq!(met("/ws", 2), [(cut, 20)], "who has met it keeps it");
        assert!(faults.rules().is_empty());
        let version = faults.version();
        faults.clear();
        assert_eq!((met("/ws", 2), faults.version() == version), (vec![], false));
    }
}
