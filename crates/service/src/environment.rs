//! Reads settings from the environment, and secrets from files that the environment names.

use std::{env, fs, path::Path};

use pricepipe_core::{
    Secret,
    config::{KafkaConnection, KafkaCredentials},
    environment::{
        self as variables, EnvironmentError, KAFKA_SSL_CA_LOCATION, KAFKA_VARIABLES, MONGO_CONNECTION_STRING,
    },
};

/// The value of a variable, or the content of the file that `<variable>_FILE` names, without its last newline.
///
/// The file form is how a mounted Secret reaches a process without being part of its environment.
pub fn lookup(variable: &str) -> Option<String> {
    match read(variable, from_process) {
        Ok(value) => value,
        Err(problem) => {
            tracing::error!("{variable}: {problem}");
            None
        }
    }
}

/// The Kafka connection that a configuration names, overridden by the environment, with its files looked at.
///
/// # Errors
/// A variable that cannot be used, or contradicts another one; a file that cannot be read, or is empty.
pub fn kafka(base: KafkaConnection) -> Result<(KafkaConnection, Option<KafkaCredentials>), EnvironmentError> {
    check_files(KAFKA_VARIABLES.iter().map(|(name, _)| *name), from_process)?;
    let (connection, credentials) = variables::kafka(base, lookup)?;
    let authorities = connection.ca_file.as_deref().filter(|_| connection.security_protocol.uses_tls());
    match authorities.and_then(|path| authorities_fault(path, from_process)) {
        Some(error) => Err(error),
        None => Ok((connection, credentials)),
    }
}

/// The MongoDB connection string, when the environment has one.
///
/// # Errors
/// One that is none; a file that cannot be read, or is empty.
pub fn mongodb() -> Result<Option<Secret>, EnvironmentError> {
    check_files([MONGO_CONNECTION_STRING], from_process)?;
    variables::mongodb(lookup)
}

fn from_process(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}

/// The value of a variable, itself or from its file; what is wrong with the file when there is none to be had.
fn read(variable: &str, get: impl Fn(&str) -> Option<String>) -> Result<Option<String>, String> {
    if let Some(value) = get(variable) {
        return Ok(Some(value));
    }
    let by_file = format!("{variable}_FILE");
    let Some(path) = get(&by_file) else { return Ok(None) };
    let text = fs::read_to_string(&path)
        .map_err(|error| format!("{path}, which {by_file} names, cannot be read: {error}"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{path}, which {by_file} names, is empty; write the value into it")),
        value => Ok(Some(value.to_owned())),
    }
}

fn check_files(
    names: impl IntoIterator<Item = &'static str>,
    get: impl Fn(&str) -> Option<String>,
) -> Result<(), EnvironmentError> {
    for variable in names {
        read(variable, &get).map_err(|problem| EnvironmentError { variable, problem })?;
    }
    Ok(())
}

/// Why a file of authorities is none. librdkafka would only repeat OpenSSL's words, which name no file. It takes a
/// folder too.
fn authorities_fault(path: &Path, get: impl Fn(&str) -> Option<String>) -> Option<EnvironmentError> {
    let problem = match fs::read(path) {
        _ if path.is_dir() => return None,
        Ok(content) if content.windows(MARK.len()).any(|window| window == MARK) => return None,
        Ok(_) => "holds no certificate in PEM form".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    let origin =
        if get(KAFKA_SSL_CA_LOCATION).is_some() { "" } else { ", from kafka.caFile in the configuration," };
    let problem =
        format!("{}{origin} {problem}; name a PEM file of the authorities to trust", path.display());
    Some(EnvironmentError { variable: KAFKA_SSL_CA_LOCATION, problem })
}

/// What every PEM certificate begins with; a TRUSTED one has a word between.
const MARK: &[u8] = b"CERTIFICATE-----";

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variable: &str, value: &Path) -> impl Fn(&str) -> Option<String> {
        let (variable, value) = (variable.to_owned(), value.display().to_string());
        move |name| (name == variable).then(|| value.clone())
    }

    #[test]
    fn a_secret_comes_from_its_file_and_a_file_that_gives_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let of_file = with("KAFKA_PASSWORD_FILE", &file);
        let fault = || check_files(["KAFKA_PASSWORD"], &of_file).unwrap_err().to_string();
        let missing = fault();
        assert!(missing.starts_with("KAFKA_PASSWORD: ") && missing.contains("cannot be read"), "{missing}");
        fs::write(&file, "\n").unwrap();
        let empty = fault();
        assert!(empty.contains("which KAFKA_PASSWORD_FILE names, is empty; write"), "{empty}");
        fs::write(&file, "hunter2\r\n").unwrap();
        assert_eq!(read("KAFKA_PASSWORD", &of_file), Ok(Some("hunter2".to_owned())));
        let both =
            |name: &str| (name == "KAFKA_PASSWORD").then(|| "plain".to_owned()).or_else(|| of_file(name));
        assert_eq!(read("KAFKA_PASSWORD", both), Ok(Some("plain".to_owned())));
    }

    #[test]
    fn a_file_of_authorities_that_is_none_is_named_with_its_variable() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let fault =
            || authorities_fault(&file, with(KAFKA_SSL_CA_LOCATION, &file)).map(|error| error.to_string());
        let begins = format!("KAFKA_SSL_CA_LOCATION: {} ", file.display());
        let missing = fault().unwrap();
        assert!(missing.starts_with(&format!("{begins}cannot be read")), "{missing}");
        fs::write(&file, "not a certificate").unwrap();
        assert!(fault().unwrap().starts_with(&format!("{begins}holds no certificate")));
        fs::write(&file, "-----BEGIN CERTIFICATE-----\n").unwrap();
        assert_eq!(fault(), None);
        assert_eq!(authorities_fault(folder.path(), |_| None), None);
        fs::remove_file(&file).unwrap();
        let configured = authorities_fault(&file, |_| None).unwrap().to_string();
        assert!(configured.contains("from kafka.caFile"), "{configured}");
    }
}
