//! What the components of one process share.

use std::sync::Arc;

use prometheus::{IntGaugeVec, Registry};

use crate::{Guard, Health, metrics::Metrics};

/// What the components of one process share: metrics and health. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct Process {
    /// Where components register their metrics.
    pub registry: Registry,
    /// Where components say how they are.
    pub health: Health,
    breaker_state: IntGaugeVec,
}

impl Process {
    /// A process; `component` is what `pricepipe_build_info` calls it.
    pub fn new(component: &str) -> Self {
        let registry = Registry::new();
        let metrics = Metrics(&registry);
        let build =
            metrics.gauges("build_info", "Always 1; what runs, by its labels", &["component", "version"]);
        build.with_label_values(&[component, env!("CARGO_PKG_VERSION")]).set(1);
        let help = "Circuit breaker by target: 0 closed, 1 half-open, 2 open";
        let breaker_state = metrics.gauges("breaker_state", help, &["target"]);
        Process { registry, health: Health::default(), breaker_state }
    }

    /// A guard for a target, with its metric.
    pub fn guard(&self, target: &str) -> Arc<Guard> {
        Arc::new(Guard::new(target, self.breaker_state.with_label_values(&[target])))
    }
}
