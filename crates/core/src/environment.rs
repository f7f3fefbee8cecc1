//! The environment variables that name real servers. They win over the pipeline's file.

use crate::{
    Secret,
    config::{KafkaConnection, KafkaCredentials, SaslMechanism, SecurityProtocol},
};

/// `host:port` of some brokers, separated by commas.
pub const KAFKA_BOOTSTRAP_SERVERS: &str = "KAFKA_BOOTSTRAP_SERVERS";
/// The user of a Kafka connection.
pub const KAFKA_USERNAME: &str = "KAFKA_USERNAME";
/// The password of a Kafka connection.
pub const KAFKA_PASSWORD: &str = "KAFKA_PASSWORD";
/// PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
pub const KAFKA_SECURITY_PROTOCOL: &str = "KAFKA_SECURITY_PROTOCOL";
/// PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
pub const KAFKA_SASL_MECHANISM: &str = "KAFKA_SASL_MECHANISM";
/// A PEM file of the authorities to trust for Kafka.
pub const KAFKA_SSL_CA_LOCATION: &str = "KAFKA_SSL_CA_LOCATION";
/// A `mongodb://` or `mongodb+srv://` connection string.
pub const MONGO_CONNECTION_STRING: &str = "MONGO_CONNECTION_STRING";

/// Every variable with its meaning, for the documentation.
pub const VARIABLES: &[(&str, &str)] = &[
    (KAFKA_BOOTSTRAP_SERVERS, "`host:port` of some brokers, separated by commas"),
    (KAFKA_USERNAME, "user of the Kafka connection"),
    (KAFKA_PASSWORD, "password of the Kafka connection"),
    (
        KAFKA_SECURITY_PROTOCOL,
        "`PLAINTEXT`, `SSL`, `SASL_PLAINTEXT` or `SASL_SSL`; `SASL_SSL` when a user is given",
    ),
    (KAFKA_SASL_MECHANISM, "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`; `PLAIN` when a user is given"),
    (KAFKA_SSL_CA_LOCATION, "PEM file of the authorities to trust for Kafka, instead of the system's"),
    (MONGO_CONNECTION_STRING, "`mongodb://` or `mongodb+srv://` connection string"),
];

/// Those of them that speak of Kafka.
pub const KAFKA_VARIABLES: &[(&str, &str)] = match VARIABLES.split_last() {
    Some((_, kafka)) => kafka,
    None => &[],
};

/// A variable with a value that cannot be used. The value itself is shown only where it is no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct EnvironmentError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl EnvironmentError {
    fn new(variable: &'static str, problem: impl Into<String>) -> Self {
        EnvironmentError { variable, problem: problem.into() }
    }
}

