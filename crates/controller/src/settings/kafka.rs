//! The operator's own Kafka cluster. Its Secrets are in the namespaces of the pipelines that use it. Pure.

use pricepipe_core::{
    config::{KafkaConnection, SaslMechanism, SecurityProtocol},
    environment::is_host_and_port,
    pipeline::{KafkaCluster, SecretKey},
};

use super::{
    KAFKA_BOOTSTRAP_SERVERS, KAFKA_CA_SECRET, KAFKA_CREDENTIALS_SECRET, KAFKA_SASL_MECHANISM,
    KAFKA_SECURITY_PROTOCOL, SettingsError, is_secret_name, list, secret_key,
};

/// The cluster, or `None` when no brokers are named. What could only be ignored is refused.
pub(super) fn cluster(
    get: impl Fn(&'static str) -> Option<String>,
) -> Result<Option<KafkaCluster>, SettingsError> {
    let Some(servers) = get(KAFKA_BOOTSTRAP_SERVERS) else {
        let others =
            [KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_MECHANISM, KAFKA_CREDENTIALS_SECRET, KAFKA_CA_SECRET];
        return match others.into_iter().find(|variable| get(variable).is_some()) {
            None => Ok(None),
            Some(variable) => {
                refused(variable, format!("set without brokers; set {KAFKA_BOOTSTRAP_SERVERS} too"))
            }
        };
    };
    let protocol = choice(
        KAFKA_SECURITY_PROTOCOL,
        get(KAFKA_SECURITY_PROTOCOL),
        SecurityProtocol::from_name,
        SecurityProtocol::NAMES,
    )?
    .unwrap_or_default();
    let mechanism = choice(
        KAFKA_SASL_MECHANISM,
        get(KAFKA_SASL_MECHANISM),
        SaslMechanism::from_name,
        SaslMechanism::NAMES,
    )?;
    Ok(Some(KafkaCluster {
        connection: KafkaConnection {
            bootstrap_servers: brokers(&servers)?,
            security_protocol: protocol,
            sasl_mechanism: sasl_mechanism(protocol, mechanism)?,
            ca_file: None,
        },
        ca: authorities(protocol, get(KAFKA_CA_SECRET))?,
        credentials: credentials(protocol, get(KAFKA_CREDENTIALS_SECRET))?,
    }))
}

fn brokers(text: &str) -> Result<Vec<String>, SettingsError> {
    let servers: Vec<String> = list(text).map(str::to_owned).collect();
    match servers.iter().find(|server| !is_host_and_port(server)) {
        None => Ok(servers),
        Some(server) => {
            refused(KAFKA_BOOTSTRAP_SERVERS, format!("{server:?} is not host:port, as in kafka.kafka:9092"))
        }
    }
}

fn sasl_mechanism(
    protocol: SecurityProtocol,
    mechanism: Option<SaslMechanism>,
) -> Result<Option<SaslMechanism>, SettingsError> {
    match mechanism {
        Some(_) if !protocol.uses_sasl() => refused(KAFKA_SASL_MECHANISM, no_use(protocol, "SASL")),
        mechanism => Ok(protocol.uses_sasl().then(|| mechanism.unwrap_or_default())),
    }
}

fn credentials(protocol: SecurityProtocol, text: Option<String>) -> Result<Option<String>, SettingsError> {
    match text {
        None if protocol.uses_sasl() => refused(
            KAFKA_CREDENTIALS_SECRET,
            format!("missing; {} needs a Secret with username and password", protocol.as_str()),
        ),
        Some(_) if !protocol.uses_sasl() => refused(KAFKA_CREDENTIALS_SECRET, no_use(protocol, "SASL")),
        Some(name) if !is_secret_name(&name) => refused(
            KAFKA_CREDENTIALS_SECRET,
            format!("{name:?} is not the name of a Secret, as in kafka-user"),
        ),
        name => Ok(name),
    }
}

fn authorities(protocol: SecurityProtocol, text: Option<String>) -> Result<Option<SecretKey>, SettingsError> {
    match text {
        None => Ok(None),
        Some(_) if !protocol.uses_tls() => refused(KAFKA_CA_SECRET, no_use(protocol, "SSL")),
        Some(text) => secret_key(KAFKA_CA_SECRET, &text).map(Some),
    }
}

fn no_use(protocol: SecurityProtocol, wanted: &str) -> String {
    let protocol = protocol.as_str();
    format!("{protocol} has no use for it; set {KAFKA_SECURITY_PROTOCOL} to one with {wanted}, or remove it")
}

fn choice<T>(
    variable: &'static str,
    text: Option<String>,
    from_name: fn(&str) -> Option<T>,
    names: &[&str],
) -> Result<Option<T>, SettingsError> {
    let Some(text) = text else { return Ok(None) };
    match from_name(&text) {
        Some(value) => Ok(Some(value)),
        None => refused(variable, format!("{text:?} is not one of {}", names.join(", "))),
    }
}

fn refused<T>(variable: &'static str, problem: String) -> Result<T, SettingsError> {
    Err(SettingsError { variable, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<KafkaCluster>, String> {
        let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        cluster(get).map_err(|error| error.to_string())
    }

    #[test]
    fn a_cluster_with_a_login_names_its_secrets() {
        let cluster = read(&[
            (KAFKA_BOOTSTRAP_SERVERS, "a:1, [::1]:2"),
            (KAFKA_SECURITY_PROTOCOL, "SASL_SSL"),
            (KAFKA_CREDENTIALS_SECRET, "kafka-user"),
            (KAFKA_CA_SECRET, "kafka-ca/ca.crt"),
        ]);
        let cluster = cluster.unwrap().unwrap();
        assert_eq!(cluster.connection.bootstrap_servers, ["a:1", "[::1]:2"]);
        assert_eq!(cluster.connection.security_protocol, SecurityProtocol::SaslSsl);
        assert_eq!(cluster.connection.sasl_mechanism, Some(SaslMechanism::Plain));
        assert_eq!(cluster.credentials.as_deref(), Some("kafka-user"));
        assert_eq!(
            cluster.ca.map(|ca| (ca.name, ca.key)),
            Some(("kafka-ca".to_owned(), "ca.crt".to_owned()))
        );
        assert_eq!(read(&[]), Ok(None));
        let open = read(&[(KAFKA_BOOTSTRAP_SERVERS, "a:1")]).unwrap().unwrap();
        assert_eq!((open.connection.sasl_mechanism, open.credentials, open.ca), (None, None, None));
    }

    #[test]
    fn what_contradicts_itself_is_refused_with_the_remedy() {
        let servers = (KAFKA_BOOTSTRAP_SERVERS, "kafka:9092");
        for (variables, says) in [
            (
                &[(KAFKA_BOOTSTRAP_SERVERS, "kafka")][..],
                r#"PRICEPIPE_KAFKA_BOOTSTRAP_SERVERS: "kafka" is not host:port, as in kafka.kafka:9092"#,
            ),
            (
                &[(KAFKA_CA_SECRET, "a/b")],
                "PRICEPIPE_KAFKA_CA_SECRET: set without brokers; set PRICEPIPE_KAFKA_BOOTSTRAP_SERVERS too",
            ),
            (
                &[servers, (KAFKA_SECURITY_PROTOCOL, "TLS")],
                r#"PRICEPIPE_KAFKA_SECURITY_PROTOCOL: "TLS" is not one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"#,
            ),
            (
                &[servers, (KAFKA_SECURITY_PROTOCOL, "SASL_SSL")],
                "PRICEPIPE_KAFKA_CREDENTIALS_SECRET: missing; SASL_SSL needs a Secret with username and password",
            ),
            (
                &[servers, (KAFKA_SECURITY_PROTOCOL, "SSL"), (KAFKA_CREDENTIALS_SECRET, "user")],
                "PRICEPIPE_KAFKA_CREDENTIALS_SECRET: SSL has no use for it; set PRICEPIPE_KAFKA_SECURITY_PROTOCOL to one \
                 with SASL, or remove it",
            ),
            (
                &[servers, (KAFKA_SASL_MECHANISM, "PLAIN")],
                "PRICEPIPE_KAFKA_SASL_MECHANISM: PLAINTEXT has no use for it; set PRICEPIPE_KAFKA_SECURITY_PROTOCOL to one \
                 with SASL, or remove it",
            ),
            (
                &[servers, (KAFKA_CA_SECRET, "ca/ca.crt")],
                "PRICEPIPE_KAFKA_CA_SECRET: PLAINTEXT has no use for it; set PRICEPIPE_KAFKA_SECURITY_PROTOCOL to one \
                 with SSL, or remove it",
            ),
            (
                &[servers, (KAFKA_SECURITY_PROTOCOL, "SSL"), (KAFKA_CA_SECRET, "ca")],
                r#"PRICEPIPE_KAFKA_CA_SECRET: "ca" is not the name/key of a Secret, as in pricepipe-mongodb/uri"#,
            ),
        ] {
            assert_eq!(read(variables), Err(says.to_owned()));
        }
    }
}
