//! `spec.kafka`: the connection and how topics are created. Pure.

use pricepipe_core::{
    config::{KafkaConnection, SecurityProtocol},
    environment::is_host_and_port,
    pipeline::{KafkaCluster, TopicSettings},
};

use crate::{Fault, KafkaSpec, TopicsSpec, fault::Faults, path};

use super::{count, secret_key};

/// The cluster, or `None` for the surroundings' own.
pub(super) fn cluster(spec: &KafkaSpec, faults: &mut Faults) -> Option<KafkaCluster> {
    for (index, server) in spec.bootstrap_servers.iter().enumerate() {
        let at = path::item("spec.kafka.bootstrapServers", index);
        if !is_host_and_port(server) {
            faults.add(Fault::new(at.as_str(), format!("{server:?} is not host:port, as in kafka:9092")));
        }
        if spec.bootstrap_servers[..index].contains(server) {
            faults.add(Fault::new(at, format!("{server:?} is there twice; remove one")));
        }
    }
    if spec.bootstrap_servers.is_empty() {
        return None;
    }
    Some(KafkaCluster {
        connection: KafkaConnection {
            bootstrap_servers: spec.bootstrap_servers.clone(),
            security_protocol: security_protocol(spec),
            sasl_mechanism: spec.sasl.as_ref().map(|sasl| sasl.mechanism),
            ca_file: None,
        },
        ca: spec.tls.as_ref().and_then(|tls| tls.ca_secret_ref.as_ref()).map(secret_key),
        credentials: spec.sasl.as_ref().map(|sasl| sasl.credentials_secret_ref.name.clone()),
    })
}

fn security_protocol(spec: &KafkaSpec) -> SecurityProtocol {
    match (&spec.tls, &spec.sasl) {
        (None, None) => SecurityProtocol::Plaintext,
        (Some(_), None) => SecurityProtocol::Ssl,
        (None, Some(_)) => SecurityProtocol::SaslPlaintext,
        (Some(_), Some(_)) => SecurityProtocol::SaslSsl,
    }
}

/// How topics are created.
pub(super) fn topic_settings(spec: &TopicsSpec, faults: &mut Faults) -> TopicSettings {
    for key in spec.config.keys() {
        let legal = (1..=100).contains(&key.len())
            && key.bytes().all(|b| b.is_ascii_lowercase() || b".-_".contains(&b) || b.is_ascii_digit());
        if !legal {
            let message =
                "not a topic configuration; Kafka's are a-z, 0-9, '.', '_' and '-', as in compression.type";
            faults.add(Fault::new(path::field("spec.kafka.topics.config", key), message));
        }
    }
    TopicSettings {
        partitions: count(spec.partitions),
        replication_factor: count(spec.replication_factor),
        min_in_sync_replicas: count(spec.min_in_sync_replicas),
        retention_seconds: u64::from(count(spec.retention_seconds)),
        config: spec.config.clone(),
    }
}