/// The Kafka connection that a pipeline names (`base`), overridden by the environment.
///
/// `lookup` gives the value of a variable. A user without a protocol means `SASL_SSL`: a password is never sent
/// over an open connection unasked. Variables that contradict each other are refused: whoever sets a password or an
/// authority means it to be used.
pub fn kafka(
    base: KafkaConnection,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<(KafkaConnection, Option<KafkaCredentials>), EnvironmentError> {
    let get = |variable| lookup(variable).filter(|value| !value.trim().is_empty());
    let mut connection = base;
    if let Some(servers) = get(KAFKA_BOOTSTRAP_SERVERS) {
        connection.bootstrap_servers = bootstrap_servers(&servers)?;
    }
    if let Some(text) = get(KAFKA_SECURITY_PROTOCOL) {
        connection.security_protocol =
            setting(KAFKA_SECURITY_PROTOCOL, &text, SecurityProtocol::from_name, SecurityProtocol::NAMES)?;
    }
    if let Some(text) = get(KAFKA_SASL_MECHANISM) {
        connection.sasl_mechanism =
            Some(setting(KAFKA_SASL_MECHANISM, &text, SaslMechanism::from_name, SaslMechanism::NAMES)?);
    }
    if let Some(path) = get(KAFKA_SSL_CA_LOCATION) {
        connection.ca_file = Some(path.into());
    }
    if get(KAFKA_USERNAME).is_some()
        && get(KAFKA_SECURITY_PROTOCOL).is_none()
        && !connection.security_protocol.uses_sasl()
    {
        connection.security_protocol = SecurityProtocol::SaslSsl;
    }
    match contradiction(&connection, get) {
        Some(error) => Err(error),
        None => with_credentials(connection, get),
    }
}

/// A variable that says something that could only be ignored.
fn contradiction(
    connection: &KafkaConnection,
    get: impl Fn(&'static str) -> Option<String>,
) -> Option<EnvironmentError> {
    let is_set = |variable| get(variable).is_some();
    let protocol = connection.security_protocol.as_str();
    let refused = |variable, problem: String| Some(EnvironmentError::new(variable, problem));
    if is_set(KAFKA_PASSWORD) && !is_set(KAFKA_USERNAME) {
        return refused(
            KAFKA_PASSWORD,
            format!("set without a user; set {KAFKA_USERNAME} too, or remove it"),
        );
    }
    if is_set(KAFKA_USERNAME) && !connection.security_protocol.uses_sasl() {
        let problem = format!(
            "{protocol} sends no user, but {KAFKA_USERNAME} is set; write SASL_SSL or SASL_PLAINTEXT, or remove \
             {KAFKA_USERNAME} and {KAFKA_PASSWORD}"
        );
        return refused(KAFKA_SECURITY_PROTOCOL, problem);
    }
    if is_set(KAFKA_SASL_MECHANISM) && !connection.security_protocol.uses_sasl() {
        let problem = format!(
            "{protocol} has no use for it; set {KAFKA_USERNAME} and {KAFKA_PASSWORD} too, or remove it"
        );
        return refused(KAFKA_SASL_MECHANISM, problem);
    }
    if is_set(KAFKA_SSL_CA_LOCATION) && !connection.security_protocol.uses_tls() {
        let problem = format!(
            "{protocol} is not encrypted and has no use for it; set {KAFKA_SECURITY_PROTOCOL} to SSL or SASL_SSL, \
             or remove it"
        );
        return refused(KAFKA_SSL_CA_LOCATION, problem);
    }
    if is_set(KAFKA_USERNAME) && connection.bootstrap_servers.is_empty() {
        let problem = format!("missing, but {KAFKA_USERNAME} is set; name brokers as in kafka:9092");
        return refused(KAFKA_BOOTSTRAP_SERVERS, problem);
    }
    None
}

fn with_credentials(
    mut connection: KafkaConnection,
    get: impl Fn(&'static str) -> Option<String>,
) -> Result<(KafkaConnection, Option<KafkaCredentials>), EnvironmentError> {
    let protocol = connection.security_protocol;
    if !protocol.uses_sasl() {
        return Ok((connection, None));
    }
    connection.sasl_mechanism.get_or_insert(SaslMechanism::Plain);
    let value = |variable| {
        let problem = || format!("missing; {} needs a user and a password", protocol.as_str());
        get(variable).ok_or_else(|| EnvironmentError::new(variable, problem()))
    };
    let (username, password) = (value(KAFKA_USERNAME)?, Secret::new(value(KAFKA_PASSWORD)?));
    Ok((connection, Some(KafkaCredentials { username, password })))
}

/// The MongoDB connection string, when the environment has one.
pub fn mongodb(lookup: impl Fn(&str) -> Option<String>) -> Result<Option<Secret>, EnvironmentError> {
    let Some(text) = lookup(MONGO_CONNECTION_STRING).filter(|value| !value.trim().is_empty()) else {
        return Ok(None);
    };
    if ["mongodb://", "mongodb+srv://"].iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(Some(Secret::new(text)));
    }
    let problem = "not a connection string; it begins with mongodb:// or mongodb+srv://";
    Err(EnvironmentError::new(MONGO_CONNECTION_STRING, problem))
}

fn bootstrap_servers(text: &str) -> Result<Vec<String>, EnvironmentError> {
    let servers: Vec<String> =
        text.split(',').map(|s| s.trim().to_owned()).filter(|s| !s.is_empty()).collect();
    match servers.iter().find(|server| !is_host_and_port(server)) {
        None => Ok(servers),
        Some(server) => {
            let problem = format!("{server:?} is not host:port, as in kafka:9092");
            Err(EnvironmentError::new(KAFKA_BOOTSTRAP_SERVERS, problem))
        }
    }
}

/// True for `host:port`, with a host name, an IPv4 address or an IPv6 address in brackets.
pub fn is_host_and_port(server: &str) -> bool {
    let Some((host, port)) = server.rsplit_once(':') else { return false };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-[]:".contains(&b);
    let bracketed = host.starts_with('[') && host.ends_with(']');
    !host.is_empty()
        && host.bytes().all(legal)
        && (bracketed || !host.contains(':'))
        && port.parse::<u16>().is_ok_and(|p| p > 0)
}

fn setting<T>(
    variable: &'static str,
    text: &str,
    parse: fn(&str) -> Option<T>,
    names: &[&str],
) -> Result<T, EnvironmentError> {
    parse(text.trim().to_ascii_uppercase().as_str()).ok_or_else(|| {
        EnvironmentError::new(variable, format!("{text:?} is not one of {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        variables: &[(&str, &str)],
    ) -> Result<(KafkaConnection, Option<KafkaCredentials>), EnvironmentError> {
        let base =
            KafkaConnection { bootstrap_servers: vec!["file:9092".to_owned()], ..KafkaConnection::default() };
        kafka(base, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_wins_over_the_file_and_silence_leaves_it_alone() {
        assert_eq!(read(&[]).unwrap().0.bootstrap_servers, ["file:9092"]);
        assert_eq!(read(&[("KAFKA_BOOTSTRAP_SERVERS", "")]).unwrap().0.bootstrap_servers, ["file:9092"]);
        let (connection, credentials) = read(&[("KAFKA_BOOTSTRAP_SERVERS", "a:1, [::1]:2")]).unwrap();
        assert_eq!(
            (connection.bootstrap_servers, credentials),
            (vec!["a:1".to_owned(), "[::1]:2".to_owned()], None)
        );
    }

    #[test]
    fn a_user_means_tls_and_plain_unless_said_otherwise() {
        let (connection, credentials) = read(&[("KAFKA_USERNAME", "u"), ("KAFKA_PASSWORD", "p")]).unwrap();
        assert_eq!(connection.security_protocol, SecurityProtocol::SaslSsl);
        assert_eq!(connection.sasl_mechanism, Some(SaslMechanism::Plain));
        assert_eq!(credentials.unwrap().password.expose(), "p");
    }

    #[test]
    fn the_variables_of_kafka_are_all_but_the_one_of_mongodb() {
        assert!(KAFKA_VARIABLES.iter().all(|(name, _)| name.starts_with("KAFKA_")));
        assert_eq!(KAFKA_VARIABLES.len() + 1, VARIABLES.len());
    }

    #[test]
    fn variables_that_contradict_each_other_are_refused_and_none_is_ignored() {
        let user = [("KAFKA_USERNAME", "u"), ("KAFKA_PASSWORD", "hunter2")];
        for (variables, named, remedy) in [
            (vec![user[1]], "KAFKA_PASSWORD: ", "set KAFKA_USERNAME too"),
            (
                vec![user[0], user[1], ("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")],
                "KAFKA_SECURITY_PROTOCOL: ",
                "SASL_SSL",
            ),
            (
                vec![user[0], user[1], ("KAFKA_SECURITY_PROTOCOL", "ssl")],
                "KAFKA_SECURITY_PROTOCOL: ",
                "SASL_SSL",
            ),
            (vec![("KAFKA_SASL_MECHANISM", "PLAIN")], "KAFKA_SASL_MECHANISM: ", "set KAFKA_USERNAME"),
            (
                vec![("KAFKA_SSL_CA_LOCATION", "ca.pem")],
                "KAFKA_SSL_CA_LOCATION: ",
                "KAFKA_SECURITY_PROTOCOL to SSL",
            ),
        ] {
            let text = read(&variables).unwrap_err().to_string();
            assert!(text.starts_with(named) && text.contains(remedy) && !text.contains("hunter2"), "{text}");
        }
        let nowhere =
            |name: &str| user.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let text = kafka(KafkaConnection::default(), nowhere).unwrap_err().to_string();
        assert!(text.starts_with("KAFKA_BOOTSTRAP_SERVERS: missing"), "{text}");
        assert!(read(&[("KAFKA_SECURITY_PROTOCOL", "SSL"), ("KAFKA_SSL_CA_LOCATION", "ca.pem")]).is_ok());
    }

    #[test]
    fn a_faulty_variable_is_named_with_the_remedy_and_no_secret() {
        for (variables, expected) in [
            (
                vec![("KAFKA_BOOTSTRAP_SERVERS", "kafka")],
                r#"KAFKA_BOOTSTRAP_SERVERS: "kafka" is not host:port, as in kafka:9092"#,
            ),
            (
                vec![("KAFKA_SASL_MECHANISM", "GSSAPI")],
                r#"KAFKA_SASL_MECHANISM: "GSSAPI" is not one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"#,
            ),
            (vec![("KAFKA_USERNAME", "u")], "KAFKA_PASSWORD: missing; SASL_SSL needs a user and a password"),
            (
                vec![("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")],
                "KAFKA_USERNAME: missing; SASL_SSL needs a user and a password",
            ),
        ] {
            assert_eq!(read(&variables).unwrap_err().to_string(), expected);
        }
        let error = mongodb(|_| Some("user:hunter2@host".to_owned())).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
