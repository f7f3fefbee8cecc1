//! Chooses the parts of a pipeline: which Kafka and which store. Each is chosen on its own.
//!
//! The command line wins over the environment, the environment over the pipeline's file, and what nobody names
//! is embedded.

use std::path::PathBuf;

use pricepipe_core::{
    Pipeline, Secret,
    config::{KafkaConnection, KafkaCredentials, StoreConfig},
    environment::{
        self, KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_SSL_CA_LOCATION, KAFKA_USERNAME,
        MONGO_CONNECTION_STRING,
    },
};

use crate::{
    args::StoreArgs,
    exit::{Exit, Failed},
};

/// Which Kafka a pipeline uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KafkaPart {
    /// A broker in this process.
    Embedded,
    /// A cluster.
    Cluster(KafkaConnection, Option<KafkaCredentials>),
}

/// Which store a pipeline uses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StorePart {
    /// What kind, and how it is used.
    pub config: StoreConfig,
    /// How it is reached, when it is a server.
    pub connection_string: Option<Secret>,
}

/// Chooses Kafka.
pub(crate) fn kafka(
    pipeline: &Pipeline,
    embedded: bool,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<KafkaPart, Failed> {
    let named = pipeline.kafka.is_some()
        || lookup(KAFKA_BOOTSTRAP_SERVERS).is_some_and(|servers| !servers.is_empty());
    if embedded || !named {
        return Ok(KafkaPart::Embedded);
    }
    let cluster = pipeline.kafka.clone();
    if cluster.as_ref().is_some_and(|kafka| kafka.ca.is_some()) && lookup(KAFKA_SSL_CA_LOCATION).is_none() {
        return Err(secret_of_a_cluster(
            "spec.kafka.tls.caSecretRef",
            KAFKA_SSL_CA_LOCATION,
            "--embedded-kafka",
        ));
    }
    let needs_credentials = cluster.as_ref().is_some_and(|kafka| kafka.credentials.is_some());
    if needs_credentials && (lookup(KAFKA_USERNAME).is_none() || lookup(KAFKA_PASSWORD).is_none()) {
        let variables = format!("{KAFKA_USERNAME} and {KAFKA_PASSWORD}");
        return Err(secret_of_a_cluster(
            "spec.kafka.sasl.credentialsSecretRef",
            &variables,
            "--embedded-kafka",
        ));
    }
    let base = cluster.map(|kafka| kafka.connection).unwrap_or_default();
    let (connection, credentials) =
        environment::kafka(base, lookup).map_err(|e| Failed::because(Exit::Invalid, &e))?;
    Ok(KafkaPart::Cluster(connection, credentials))
}

/// Chooses the store.
pub(crate) fn store(
    pipeline: &Pipeline,
    args: &StoreArgs,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<StorePart, Failed> {
    let connection_string = environment::mongodb(lookup).map_err(|e| Failed::because(Exit::Invalid, &e))?;
    if args.embedded_store
        || args.store_file.is_some()
        || (connection_string.is_none() && pipeline.mongodb_uri.is_none())
    {
        let path =
            args.store_file.clone().unwrap_or_else(|| PathBuf::from(format!("{}.sqlite", pipeline.name)));
        return Ok(StorePart { config: pipeline.embedded_store(path), connection_string: None });
    }
    if connection_string.is_none() {
        return Err(secret_of_a_cluster(
            "spec.mongodb.uriSecretRef",
            MONGO_CONNECTION_STRING,
            "--embedded-store",
        ));
    }
    Ok(StorePart { config: pipeline.mongodb_store(), connection_string })
}

fn secret_of_a_cluster(field: &str, variables: &str, flag: &str) -> Failed {
    let message =
        format!("{field} names a Secret, which only a cluster has: set {variables}, or pass {flag}");
    Failed::new(Exit::Invalid, message)
}
