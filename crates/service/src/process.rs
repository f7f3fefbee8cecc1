//! What the components of one process share.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus::IntGaugeVec;

use crate::{
    Guard, Health,
    metrics::{Metrics, Registry},
};

/// What the components of one process share: metrics, health and guards. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Process {
    /// Where components register their metrics.
    pub registry: Registry,
    /// Where components say how they are.
    pub health: Health,
    breaker_state: IntGaugeVec,
    guards: Arc<Mutex<BTreeMap<String, Arc<Guard>>>>,
}

impl Process {
    /// A process; `component` is what `pricepipe_build_info` calls it.
    pub fn new(component: &str) -> Self {
        let registry = Registry::default();
        let metrics = Metrics(&registry);
        let build =
            metrics.gauges("build_info", "Always 1; what runs, by its labels", &["component", "version"]);
        build.with_label_values(&[component, env!("CARGO_PKG_VERSION")]).set(1);
        let help = "Circuit breaker by target: 0 closed, 1 half-open, 2 open";
        let breaker_state = metrics.gauges("breaker_state", help, &["target"]);
        Process { registry, health: Health::default(), breaker_state, guards: Arc::default() }
    }

    /// The guard of a target, with its metric. There is one a target, whoever asks for it: two would write the same
    /// series, each over what the other has just said.
    pub fn guard(&self, target: &str) -> Arc<Guard> {
        let mut guards = self.guards.lock().unwrap_or_else(PoisonError::into_inner);
        let metric = || self.breaker_state.with_label_values(&[target]);
        guards.entry(target.to_owned()).or_insert_with(|| Arc::new(Guard::new(target, metric()))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_that_use_the_same_target_share_its_guard_and_its_series() {
        let process = Process::new("test");
        let (producer, consumer) = (process.guard("kafka"), process.clone().guard("kafka"));
        (0..5).for_each(|_| {
            producer.failed();
        });
        assert!(consumer.wait().is_some(), "what one has found away, the other need not try");
        assert!(process.guard("store").wait().is_none());
        let series = |target| process.breaker_state.with_label_values(&[target]).get();
        assert_eq!((series("kafka"), series("store")), (2, 0));
    }
}
