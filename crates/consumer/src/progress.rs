//! What the intake learns about lag, where it stands in the group, and whether it has reached the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use rdkafka::{Offset, consumer::Consumer};

use crate::{
    assignment::Place,
    client::{self, Client},
    intake::Intake,
    statistics::Statistics,
};

/// A question about offsets may take this long for each partition, and this long in all.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
const QUERIES_TIMEOUT: Duration = Duration::from_secs(10);
/// A question that was not answered is asked again after this long.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Where partitions begin and end, as the broker said when it was asked.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    /// The end that is to be reached, asked for once.
    goal: Option<Vec<Bounds>>,
    asked: Option<Instant>,
    /// The partitions whose first commit is looked after.
    started: BTreeSet<(usize, i32)>,
}

/// Where a partition begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bounds {
    place: Place,
    committed: Option<i64>,
    first: i64,
    end: i64,
}

impl Intake {
    /// Tells lag and readiness, and feeds the watchdog.
    pub(crate) fn learn_statistics(&mut self, statistics: &Statistics) {
        let (mut lags, mut unknown, mut undelivered) = (BTreeMap::new(), BTreeSet::new(), false);
        for (place, partition) in &statistics.partitions {
            let Some(progress) = self.assignment.progress(*place) else { continue };
            let (topic, lag) = (self.routes.topic_name(place.topic), partition.lag(progress));
            self.events.lag(topic, place.partition, lag);
            undelivered |= partition.has_undelivered();
            match lag {
                Some(lag) => *lags.entry(topic.to_owned()).or_insert(0) += lag,
                None => drop(unknown.insert(topic)),
            }
        }
        lags.retain(|topic, _| !unknown.contains(topic.as_str()));
        if let Some(observations) = &self.sink.observations {
            observations.lag(lags);
        }
        // A broker that is away explains the silence.
        let undelivered = undelivered && statistics.brokers_up > 0;
        self.watchdog.statistics(Instant::now(), undelivered, self.paused);
        self.tell_readiness(statistics);
    }

    fn tell_readiness(&mut self, statistics: &Statistics) {
        let trouble = self.trouble.as_ref().map(|trouble| trouble.text.as_str());
        if statistics.brokers_up == 0 {
            self.events.kafka_not_ready(trouble.unwrap_or("no broker is reached"));
        } else if statistics.join_state == "steady" || self.assignment.places().next().is_some() {
            self.trouble = None;
            self.events.kafka_ready();
        } else {
            let joining = format!("joining the consumer group ({})", statistics.join_state);
            self.events.kafka_not_ready(trouble.unwrap_or(&joining));
        }
    }

    /// Commits where partitions begin that the group never committed: without it nobody can tell their lag.
    pub(crate) fn commit_starts(&mut self, client: &Client) {
        let new = |place: &Place| !self.ends.started.contains(&(place.topic, place.partition));
        let places: Vec<Place> = self.assignment.places().filter(new).collect();
        if places.is_empty() || self.commits.is_busy() || !self.may_ask() {
            return;
        }
        let Some(bounds) = self.ask(client, &places) else { return };
        self.ends.started.extend(places.iter().map(|place| (place.topic, place.partition)));
        let start = |bounds: Bounds| {
            let taken = self.assignment.progress(bounds.place)?.stored;
            bounds.committed.is_none().then_some((bounds.place, taken.unwrap_or(bounds.first)))
        };
        let starts: Vec<(Place, i64)> = bounds.into_iter().filter_map(start).collect();
        self.send_commits(client, starts);
    }

    /// True when everything that was in Kafka when it was first asked is stored.
    pub(crate) fn has_reached_the_end(&mut self, client: &Client) -> bool {
        let places: Vec<Place> = self.assignment.places().collect();
        if self.ends.goal.is_none() && !places.is_empty() && self.may_ask() {
            self.ends.goal = self.ask(client, &places);
        }
        let reached = |bounds: &Bounds| match self.assignment.progress(bounds.place) {
            Some(progress) => {
                let position = progress.stored.or(bounds.committed).unwrap_or(bounds.first);
                progress.drained && position >= bounds.end
            }
            None => true,
        };
        self.ends.goal.as_ref().is_some_and(|goal| goal.iter().all(reached))
    }

    fn may_ask(&mut self) -> bool {
        let may = self.ends.asked.is_none_or(|asked| asked.elapsed() >= ASK_AGAIN);
        if may {
            self.ends.asked = Some(Instant::now());
        }
        may
    }

    /// Asks the broker; `None` when it does not answer.
    fn ask(&self, client: &Client, places: &[Place]) -> Option<Vec<Bounds>> {
        let named: Vec<(Place, String)> =
            places.iter().map(|place| (*place, self.routes.topic_name(place.topic).to_owned())).collect();
        let zeros: Vec<(Place, i64)> = places.iter().map(|place| (*place, 0)).collect();
        let list = client::offsets(&self.routes, &zeros);
        client::bounded(client, QUERIES_TIMEOUT, move |client| {
            let committed = client.committed_offsets(list, QUERY_TIMEOUT).ok()?;
            let bounds = |(place, topic): (Place, String)| {
                let (first, end) = client.fetch_watermarks(&topic, place.partition, QUERY_TIMEOUT).ok()?;
                let committed = committed.find_partition(&topic, place.partition)?;
                let committed =
                    if let Offset::Offset(offset) = committed.offset() { Some(offset) } else { None };
                Some(Bounds { place, committed, first, end })
            };
            named.into_iter().map(bounds).collect()
        })
        .flatten()
    }
}
