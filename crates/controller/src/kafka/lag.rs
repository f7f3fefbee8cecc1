//! How far a pipeline's consumer group is behind. Network I/O.

use std::time::Duration;

use pricepipe_api::TopicStatus;
use pricepipe_core::pipeline::Topic;
use pricepipe_service::kafka::lag;

use super::{KafkaAdmin, KafkaError};

/// How long each of the three questions may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The messages of these topics (the dead-letter topic is not one of them) that a group has not committed yet.
/// `known` is `status.topics`, which tells how many partitions there are in truth.
///
/// Where nothing was committed yet, everything that the topic holds counts. A question that is not answered is an
/// error, never 0.
pub(crate) async fn lag(
    admin: &KafkaAdmin,
    group: &str,
    topics: &[Topic],
    known: &[TopicStatus],
) -> Result<u64, KafkaError> {
    let partitions = partitions(topics, known);
    let group = group.to_owned();
    let lags = admin
        .ask(move |handles| lag::of_group(handles.topics(), handles.groups(), &group, &partitions, PATIENCE));
    Ok(lags.await?.into_values().sum())
}

fn partitions(topics: &[Topic], known: &[TopicStatus]) -> Vec<(String, i32)> {
    let count = |topic: &Topic| {
        let known =
            known.iter().find(|known| known.name == topic.name.as_str()).map(|known| known.partitions);
        known.unwrap_or_else(|| i32::try_from(topic.partitions).unwrap_or(i32::MAX))
    };
    let each = |topic: &Topic| {
        let name = topic.name.to_string();
        (0..count(topic)).map(move |partition| (name.clone(), partition))
    };
    topics.iter().flat_map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_as_many_as_there_are_in_truth() {
        let topic = |name: &str| Topic { name: name.parse().unwrap(), partitions: 1, compacted: false };
        let known = [TopicStatus { name: "btc".to_owned(), partitions: 2, ..TopicStatus::default() }];
        let expected = [("btc".to_owned(), 0), ("btc".to_owned(), 1), ("eth".to_owned(), 0)];
        assert_eq!(partitions(&[topic("btc"), topic("eth")], &known), expected);
    }
}
