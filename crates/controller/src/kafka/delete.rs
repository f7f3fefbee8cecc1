//! Deletes topics that a pipeline created. Network I/O.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use pricepipe_api::TopicStatus;
use rdkafka::error::RDKafkaErrorCode;

use super::{KafkaAdmin, KafkaError, admin::PATIENCE, topics::refusal};

/// What became of the topics.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// Those that are gone now and were there before.
    pub(crate) deleted: Vec<String>,
    /// Those that were left, each with the reason.
    pub(crate) left: Vec<(String, String)>,
}

/// Deletes the topics that `known`, a pipeline's `status.topics`, says it created, unless their identity has changed
/// since, or `claimed` says that another pipeline uses them. May be called again: what is gone is fine.
pub(crate) async fn delete(
    admin: &KafkaAdmin,
    known: &[TopicStatus],
    claimed: &BTreeSet<String>,
) -> Result<Deleted, KafkaError> {
    let created = || known.iter().filter(|topic| topic.created);
    let there = admin.describe(created().map(|topic| topic.name.clone()).collect()).await?;
    let (mut ours, mut outcome) = (Vec::new(), Deleted::default());
    for topic in created() {
        let name = topic.name.as_str();
        let reason = match there.get(name) {
            None => continue,
            Some(Err(code)) => return Err(refusal(admin, name, "cannot be looked at", *code)),
            Some(Ok(_)) if claimed.contains(name) => "another pipeline uses it",
            Some(Ok(found)) if topic.id.is_some() && found.id.as_deref() == topic.id.as_deref() => {
                ours.push(name);
                continue;
            }
            Some(Ok(_)) if topic.id.is_none() => "its identity was never seen, so it may be somebody else's",
            Some(Ok(_)) => "it is no longer the topic that the pipeline created",
        };
        outcome.left.push((name.to_owned(), reason.to_owned()));
    }
    if ours.is_empty() {
        return Ok(outcome);
    }
    let results =
        admin.call(async |client| client.delete_topics(&ours, &KafkaAdmin::options()).await).await?;
    for result in results {
        match result {
            Ok(name) | Err((name, RDKafkaErrorCode::UnknownTopicOrPartition)) => outcome.deleted.push(name),
            Err((name, code)) => return Err(refusal(admin, &name, "cannot be deleted", code)),
        }
    }
    until_gone(admin, known, &outcome.deleted).await;
    Ok(outcome)
}

/// A broker may describe a deleted topic for a moment still, and a pipeline that is made anew would take it for one
/// that somebody else has made.
async fn until_gone(admin: &KafkaAdmin, known: &[TopicStatus], deleted: &[String]) {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let Ok(there) = admin.describe(deleted.to_vec()).await else { return };
        let is_old = |topic: &TopicStatus| {
            let found = there.get(&topic.name).and_then(|found| found.as_ref().ok());
            found.is_some_and(|found| found.id.as_deref() == topic.id.as_deref())
        };
        if !known.iter().any(is_old) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
