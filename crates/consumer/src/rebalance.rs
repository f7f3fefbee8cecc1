//! What the intake does when partitions come or go.

use rdkafka::{TopicPartitionList, consumer::Consumer};

use crate::{
    assignment::{Assignment, Place},
    client::{self, Client},
    context::{Rebalance, confirm},
    intake::{Intake, REVOKE_DRAIN},
    progress::Ends,
};

impl Intake {
    /// Confirms a change once everything is in order for it.
    pub(crate) fn rebalance(&mut self, client: &Client, rebalance: Rebalance) {
        self.ends = Ends::default();
        match rebalance {
            Rebalance::Assign(partitions) => self.assigned(client, &partitions),
            Rebalance::Revoke(partitions) => self.revoked(client, &partitions),
        }
    }

    fn assigned(&mut self, client: &Client, partitions: &TopicPartitionList) {
        let places: Vec<Place> = client::places(&self.routes, partitions).collect();
        for place in &places {
            self.assignment.assign(*place);
            self.forget_topic_id(place.topic);
        }
        confirm(client, true, partitions);
        if self.paused
            && let Err(error) = client.pause(partitions)
        {
            tracing::warn!(%error, "new partitions cannot be paused");
        }
        self.events.rebalanced("assigned", &self.names(&places));
        self.events.kafka_ready();
    }

    /// Stop, drain, commit, forget.
    fn revoked(&mut self, client: &Client, partitions: &TopicPartitionList) {
        let places: Vec<Place> = client::places(&self.routes, partitions).collect();
        // Lost partitions may belong to another member already, whose commits must not be overwritten.
        let lost = client.assignment_lost();
        if !lost {
            let stored = |assignment: &Assignment| {
                let mut progress = places.iter().filter_map(|place| assignment.progress(*place));
                progress.all(|progress| progress.drained)
            };
            if !self.drain(REVOKE_DRAIN, stored) {
                tracing::warn!(
                    "not everything could be stored before partitions went; another member reads it again"
                );
            }
            self.commit_now(client);
        }
        places.iter().for_each(|place| self.forget(*place));
        confirm(client, false, partitions);
        self.events.rebalanced(if lost { "lost" } else { "revoked" }, &self.names(&places));
    }

    fn names(&self, places: &[Place]) -> Vec<String> {
        let name = |place: &Place| format!("{}/{}", self.routes.topic_name(place.topic), place.partition);
        places.iter().map(name).collect()
    }
}
