//! The producer and the consumer of a run: started together, drained one after the other.

use std::{future::ready, pin::pin, time::Duration};

use pricepipe_consumer::{ConsumerError, Stop, Summary as Consumed};
use pricepipe_producer::{Options, Producer, ProducerError, Summary as Produced};
use pricepipe_service::health::Condition;
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{
    plan::{Plan, Reached},
    screen::{LONGEST_DRAIN, Screen},
};
use crate::exit::{Exit, Failed};

/// How long Kafka may take at the end to acknowledge what the producer has accepted.
const FLUSH_PATIENCE: Duration = Duration::from_secs(8);
/// How long the consumer may take, after the producer's last flush, to store what is in Kafka.
const DRAIN_PATIENCE: Duration = Duration::from_secs(10);
const UNREACHABLE_HINT: &str = "--simulate runs against the built-in exchange instead";

/// The workers of a run.
pub(super) struct Workers {
    producer: JoinHandle<Result<Produced, ProducerError>>,
    consumer: JoinHandle<Result<Consumed, ConsumerError>>,
    consumer_stop: Stop,
    stop: CancellationToken,
}

impl Workers {
    /// Starts both. `started` is met once the conditions of both are registered, so that readiness has no gap.
    pub(super) fn start(plan: &Plan, kafka: Reached, started: Condition, stop: CancellationToken) -> Self {
        let (connection, credentials) = kafka;
        let consumer_stop = Stop::default();
        let options = Options {
            observations: plan.observers().producer.clone(),
            unreachable_hint: Some(UNREACHABLE_HINT.to_owned()),
            replayed: plan.earlier.replayed.clone(),
            watermarks: plan.earlier.watermarks.clone(),
            flush_patience: FLUSH_PATIENCE,
            ..Options::default()
        };
        let (config, process) = (plan.pipeline.producer_config(connection.clone()), plan.process().clone());
        let producer = Producer::new(&config, credentials.as_ref(), &process, options);
        let producer = tokio::spawn({
            let stop = stop.clone();
            async move { producer?.run(stop).await }
        });
        let consumer = tokio::spawn({
            let config = plan.pipeline.consumer_config(connection, plan.store_config.clone());
            let (store, stop) = (plan.store.clone(), consumer_stop.clone());
            let watched = Some(plan.observers().consumer.clone());
            async move {
                let consumer = pricepipe_consumer::run(config, credentials, store, &process, stop, watched);
                let mut consumer = pin!(consumer);
                tokio::select! {
                    biased;
                    ended = &mut consumer => return ended,
                    // It was polled once, and has registered its conditions.
                    () = ready(()) => started.ready(),
                }
                consumer.await
            }
        });
        Workers { producer, consumer, consumer_stop, stop }
    }

    /// Lets both work until the end comes, then drains: first the producer, then the consumer.
    pub(super) async fn work(mut self, screen: &mut Screen) -> Result<(), Failed> {
        let (producer, consumer, stop) = (&mut self.producer, &mut self.consumer, &self.stop);
        // Neither ends by itself unless it has failed.
        let ended = async {
            tokio::select! {
                produced = producer => (Some(produced), None),
                consumed = consumer => (None, Some(consumed)),
                () = stop.cancelled() => (None, None),
            }
        };
        let (produced, consumed) = screen.during(ended).await;
        self.stop.cancel();
        screen.source().drains();
        self.drain(produced, consumed, screen).await
    }

    async fn drain(
        mut self,
        produced: Option<Result<Result<Produced, ProducerError>, JoinError>>,
        consumed: Option<Result<Result<Consumed, ConsumerError>, JoinError>>,
        screen: &mut Screen,
    ) -> Result<(), Failed> {
        let deadline = Instant::now() + LONGEST_DRAIN;
        let produced = match produced {
            Some(produced) => produced,
            None => screen.during(&mut self.producer).await,
        };
        let consumed = match consumed {
            Some(consumed) => Some(consumed),
            None => {
                // What Kafka does not take it does not give either: there is no end to be reached.
                let away = matches!(produced, Ok(Err(ProducerError::Undelivered { .. })));
                let patience = if away { Duration::ZERO } else { DRAIN_PATIENCE };
                screen.during(self.last_prices(patience, deadline)).await
            }
        };
        succeeded(produced)?;
        // What a consumer that did not end in time has left undone shows in the sums.
        consumed.map_or(Ok(()), succeeded)
    }

    /// Lets the consumer store what is in Kafka. `None` when it has not ended by the deadline.
    async fn last_prices(
        &mut self,
        patience: Duration,
        deadline: Instant,
    ) -> Option<Result<Result<Consumed, ConsumerError>, JoinError>> {
        self.consumer_stop.when_drained.cancel();
        if let Ok(consumed) = timeout(patience, &mut self.consumer).await {
            return Some(consumed);
        }
        self.consumer_stop.now.cancel();
        timeout_at(deadline, &mut self.consumer).await.ok()
    }
}

fn succeeded<T, E: std::error::Error>(result: Result<Result<T, E>, JoinError>) -> Result<(), Failed> {
    match result {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(Failed::because(Exit::Failure, &error)),
        Err(error) => Err(Failed::because(Exit::Failure, &error)),
    }
}
