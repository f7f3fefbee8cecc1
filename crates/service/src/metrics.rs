//! Registering metrics: one prefix, one registry per process.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts,
    core::Collector,
    proto::{MetricFamily, MetricType},
};

const NAMESPACE: &str = "pricepipe";

/// The metrics of one process. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub struct Registry {
    metrics: prometheus::Registry,
    definitions: Arc<Mutex<Vec<Definition>>>,
}

/// What a metric is, whether or not it has a value yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The whole name.
    pub name: String,
    /// What it tells.
    pub help: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// The names of its labels.
    pub labels: Vec<String>,
    /// The values of those labels that have a closed set of them.
    pub values: Vec<(&'static str, Vec<&'static str>)>,
}

impl Registry {
    /// The metrics that have a value, with their values.
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.metrics.gather()
    }

    /// Every metric that was registered, in that order.
    pub fn definitions(&self) -> Vec<Definition> {
        self.definitions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn register(&self, metric: impl Collector + 'static) -> prometheus::Result<()> {
        let described = metric.desc().into_iter().zip(metric.collect());
        let definitions: Vec<_> = described.map(|(desc, family)| Definition::new(desc, &family)).collect();
        self.metrics.register(Box::new(metric))?;
        self.definitions.lock().unwrap_or_else(PoisonError::into_inner).extend(definitions);
        Ok(())
    }
}

impl Definition {
    fn new(desc: &prometheus::core::Desc, family: &MetricFamily) -> Self {
        let kind = match family.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            MetricType::SUMMARY => "summary",
            MetricType::UNTYPED => "untyped",
        };
        let (name, help, labels) = (desc.fq_name.clone(), desc.help.clone(), desc.variable_labels.clone());
        Definition { name, help, kind, labels, values: Vec::new() }
    }
}

/// Makes metrics with our prefix and registers them.
///
/// A name that is wrong or taken is a mistake in the program; it panics at start-up, before there is work to lose.
pub struct Metrics<'a>(pub &'a Registry);

impl Metrics<'_> {
    /// A counter with labels.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(opts(name, help), labels))
    }

    /// A counter.
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::with_opts(opts(name, help)))
    }

    /// A whole-number gauge with labels.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(opts(name, help), labels))
    }

    /// A whole-number gauge.
    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::with_opts(opts(name, help)))
    }

    /// A gauge with labels.
    pub fn float_gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.register(GaugeVec::new(opts(name, help), labels))
    }

    /// A gauge.
    pub fn float_gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(Gauge::with_opts(opts(name, help)))
    }

    /// A histogram.
    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        self.register(Histogram::with_opts(histogram_opts(name, help, buckets)))
    }

    /// A histogram with labels.
    pub fn histograms(&self, name: &str, help: &str, buckets: &[f64], labels: &[&str]) -> HistogramVec {
        self.register(HistogramVec::new(histogram_opts(name, help, buckets), labels))
    }

    /// Says which values a label of a registered metric may have, where they are a closed set.
    ///
    /// A metric or a label that does not exist is a mistake in the program; it panics at start-up.
    pub fn values(&self, name: &str, label: &'static str, values: impl IntoIterator<Item = &'static str>) {
        let mut definitions = self.0.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        let name = format!("{NAMESPACE}_{name}");
        let own = |definition: &&mut Definition| {
            definition.name == name && definition.labels.iter().any(|one| one == label)
        };
        match definitions.iter_mut().find(own) {
            Some(definition) => definition.values.push((label, values.into_iter().collect())),
            None => panic!("no metric {name} with a label {label} is registered"),
        }
    }

    fn register<C: Collector + Clone + 'static>(&self, metric: prometheus::Result<C>) -> C {
        let metric = metric.unwrap_or_else(|error| panic!("a metric is defined wrongly: {error}"));
        if let Err(error) = self.0.register(metric.clone()) {
            panic!("a metric is registered twice: {error}");
        }
        metric
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}

fn histogram_opts(name: &str, help: &str, buckets: &[f64]) -> HistogramOpts {
    HistogramOpts::new(name, help).namespace(NAMESPACE).buckets(buckets.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_defined_before_it_has_a_value() {
        let registry = Registry::default();
        let written = Metrics(&registry).counters("written_total", "What was written", &["outcome"]);
        assert!(registry.gather().is_empty());
        let (name, help) = ("pricepipe_written_total".to_owned(), "What was written".to_owned());
        Metrics(&registry).values("written_total", "outcome", ["inserted", "rejected"]);
        let (labels, values) = (vec!["outcome".to_owned()], vec![("outcome", vec!["inserted", "rejected"])]);
        assert_eq!(registry.definitions(), [Definition { name, help, kind: "counter", labels, values }]);
        written.with_label_values(&["inserted"]).inc();
        assert_eq!(registry.gather().len(), 1);
    }
}
