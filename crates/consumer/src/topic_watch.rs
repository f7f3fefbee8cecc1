//! Notices that a topic was deleted and created anew while its partitions are ours.
//!
//! Its offsets start again then. librdkafka goes on at the old offset, and where the new topic is long enough for
//! that, everything below it would be passed over without a word.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError},
    },
    time::{Duration, Instant},
};

use pricepipe_service::kafka::native::{self, AskError, Described};
use rdkafka::{Offset, consumer::Consumer};

use crate::{
    assignment::Place,
    client::{self, Client},
    intake::Intake,
};

/// The brokers are asked this often, with one request.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// And have this long to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The UUIDs that our topics had when the brokers were last asked.
#[derive(Default)]
pub(crate) struct TopicWatch {
    ids: BTreeMap<usize, Arc<str>>,
    asked: Option<Instant>,
    answer: Option<Receiver<Result<Described, AskError>>>,
}

impl Intake {
    /// Asks for UUIDs from time to time, and acts on one that is not what it was.
    pub(crate) fn watch_topics(&mut self, client: &Client) {
        match self.topics.answer.as_ref().map(Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return,
            Some(Ok(Ok(described))) => {
                self.topics.answer = None;
                described.topics.into_iter().for_each(|(topic, found)| {
                    self.learn_topic_id(client, &topic, found.ok().and_then(|found| found.id))
                });
            }
            // It is asked again; whoever cannot be reached is told of elsewhere.
            Some(_) => self.topics.answer = None,
            None => {}
        }
        if self.topics.asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY) {
            let mut topics: Vec<usize> = self.assignment.places().map(|place| place.topic).collect();
            topics.dedup();
            if topics.is_empty() {
                return;
            }
            let names: Vec<String> =
                topics.into_iter().map(|topic| self.routes.topic_name(topic).to_owned()).collect();
            self.topics.asked = Some(Instant::now());
            self.topics.answer = Some(client::call(client, move |client| {
                native::describe_topics(client.client(), &names, PATIENCE)
            }));
        }
    }

    fn learn_topic_id(&mut self, client: &Client, name: &str, id: Option<Arc<str>>) {
        let (Some(topic), Some(id)) = (self.routes.topic(name), id) else { return };
        let before = self.topics.ids.insert(topic, Arc::clone(&id));
        if before.is_some_and(|before| before != id) {
            self.events.topic_created_anew(name);
            self.forget_topic_id(topic);
            self.start_over(client, topic);
        }
    }

    /// Reads a topic from its beginning. What was read of it already is stored once all the same.
    fn start_over(&mut self, client: &Client, topic: usize) {
        let places: Vec<Place> = self.assignment.places().filter(|place| place.topic == topic).collect();
        for place in places {
            self.assignment.assign(place);
            let name = self.routes.topic_name(topic);
            if let Err(error) = client.seek(name, place.partition, Offset::Beginning, Duration::ZERO) {
                tracing::error!(%error, topic = name, place.partition, "cannot start over");
            }
        }
    }
}
