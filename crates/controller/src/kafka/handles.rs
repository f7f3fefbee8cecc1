//! librdkafka's handles for one cluster and user. Network I/O.

use pricepipe_core::config::{KafkaConnection, KafkaCredentials};
use pricepipe_service::kafka::{
    self,
    groups::Groups,
    native::{self, ERRORS_AS_EVENTS, Notice},
};
use rdkafka::{
    ClientConfig,
    admin::AdminClient,
    client::{Client, DefaultClientContext},
    error::KafkaError as ClientError,
};

const CLIENT_ID: &str = "pricepipe-controller";

/// In name only: nobody joins it. Whoever may describe the pipelines' groups, `pricepipe.*`, may describe this one.
const GROUP: &str = "pricepipe.controller";

/// The client for topics, those for groups once a group was asked about, and settings of those that read.
pub(super) struct Handles {
    topics: AdminClient<DefaultClientContext>,
    groups: Groups,
    reader: ClientConfig,
}

impl Handles {
    /// `ca_pem`: the text of the certificates to trust instead of the system's.
    pub(super) fn new(
        connection: &KafkaConnection,
        credentials: Option<&KafkaCredentials>,
        ca_pem: Option<&str>,
    ) -> Result<Handles, ClientError> {
        let complete = |mut config: ClientConfig| {
            config.set(ERRORS_AS_EVENTS.0, ERRORS_AS_EVENTS.1);
            if let Some(pem) = ca_pem {
                config.set("ssl.ca.pem", pem);
            }
            config
        };
        let settings = complete(kafka::admin(connection, credentials, CLIENT_ID));
        Ok(Handles {
            topics: settings.create()?,
            groups: Groups::new(settings),
            reader: reader(connection, credentials, ca_pem),
        })
    }

    pub(super) fn admin(&self) -> &AdminClient<DefaultClientContext> {
        &self.topics
    }

    /// For questions about topics.
    pub(super) fn topics(&self) -> &Client<DefaultClientContext> {
        self.topics.inner()
    }

    /// For questions about groups.
    pub(super) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Settings of a client that reads a topic from its beginning to its end, and is dropped then.
    pub(super) fn reader(&self) -> &ClientConfig {
        &self.reader
    }

    /// What these clients have met since they were last asked.
    pub(super) fn notices(&self) -> impl Iterator<Item = Notice> {
        native::notices(self.topics()).into_iter().chain(self.groups.notices())
    }
}

fn reader(
    connection: &KafkaConnection,
    credentials: Option<&KafkaCredentials>,
    ca_pem: Option<&str>,
) -> ClientConfig {
    let mut config = kafka::reader(connection, credentials, CLIENT_ID, GROUP);
    config
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", "1024");
    if let Some(pem) = ca_pem {
        config.set("ssl.ca.pem", pem);
    }
    config
}
