//! Chooses the parts of a pipeline: which Kafka and which store. Each is chosen on its own.
//!
//! The command line wins over the environment, the environment over the pipeline's file, and what nobody names
//! is embedded.

use std::path::PathBuf;

use pricepipe_core::{
    Pipeline, Secret,
    config::{KafkaConnection, KafkaCredentials, StoreConfig},
    environment::{
        EnvironmentError, KAFKA_BOOTSTRAP_SERVERS, KAFKA_PASSWORD, KAFKA_SSL_CA_LOCATION, KAFKA_USERNAME,
        MONGO_CONNECTION_STRING,
    },
};
use pricepipe_service::environment as service;

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

/// What the command line says of the store.
pub(crate) struct StoreWish<'a> {
    /// Its flags.
    pub args: &'a StoreArgs,
    /// Whether the prices are invented: they have a file of their own.
    pub simulated: bool,
    /// Whether a server may be used that the environment or the pipeline names.
    pub servers: bool,
}

impl StoreWish<'_> {
    /// The embedded store's file.
    fn file(&self, pipeline: &Pipeline) -> PathBuf {
        let kind = if self.simulated { "simulated.sqlite" } else { "sqlite" };
        self.args.store_file.clone().unwrap_or_else(|| PathBuf::from(format!("{}.{kind}", pipeline.name)))
    }
}

/// How a cluster is reached, and as whom.
type ClusterAccess = (KafkaConnection, Option<KafkaCredentials>);

/// The environment as it is read.
pub(crate) struct Surroundings {
    /// The value of a variable.
    pub lookup: fn(&str) -> Option<String>,
    /// The Kafka connection, overridden.
    pub kafka: fn(KafkaConnection) -> Result<ClusterAccess, EnvironmentError>,
    /// The MongoDB connection string.
    pub mongodb: fn() -> Result<Option<Secret>, EnvironmentError>,
}

/// This process's.
pub(crate) const SURROUNDINGS: Surroundings =
    Surroundings { lookup: service::lookup, kafka: service::kafka, mongodb: service::mongodb };

