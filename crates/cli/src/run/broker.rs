//! The embedded Kafka broker: librdkafka's mock cluster, which speaks the real protocol in this process.
//!
//! It keeps messages in memory, at most 5 MB or 100,000 of each partition, and forgets them at exit.

use std::{sync::mpsc, thread};

use pricepipe_core::{config::KafkaConnection, pipeline::Topic};
use rdkafka::{error::KafkaError, mocking::MockCluster};

/// A broker that lives until it is dropped.
pub(super) struct EmbeddedBroker {
    bootstrap_servers: String,
    /// Dropping the sender tells the broker's thread to end.
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// The embedded broker could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the embedded Kafka broker could not be started")]
pub(super) struct BrokerError(#[source] KafkaError);

impl EmbeddedBroker {
    /// Starts a broker that has these topics.
    pub(super) fn start(topics: Vec<Topic>) -> Result<Self, BrokerError> {
        let (stop, stopped) = mpsc::channel();
        let (started, start) = mpsc::channel();
        // The cluster's handle must stay on the thread that made it.
        let thread = thread::spawn(move || match cluster(&topics) {
            Ok(cluster) => {
                let _ = started.send(Ok(cluster.bootstrap_servers()));
                let _: Result<(), _> = stopped.recv();
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        });
        let bootstrap_servers = start.recv().unwrap_or(Err(KafkaError::Canceled)).map_err(BrokerError)?;
        Ok(EmbeddedBroker { bootstrap_servers, stop: Some(stop), thread: Some(thread) })
    }

    /// How to reach it.
    pub(super) fn connection(&self) -> KafkaConnection {
        KafkaConnection {
            bootstrap_servers: vec![self.bootstrap_servers.clone()],
            ..KafkaConnection::default()
        }
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn cluster(
    topics: &[Topic],
) -> Result<MockCluster<'static, rdkafka::producer::DefaultProducerContext>, KafkaError> {
    let cluster = MockCluster::new(1)?;
    for topic in topics {
        let partitions = i32::try_from(topic.partitions).unwrap_or(i32::MAX);
        cluster.create_topic(topic.name.as_str(), partitions, 1)?;
    }
    Ok(cluster)
}
