//! One client: a cluster, and a user of it. Network I/O.
//!
//! librdkafka tells a caller only that time is over; why, a wrong password for instance, it says besides. A client
//! remembers that until the brokers answer again, so that everyone who asks is told the cause.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use pricepipe_core::config::{KafkaConnection, KafkaCredentials};
use pricepipe_service::kafka::{
    self,
    native::{self, AskError, DescribedTopic, Notice},
    trouble::{is_about_login, is_forbidden, most_telling},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
    error::{KafkaError as ClientError, RDKafkaErrorCode},
};

use super::{KafkaError, clients::addresses, handles::Handles};

/// Topics by their names; a code for one that Kafka does not describe.
pub(super) type Topics = BTreeMap<String, Result<DescribedTopic, RDKafkaErrorCode>>;

/// How long the brokers have to answer one question.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// One client: a cluster, and a user of it.
pub(crate) struct KafkaAdmin {
    /// `None` only while it is dropped.
    handles: Option<Arc<Handles>>,
    addresses: Vec<String>,
    credentials: Option<KafkaCredentials>,
    cluster_id: OnceLock<String>,
    trouble: Mutex<Option<Notice>>,
}

impl KafkaAdmin {
    pub(super) fn new(
        connection: &KafkaConnection,
        credentials: Option<&KafkaCredentials>,
        ca_pem: Option<&str>,
    ) -> Result<Self, KafkaError> {
        let here = KafkaConnection { ca_file: None, ..connection.clone() };
        let handles =
            Handles::new(&here, credentials, ca_pem).map_err(|error| settings(&error, ca_pem.is_some()))?;
        Ok(KafkaAdmin {
            handles: Some(Arc::new(handles)),
            addresses: addresses(connection).collect(),
            credentials: credentials.cloned(),
            cluster_id: OnceLock::new(),
            trouble: Mutex::default(),
        })
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.addresses.iter().map(String::as_str)
    }

    /// The cluster's own id, once it was reached.
    pub(super) fn cluster_id(&self) -> Option<String> {
        self.cluster_id.get().cloned()
    }

    /// Who speaks to Kafka, for texts.
    pub(super) fn user(&self) -> String {
        self.credentials.as_ref().map_or_else(|| "everybody".to_owned(), |c| format!("user {:?}", c.username))
    }

    /// How long one question may take, for rust-rdkafka's own functions.
    pub(super) fn options() -> AdminOptions {
        AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
    }

    /// Those of these topics that exist, and a code for those that Kafka does not describe.
    pub(super) async fn describe(&self, topics: Vec<String>) -> Result<Topics, KafkaError> {
        Ok(self.describe_cluster(topics).await?.1)
    }

    /// The same, and how many brokers there are.
    pub(super) async fn describe_cluster(&self, topics: Vec<String>) -> Result<(usize, Topics), KafkaError> {
        let described = self.ask(move |handles| native::describe_topics(handles.topics(), &topics, PATIENCE));
        let missing = [RDKafkaErrorCode::UnknownTopicOrPartition, RDKafkaErrorCode::UnknownTopic];
        let exists = |(_, found): &(_, Result<_, RDKafkaErrorCode>)| {
            found.as_ref().map_or_else(|code| !missing.contains(code), |_| true)
        };
        let described = described.await?;
        Ok((described.brokers, described.topics.into_iter().filter(exists).collect()))
    }

    /// Asks from a thread that may wait.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Handles) -> Result<T, AskError> + Send + 'static,
    ) -> Result<T, KafkaError> {
        let handles = Arc::clone(self.handles());
        // Only while it is not known: rust-rdkafka 0.39 forgets to free it.
        let wants_id = self.cluster_id.get().is_none();
        let asked = tokio::task::spawn_blocking(move || {
            let asked = ask(&handles);
            let cluster_id = if wants_id && asked.is_ok() {
                handles.topics().fetch_cluster_id(Duration::ZERO)
            } else {
                None
            };
            (asked, cluster_id)
        });
        let (asked, cluster_id) =
            asked.await.map_err(|error| KafkaError::Unreachable(format!("Kafka was not asked: {error}")))?;
        if let Some(id) = cluster_id {
            self.cluster_id.get_or_init(|| id);
        }
        asked.inspect(|_| self.is_fine()).map_err(|error| match error {
            AskError::Failed { code, text } => self.failed(code, &text),
            error => self.failed(RDKafkaErrorCode::OperationTimedOut, &error.to_string()),
        })
    }

    /// Waits for one of rust-rdkafka's own questions.
    pub(super) async fn call<T>(
        &self,
        call: impl AsyncFnOnce(&AdminClient<DefaultClientContext>) -> Result<T, ClientError>,
    ) -> Result<T, KafkaError> {
        let called = call(self.handles().admin()).await;
        called.inspect(|_| self.is_fine()).map_err(|error| {
            let code = match &error {
                ClientError::AdminOp(code) => *code,
                error => error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail),
            };
            self.failed(code, &error.to_string())
        })
    }

    fn handles(&self) -> &Arc<Handles> {
        self.handles.as_ref().expect("handles until it is dropped")
    }

    fn is_fine(&self) {
        self.handles().notices().for_each(drop);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What a failed question comes to.
    fn failed(&self, code: RDKafkaErrorCode, text: &str) -> KafkaError {
        let servers = self.addresses.join(",");
        if is_forbidden(code) {
            return KafkaError::Forbidden {
                what: format!("Kafka at {servers} does not allow {} to do this: {text}", self.user()),
                remedy: "grant it Create, Delete, Describe, Alter, DescribeConfigs and AlterConfigs on the topics, and \
                         Describe on the groups pricepipe.*"
                    .to_owned(),
            };
        }
        let trouble = self.trouble();
        let cause = trouble.as_ref().map_or_else(
            || text.to_owned(),
            |trouble| kafka::words(&trouble.text, self.credentials.as_ref()),
        );
        match trouble.map(|trouble| trouble.code) {
            Some(code) if is_about_login(code) => KafkaError::Authentication(format!(
                "Kafka at {servers} refuses {}: {cause}; check username and password in the Secret of \
                 spec.kafka.sasl.credentialsSecretRef, or in the operator's, and the mechanism",
                self.user()
            )),
            Some(RDKafkaErrorCode::SSL) => KafkaError::Authentication(format!(
                "no TLS connection to Kafka at {servers}: {cause}; check that spec.kafka.tls.caSecretRef names the \
                 authority of the brokers' certificates, and that these name the addresses"
            )),
            _ => KafkaError::Unreachable(format!(
                "Kafka at {servers} does not answer: {cause}; check spec.kafka.bootstrapServers and that the brokers run"
            )),
        }
    }

    /// What the client met, the first since the brokers last answered: the text does not change with every attempt.
    fn trouble(&self) -> Option<Notice> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *trouble = most_telling(trouble.take(), self.handles().notices());
        trouble.clone()
    }
}

impl Drop for KafkaAdmin {
    fn drop(&mut self) {
        // It waits for threads of librdkafka's, for which no task of ours may wait.
        if let Some(handles) = self.handles.take() {
            thread::spawn(move || drop(handles));
        }
    }
}

fn settings(error: &ClientError, has_ca: bool) -> KafkaError {
    let remedy = if has_ca {
        "check that the Secret of spec.kafka.tls.caSecretRef holds certificates in PEM"
    } else {
        "check spec.kafka"
    };
    KafkaError::Settings(format!("the Kafka connection cannot be used: {error}; {remedy}"))
}
