//! The Kafka client: making it, calling it with a deadline, and letting go of it.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Duration,
};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::KafkaResult,
};

use crate::{
    assignment::Place,
    context::{Context, Rebalance, confirm},
    routes::Routes,
};

/// A member of the group. Shared only with calls that have a deadline.
pub(crate) type Client = Arc<BaseConsumer<Context>>;

/// Makes a client and subscribes it. Nothing is connected yet.
pub(crate) fn open(config: &ClientConfig, context: Context, routes: &Routes) -> KafkaResult<Client> {
    let client: BaseConsumer<Context> = config.create_with_context(context)?;
    client.subscribe(&routes.topic_names().collect::<Vec<_>>())?;
    Ok(Arc::new(client))
}

/// Calls the client from another thread, so that a call that never returns costs a thread and not the intake.
pub(crate) fn call<T: Send + 'static>(
    client: &Client,
    call: impl FnOnce(&Client) -> T + Send + 'static,
) -> Receiver<T> {
    let (sender, receiver) = channel();
    let client = Arc::clone(client);
    let called = thread::Builder::new().name("kafka-call".to_owned()).spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = sender.send(call(&client));
    });
    if let Err(error) = called {
        tracing::error!(%error, "no thread for a call to Kafka");
    }
    receiver
}

/// Calls the client and waits. `None` when it did not return in time.
pub(crate) fn bounded<T: Send + 'static>(
    client: &Client,
    timeout: Duration,
    work: impl FnOnce(&Client) -> T + Send + 'static,
) -> Option<T> {
    call(client, work).recv_timeout(timeout).ok()
}

/// Leaves the group and drops the client: from another thread, since dropping may never return.
pub(crate) fn close(client: Client, timeout: Duration) {
    client.context().close();
    // A change that was not confirmed yet would hold the close up.
    for rebalance in client.context().news().map(|news| news.rebalances).unwrap_or_default() {
        match rebalance {
            Rebalance::Assign(_) => confirm(&client, true, &TopicPartitionList::new()),
            Rebalance::Revoke(partitions) => confirm(&client, false, &partitions),
        }
    }
    let (sender, receiver) = channel();
    let closing = thread::Builder::new().name("kafka-close".to_owned()).spawn(move || {
        drop(client);
        let _ = sender.send(());
    });
    if closing.is_err() || receiver.recv_timeout(timeout).is_err() {
        tracing::warn!("the Kafka client did not close in time; going on without waiting");
    }
}

/// Offsets in librdkafka's form.
pub(crate) fn offsets(routes: &Routes, offsets: &[(Place, i64)]) -> TopicPartitionList {
    let element = |(place, offset): &(Place, i64)| {
        (routes.topic_name(place.topic).to_owned(), place.partition, Offset::Offset(*offset))
    };
    offsets.iter().map(element).collect()
}

/// The places that a list names.
pub(crate) fn places(routes: &Routes, list: &TopicPartitionList) -> impl Iterator<Item = Place> {
    let place = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        Some(Place { topic: routes.topic(element.topic())?, partition: element.partition() })
    };
    list.elements().iter().filter_map(place).collect::<Vec<_>>().into_iter()
}