/// Chooses Kafka.
pub(crate) fn kafka(
    pipeline: &Pipeline,
    embedded: bool,
    surroundings: &Surroundings,
) -> Result<KafkaPart, Failed> {
    if embedded {
        return Ok(KafkaPart::Embedded);
    }
    let lookup = surroundings.lookup;
    let resolve = |base| (surroundings.kafka)(base).map_err(|error| Failed::because(Exit::Invalid, &error));
    if pipeline.kafka.is_none() {
        let (connection, credentials) = resolve(KafkaConnection::default())?;
        return match (connection.bootstrap_servers.is_empty(), &credentials) {
            (false, _) => Ok(KafkaPart::Cluster(connection, credentials)),
            (true, None) => Ok(KafkaPart::Embedded),
            (true, Some(_)) => {
                let message = format!(
                    "{KAFKA_USERNAME} is set, but no broker is named: set {KAFKA_BOOTSTRAP_SERVERS}, or pass \
                     --embedded-kafka"
                );
                Err(Failed::new(Exit::Invalid, message))
            }
        };
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
    let (connection, credentials) = resolve(base)?;
    Ok(KafkaPart::Cluster(connection, credentials))
}

/// Chooses the store.
pub(crate) fn store(
    pipeline: &Pipeline,
    wish: &StoreWish<'_>,
    surroundings: &Surroundings,
) -> Result<StorePart, Failed> {
    let embedded =
        || StorePart { config: pipeline.embedded_store(wish.file(pipeline)), connection_string: None };
    if wish.args.embedded_store || wish.args.store_file.is_some() || !wish.servers {
        return Ok(embedded());
    }
    let connection_string = (surroundings.mongodb)().map_err(|e| Failed::because(Exit::Invalid, &e))?;
    if connection_string.is_none() && pipeline.mongodb_uri.is_none() {
        return Ok(embedded());
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

/// Said when the store of a simulated run is there and the real one is not.
pub(crate) const INVENTED: &str = "these are the invented prices of run --simulate, as with --simulated";

/// The stores that somebody who reads may mean, the likeliest first: with `simulated` that of invented prices, else the
/// pipeline's own and, where that is a file that may not be there, the invented prices of whoever has only tried a
/// simulated run.
pub(crate) fn stores_to_read(
    pipeline: &Pipeline,
    args: &StoreArgs,
    simulated: bool,
) -> Result<Vec<StorePart>, Failed> {
    let part = |simulated| {
        let wish = StoreWish { args, simulated, servers: !simulated };
        store(pipeline, &wish, &SURROUNDINGS)
    };
    let mut stores = vec![part(simulated)?];
    if !simulated && args.store_file.is_none() && stores[0].connection_string.is_none() {
        stores.push(part(true)?);
    }
    Ok(stores)
}

fn secret_of_a_cluster(field: &str, variables: &str, flag: &str) -> Failed {
    let message =
        format!("{field} names a Secret, which only a cluster has: set {variables}, or pass {flag}");
    Failed::new(Exit::Invalid, message)
}

#[cfg(test)]
mod tests {
    use pricepipe_core::environment;

    use super::*;

    const SERVERS: &[(&str, &str)] =
        &[("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092"), ("MONGO_CONNECTION_STRING", "mongodb://h/")];

    fn pipeline() -> Pipeline {
        let text = "{apiVersion: pricepipe.dev/v1alpha1, kind: PricePipeline, metadata: {name: a}, \
                    spec: {symbols: [{symbol: BTCUSDT}]}}";
        pricepipe_api::parse(text).unwrap().remove(0).1
    }

    fn named(name: &str) -> Option<String> {
        SERVERS.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    const NAMED: Surroundings = Surroundings {
        lookup: named,
        kafka: |base| environment::kafka(base, named),
        mongodb: || environment::mongodb(named),
    };
    const BARE: Surroundings = Surroundings {
        lookup: |_| None,
        kafka: |base| environment::kafka(base, |_| None),
        mongodb: || Ok(None),
    };

    fn file(simulated: bool, servers: bool, surroundings: &Surroundings) -> Option<String> {
        let args = StoreArgs { embedded_store: false, store_file: None };
        match store(&pipeline(), &StoreWish { args: &args, simulated, servers }, surroundings).unwrap().config
        {
            StoreConfig::Embedded { path, .. } => Some(path.display().to_string()),
            StoreConfig::Mongodb { .. } => None,
        }
    }

    #[test]
    fn invented_prices_have_a_file_of_their_own_and_reach_a_server_only_when_asked_to() {
        assert_eq!(file(false, true, &BARE).as_deref(), Some("a.sqlite"));
        assert_eq!(file(false, true, &NAMED), None);
        assert_eq!(file(true, false, &NAMED).as_deref(), Some("a.simulated.sqlite"));
        assert_eq!(file(true, true, &NAMED), None);
        assert_eq!(file(true, true, &BARE).as_deref(), Some("a.simulated.sqlite"));
        assert_eq!(kafka(&pipeline(), true, &NAMED).unwrap(), KafkaPart::Embedded);
        assert_eq!(kafka(&pipeline(), false, &BARE).unwrap(), KafkaPart::Embedded);
        assert!(matches!(kafka(&pipeline(), false, &NAMED).unwrap(), KafkaPart::Cluster(..)));
    }

    #[test]
    fn a_user_without_a_broker_is_refused_and_not_ignored() {
        fn user(name: &str) -> Option<String> {
            ["KAFKA_USERNAME", "KAFKA_PASSWORD"].contains(&name).then(|| "x".to_owned())
        }
        let surroundings =
            Surroundings { lookup: user, kafka: |base| environment::kafka(base, user), mongodb: || Ok(None) };
        let failed = kafka(&pipeline(), false, &surroundings).unwrap_err();
        assert!(failed.message.contains("KAFKA_BOOTSTRAP_SERVERS"), "{failed}");
        assert_eq!(kafka(&pipeline(), true, &surroundings).unwrap(), KafkaPart::Embedded);
    }
}
