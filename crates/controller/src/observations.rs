//! The controller's metrics.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use pricepipe_service::metrics::{Metrics, Registry};
use prometheus::{Histogram, IntCounterVec, IntGauge, IntGaugeVec};

use crate::{
    conditions::{self, ConditionType, Reason},
    kafka::{Health, Partitions},
};

const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What is counted and measured.
pub(crate) struct Observations {
    reconciliations: IntCounterVec,
    seconds: Histogram,
    conditions: IntGaugeVec,
    suspended: IntGaugeVec,
    leader: IntGauge,
    brokers: IntGaugeVec,
    partitions: IntGaugeVec,
    /// The topics that each pipeline has series of.
    topics: Mutex<HashMap<(String, String), Vec<String>>>,
}

/// Why a pipeline may rest although nothing is wrong with it.
const REST: [&str; 3] = [Reason::Suspended.as_str(), Reason::Paused.as_str(), Reason::ScaledToZero.as_str()];

/// How a partition may be: the values of the label `state`.
pub(crate) const PARTITION_STATES: [&str; 3] = ["in_sync", "under_replicated", "offline"];

impl Observations {
    pub(crate) fn new(registry: &Registry) -> Self {
        let metrics = Metrics(registry);
        let partitions = metrics.gauges(
            "topic_partitions",
            "Partitions of a pipeline's topics, by how they are; absent when unknown",
            &["namespace", "name", "topic", "state"],
        );
        metrics.values("topic_partitions", "state", PARTITION_STATES);
        Observations {
            reconciliations: metrics.counters(
                "controller_reconciliations_total",
                "Visits to a pipeline, by how they ended",
                &["outcome"],
            ),
            seconds: metrics.histogram(
                "controller_reconcile_duration_seconds",
                "How long a visit to a pipeline took",
                SECONDS,
            ),
            conditions: metrics.gauges(
                "pipeline_condition",
                "A pipeline's condition: 1 true, 0 false, -1 unknown",
                &["namespace", "name", "type"],
            ),
            suspended: metrics.gauges(
                "pipeline_suspended",
                "1 while a pipeline is not ready because somebody wants it so: suspended, paused or without replicas",
                &["namespace", "name"],
            ),
            leader: metrics.gauge("controller_leader", "1 while this controller leads"),
            brokers: metrics.gauges(
                "kafka_brokers",
                "Brokers of the Kafka cluster that a pipeline uses; absent when unknown",
                &["namespace", "name"],
            ),
            partitions,
            topics: Mutex::default(),
        }
    }

    /// The gauge that tells whether this process leads.
    pub(crate) fn leader(&self) -> IntGauge {
        self.leader.clone()
    }

    /// A visit ended. `outcome` is one of a closed set.
    pub(crate) fn visited(&self, outcome: &str, took: Duration) {
        self.reconciliations.with_label_values(&[outcome]).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// What the conditions of a pipeline are now.
    pub(crate) fn conditions(&self, namespace: &str, name: &str, conditions: &[Condition]) {
        for condition in conditions {
            let value = match condition.status.as_str() {
                "True" => 1,
                "False" => 0,
                _ => -1,
            };
            self.conditions.with_label_values(&[namespace, name, &condition.type_]).set(value);
        }
        let ready = conditions::get(conditions, ConditionType::Ready);
        let wanted = ready.is_some_and(|ready| REST.contains(&ready.reason.as_str()));
        self.suspended.with_label_values(&[namespace, name]).set(i64::from(wanted));
    }

    /// How the topics of a pipeline are in Kafka. `None`: Kafka does not tell, and what it told before is of no use.
    pub(crate) fn topics(&self, namespace: &str, name: &str, health: Option<&Health>) {
        let mut known = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.remove(&(namespace.to_owned(), name.to_owned())).unwrap_or_default();
        let is_gone = |topic: &&String| health.is_none_or(|health| !health.topics.contains_key(*topic));
        for topic in before.iter().filter(is_gone) {
            for state in PARTITION_STATES {
                let _ = self.partitions.remove_label_values(&[namespace, name, topic, state]);
            }
        }
        let Some(health) = health else {
            let _ = self.brokers.remove_label_values(&[namespace, name]);
            return;
        };
        self.brokers
            .with_label_values(&[namespace, name])
            .set(i64::try_from(health.brokers).unwrap_or(i64::MAX));
        for (topic, Partitions { in_sync, under_replicated, offline }) in &health.topics {
            for (state, count) in PARTITION_STATES.into_iter().zip([in_sync, under_replicated, offline]) {
                self.partitions.with_label_values(&[namespace, name, topic, state]).set(i64::from(*count));
            }
        }
        known.insert((namespace.to_owned(), name.to_owned()), health.topics.keys().cloned().collect());
    }

    /// A pipeline is gone, and so are its series.
    pub(crate) fn forget(&self, namespace: &str, name: &str, types: &[&str]) {
        self.topics(namespace, name, None);
        let _ = self.suspended.remove_label_values(&[namespace, name]);
        for kind in types {
            // One that was never set is not there to be removed.
            let _ = self.conditions.remove_label_values(&[namespace, name, kind]);
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
    use prometheus::TextEncoder;

    use super::*;

    fn condition(kind: &str, status: &str) -> Condition {
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason: "Test".to_owned(),
            message: String::new(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        }
    }

    #[test]
    fn the_series_of_a_pipeline_that_is_gone_are_removed() {
        let registry = Registry::default();
        let observations = Observations::new(&registry);
        let text = || TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        observations.conditions(
            "prices",
            "majors",
            &[condition("Ready", "True"), condition("SpecValid", "Unknown")],
        );
        let before = text();
        assert!(
            before
                .contains(r#"pricepipe_pipeline_condition{name="majors",namespace="prices",type="Ready"} 1"#)
        );
        assert!(before.contains(r#"type="SpecValid"} -1"#), "{before}");
        let suspended = r#"pricepipe_pipeline_suspended{name="majors",namespace="prices"}"#;
        assert!(before.contains(&format!("{suspended} 0")), "{before}");
        let rests = Condition { reason: "Suspended".to_owned(), ..condition("Ready", "False") };
        observations.conditions("prices", "majors", &[rests]);
        assert!(text().contains(&format!("{suspended} 1")), "{}", text());
        let partitions = Partitions { in_sync: 2, under_replicated: 1, offline: 0 };
        let health = Health { brokers: 3, topics: [("btc".to_owned(), partitions)].into() };
        observations.topics("prices", "majors", Some(&health));
        let series = r#"pricepipe_topic_partitions{name="majors",namespace="prices",state="under_replicated",topic="btc"} 1"#;
        assert!(text().contains(series), "{}", text());
        assert!(text().contains(r#"pricepipe_kafka_brokers{name="majors",namespace="prices"} 3"#));
        observations.topics("prices", "majors", None);
        assert!(!text().contains("btc") && !text().contains("brokers"), "unknown: {}", text());
        observations.topics("prices", "majors", Some(&health));
        observations.forget("prices", "majors", &["Ready", "SpecValid", "TopicsReady"]);
        assert!(!text().contains("majors"), "{}", text());
    }
}
