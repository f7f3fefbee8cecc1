//! librdkafka's handles for one cluster and user. Network I/O.

use std::sync::OnceLock;

use pricepipe_core::config::{KafkaConnection, KafkaCredentials};
use pricepipe_service::kafka::{
    self,
    native::{self, AskError, ERRORS_AS_EVENTS, Notice},
};
use rdkafka::{
    ClientConfig,
    admin::AdminClient,
    client::{Client, DefaultClientContext},
    consumer::{BaseConsumer, Consumer, DefaultConsumerContext},
    error::KafkaError as ClientError,
};

const CLIENT_ID: &str = "pricepipe-controller";

/// In name only: nobody joins it. Whoever may describe the pipelines' groups, `pricepipe.*`, may describe this one.
const GROUP: &str = "pricepipe.controller";

/// The client for topics, and the one for groups once a group was asked about.
pub(super) struct Handles {
    topics: AdminClient<DefaultClientContext>,
    groups: OnceLock<BaseConsumer>,
    group_settings: ClientConfig,
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
        Ok(Handles {
            topics: complete(kafka::admin(connection, credentials, CLIENT_ID)).create()?,
            groups: OnceLock::new(),
            group_settings: complete(kafka::group_admin(connection, credentials, CLIENT_ID, GROUP)),
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
    pub(super) fn groups(&self) -> Result<&BaseConsumer, AskError> {
        if let Some(groups) = self.groups.get() {
            return Ok(groups);
        }
        let made = self.group_settings.create().map_err(AskError::Client)?;
        Ok(self.groups.get_or_init(|| made))
    }

    /// What both have met since they were last asked.
    pub(super) fn notices(&self) -> impl Iterator<Item = Notice> {
        let groups = self.groups.get().map(Consumer::<DefaultConsumerContext>::client);
        native::notices(self.topics()).into_iter().chain(groups.map(native::notices).unwrap_or_default())
    }
}
