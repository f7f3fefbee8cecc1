//! What a pipeline refers to: the Kafka cluster and the content of Secrets. This step only reads.
//!
//! The controller may `get` the Secrets that a pipeline names and nothing more: they are not watched, but read again
//! at every visit, several visits within [`FRESH`] sharing one answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::{Api, Client};
use pricepipe_core::{
    Pipeline, Secret,
    config::{KafkaConnection, KafkaCredentials},
    pipeline::SecretKey,
};
use sha2::{Digest, Sha256};

use crate::{
    build::KafkaSecrets,
    conditions::{ConditionType, Reason},
    error::Error,
    settings::Settings,
};

/// How long an answer is used.
const FRESH: Duration = Duration::from_secs(5);
/// The keys of the Secret with Kafka's user.
const USERNAME: &str = "username";
const PASSWORD: &str = "password";

/// The Secrets that were read lately.
pub(crate) struct Secrets {
    client: Client,
    read: Mutex<HashMap<Place, (Instant, Arc<KubeSecret>)>>,
}

/// The namespace and the name of a Secret.
type Place = (String, String);

/// What a pipeline refers to.
pub(crate) struct Needs {
    pub(crate) connection: KafkaConnection,
    pub(crate) kafka_secrets: KafkaSecrets,
    pub(crate) credentials: Option<KafkaCredentials>,
    pub(crate) ca_pem: Option<String>,
    pub(crate) mongodb: SecretKey,
    /// Changes whenever one of the contents does.
    pub(crate) secrets_hash: String,
}

/// What can be said without reading any Secret: enough for a pipeline of which nothing runs.
pub(crate) fn without_secrets(pipeline: &Pipeline, settings: &Settings) -> Result<Needs, Error> {
    let kafka = pipeline.kafka.as_ref().ok_or(Error::NoKafkaCluster)?;
    Ok(Needs {
        connection: kafka.connection.clone(),
        kafka_secrets: KafkaSecrets { ca: kafka.ca.clone(), credentials: kafka.credentials.clone() },
        credentials: None,
        ca_pem: None,
        mongodb: pipeline.mongodb_uri.clone().unwrap_or_else(|| settings.mongodb.clone()),
        secrets_hash: String::new(),
    })
}

/// Everything that a pipeline refers to.
pub(crate) async fn dereference(
    pipeline: &Pipeline,
    settings: &Settings,
    secrets: &Secrets,
) -> Result<Needs, Error> {
    let reader = Reader { secrets, namespace: &pipeline.namespace };
    let (mut needs, mut digest) = kafka(pipeline, settings, &reader).await?;
    let uri = reader.text(ConditionType::ConsumerAvailable, &needs.mongodb).await?;
    check_uri(&uri, &needs.mongodb)?;
    add(&mut digest, "uri", &uri);
    needs.secrets_hash = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(needs)
}

/// What the connection to Kafka needs, and no more.
pub(crate) async fn for_kafka(
    pipeline: &Pipeline,
    settings: &Settings,
    secrets: &Secrets,
) -> Result<Needs, Error> {
    let reader = Reader { secrets, namespace: &pipeline.namespace };
    Ok(kafka(pipeline, settings, &reader).await?.0)
}

async fn kafka(
    pipeline: &Pipeline,
    settings: &Settings,
    reader: &Reader<'_>,
) -> Result<(Needs, Sha256), Error> {
    let mut needs = without_secrets(pipeline, settings)?;
    let mut digest = Sha256::new();
    if let Some(key) = &needs.kafka_secrets.ca {
        let pem = reader.text(ConditionType::KafkaReachable, key).await?;
        add(&mut digest, "ca", &pem);
        needs.ca_pem = Some(pem);
    }
    if let Some(name) = &needs.kafka_secrets.credentials {
        let key = |key: &str| SecretKey { name: name.clone(), key: key.to_owned() };
        let username = reader.text(ConditionType::KafkaReachable, &key(USERNAME)).await?;
        let password = reader.text(ConditionType::KafkaReachable, &key(PASSWORD)).await?;
        add(&mut digest, USERNAME, &username);
        add(&mut digest, PASSWORD, &password);
        needs.credentials = Some(KafkaCredentials { username, password: Secret::new(password) });
    }
    Ok((needs, digest))
}

/// Lengths keep apart what would otherwise run together.
fn add(digest: &mut Sha256, name: &str, content: &str) {
    digest.update(format!("{name} {} ", content.len()));
    digest.update(content);
}

fn check_uri(uri: &str, key: &SecretKey) -> Result<(), Error> {
    if ["mongodb://", "mongodb+srv://"].iter().any(|scheme| uri.starts_with(scheme)) {
        return Ok(());
    }
    let message = format!(
        "Secret {} has a key {} that is no connection string; it begins with mongodb:// or mongodb+srv://",
        key.name, key.key
    );
    Err(Error::Secret { about: ConditionType::ConsumerAvailable, reason: Reason::SecretUnusable, message })
}

struct Reader<'a> {
    secrets: &'a Secrets,
    namespace: &'a str,
}

impl Reader<'_> {
    /// The text under a key.
    async fn text(&self, about: ConditionType, key: &SecretKey) -> Result<String, Error> {
        let trouble = |reason, message| Error::Secret { about, reason, message };
        let (namespace, name) = (self.namespace, &key.name);
        let secret = self.secrets.get(namespace, name).await;
        let secret =
            secret.map_err(Error::api([about], format!("read Secret {name}")))?.ok_or_else(|| {
                let message = format!(
                    "Secret {name} is not in namespace {namespace}: create it, with the key {}",
                    key.key
                );
                trouble(Reason::SecretMissing, message)
            })?;
        let bytes = secret.data.as_ref().and_then(|data| data.get(&key.key)).ok_or_else(|| {
            trouble(Reason::SecretMissing, format!("Secret {name} has no key {}: add it", key.key))
        })?;
        let text = std::str::from_utf8(&bytes.0).map(|text| text.trim_end_matches(['\r', '\n']));
        match text {
            Ok(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(trouble(
                Reason::SecretUnusable,
                format!("Secret {name} has a key {} that is empty or no text", key.key),
            )),
        }
    }
}

impl Secrets {
    pub(crate) fn new(client: Client) -> Self {
        Secrets { client, read: Mutex::default() }
    }

    /// A Secret, or `None` when there is none. Only one that is there is remembered: a missing one is awaited.
    async fn get(&self, namespace: &str, name: &str) -> kube::Result<Option<Arc<KubeSecret>>> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(secret) = self.remembered(&key) {
            return Ok(Some(secret));
        }
        let api: Api<KubeSecret> = Api::namespaced(self.client.clone(), namespace);
        let found = api.get_opt(name).await?.map(Arc::new);
        if let Some(secret) = &found {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            read.insert(key, (Instant::now(), secret.clone()));
        }
        Ok(found)
    }

    fn remembered(&self, key: &Place) -> Option<Arc<KubeSecret>> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.retain(|_, (when, _)| when.elapsed() < FRESH);
        read.get(key).map(|(_, secret)| secret.clone())
    }
}
